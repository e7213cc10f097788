"""Foreign sessions: each connection speaks for one, and for nobody else's."""

from __future__ import annotations

import uuid

import pytest

from asperacentral.fasp import messages
from asperacentral.fasp.foreign import ForeignSessions
from asperacentral.fasp.management import Message, MessageType
from asperacentral.fasp.messages import Identity, Progress, Tally

SESSION = "11111111-2222-4333-8444-555555555555"
OTHER = "99999999-2222-4333-8444-555555555555"


class Line:
    def __init__(self) -> None:
        self.sent: list[Message] = []

    def send(self, message: Message) -> None:
        self.sent.append(message)


def init(session_id: str = SESSION) -> Message:
    return messages.init(Identity(session_id), direction=messages.SENDING)


def done(session_id: str = SESSION) -> Message:
    return messages.done(Identity(session_id), direction=messages.SENDING, progress=Progress(), tally=Tally())


@pytest.fixture
def foreign() -> ForeignSessions:
    return ForeignSessions(lambda name: False, most=2)


def test_a_session_is_told_from_its_init_to_the_end_of_its_connection(foreign: ForeignSessions) -> None:
    line = Line()
    assert foreign.hear(init(), line) == SESSION
    assert foreign.hear(done(), line) == SESSION
    ended = foreign.lose(line)
    assert ended is not None
    assert (ended[0], ended[1].said_done, ended[1].said_error) == (SESSION, True, False)
    assert foreign.lose(line) is None
    assert foreign.hear(init(), Line()) == SESSION


def test_a_session_that_just_vanishes_said_nothing_at_its_end(foreign: ForeignSessions) -> None:
    line = Line()
    foreign.hear(init(), line)
    ended = foreign.lose(line)
    assert ended is not None
    assert not ended[1].said_done
    assert not ended[1].said_error


def test_nobody_else_speaks_for_a_session_that_is_under_way(foreign: ForeignSessions) -> None:
    line, impostor = Line(), Line()
    foreign.hear(init(), line)
    assert foreign.hear(init(), impostor) is None
    assert foreign.hear(done(), impostor) is None
    assert foreign.lose(impostor) is None
    assert foreign.hear(done(), line) == SESSION


def test_a_connection_speaks_for_one_session_only(foreign: ForeignSessions) -> None:
    line, other = Line(), Line()
    foreign.hear(init(), line)
    foreign.hear(init(OTHER), other)
    assert foreign.hear(done(OTHER), line) is None
    assert foreign.hear(done(OTHER), other) == OTHER


def test_what_is_out_of_order_is_not_told(foreign: ForeignSessions) -> None:
    line = Line()
    assert foreign.hear(done(), line) is None
    foreign.hear(init(), line)
    foreign.hear(done(), line)
    assert foreign.hear(init(), line) is None


@pytest.mark.parametrize("session_id", ["", "job-17", "1", "0" * 5000, "../../etc"])
def test_a_session_without_a_proper_id_is_not_followed(foreign: ForeignSessions, session_id: str) -> None:
    line = Line()
    assert foreign.hear(init(session_id), line) is None
    assert line not in foreign


def test_more_than_the_most_are_not_followed_until_others_end(foreign: ForeignSessions) -> None:
    lines = [Line() for _ in range(3)]
    names = [foreign.hear(init(str(uuid.uuid4())), line) for line in lines]
    assert names[2] is None
    foreign.lose(lines[0])
    assert foreign.hear(init(str(uuid.uuid4())), lines[2])


def test_the_other_end_of_a_session_of_ours_has_a_name_of_its_own_always_the_same() -> None:
    names = {ForeignSessions(lambda name: name == SESSION).hear(init(), Line()) for _ in range(2)}
    (name,) = names
    assert name
    assert name != SESSION
    assert str(uuid.UUID(name)) == name


def test_commands_reach_the_session_they_name_while_it_listens(foreign: ForeignSessions) -> None:
    line, other = Line(), Line()
    foreign.hear(init(), line)
    foreign.hear(init(OTHER), other)
    assert foreign.control(SESSION, messages.rate(5))
    assert foreign.cancel(SESSION)
    assert [message.type for message in line.sent] == [MessageType.RATE, MessageType.CANCEL]
    assert other.sent == []
    foreign.hear(done(), line)
    assert not foreign.cancel(SESSION)
    assert not foreign.cancel("nobody")
