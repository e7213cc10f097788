"""The FASP Manager with real processes and real sockets: a session's life, starts, the port file."""

from __future__ import annotations

import signal
import socket
import stat
from pathlib import Path

import pytest

from asperacentral.fasp.manager import LaunchError, Program, SessionManager
from tests.fasp.bench import Bench, Notes, kill, order
from tests.fasp.house import EXECUTED, FORKED, LICENSED, House, ending

# A session's life.


def test_a_session_is_launched_heard_and_ended_once(house: House, program: Program) -> None:
    manager, notes = house.manager(program)
    session = house.launch(manager, "finish")
    assert manager.running() == (session,)
    house.bench.until(lambda: notes.endings(session))
    house.bench.turn_for(0.6)
    assert notes.said(session) == ["INIT", "SESSION", "START", "STOP", "DONE"]
    assert notes.endings(session) == [ending(exit_status=0, said_done=True)]
    assert notes.all[-1][0] == "ended"
    assert [kind for kind, _, _ in notes.all].count("launched") == 1
    assert manager.running() == ()


def test_a_session_that_fails_says_so_and_its_exit_status_is_told(house: House, program: Program) -> None:
    manager, notes = house.manager(program)
    session = house.launch(manager, "fail")
    house.bench.until(lambda: notes.endings(session))
    assert notes.endings(session) == [ending(exit_status=1, said_error=True)]
    assert notes.messages(session)[-1].integer("Code") == 19


def test_a_process_that_crashes_ends_its_session_with_the_signal(house: House, program: Program) -> None:
    manager, notes = house.manager(program)
    session = house.launch(manager, "crash")
    house.bench.until(lambda: notes.endings(session))
    assert notes.endings(session) == [ending(signal=signal.SIGSEGV)]
    assert notes.said(session) == ["INIT", "SESSION"]


def test_a_killed_process_ends_its_session_within_two_seconds(house: House, program: Program) -> None:
    manager, notes = house.manager(program)
    session = house.launch(manager, "wait")
    house.bench.until(lambda: "STATS" in notes.said(session) and notes.pid(session))
    kill(notes.pid(session) or 0, signal.SIGKILL)
    killed = house.bench.seconds()
    house.bench.until(lambda: notes.endings(session))
    assert notes.endings(session) == [ending(signal=signal.SIGKILL)]
    assert house.bench.seconds() - killed < 2


def test_several_sessions_share_the_port_and_are_told_apart(house: House) -> None:
    manager, notes = house.manager(FORKED)
    sessions = [house.launch(manager, manner) for manner in ("finish", "fail", "finish", "crash", "frames")]
    house.bench.until(lambda: not manager.running())
    assert all(len(notes.endings(session)) == 1 for session in sessions)
    assert [notes.endings(session)[0].said_done for session in sessions] == [True, False, True, False, True]
    for session in sessions:
        assert {m.text("SessionId") for m in notes.messages(session)} == {session}


def test_frames_may_come_by_a_connection_each_and_without_user_string(house: House) -> None:
    manager, notes = house.manager(FORKED)
    session = house.launch(manager, "frames")
    house.bench.until(lambda: notes.endings(session))
    assert notes.said(session) == ["INIT", "SESSION", "STATS", "DONE"]
    assert notes.endings(session) == [ending(exit_status=0, said_done=True)]
    assert notes.foreign == []


def test_a_process_that_speaks_nonsense_is_cut_off_and_what_it_said_before_counts(house: House) -> None:
    manager, notes = house.manager(EXECUTED)
    session = house.launch(manager, "nonsense")
    house.bench.until(lambda: notes.endings(session))
    assert notes.said(session) == ["INIT", "SESSION", "STATS"]
    assert notes.endings(session) == [ending(exit_status=3)]


# Starting.


def test_a_start_that_cannot_succeed_is_refused_at_once(house: House) -> None:
    manager, _notes = house.manager(Program(("/no/such/ascp",)))
    with pytest.raises(LaunchError, match="cannot start /no/such/ascp: No such file"):
        house.launch(manager, "finish")
    assert manager.running() == ()
    with pytest.raises(LaunchError, match="no remote host"):
        manager.launch_job(order("x", "finish", house.end_file).__class__("x", "send", "", ("a",), "b"))


def test_a_session_is_not_launched_or_adopted_twice(house: House) -> None:
    manager, _notes = house.manager(EXECUTED)
    session = house.launch(manager, "wait")
    with pytest.raises(LaunchError, match="under way already"):
        manager.launch_job(order(session, "wait", house.end_file))
    with pytest.raises(LaunchError, match="under way already"):
        manager.adopt_job(session, None, 5)
    house.end_file.touch()
    house.bench.until(lambda: not manager.running())


def test_nothing_is_launched_before_the_start_or_after_the_stop(house: House) -> None:
    manager, _notes = house.manager(EXECUTED)
    house.stop(manager)
    with pytest.raises(LaunchError, match="not running"):
        house.launch(manager, "finish")


def test_an_unknown_host_key_policy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="tofu, strict, any"):
        SessionManager(Bench(), Notes(), program=EXECUTED, port_file=tmp_path / "p", host_key_policy="never")


def test_a_licensed_ascp_gets_no_option_of_ours(house: House) -> None:
    manager, notes = house.manager(LICENSED)
    session = house.launch(manager, "wait", partial_tag="tag")
    house.bench.until(lambda: "STATS" in notes.said(session) and notes.pid(session))
    line = Path(f"/proc/{notes.pid(session)}/cmdline").read_bytes()
    assert b"--mgmt-port-file" not in line
    assert b"--partial-tag" not in line
    house.end_file.touch()
    house.bench.until(lambda: notes.endings(session))


def test_secrets_reach_the_process_and_no_argument_or_initial_environment_of_a_fork(house: House) -> None:
    manager, notes = house.manager(FORKED)
    session = house.launch(manager, "wait", cookie="c00kie", password="pa55", token="t0ken")
    house.bench.until(lambda: "STATS" in notes.said(session) and notes.pid(session))
    assert notes.messages(session)[0].text("Cookie") == "c00kie"
    for name in ("cmdline", "environ"):
        seen = Path(f"/proc/{notes.pid(session)}/{name}").read_bytes()
        assert not any(secret in seen for secret in (b"c00kie", b"pa55", b"t0ken"))
    house.end_file.touch()
    house.bench.until(lambda: notes.endings(session))


def test_secrets_of_the_manager_are_not_inherited(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASPERA_SCP_COOKIE", "not-yours")
    for program in (FORKED, EXECUTED):
        manager, notes = house.manager(program)
        session = house.launch(manager, "finish")
        house.bench.until(lambda: notes.endings(session))  # noqa: B023
        assert notes.messages(session)[0].text("Cookie") == ""


# The port file.


def test_the_port_file_names_the_port_while_the_manager_runs(house: House) -> None:
    manager, _notes = house.manager(EXECUTED)
    assert house.port_file.read_text() == str(house.port)
    assert stat.S_IMODE(house.port_file.stat().st_mode) == 0o644
    assert {path.name for path in house.tmp_path.iterdir()} == {"central.port", "central.mgmtkey"}
    assert stat.S_IMODE(house.key_file.stat().st_mode) == 0o600
    house.stop(manager)
    assert not house.port_file.exists()
    with pytest.raises(ConnectionRefusedError):
        house.dial()


def test_the_port_listens_on_loopback_only_and_can_be_chosen(house: House) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        wanted = free.getsockname()[1]
    _manager, _notes = house.manager(EXECUTED, mgmt_port=wanted)
    assert house.port == wanted
    listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    assert f"0100007F:{wanted:04X}" in listening


def test_the_port_file_of_a_successor_is_left_alone(house: House) -> None:
    first, _ = house.manager(EXECUTED)
    house.manager(EXECUTED)
    house.stop(first)
    assert house.port_file.read_text() == str(house.port)


def test_a_start_that_fails_says_why(house: House) -> None:
    manager, _notes = house.manager(EXECUTED)
    failures: list[object] = []
    for more in ({"port_file": house.port_file, "mgmt_port": house.port}, {"port_file": Path("/no/such/x")}):
        other = SessionManager(house.bench, Notes(), program=EXECUTED, **more)
        other.start().addErrback(lambda failure: failures.append(failure.value))
        house.stop(other)
    assert [type(failure).__name__ for failure in failures] == ["CannotListenError", "FileNotFoundError"]
    assert manager.running() == ()


def test_nothing_is_told_after_the_stop(house: House) -> None:
    manager, notes = house.manager(EXECUTED)
    session = house.launch(manager, "wait")
    house.bench.until(lambda: "STATS" in notes.said(session))
    house.stop(manager)
    told = len(notes.all)
    house.end_file.touch()
    house.bench.turn_for(0.5)
    assert len(notes.all) == told
