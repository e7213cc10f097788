"""A session's rates, pauses and end, asked of the FASP Manager with real processes."""

from __future__ import annotations

import signal

from asperacentral.fasp.manager import Program
from asperacentral.fasp.session import CANCEL_PATIENCE, CONNECT_PATIENCE, KILL_PATIENCE, SILENCE
from tests.fasp.bench import is_alive
from tests.fasp.house import EXECUTED, FORKED, House, ending


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
