"""The rules for one session: patience, commands, and the one end."""

from __future__ import annotations

import signal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from asperacentral.fasp import messages
from asperacentral.fasp.management import LocalProtocolError, Message, MessageType
from asperacentral.fasp.processes import ProcessEnd
from asperacentral.fasp.session import (
    CANCEL_PATIENCE,
    CONNECT_PATIENCE,
    KILL_PATIENCE,
    LINGER,
    SETTLE,
    SILENCE,
    ManagedSession,
    SessionEnding,
)


class FakeProcess:
    """A process that ends when told to, or when it is killed and can be reached."""

    def __init__(self, *, known: bool = True) -> None:
        self.known = known
        self.end: ProcessEnd | None = None
        self.signals: list[int] = []

    @property
    def pid(self) -> int | None:
        return 4711 if self.known else None

    @property
    def watched(self) -> bool:
        return self.known

    def poll(self) -> ProcessEnd | None:
        return self.end

    def signal(self, number: int) -> bool:
        if self.known:
            self.signals.append(number)
        return self.known


class FakeConnection:
    """A connection that remembers what was sent."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.aborted = False

    def send(self, message: Message) -> None:
        assert not self.aborted
        self.sent.append(message)

    def abort(self) -> None:
        self.aborted = True


def session(process: FakeProcess | None = None) -> tuple[ManagedSession, FakeProcess]:
    process = process or FakeProcess()
    return ManagedSession("s", process, now=100.0), process


def heard(managed: ManagedSession, connection: FakeConnection, *kinds: str, now: float = 100.0) -> None:
    for kind in kinds:
        managed.hear(Message(kind), connection, now)


def rate_of(message: Message) -> tuple[int, int, str | None]:
    return message.integer("Rate", -1), message.integer("MinRate", -1), messages.policy_of(message)


# The end.


def test_a_session_ends_when_the_process_is_gone_and_the_connection_closed_in_either_order() -> None:
    for first in ("process", "connection"):
        managed, process = session()
        connection = FakeConnection()
        heard(managed, connection, "INIT", "DONE")
        assert managed.look(101) is None
        if first == "process":
            process.end = ProcessEnd(exit_status=0)
        else:
            managed.lose(connection)
        assert managed.look(102) is None
        process.end = ProcessEnd(exit_status=0)
        managed.lose(connection)
        assert managed.look(103) == SessionEnding(0, None, True, False, False)


def test_messages_still_on_their_way_are_waited_for() -> None:
    managed, process = session()
    process.end = ProcessEnd(signal=9)
    for _ in range(SETTLE):
        assert managed.look(101) is None
    connection = FakeConnection()
    heard(managed, connection, "INIT", "ERROR")
    assert managed.look(102) is None
    managed.lose(connection)
    assert managed.look(102) == SessionEnding(None, 9, False, True, False)


def test_a_process_that_ends_without_a_word_ends_its_session_as_never_connected() -> None:
    managed, process = session()
    process.end = ProcessEnd(exit_status=1)
    endings = [managed.look(101) for _ in range(SETTLE + 1)]
    assert endings == [None] * SETTLE + [SessionEnding(1, None, False, False, True)]


def test_a_connection_that_outlives_its_process_is_closed_in_the_end() -> None:
    managed, process = session()
    connection = FakeConnection()
    heard(managed, connection, "INIT", "DONE")
    process.end = ProcessEnd(exit_status=0)
    assert managed.look(200) is None
    assert managed.look(200 + LINGER - 0.1) is None
    assert not connection.aborted
    assert managed.look(200 + LINGER) == SessionEnding(0, None, True, False, False)
    assert connection.aborted


def test_the_last_closing_message_decides_what_was_said() -> None:
    managed, process = session()
    connection = FakeConnection()
    heard(managed, connection, "INIT", "ERROR", "DONE")
    managed.lose(connection)
    process.end = ProcessEnd(exit_status=0)
    ending = managed.look(101)
    assert ending is not None
    assert (ending.said_done, ending.said_error) == (True, False)


# Patience.


def test_a_process_that_does_not_connect_is_killed_once() -> None:
    managed, process = session()
    managed.look(100 + CONNECT_PATIENCE - 1)
    assert process.signals == []
    managed.look(100 + CONNECT_PATIENCE)
    managed.look(100 + CONNECT_PATIENCE + 1)
    assert process.signals == [signal.SIGKILL]


def test_silence_counts_from_the_last_message() -> None:
    managed, process = session()
    heard(managed, FakeConnection(), "INIT", now=110)
    heard(managed, FakeConnection(), "STATS", now=120)
    managed.look(120 + SILENCE - 1)
    assert process.signals == []
    managed.look(120 + SILENCE)
    assert process.signals == [signal.SIGKILL]


def test_a_process_that_said_its_last_word_but_does_not_end_is_killed_too() -> None:
    managed, process = session()
    heard(managed, FakeConnection(), "INIT", "DONE")
    managed.look(100 + SILENCE)
    assert process.signals == [signal.SIGKILL]


def test_cancel_is_followed_by_sigterm_and_sigkill_when_it_is_ignored() -> None:
    managed, process = session()
    connection = FakeConnection()
    heard(managed, connection, "INIT")
    assert managed.cancel(100)
    assert managed.cancel(105), "asking again changes nothing"
    assert [message.type for message in connection.sent] == ["CANCEL"]
    for second in range(100, 130):
        heard(managed, connection, "STATS", now=second)
        managed.look(second)
        expected = [signal.SIGTERM] if second >= 100 + CANCEL_PATIENCE else []
        expected += [signal.SIGKILL] if second >= 100 + CANCEL_PATIENCE + KILL_PATIENCE else []
        assert process.signals == expected


def test_a_process_of_unknown_id_that_falls_silent_is_given_up() -> None:
    managed, _process = session(FakeProcess(known=False))
    connection = FakeConnection()
    heard(managed, connection, "INIT")
    endings = [managed.look(100 + SILENCE) for _ in range(SETTLE + 1)]
    assert endings[-1] == SessionEnding(None, None, False, False, False)
    assert connection.aborted


def test_a_process_of_unknown_id_that_ignores_cancel_is_given_up() -> None:
    managed, _process = session(FakeProcess(known=False))
    connection = FakeConnection()
    heard(managed, connection, "INIT")
    managed.cancel(100)
    for second in range(100, 100 + int(CANCEL_PATIENCE + KILL_PATIENCE) + SETTLE + 1):
        if not connection.aborted:
            heard(managed, connection, "STATS", now=second)
        managed.look(second)
    assert managed.ending == SessionEnding(None, None, False, False, False)


def test_a_process_of_unknown_id_ends_with_its_last_word() -> None:
    managed, _process = session(FakeProcess(known=False))
    connection = FakeConnection()
    heard(managed, connection, "INIT", "DONE")
    assert managed.look(101) is None
    managed.lose(connection)
    assert managed.look(101) == SessionEnding(None, None, True, False, False)


def test_time_in_which_nobody_could_hear_is_excused() -> None:
    managed, process = session()
    connection = FakeConnection()
    heard(managed, connection, "INIT")
    managed.cancel(100)
    managed.excuse(1000)
    managed.look(1100 + CANCEL_PATIENCE - 1)
    assert process.signals == []


# Commands.


def test_commands_wait_for_the_connection_and_are_merged() -> None:
    managed, _process = session()
    assert managed.control(5000, None, None)
    assert managed.control(None, 10, "high")
    assert managed.control(6000, None, None)
    assert managed.cancel(100)
    connection = FakeConnection()
    heard(managed, connection, "INIT")
    assert [message.type for message in connection.sent] == ["RATE", "CANCEL"]
    assert rate_of(connection.sent[0]) == (6000, 10, "high")
    heard(managed, connection, "STATS")
    assert len(connection.sent) == 2


def test_a_command_says_only_what_is_new() -> None:
    managed, _process = session()
    connection = FakeConnection()
    heard(managed, connection, "INIT")
    managed.control(5000, None, None)
    managed.control(None, None, "low")
    assert [rate_of(message) for message in connection.sent] == [(5000, -1, None), (-1, -1, "low")]


def test_a_process_that_dials_again_hears_again_what_it_may_have_missed() -> None:
    managed, _process = session()
    first, second = FakeConnection(), FakeConnection()
    heard(managed, first, "INIT")
    managed.control(0, None, None)
    managed.control(None, 5, None)
    managed.lose(first)
    managed.cancel(100)
    heard(managed, second, "INIT")
    assert rate_of(second.sent[0]) == (0, 5, None)
    assert [message.type for message in second.sent] == ["RATE", "CANCEL"]


def test_a_process_that_dials_again_and_was_told_nothing_is_told_nothing() -> None:
    managed, _process = session()
    first, second = FakeConnection(), FakeConnection()
    heard(managed, first, "INIT")
    managed.lose(first)
    heard(managed, second, "INIT", "SESSION")
    assert second.sent == []


def test_commands_go_to_the_newest_connection() -> None:
    managed, _process = session()
    first, second = FakeConnection(), FakeConnection()
    heard(managed, first, "INIT")
    heard(managed, second, "STATS")
    managed.control(1, None, None)
    assert (len(first.sent), len(second.sent)) == (0, 1)


def test_a_session_that_is_over_takes_no_commands() -> None:
    for over in ("said", "gone"):
        managed, process = session()
        connection = FakeConnection()
        heard(managed, connection, "INIT")
        if over == "said":
            heard(managed, connection, "DONE")
        else:
            process.end = ProcessEnd(exit_status=0)
            managed.look(101)
        assert not managed.control(1, None, None)
        assert not managed.cancel(101)
        assert connection.sent == []


def test_a_change_that_cannot_be_said_is_the_callers_mistake_at_once() -> None:
    managed, _process = session()
    with pytest.raises(LocalProtocolError):
        managed.control(-1, None, None)
    with pytest.raises(LocalProtocolError):
        managed.control(None, None, "quick")


# Whatever happens.


class AnySession(RuleBasedStateMachine):
    """Everything that can happen to a session, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.process = FakeProcess()
        self.now = 100.0
        self.managed = ManagedSession("s", self.process, self.now)
        self.open: list[FakeConnection] = []
        self.heard_any = False
        self.ending: SessionEnding | None = None

    def opened(self) -> list[FakeConnection]:
        return [connection for connection in self.open if not connection.aborted]

    @precondition(lambda self: self.ending is None)
    @rule(kind=st.sampled_from([*MessageType, "HELLO"]), fresh=st.booleans())
    def hear(self, kind: str, fresh: bool) -> None:
        if fresh or not self.opened():
            self.open.append(FakeConnection())
        self.managed.hear(Message(kind), self.opened()[-1], self.now)
        self.heard_any = True

    @precondition(lambda self: self.opened())
    @rule()
    def lose(self) -> None:
        self.managed.lose(self.opened()[0])
        self.open.remove(self.opened()[0])

    @rule(target_rate=st.integers(0, 9), cancel=st.booleans())
    def command(self, target_rate: int, cancel: bool) -> None:
        taken = self.managed.cancel(self.now) if cancel else self.managed.control(target_rate, None, None)
        assert not (taken and self.ending)

    @rule()
    def die(self) -> None:
        self.process.end = self.process.end or ProcessEnd(signal=9)

    @rule(seconds=st.sampled_from([0.25, 1.0, 10.0, 31.0]))
    def look(self, seconds: float) -> None:
        self.now += seconds
        if signal.SIGKILL in self.process.signals:
            self.die()
        before, self.ending = self.ending, self.managed.look(self.now)
        assert before is None or self.ending is before, "the end is told once"

    @invariant()
    def ends_only_when_all_is_over(self) -> None:
        if self.ending is not None:
            assert self.process.end is not None
            assert self.opened() == []
            assert self.ending.never_connected == (not self.heard_any)
            assert not (self.ending.said_done and self.ending.said_error)

    def teardown(self) -> None:
        for _ in range(40):
            for connection in self.opened():
                self.managed.lose(connection)
            self.open.clear()
            self.look(10.0)
        assert self.ending is not None, "every session ends once everybody has gone"


TestAnySession = AnySession.TestCase
TestAnySession.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
