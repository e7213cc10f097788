"""A node and a client for the tests of the whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from asperacentral.commands.local import LocalNode
from tests.client.support import SITE, LocalDesktop


@pytest.fixture
def docroot(tmp_path: Path) -> Path:
    folder = tmp_path / "docroot"
    folder.mkdir()
    return folder


@pytest.fixture
def node(tmp_path: Path, docroot: Path) -> Iterator[LocalNode]:
    with LocalNode(tmp_path, docroot, "demo", "a long password") as node:
        yield node


@pytest.fixture
def desktop(tmp_path: Path) -> Iterator[LocalDesktop]:
    """A client that has not been asked for anything yet."""
    with LocalDesktop(tmp_path / "client") as desktop:
        yield desktop


@pytest.fixture
def allowed(desktop: LocalDesktop) -> LocalDesktop:
    """One whose user allows SITE."""
    assert desktop.command("--allow", SITE)[0] == 0
    return desktop
