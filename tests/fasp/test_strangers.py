"""Who else speaks to the FASP Manager's port: sessions of others, nonsense, silence."""

from __future__ import annotations

import contextlib
import logging
import socket

import pytest

from asperacentral.fasp import messages
from asperacentral.fasp.listener import IDLE
from asperacentral.fasp.management import Decoder, Message
from asperacentral.fasp.manager import SessionEnding
from asperacentral.fasp.messages import Identity, Progress, Rates, Tally
from asperacentral.logs import BODIES
from tests.fasp.house import EXECUTED, FORKED, House


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
