"""Fixtures: one sshd for all tests of a worker, and short ways to push to it and pull from it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.openascp import sshd as openssh
from tests.openascp.manager import Openascp
from tests.openascp.sshd import Sshd

Run = Callable[..., Openascp]
"""run(mode, sources, destination, *options): starts a session."""


def names(folder: Path) -> list[str]:
    """All names below a folder; folders end in a slash."""
    return sorted(str(path.relative_to(folder)) + "/" * path.is_dir() for path in folder.rglob("*"))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """source/{a.txt,b.pdf,sub/{c.txt,d.pdf},empty/}"""
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "empty").mkdir()
    for name in ("a.txt", "b.pdf", "sub/c.txt", "sub/d.pdf"):
        (source / name).write_text(name * 1000)
    return source


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """One server for all tests that do not harm it."""
    if openssh.SSHD is None:
        pytest.skip(openssh.MISSING)
    with Sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


PLANES = {
    "sftp": "no-openascp-here",
    "exchange": f"{sys.executable} -P -m asperacentral.openascp",
}


ON_BOTH = pytest.mark.parametrize("plane", PLANES)
"""For modules whose tests hold whatever is on the far side."""


def _may_unshare() -> bool:
    """Containers may keep even root from making network namespaces."""
    try:
        return not subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode
    except OSError:
        return False


IN_A_NETWORK_OF_ITS_OWN = pytest.mark.skipif(
    not _may_unshare(), reason="no network namespace can be made: needs root, and unshare"
)
"""For tests whose far side is where UDP does not get through."""


@pytest.fixture
def plane() -> str:
    """What is on the far side: SFTP only, or openascp as well."""
    return "exchange"


@pytest.fixture
def run(sshd: Sshd, tmp_path: Path, plane: str) -> Iterator[Run]:
    """Starts sessions with the server; what still runs at the end is killed."""
    started: list[Openascp] = []

    def start(
        mode: str,
        sources: list[Path | str | bytes],
        destination: Path | str | bytes,
        *options: str,
        server: Sshd = sshd,
        key: Path | None = None,
        **more: object,
    ) -> Openascp:
        process = Openascp(
            f"--mode={mode}",
            f"--host={server.host}",
            f"--user={server.user}",
            "-P",
            str(server.port),
            "-i",
            key or server.key,
            f"--known-hosts={tmp_path / 'known_hosts'}",
            "-l",
            "10g",
            "-q",
            "-S",
            PLANES[plane],
            *options,
            *sources,
            destination,
            **more,  # type: ignore[arg-type]
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.__exit__(None, None, None)
