"""Which plane moves the stream of a session: UDP where it gets through, else the conversation itself.

The server offers UDP in Welcome, with the secret that protects it; the client tries it before anything moves and says
with Plane what came of it. `Planes` is one end's view: it has the rates of both planes, and its `send` and `receive`
are what halves move their stream with.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.exchange.channel import send_stream
from asperacentral.openascp.exchange.conversation import Conversation
from asperacentral.openascp.exchange.messages import SSH, UDP, Plane, Wire
from asperacentral.openascp.exchange.plane import PlaneFacts, StreamSink, StreamSource
from asperacentral.openascp.failures import SessionFailure
from asperacentral.openascp.pacing import Pacer
from asperacentral.openascp.udp.handshake import patience
from asperacentral.openascp.udp.keys import SECRET_BYTES, Cipher, new_secret
from asperacentral.openascp.udp.meeting import BlockedError, Link, PlaneLostError, answer, call
from asperacentral.openascp.udp.setting import Policy, Setting
from asperacentral.openascp.udp.sockets import PORTS, UdpSocket

if TYPE_CHECKING:
    from asperacentral.openascp.udp.engine import Receiving, Sending

ANSWER_SECONDS = 30.0
"""How long the server waits for a client that says it has met it: it has, so the datagrams are on their way."""

TELL_SECONDS = 1.0

_CIPHERS = {
    "none": Cipher.NONE,
    "aes-128": Cipher.AES128,
    "aes-192": Cipher.AES192,
    "aes-256": Cipher.AES256,
}

log = logging.getLogger(__name__)

_T = TypeVar("_T")


class Planes:
    """The planes of one end of a session. Rates are Kbps; `cipher` is named as in Hello."""

    def __init__(self, target: int, minimum: int, policy: str, cipher: str) -> None:
        self._pacer = Pacer(target)
        self._setting = Setting(target, minimum, Policy(policy))
        self._caps: dict[bool, int] = {}
        self._told: Wire | None = None
        self._cipher = _CIPHERS[cipher]
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="udp")
        self._socket: UdpSocket | None = None
        self._engine: Sending | Receiving | None = None
        self._sending: Sending | None = None
        self._meeting: asyncio.Future[Link] | None = None
        self._chosen: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._closed = False

    @property
    def pacer(self) -> Pacer:
        """What keeps everything but UDP at the target rate."""
        return self._pacer

    def set_rates(self, target: int, minimum: int, policy: str) -> None:
        """Change what is in force."""
        self._pacer.set_rate(target)
        self._setting = Setting(target, minimum, Policy(policy))
        self._apply()

    def cap(self, rate: int, *, far: bool = False) -> None:
        """Move no more than this, Kbps, whatever rates are in force: what this host has room for, or the `far` one."""
        self._caps[far] = rate
        self._pacer.set_cap(min(self._caps.values()))
        self._apply()

    def _apply(self) -> None:
        if self._sending is not None:
            self._sending.set(self._within())

    def _within(self) -> Setting:
        return replace(self._setting, target=min([self._setting.target, *self._caps.values()]))

    def facts(self) -> PlaneFacts | None:
        """What the plane tells for the statistics; None while there is nothing to tell."""
        facts = self._engine.facts() if self._engine is not None else None
        if facts is None or self._told is None or self._sending is not None:
            return facts
        told = self._told
        return PlaneFacts(0, told.lost, told.rtt, told.rate, told.queue_delay)

    def told(self, wire: Wire) -> None:
        """The far side, which sends, has said what it knows."""
        self._told = wire

    # The server's side.

    def offer(self, host: str | None, first: int, sessions: int = 1) -> dict[str, Any]:
        """Listen on `first`, or after it as many as there are `sessions`, or another free port; what Welcome is to tell
        of it, empty when it is not possible.
        """
        try:
            self._socket = _listening(host, [*range(first, min(first + sessions, 65536)), *PORTS])
        except OSError as error:
            log.info("UDP is not offered: %s", error)
            return {}
        opened, secret = self._socket, new_secret()
        self._meeting = self._run(
            lambda: answer(opened, secret, self._cipher, ANSWER_SECONDS, self._given_up)
        )
        self._meeting.add_done_callback(lambda done: done.cancelled() or done.exception())
        return {UDP: {"port": opened.port, "secret": secret}}

    def choose(self, plane: str) -> None:
        """The client has said which plane it is. SessionFailure when that is not one of those it can be."""
        if self._chosen.done() or plane not in (SSH, UDP) or (plane == UDP and self._meeting is None):
            raise SessionFailure(FaspCode.FASP_PROTO, "the far side chooses a plane that there is not")
        self._chosen.set_result(plane)
        if plane == SSH:
            self._hang_up()

    # The client's side.

    async def meet(
        self, facts: Mapping[str, Any], host: str, mtu: int, conversation: Conversation, rtt: float = 0.0
    ) -> dict[str, str | int]:
        """Try what the server offers, and tell it what came of it. Returns what SESSION says of it.

        `mtu` limits the size of IP packets, bytes; 0 is whatever the path carries. `rtt` is the round trip that the
        conversation has, in seconds; 0 is unknown. SessionFailure.
        """
        offered = facts.get(UDP)
        if offered is None:
            self.choose(SSH)
            return {"Transport": SSH}
        port, secret = _offered(offered)
        plane = UDP
        said: dict[str, str | int] = {"Transport": UDP, "Port": port}
        try:
            await self._call(host, port, secret, mtu, rtt)
        except (BlockedError, OSError) as error:
            log.info("UDP does not get through (%s): the files go over SSH", str(error) or "no answer")
            plane, said = SSH, {"Transport": SSH, "FallbackProtocol": SSH}
        conversation.send(Plane(plane))
        self.choose(plane)
        return said

    async def _call(self, host: str, port: int, secret: bytes, mtu: int, rtt: float) -> None:
        self._socket = opened = UdpSocket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        largest = mtu - opened.headers if mtu else None
        self._meeting = self._run(
            lambda: call(opened, (host, port), secret, self._cipher, largest, self._given_up, patience(rtt))
        )
        await asyncio.shield(self._meeting)

    # Both sides: what halves move their stream with.

    async def send(self, source: StreamSource, conversation: Conversation) -> None:
        """Send the stream to its end. SessionFailure."""
        from asperacentral.openascp.udp.engine import Sending  # while the two ends meet

        if await self._choice() == SSH:
            await send_stream(source, conversation, self._pacer)
            return
        engine = self._engine = self._sending = Sending(await self._met(), source, self._within())
        telling = asyncio.create_task(_tell(engine, conversation))
        try:
            await self._move(engine.run)
        finally:
            telling.cancel()

    async def receive(self, sink: StreamSink) -> bool:
        """Receive the stream, unless it comes with the conversation; whether it did come here, and has ended.
        SessionFailure.
        """
        from asperacentral.openascp.udp.engine import Receiving  # while the two ends meet

        if await self._choice() == SSH:
            return False
        engine = self._engine = Receiving(await self._met(), sink)
        return await self._move(engine.run)

    async def _choice(self) -> str:
        return await asyncio.shield(self._chosen)  # who stops waiting leaves it to be made

    async def close(self) -> None:
        """Let go of everything. What is under way is left alone: who has to know, knows it from the conversation."""
        self._hang_up()
        await asyncio.get_running_loop().run_in_executor(None, self._thread.shutdown)
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _hang_up(self) -> None:
        self._closed = True
        if self._engine is not None:
            self._engine.stop(say=False)
        if self._socket is not None:
            self._socket.wake()

    def _given_up(self) -> bool:
        return self._closed

    async def _met(self) -> Link:
        assert self._meeting is not None  # noqa: S101 - `choose` has seen to it
        try:
            return await asyncio.shield(self._meeting)
        except (BlockedError, OSError) as error:
            raise SessionFailure(FaspCode.CONNECTION_ERROR) from error

    async def _move(self, run: Callable[[], bool]) -> bool:
        try:
            return await asyncio.shield(self._run(run))
        except PlaneLostError as error:
            raise SessionFailure(FaspCode.CONNECTION_LOST, f"the UDP connection was lost: {error}") from error
        except OSError as error:
            raise SessionFailure(FaspCode.CONNECTION_LOST, f"UDP failed: {error.strerror}") from error

    def _run(self, work: Callable[[], _T]) -> asyncio.Future[_T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, work)


async def _tell(engine: Sending, conversation: Conversation) -> None:
    """Tell the receiving half each second what its statistics need."""
    while True:
        await asyncio.sleep(TELL_SECONDS)
        facts = engine.facts()
        conversation.send(
            Wire(facts.sent, facts.lost, facts.rtt or 0, facts.rate or 0, facts.queue_delay or 0)
        )


def _offered(offered: Any) -> tuple[int, bytes]:
    """Port and secret. SessionFailure when they make no sense."""
    match offered:
        case {"port": int(port), "secret": bytes(secret)} if len(secret) == SECRET_BYTES and 0 < port < 65536:
            return port, secret
    raise SessionFailure(FaspCode.FASP_PROTO, "the far side offers UDP in a way nobody understands")


def _listening(host: str | None, ports: Any) -> UdpSocket:
    """A socket of the server's; without a host, on all addresses of both families."""
    if host is not None:
        return UdpSocket(socket.AF_INET6 if ":" in host else socket.AF_INET, host, ports)
    try:
        return UdpSocket(socket.AF_INET6, None, ports)
    except OSError:
        return UdpSocket(socket.AF_INET, None, ports)
