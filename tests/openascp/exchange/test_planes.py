"""Which plane moves a session's stream: UDP where it gets through, else the conversation."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from asperacentral.openascp.exchange.messages import SSH, UDP, Message, Plane, Welcome, Wire
from asperacentral.openascp.exchange.plane import PlaneFacts
from asperacentral.openascp.exchange.planes import Planes
from asperacentral.openascp.failures import SessionFailure
from tests.openascp.conftest import IN_A_NETWORK_OF_ITS_OWN, PLANES, Run

DATA = bytes(range(256)) * 5000


class Conversation:
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[Message] = []

    def send(self, message: Message) -> None:
        self.said.append(message)


class Source:
    """The data, then the end."""

    def __init__(self) -> None:
        self._left = DATA

    def read(self, size: int) -> bytes | None:
        data, self._left = self._left[:size], self._left[size:]
        return data or None


class Sink:
    """What came."""

    backlog = 0

    def __init__(self) -> None:
        self.data = bytearray(len(DATA))

    def write(self, offset: int, data: bytes) -> None:
        self.data[offset : offset + len(data)] = data


def planes(cipher: str = "aes-128") -> Planes:
    return Planes(1_000_000, 0, "fixed", cipher)


def in_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


def test_a_half_that_is_over_before_leaves_the_choice_to_be_made() -> None:
    async def test() -> None:
        server = planes()
        offered = server.offer("127.0.0.1", 0)
        waiting = asyncio.ensure_future(server.receive(Sink()))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
        assert offered
        server.choose(UDP)
        await server.close()

    in_loop(test)


@pytest.mark.parametrize("client_sends", [True, False])
@pytest.mark.parametrize("cipher", ["none", "aes-128", "aes-192", "aes-256"])
def test_udp_is_offered_met_and_moves_the_stream_either_way(client_sends: bool, cipher: str) -> None:
    async def test() -> None:
        client, server, conversation, sink = planes(cipher), planes(cipher), Conversation(), Sink()
        offered = server.offer("127.0.0.1", 0)
        said = await client.meet(offered, "127.0.0.1", 0, conversation)  # type: ignore[arg-type]
        assert said == {"Transport": UDP, "Port": offered[UDP]["port"]}
        assert conversation.said == [Plane(UDP)]
        server.choose(UDP)
        sender, receiver = (client, server) if client_sends else (server, client)
        await asyncio.gather(sender.send(Source(), conversation), receiver.receive(sink))  # type: ignore[arg-type]
        assert sink.data == DATA
        facts = sender.facts()
        assert facts is not None
        assert facts.sent > len(DATA)
        await client.close()
        await server.close()

    in_loop(test)


def test_the_receiving_end_knows_from_the_sender_what_only_that_one_sees(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("asperacentral.openascp.exchange.planes.TELL_SECONDS", 0.02)

    async def test() -> None:
        client, server, conversation = planes(), planes(), Conversation()
        server.set_rates(20_000, 0, "fixed")
        await client.meet(server.offer("127.0.0.1", 0), "127.0.0.1", 0, conversation)  # type: ignore[arg-type]
        server.choose(UDP)
        await asyncio.gather(server.send(Source(), conversation), client.receive(Sink()))  # type: ignore[arg-type]
        told = [message for message in conversation.said if isinstance(message, Wire)]
        assert told[-1].sent > told[0].sent > 0
        assert told[-1].rate == 20_000
        client.told(Wire(sent=900, lost=70, rtt=31, rate=20_000, queue_delay=4))
        assert client.facts() == PlaneFacts(0, 70, 31, 20_000, 4)
        assert server.facts() != client.facts()
        await client.close()
        await server.close()

    in_loop(test)


def test_a_cap_holds_whatever_rates_are_in_force() -> None:
    async def test() -> None:
        capped = planes()
        capped.cap(3_000)
        capped.cap(2_000, far=True)
        assert capped.pacer.rate == 2_000
        capped.set_rates(50_000, 0, "fixed")
        assert capped.pacer.rate == 2_000
        capped.cap(9_000, far=True)
        assert capped.pacer.rate == 3_000
        capped.set_rates(1_000, 0, "fixed")
        assert capped.pacer.rate == 1_000
        await capped.close()

    in_loop(test)


def test_where_nothing_is_offered_the_stream_goes_with_the_conversation() -> None:
    async def test() -> None:
        client, conversation = planes(), Conversation()
        assert await client.meet({}, "127.0.0.1", 0, conversation) == {"Transport": SSH}  # type: ignore[arg-type]
        assert conversation.said == []
        await client.receive(Sink())
        await client.close()

    in_loop(test)


@pytest.mark.parametrize(
    "offered",
    [
        7,
        {},
        {"port": 0, "secret": bytes(32)},
        {"port": 70000, "secret": bytes(32)},
        {"port": 33001, "secret": bytes(31)},
        {"port": "33001", "secret": bytes(32)},
    ],
)
def test_an_offer_that_makes_no_sense_ends_the_session(offered: object) -> None:
    async def test() -> None:
        client = planes()
        with pytest.raises(SessionFailure, match="nobody understands"):
            await client.meet({UDP: offered}, "127.0.0.1", 0, Conversation())  # type: ignore[arg-type]
        await client.close()

    in_loop(test)


@pytest.mark.parametrize("name", ["carrier pigeon", UDP])
def test_a_plane_that_was_not_offered_cannot_be_chosen(name: str) -> None:
    async def test() -> None:
        server = planes()
        with pytest.raises(SessionFailure, match="a plane that there is not"):
            server.choose(name)
        server.choose(SSH)
        with pytest.raises(SessionFailure):
            server.choose(SSH)
        await server.close()

    in_loop(test)


def test_closing_in_the_middle_ends_the_threads() -> None:
    async def test() -> None:
        client, server, conversation = planes(), planes(), Conversation()
        await client.meet(server.offer("127.0.0.1", 0), "127.0.0.1", 0, conversation)  # type: ignore[arg-type]
        server.choose(UDP)
        client.set_rates(100, 0, "fixed")
        sending = asyncio.ensure_future(client.send(Source(), conversation))  # type: ignore[arg-type]
        receiving = asyncio.ensure_future(server.receive(Sink()))
        await asyncio.sleep(0.1)
        for task in (sending, receiving):
            task.cancel()
        await asyncio.wait({sending, receiving})
        await asyncio.gather(client.close(), server.close())

    in_loop(test)


def test_the_secret_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    secret = os.urandom(32)
    welcome = Welcome(1, "x", 1, 0, "fair", (), {UDP: {"port": 33001, "secret": secret}})
    caplog.set_level(logging.DEBUG)
    logging.getLogger("test").debug("we say %r", welcome)
    assert repr(secret) not in caplog.text
    assert "33001" not in caplog.text


@pytest.mark.sshd
@pytest.mark.parametrize("mode", ["send", "recv"])
def test_a_session_over_udp_says_so_and_tells_its_statistics(run: Run, tmp_path: Path, mode: str) -> None:
    (tmp_path / "source").write_bytes(DATA)
    process = run(mode, [tmp_path / "source"], tmp_path / "copy", "-l", "4m", "--policy=fixed", "-Z", "1400")
    process.done()
    [session] = process.listener.of_type("SESSION")
    assert session.text("Transport") == "udp"
    assert session.text("FallbackProtocol") in ("", None)
    assert any(message.text("Delay") for message in process.listener.of_type("STATS"))
    assert (tmp_path / "copy").read_bytes() == DATA


@pytest.mark.sshd
@IN_A_NETWORK_OF_ITS_OWN
@pytest.mark.parametrize("mode", ["send", "recv"])
def test_where_udp_is_blocked_the_stream_goes_over_ssh_and_the_session_says_so(
    run: Run, tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = f"unshare --net {sys.executable} -P -m asperacentral.openascp"
    monkeypatch.setitem(PLANES, "exchange", blocked)
    (tmp_path / "source").write_bytes(DATA)
    process = run(mode, [tmp_path / "source"], tmp_path / "copy")
    process.done()
    [session] = process.listener.of_type("SESSION")
    assert (session.text("Transport"), session.text("FallbackProtocol")) == ("ssh", "ssh")
    assert (tmp_path / "copy").read_bytes() == DATA
