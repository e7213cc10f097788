from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from asperacentral.commands.local import LocalDaemon, LocalNode
from asperacentral.commands.observer import Observer
from tests.e2e.site import PASSWORD, FarSide, Site
from tests.openascp.sshd import MISSING, SSHD, Sshd


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[LocalDaemon]:
    with LocalDaemon(tmp_path / "central", verbosity="-DDD") as running:
        yield running


@pytest.fixture
def site(daemon: LocalDaemon) -> Site:
    return Site(daemon)


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarSide]:
    folder = tmp_path_factory.mktemp("node")
    root = folder / "docroot"
    root.mkdir()
    with LocalNode(folder, root, "far", PASSWORD) as running:
        yield FarSide("node", running.port, "far", root, "", password=PASSWORD)


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarSide]:
    if SSHD is None:
        pytest.skip(MISSING)
    folder = tmp_path_factory.mktemp("sshd")
    root = folder / "files"
    root.mkdir()
    with Sshd(folder / "server") as server:
        yield FarSide(
            "sshd", server.port, server.user, root, str(root), key=server.key, fingerprint=server.fingerprint
        )


@pytest.fixture(params=["node", "sshd"])
def far(request: pytest.FixtureRequest) -> FarSide:
    found: FarSide = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def observer() -> Iterator[Observer]:
    with Observer() as receiving:
        yield receiving
