"""Fork servers that die and managers that start again: real processes go on."""

from __future__ import annotations

import signal
import socket

import pytest

from asperacentral.fasp import messages
from asperacentral.fasp.management import Decoder, Message
from asperacentral.fasp.manager import SessionManager
from asperacentral.fasp.messages import Identity
from tests.fasp.bench import is_alive, kill
from tests.fasp.house import BROKEN, EXECUTED, FORKED, House, ending

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
    _, new = house.succeed(first, session, old.pid(session))
    kill(old.pid(session) or 0, signal.SIGKILL)
    house.bench.until(lambda: new.endings(session))
    assert new.endings(session) == [ending()]


def test_an_adopted_process_without_known_id_ends_with_its_last_word(house: House) -> None:
    first, old = house.manager(FORKED)
    session = house.launch(first, "wait")
    house.bench.until(lambda: "STATS" in old.said(session))
    _, new = house.succeed(first, session, None)
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
