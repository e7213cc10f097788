"""A node and a client for the tests of the whole: each runs once, and each test comes to them as another site."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from asperacentral.commands.local import LocalNode
from tests.client.support import LocalDesktop

_numbers = itertools.count()


@pytest.fixture(scope="session")
def running_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalNode, Path]]:
    home = tmp_path_factory.mktemp("node")
    docroot = home / "docroot"
    docroot.mkdir()
    with LocalNode(home, docroot, "demo", "a long password") as node:
        yield node, docroot


@pytest.fixture
def docroot(running_node: tuple[LocalNode, Path]) -> Path:
    """The node's folder, empty."""
    _, folder = running_node
    for entry in folder.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    return folder


@pytest.fixture
def node(running_node: tuple[LocalNode, Path], docroot: Path) -> LocalNode:
    return running_node[0]


@pytest.fixture(scope="session")
def running_desktop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalDesktop]:
    with LocalDesktop(tmp_path_factory.mktemp("client")) as desktop:
        yield desktop
        assert "Traceback" not in desktop.log.read_text()


@pytest.fixture
def desktop(running_desktop: LocalDesktop) -> LocalDesktop:
    """A client whose user has not been asked about the site yet."""
    running_desktop.visit(f"https://site{next(_numbers)}.example")
    return running_desktop


@pytest.fixture
def allowed(desktop: LocalDesktop) -> LocalDesktop:
    """One whose user allows the site."""
    desktop.decide(True)
    return desktop
