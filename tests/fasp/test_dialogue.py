"""The order of messages over a session's life."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.fasp import messages
from asperacentral.fasp.dialogue import ACTIVE, CLOSED, COMMANDS, HEARD, SessionDialogue, SessionState
from asperacentral.fasp.management import LocalProtocolError, Message, MessageType, RemoteProtocolError


def after(*kinds: str) -> SessionDialogue:
    dialogue = SessionDialogue()
    for kind in kinds:
        dialogue.hear(Message(kind))
    return dialogue


def test_a_whole_session_goes_from_submitted_to_finished() -> None:
    dialogue = SessionDialogue()
    assert dialogue.state is SessionState.SUBMITTED
    told = [
        dialogue.hear(Message(MessageType(kind)))
        for kind in ("INIT", "NOTIFICATION", "SESSION", "START", "STATS", "STOP", "STATS", "DONE")
    ]
    assert " ".join(told) == ("Connecting Connecting Started" + 4 * " Transferring" + " Finished")


def test_a_start_that_fails_goes_from_connecting_to_failed() -> None:
    assert after("INIT", "ERROR").state is SessionState.FAILED


def test_nothing_but_init_is_in_order_at_first() -> None:
    for kind in MessageType:
        if kind != "INIT":
            with pytest.raises(RemoteProtocolError, match="out of order in state Submitted"):
                after(kind)


def test_a_process_that_dials_again_repeats_init_and_session_without_going_back() -> None:
    assert after("INIT", "SESSION", "STATS", "INIT", "SESSION").state is SessionState.TRANSFERRING


def test_the_last_of_several_closing_messages_decides() -> None:
    assert after("INIT", "ERROR", "DONE").state is SessionState.FINISHED
    assert after("INIT", "DONE", "ERROR").state is SessionState.FAILED


@pytest.mark.parametrize("kind", ["INIT", "SESSION", "STATS", "START", "NOTIFICATION", "HELLO"])
def test_after_the_closing_message_nothing_else_is_in_order(kind: str) -> None:
    dialogue = after("INIT", "DONE")
    with pytest.raises(RemoteProtocolError):
        dialogue.hear(Message(kind))
    assert dialogue.state is SessionState.FINISHED


@pytest.mark.parametrize("kind", ["RATE", "CANCEL", "PUT", "WRITE", "CLOSE", "QUERYRSP"])
def test_a_process_must_not_send_what_managers_send(kind: str) -> None:
    with pytest.raises(RemoteProtocolError):
        after("INIT", kind)


def test_a_type_nobody_knows_changes_nothing() -> None:
    assert after("INIT", "HELLO").state is SessionState.CONNECTING


def test_commands_are_in_order_only_while_the_process_listens() -> None:
    for command in COMMANDS:
        after("INIT").check(Message(command))
        for dialogue in (after(), after("INIT", "DONE"), after("INIT", "ERROR")):
            with pytest.raises(LocalProtocolError):
                dialogue.check(Message(command))


FEED = [
    messages.add_source("/a", "/b"),
    messages.cancel_source("/a"),
    messages.linger(),
    messages.shut_down(),
    Message(MessageType.DONE),
]


@pytest.mark.parametrize("command", FEED, ids=lambda command: command.type)
def test_only_a_persistent_session_is_fed(command: Message) -> None:
    persistent = SessionDialogue(persistent=True)
    persistent.hear(Message(MessageType.INIT))
    persistent.expect(command)
    persistent.check(command)
    with pytest.raises(LocalProtocolError):
        after("INIT").expect(command)


def test_a_lingering_session_takes_no_more_sources_but_may_be_stopped() -> None:
    persistent = SessionDialogue(persistent=True)
    persistent.hear(Message(MessageType.INIT))
    persistent.expect(messages.linger())
    with pytest.raises(LocalProtocolError, match="takes no START"):
        persistent.expect(messages.add_source("/a"))
    for command in (messages.cancel_source("/a"), messages.rate(5), messages.shut_down()):
        persistent.expect(command)


def test_a_session_that_asks_before_it_started_is_authenticating() -> None:
    assert after("INIT", "QUERY").state is SessionState.AUTHENTICATING
    assert after("INIT", "QUERY", "SESSION").state is SessionState.STARTED
    assert after("INIT", "QUERY", "ERROR").state is SessionState.FAILED
    assert after("INIT", "SESSION", "QUERY").state is SessionState.STARTED


@given(st.lists(st.sampled_from([*MessageType, "HELLO"]), max_size=30))
def test_whatever_comes_a_session_is_in_one_state_and_never_opens_again(kinds: list[str]) -> None:
    dialogue = SessionDialogue()
    closed = False
    for kind in kinds:
        before = dialogue.state
        try:
            dialogue.hear(Message(kind))
        except RemoteProtocolError:
            assert dialogue.state is before
        closed = closed or dialogue.state in CLOSED
        assert dialogue.active == (dialogue.state in ACTIVE)
        assert not (closed and dialogue.active)


def test_every_state_can_be_reached_and_only_the_closed_ones_are_final() -> None:
    assert set(HEARD.values()) | {SessionState.SUBMITTED} == set(SessionState)
    for state in SessionState:
        leaves = any(before is state and then is not state for (before, _), then in HEARD.items())
        assert leaves or state in CLOSED
