"""The manager's end of the fork server, when the server misbehaves."""

from __future__ import annotations

import os
import signal
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from asperacentral.fasp.forkserver import child_environment
from asperacentral.fasp.manager import LaunchError, Program, SessionEnding, SessionManager
from asperacentral.fasp.spawn_protocol import Ready, Refused, encode_report
from tests.fasp.bench import Bench, Notes, order

COMMAND = (sys.executable, str(Path(__file__).with_name("speaker.py")))


class Play:
    """A manager whose fork server is a script of the test's."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tmp_path = tmp_path
        self.monkeypatch = monkeypatch
        self.bench = Bench()
        self.notes = Notes()
        self.manager: SessionManager | None = None

    def begin(self, script: str) -> SessionManager:
        program = self.tmp_path / "server"
        program.write_text(f"#!{sys.executable}\nimport os\n{script}\n")
        program.chmod(0o755)
        self.monkeypatch.setattr(sys, "executable", str(program))
        self.manager = SessionManager(
            self.bench,
            self.notes,
            program=Program(COMMAND, module="tests.fasp.speaker", own=True),
            port_file=self.tmp_path / "port",
        )
        self.manager.start()
        return self.manager

    def launch(self, manner: str = "finish") -> str:
        assert self.manager is not None
        session = str(uuid.uuid4())
        self.manager.launch_job(order(session, manner, self.tmp_path / "end"))
        return session


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Play]:
    play = Play(tmp_path, monkeypatch)
    yield play
    if play.manager is not None:
        play.manager.stop()
    play.bench.turn_for(0.05)
    play.bench.close()


def test_a_child_that_could_not_be_made_ends_its_session(play: Play) -> None:
    reports = encode_report(Ready()), encode_report(Refused(1, "Resource temporarily unavailable"))
    play.begin(
        f"os.write(1, {reports[0]!r}); os.read(0, 1); os.write(1, {reports[1]!r}); os.read(0, 1 << 20)\nos.read(0, 1)"
    )
    session = play.launch()
    play.bench.until(lambda: play.notes.endings(session))
    assert play.notes.endings(session) == [SessionEnding(None, None, False, False, True)]
    assert play.notes.pid(session) is None


def test_a_server_that_is_not_understood_is_replaced_and_its_requests_are_executed(play: Play) -> None:
    play.begin("os.write(1, b'hello\\n'); os.read(0, 1)")
    session = play.launch()
    play.bench.until(lambda: play.notes.endings(session))
    assert play.notes.endings(session) == [SessionEnding(0, None, True, False, False)]


def test_a_server_that_cannot_be_started_is_done_without(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    play.begin("")
    (play.tmp_path / "server").unlink()
    play.bench.turn_for(1.5)
    session = play.launch()
    play.bench.until(lambda: play.notes.endings(session))
    assert play.notes.endings(session) == [SessionEnding(0, None, True, False, False)]


def test_a_request_that_died_with_its_server_is_given_up_when_nothing_is_heard(play: Play) -> None:
    play.begin(
        f"os.write(1, {encode_report(Ready())!r}); os.read(0, 1); os.kill(os.getpid(), {signal.SIGKILL:d})"
    )
    play.bench.turn_for(0.3)
    session = play.launch()
    play.bench.turn_for(0.5)
    play.bench.live = False
    play.bench.pass_time(65)
    assert play.notes.endings(session) == [SessionEnding(None, None, False, False, True)]


def test_an_unserved_request_whose_program_is_missing_ends_its_session(play: Play, tmp_path: Path) -> None:
    program = tmp_path / "ascp"
    program.touch(0o755)
    manager = play.begin("os.read(0, 1)")
    manager._program = Program((str(program),), module="x", own=True)
    session = play.launch()
    program.unlink()
    play.bench.turn_for(0.1)
    assert manager._fork_server is not None
    os.kill(manager._fork_server.server_pid or 0, signal.SIGKILL)
    play.bench.until(lambda: play.notes.endings(session))
    assert play.notes.endings(session) == [SessionEnding(None, None, False, False, True)]


def test_a_request_that_is_too_long_is_refused_at_once(play: Play) -> None:
    manager = play.begin(f"os.write(1, {encode_report(Ready())!r}); os.read(0, 1)")
    with pytest.raises(LaunchError, match="longer than"):
        manager.launch_job(order("s", "x" * 17_000_000, play.tmp_path / "end"))
    assert manager.running() == ()


def test_processes_start_without_secrets_and_with_this_package_in_reach() -> None:
    inherited = {"PATH": "/bin", "PYTHONPATH": "/else", "ASPERA_SCP_PASS": "x", "ASPERA_SCP_TOKEN": "y"}
    environment = child_environment(inherited)
    assert set(environment) == {"PATH", "PYTHONPATH"}
    first, *others = environment["PYTHONPATH"].split(os.pathsep)
    assert (Path(first) / "asperacentral" / "fasp" / "spawner.py").exists()
    assert others == ["/else"]
