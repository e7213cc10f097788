"""How openascp starts: what each end imports before it says its first word, and sessions that no manager began."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from asperacentral.openascp.dialing import Dialing, foreseen
from tests.openascp import sshd as openssh
from tests.openascp.conftest import PLANES
from tests.openascp.sshd import Sshd

_SERVER = "asperacentral.openascp.exchange.server"
_CLIENT = "asperacentral.openascp.program"
_HEAVY = {
    "asyncssh",
    "sqlalchemy",
    "twisted",
    "spyne",
    "zeep",
    "lxml",
    "prometheus_client",
    "importlib.metadata",
}
_SECONDS = 120


def imported_by(module: str) -> set[str]:
    """All modules that are there when `module` is."""
    said = subprocess.run(
        [sys.executable, "-P", "-c", f"import sys, {module}; print(*sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
    )
    return set(said.stdout.split())


def test_the_far_side_answers_before_it_imports_what_moves_files() -> None:
    modules = imported_by(_SERVER)
    assert not modules & _HEAVY
    moving = {
        *(
            f"asperacentral.openascp.exchange.{name}"
            for name in ("receiving", "sending", "writing", "reading")
        ),
        "asperacentral.openascp.udp.engine",
        "asperacentral.openascp.policy_conf",
        "asperacentral.config",
    }
    assert not modules & moving


def test_a_client_reads_its_options_before_it_imports_what_speaks_ssh() -> None:
    modules = imported_by(_CLIENT)
    assert not modules & _HEAVY
    assert "asperacentral.openascp.session" not in modules


def alone(
    server: Sshd, port: int, tmp_path: Path, source: Path, target: Path
) -> subprocess.CompletedProcess[str]:
    """A session that nobody manages."""
    words = [
        *(sys.executable, "-P", "-m", "asperacentral.openascp", "--mode=send", f"--host={server.host}"),
        *(f"--user={server.user}", "-P", str(port), "-i", str(server.key)),
        *(f"--known-hosts={tmp_path / 'known'}", "-q", "-l", "1g", "-S", PLANES["exchange"]),
        *(str(source), str(target)),
    ]
    return subprocess.run(words, check=False, capture_output=True, text=True, timeout=_SECONDS)


@pytest.mark.sshd
def test_a_session_without_managers_moves_its_files(sshd: Sshd, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"content" * 1000)
    assert alone(sshd, sshd.port, tmp_path, source, tmp_path / "target").returncode == 0
    assert (tmp_path / "target").read_bytes() == source.read_bytes()


@pytest.mark.sshd
def test_a_session_without_managers_says_that_nobody_answers(sshd: Sshd, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"content")
    ended = alone(sshd, openssh.free_port(), tmp_path, source, tmp_path / "target")
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr


@pytest.mark.sshd
def test_a_session_without_managers_refuses_a_host_with_another_key(sshd: Sshd, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"content")
    other = (sshd.folder / "user_key.pub").read_text().split()
    (tmp_path / "known").write_text(f"[{sshd.host}]:{sshd.port} {other[0]} {other[1]}\n")
    ended = alone(sshd, sshd.port, tmp_path, source, tmp_path / "target")
    assert ended.returncode == 1
    assert not (tmp_path / "target").exists()
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (["--mode=send", "--host=127.0.0.1", "-P", "1", "a", "b"], ("127.0.0.1", 1)),
        (["--host=127.0.0.1", "a", "b"], ("127.0.0.1", 22)),
        (["-M", "4000", "--host=127.0.0.1", "-P", "1", "a", "b"], None),
        (["--host=::1", "-6", "-P", "1", "a", "b"], None),
        (["--host=127.0.0.1", "--host=127.0.0.2", "-P", "1", "a", "b"], None),
        (["--host=127.0.0.1", "-P", "ssh", "a", "b"], None),
        (["--host=", "a", "b"], None),
        ([], None),
    ],
)
def test_a_client_dials_where_its_command_line_says_plainly(
    words: list[str], place: tuple[str, int] | None
) -> None:
    dialing = foreseen(words)
    assert (dialing is not None) == (place is not None)
    if dialing is not None and place is not None:
        assert dialing.is_to(*place)
        dialing.answered.result(_SECONDS)


def test_what_does_not_answer_brings_no_connection() -> None:
    assert Dialing("127.0.0.1", openssh.free_port()).answered.result(_SECONDS) is None


def test_what_answers_brings_a_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        made = Dialing(*listening.getsockname()).answered.result(_SECONDS)
        assert made is not None
        with made:
            assert made.getpeername() == listening.getsockname()
