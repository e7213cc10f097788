"""The FASP Manager with real processes and real sockets."""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import stat
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asperacentral.fasp import messages, proof
from asperacentral.fasp.listener import IDLE
from asperacentral.fasp.management import Decoder, Message, encode
from asperacentral.fasp.manager import LaunchError, Program, SessionEnding, SessionManager
from asperacentral.fasp.messages import Identity, Progress, Rates, Tally
from asperacentral.fasp.processes import AdoptedProcess
from asperacentral.fasp.session import CANCEL_PATIENCE, CONNECT_PATIENCE, KILL_PATIENCE, SILENCE
from asperacentral.logs import BODIES
from tests.fasp.bench import Bench, Notes, is_alive, kill, order

COMMAND = (sys.executable, str(Path(__file__).with_name("speaker.py")))
FORKED = Program(COMMAND, module="tests.fasp.speaker", own=True)
EXECUTED = Program(COMMAND, own=True)
LICENSED = Program(COMMAND)
BROKEN = Program(COMMAND, module="tests.fasp.no_such_module", own=True)


class House:
    """Managers on one bench; what they started is cleared away at the end."""

    def __init__(self, tmp_path: Path) -> None:
        self.tmp_path = tmp_path
        self.port_file = tmp_path / "central.port"
        self.key_file = tmp_path / "central.mgmtkey"
        self.end_file = tmp_path / "end"
        self.bench = Bench()
        self.notes: list[Notes] = []
        self.managers: list[SessionManager] = []
        self.port = 0

    def manager(self, program: Program, **more: Any) -> tuple[SessionManager, Notes]:
        notes = Notes()
        manager = SessionManager(self.bench, notes, program=program, port_file=self.port_file, **more)
        ports: list[int] = []
        manager.start().addCallback(ports.append)
        self.port = ports[0]
        self.managers.append(manager)
        self.notes.append(notes)
        return manager, notes

    def launch(self, manager: SessionManager, manner: str, **more: Any) -> str:
        user_str = str(uuid.uuid4())
        manager.launch_job(order(user_str, manner, self.end_file, **more))
        return user_str

    def stop(self, manager: SessionManager) -> None:
        done: list[None] = []
        manager.stop().addCallback(done.append)
        self.bench.until(lambda: done, "the manager's stop")

    def dial(self, *said: Message) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.sendall(b"".join(encode(self.proven(message, connection)) for message in said))
        return connection

    def proven(self, message: Message, connection: socket.socket) -> Message:
        """The message as the session's own process would say it."""
        ends = proof.Ends(connection.getsockname()[1], connection.getpeername()[1])
        user_str = message.text("UserStr")
        key = proof.session_key(self.key_file.read_bytes(), user_str)
        return proof.with_proof(message, proof.of_process(key, user_str, ends))

    def close(self) -> None:
        for manager in self.managers:
            self.stop(manager)
        self.bench.close()
        for notes in self.notes:
            for kind, _user_str, what in notes.all:
                if kind == "launched" and isinstance(what, int) and AdoptedProcess(what).poll() is None:
                    kill(what, signal.SIGKILL)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.close()


@pytest.fixture(params=[FORKED, EXECUTED], ids=["forked", "executed"])
def program(request: pytest.FixtureRequest) -> Program:
    return request.param  # type: ignore[no-any-return]


def ending(**facts: Any) -> SessionEnding:
    plain: dict[str, Any] = {
        "exit_status": None,
        "signal": None,
        "said_done": False,
        "said_error": False,
        "never_connected": False,
    }
    return SessionEnding(**{**plain, **facts})


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


# Steering.


def test_a_rate_is_changed_and_the_process_answers(house: House) -> None:
    manager, notes = house.manager(FORKED)
    session = house.launch(manager, "wait")
    house.bench.until(lambda: "STATS" in notes.said(session))
    assert manager.control_job(session, target_rate=0)
    house.bench.until(lambda: "NOTIFICATION" in notes.said(session))
    answer = next(m for m in notes.messages(session) if m.type == "NOTIFICATION")
    assert answer.integer("Rate", -1) == 0


def test_a_rate_asked_before_the_process_connects_is_sent_when_it_does(house: House) -> None:
    manager, notes = house.manager(FORKED)
    session = house.launch(manager, "wait")
    assert manager.control_job(session, target_rate=7)
    assert manager.control_job(session, minimum_rate=3)
    house.bench.until(lambda: "NOTIFICATION" in notes.said(session))
    answer = next(m for m in notes.messages(session) if m.type == "NOTIFICATION")
    assert answer.integer("Rate") == 7


def test_a_cancelled_session_ends_with_code_28(house: House, program: Program) -> None:
    manager, notes = house.manager(program)
    session = house.launch(manager, "wait")
    house.bench.until(lambda: "STATS" in notes.said(session))
    assert manager.cancel_job(session)
    house.bench.until(lambda: notes.endings(session))
    assert notes.endings(session) == [ending(exit_status=1, said_error=True)]
    assert notes.messages(session)[-1].integer("Code") == 28


def test_a_session_cancelled_before_it_connects_is_told_when_it_does(house: House) -> None:
    manager, notes = house.manager(FORKED)
    session = house.launch(manager, "wait")
    assert manager.cancel_job(session)
    house.bench.until(lambda: notes.endings(session))
    assert notes.messages(session)[-1].integer("Code") == 28


def test_a_session_that_is_over_or_unknown_cannot_be_steered(house: House) -> None:
    manager, notes = house.manager(EXECUTED)
    session = house.launch(manager, "finish")
    house.bench.until(lambda: notes.endings(session))
    for name in (session, "unknown"):
        assert not manager.control_job(name, target_rate=5)
        assert not manager.cancel_job(name)


def test_a_process_that_ignores_cancel_is_terminated_and_then_killed(house: House) -> None:
    manager, notes = house.manager(EXECUTED)
    session = house.launch(manager, "deaf")
    house.bench.until(lambda: "STATS" in notes.said(session))
    house.bench.live = False
    manager.cancel_job(session)
    passed = 0.0
    while not notes.endings(session):
        house.bench.pass_time(1)
        house.bench.turn_for(0.1)
        passed += 1
        assert passed <= CANCEL_PATIENCE + KILL_PATIENCE + 10
    assert passed > CANCEL_PATIENCE + KILL_PATIENCE
    assert notes.endings(session) == [ending(signal=signal.SIGKILL)]


def test_a_silent_process_is_killed_and_reported_as_ended(house: House, program: Program) -> None:
    manager, notes = house.manager(program)
    session = house.launch(manager, "quiet")
    house.bench.until(lambda: "SESSION" in notes.said(session) and notes.pid(session))
    house.bench.live = False
    house.bench.pass_time(SILENCE - 1)
    assert is_alive(notes.pid(session) or 0)
    house.bench.pass_time(2)
    house.bench.live = True
    house.bench.until(lambda: notes.endings(session))
    assert notes.endings(session) == [ending(signal=signal.SIGKILL)]


def test_a_process_that_never_connects_is_killed(house: House) -> None:
    manager, notes = house.manager(EXECUTED)
    session = house.launch(manager, "hidden")
    house.bench.until(lambda: notes.pid(session))
    house.bench.live = False
    house.bench.pass_time(CONNECT_PATIENCE + 1)
    house.bench.live = True
    house.bench.until(lambda: notes.endings(session))
    assert notes.endings(session) == [ending(signal=signal.SIGKILL, never_connected=True)]


def test_time_in_which_the_manager_itself_stood_still_does_not_count_as_silence(house: House) -> None:
    manager, notes = house.manager(EXECUTED)
    session = house.launch(manager, "quiet")
    house.bench.until(lambda: "SESSION" in notes.said(session) and notes.pid(session))
    house.bench.live = False
    house.bench.clock.advance(3600)
    house.bench.pass_time(SILENCE / 2)
    house.bench.turn_for(0.3)
    assert is_alive(notes.pid(session) or 0)
    assert notes.endings(session) == []
    manager.cancel_job(session)


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


# The fork server's troubles.


def server_of(manager: SessionManager) -> int:
    assert manager._fork_server is not None
    return manager._fork_server.server_pid or 0


def test_sessions_go_on_when_the_fork_server_is_killed_and_a_new_one_is_started(house: House) -> None:
    manager, notes = house.manager(FORKED)
    session = house.launch(manager, "wait")
    house.bench.until(lambda: "STATS" in notes.said(session) and notes.pid(session))
    first = server_of(manager)
    kill(first, signal.SIGKILL)
    heard = len(notes.said(session))
    house.bench.until(lambda: server_of(manager) not in (0, first), "a new fork server")
    house.bench.until(lambda: len(notes.said(session)) > heard + 3)
    assert notes.endings(session) == []
    second = house.launch(manager, "wait")
    house.bench.until(lambda: "STATS" in notes.said(second))
    house.end_file.touch()
    house.bench.until(lambda: not manager.running())
    assert notes.endings(session) == [ending(said_done=True)]
    assert notes.endings(second) == [ending(exit_status=0, said_done=True)]


def test_the_death_of_a_process_is_seen_without_the_fork_server_that_made_it(house: House) -> None:
    manager, notes = house.manager(FORKED)
    session = house.launch(manager, "wait")
    house.bench.until(lambda: "STATS" in notes.said(session) and notes.pid(session))
    kill(server_of(manager), signal.SIGKILL)
    house.bench.until(lambda: not server_of(manager))
    kill(notes.pid(session) or 0, signal.SIGKILL)
    house.bench.until(lambda: notes.endings(session))
    assert notes.endings(session) == [ending()]


def test_while_there_is_no_fork_server_processes_are_executed(house: House) -> None:
    manager, notes = house.manager(FORKED)
    house.bench.until(lambda: server_of(manager))
    kill(server_of(manager), signal.SIGKILL)
    house.bench.until(lambda: not server_of(manager))
    session = house.launch(manager, "finish")
    house.bench.until(lambda: notes.endings(session))
    assert notes.endings(session) == [ending(exit_status=0, said_done=True)]


def test_requests_that_a_fork_server_could_not_serve_are_executed(house: House) -> None:
    manager, notes = house.manager(BROKEN)
    session = house.launch(manager, "finish")
    house.bench.until(lambda: notes.endings(session))
    assert notes.endings(session) == [ending(exit_status=0, said_done=True)]
    assert notes.pid(session)


def test_a_fork_server_that_does_not_stay_is_started_less_and_less_often(house: House) -> None:
    house.bench.live = False
    manager, _notes = house.manager(BROKEN)
    waits = []
    for _ in range(3):
        house.bench.until(lambda: not server_of(manager), "the server's death")
        started = house.bench.seconds()
        while not server_of(manager):
            house.bench.pass_time(0.25)
        waits.append(house.bench.seconds() - started)
    assert waits == [1.0, 2.0, 4.0]


# The manager's own restart.


def test_processes_go_on_when_the_manager_stops_and_are_adopted_by_the_next(house: House) -> None:
    first, old = house.manager(FORKED)
    session = house.launch(first, "wait")
    house.bench.until(lambda: "STATS" in old.said(session) and old.pid(session))
    house.stop(first)
    assert is_alive(old.pid(session) or 0)
    told = len(old.all)

    second, new = house.manager(FORKED)
    second.adopt_job(session, old.pid(session), 20)
    assert second.control_job(session, target_rate=77)
    house.bench.until(lambda: "NOTIFICATION" in new.said(session))
    assert new.said(session)[:2] == ["INIT", "SESSION"]
    house.end_file.touch()
    house.bench.until(lambda: new.endings(session))
    assert new.endings(session) == [ending(said_done=True)]
    assert len(old.all) == told


def test_an_adopted_process_that_is_killed_ends_its_session(house: House) -> None:
    first, old = house.manager(FORKED)
    session = house.launch(first, "wait")
    house.bench.until(lambda: "STATS" in old.said(session) and old.pid(session))
    house.stop(first)
    second, new = house.manager(FORKED)
    second.adopt_job(session, old.pid(session), 20)
    house.bench.until(lambda: "STATS" in new.said(session))
    kill(old.pid(session) or 0, signal.SIGKILL)
    house.bench.until(lambda: new.endings(session))
    assert new.endings(session) == [ending()]


def test_an_adopted_process_without_known_id_ends_with_its_last_word(house: House) -> None:
    first, old = house.manager(FORKED)
    session = house.launch(first, "wait")
    house.bench.until(lambda: "STATS" in old.said(session))
    house.stop(first)
    second, new = house.manager(FORKED)
    second.adopt_job(session, None, 20)
    house.bench.until(lambda: "STATS" in new.said(session))
    house.end_file.touch()
    house.bench.until(lambda: new.endings(session))
    assert new.endings(session) == [ending(said_done=True)]


@pytest.mark.parametrize("pid", [None, 2**22 - 7, 1], ids=["unknown", "gone", "a stranger's"])
def test_an_adopted_session_of_which_nothing_is_heard_ends(house: House, pid: int | None) -> None:
    manager, notes = house.manager(EXECUTED)
    house.bench.live = False
    manager.adopt_job("lost", pid, 4)
    house.bench.pass_time(3)
    assert bool(notes.endings("lost")) == (pid is not None)
    house.bench.pass_time(3)
    assert notes.endings("lost") == [ending(never_connected=True)]
    assert is_alive(1)


def test_an_adopted_process_that_lives_but_does_not_dial_is_killed(house: House) -> None:
    first, old = house.manager(EXECUTED)
    session = house.launch(first, "hidden")
    house.bench.until(lambda: old.pid(session))
    house.stop(first)
    second, new = house.manager(EXECUTED)
    second.adopt_job(session, old.pid(session), 0.5)
    house.bench.until(lambda: new.endings(session))
    assert not is_alive(old.pid(session) or 0)
    assert new.endings(session) == [ending(never_connected=True)]


def test_a_process_that_dials_after_its_session_was_given_up_is_cancelled(house: House) -> None:
    manager, notes = house.manager(EXECUTED)
    manager.adopt_job("late", None, 0.1)
    house.bench.until(lambda: notes.endings("late"))
    with house.dial(messages.init(Identity("s", "late"), direction=messages.SENDING)) as connection:
        connection.setblocking(False)
        heard: list[Message] = []
        house.bench.until(lambda: receive(connection, heard))
    assert [message.type for message in heard] == ["CANCEL"]
    assert notes.foreign == []


def receive(connection: socket.socket, heard: list[Message]) -> bool:
    try:
        heard += Decoder().feed(connection.recv(4096))
    except BlockingIOError:
        return False
    return True


# Strangers.


def test_sessions_of_others_are_told_as_foreign_and_steered_by_their_name(house: House) -> None:
    manager, notes = house.manager(EXECUTED)
    who = Identity("11111111-2222-4333-8444-555555555555", "somebody-elses")
    with house.dial(
        messages.init(who, direction=messages.RECEIVING),
        messages.stats(Identity(who.session_id), file=None, progress=Progress(), rates=Rates(1)),
    ) as connection:
        house.bench.until(lambda: len(notes.foreign) == 2)
        assert [(name, message.type) for name, message in notes.foreign] == [
            (who.session_id, "INIT"),
            (who.session_id, "STATS"),
        ]
        assert manager.control_job(who.session_id, target_rate=7)
        assert manager.cancel_job(who.session_id)
        connection.setblocking(False)
        heard = Decoder()
        said: list[Message] = []

        def commands() -> bool:
            with contextlib.suppress(BlockingIOError):
                said.extend(heard.feed(connection.recv(4096)))
            return len(said) == 2

        house.bench.until(commands)
        assert [message.type for message in said] == ["RATE", "CANCEL"]
        assert notes.foreign_endings == []
    house.bench.until(lambda: notes.foreign_endings)
    assert notes.foreign_endings == [(who.session_id, SessionEnding(None, None, False, False, False))]
    assert not manager.cancel_job(who.session_id)
    assert notes.all == []


def test_a_server_half_of_our_own_session_is_told_under_another_name(house: House) -> None:
    manager, notes = house.manager(EXECUTED)
    session = house.launch(manager, "wait")
    house.bench.until(lambda: notes.said(session))
    session_id = notes.messages(session)[0].text("SessionId")
    init = messages.init(Identity(session_id), direction=messages.RECEIVING)
    done = messages.done(
        Identity(session_id), direction=messages.RECEIVING, progress=Progress(), tally=Tally()
    )
    with house.dial(Message(init.type, {**init.fields, "Remote": "Yes"}), done):
        house.bench.until(lambda: len(notes.foreign) == 2)
    house.bench.until(lambda: notes.foreign_endings)
    ((name, ending),) = notes.foreign_endings
    assert name == notes.foreign[0][0]
    assert name not in (session, session_id)
    assert ending.said_done
    assert notes.endings(session) == []


@pytest.mark.parametrize("data", [b"GET / HTTP/1.0\r\n\r\n", b"\x00" * 100_000, b"FASPMGR 2\nType: \n\n"])
def test_who_does_not_speak_the_protocol_is_cut_off(house: House, data: bytes) -> None:
    _manager, notes = house.manager(EXECUTED)
    with house.dial() as connection:
        connection.sendall(data)
        connection.setblocking(False)
        house.bench.until(lambda: closed(connection))
    assert (notes.all, notes.foreign) == ([], [])


def closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def test_who_says_nothing_is_cut_off_in_the_end(house: House) -> None:
    house.manager(EXECUTED)
    with house.dial() as connection:
        connection.setblocking(False)
        house.bench.turn_for(0.1)
        house.bench.live = False
        house.bench.pass_time(IDLE - 5)
        assert not closed(connection)
        house.bench.pass_time(10)
        house.bench.until(lambda: closed(connection))


def test_messages_out_of_order_are_not_told(house: House, caplog: pytest.LogCaptureFixture) -> None:
    manager, notes = house.manager(EXECUTED)
    manager.adopt_job("mine", None, 20)
    who = Identity("s-1", "mine")
    done = messages.done(who, direction=messages.SENDING, progress=Progress(), tally=Tally())
    init = messages.init(who, direction=messages.SENDING)
    with caplog.at_level(logging.WARNING), house.dial(done, init, Message("RATE", init.fields), done, init):
        house.bench.until(lambda: "DONE" in notes.said("mine"))
    house.bench.until(lambda: notes.endings("mine"))
    assert notes.said("mine") == ["INIT", "DONE"]
    assert "out of order" in caplog.text


def test_a_listener_that_fails_does_not_stop_the_manager(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    manager, notes = house.manager(EXECUTED)

    def fail(user_str: str, message: Message) -> None:
        raise RuntimeError(f"cannot take {message.type}")

    notes.session_message = fail  # type: ignore[method-assign]
    session = house.launch(manager, "finish")
    house.bench.until(lambda: notes.endings(session))
    assert "cannot take INIT" in caplog.text


def test_frames_are_logged_with_secrets_masked(house: House, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(BODIES):
        manager, notes = house.manager(FORKED)
        session = house.launch(manager, "wait", cookie="c00kie", password="pa55", token="t0ken")
        manager.control_job(session, target_rate=5)
        house.bench.until(lambda: "NOTIFICATION" in notes.said(session))
    assert "frame received: <INIT Cookie=*** Direction='Send'" in caplog.text
    assert "frame sent: <RATE Rate='5'>" in caplog.text
    assert not any(secret in caplog.text for secret in ("c00kie", "pa55", "t0ken"))
    house.end_file.touch()
    house.bench.until(lambda: notes.endings(session))


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
