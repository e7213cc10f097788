"""One gateway for the tests of a module."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.gateway.site import Site


@pytest.fixture(scope="module")
def running_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("gateway"), options={"idle_timeout": "5"}) as site:
        yield site


@pytest.fixture
def site(running_site: Site) -> Site:
    """The module's gateway, its docroots empty."""
    for user in ("alice", "bob"):
        shutil.rmtree(running_site.root / user)
        (running_site.root / user).mkdir()
    return running_site
