"""A conversation with the other half over any byte transport: frames in and out, and whether anybody is there.

The transport may be an SSH channel or a process's standard input and output; its events are told to the methods
that asyncio and asyncssh call. What the messages mean is not known here.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from typing import Any, Protocol

from asperacentral import logs
from asperacentral.fasp.errors import FaspCode, known
from asperacentral.openascp.exchange import spelling
from asperacentral.openascp.exchange.codec import (
    PREFACE,
    Data,
    Decoder,
    RemoteProtocolError,
    data_head,
    encode_control,
)
from asperacentral.openascp.exchange.messages import FEATURES, PRESSED, Broken, Keepalive, Message
from asperacentral.openascp.failures import SessionFailure

KEEPALIVE_SECONDS = 5.0
SILENCE_SECONDS = 20.0
"""After this time without a word the other half is taken to be gone."""
MOST_EARLY = 64
"""Messages before anyone listens: a greeting, and what the user changes meanwhile."""
MOST_UNHEARD = 64 * 1024 * 1024
"""Bytes said that wait for the other half to take them: who keeps talking must listen, too."""

log = logging.getLogger(__name__)


class Transport(Protocol):
    """What carries bytes: asyncio's transports and asyncssh's channels."""

    def write(self, data: bytes) -> None:
        """Send soon."""
        ...

    def get_write_buffer_size(self) -> int:
        """How many bytes wait to be sent."""
        ...

    def pause_reading(self) -> None:
        """Let the peer wait."""
        ...

    def resume_reading(self) -> None:
        """Go on."""
        ...

    def write_eof(self) -> None:
        """There will be no more."""
        ...

    def close(self) -> None:
        """Send what is left and close."""
        ...


class Listener(Protocol):
    """Hears what the other half says."""

    def hear(self, message: Message) -> None:
        """A message came. SessionFailure when the session cannot go on after it."""
        ...

    def take(self, offset: int, data: bytes) -> None:
        """Bytes of the stream came."""
        ...


class Conversation:
    """Both directions of one connection."""

    def __init__(self) -> None:
        self._transport: Transport | None = None
        self._decoder = Decoder()
        self._listener: Listener | None = None
        self._early: deque[Message] = deque()
        self._news = asyncio.Event()
        self._greeted = asyncio.Event()
        self._writable = asyncio.Event()
        self._paused = False
        self._heard = self._said = asyncio.get_running_loop().time()
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._closed = asyncio.Event()
        self._parting = False
        self.shared: frozenset[str] = frozenset()
        """The features that both halves have; see messages.FEATURES."""

    # What the transport tells.

    def connection_made(self, transport: Transport) -> None:
        """Begin."""
        self._transport = transport
        self._writable.set()
        transport.write(PREFACE)

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if self._lost.done():
            return
        self._heard = asyncio.get_running_loop().time()
        try:
            for event in self._decoder.feed(data):
                if isinstance(event, Data):
                    self._take(event)
                elif (message := spelling.read(event.value)) is not None:
                    log.log(logs.BODIES, "the other half says %r", message)
                    self._hear(message)
            if self._decoder.greeted:
                self._greeted.set()
        except RemoteProtocolError as error:
            self._lose(SessionFailure(FaspCode.FASP_PROTO, f"{FaspCode.FASP_PROTO.meaning}: {error}"))
        except SessionFailure as failure:
            self._lose(failure)

    def pause_writing(self) -> None:
        """The transport has enough to send."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """The transport has room again."""
        self._writable.set()

    def ended(self, error: Exception | None) -> None:
        """The connection is closed, or the peer says no more."""
        reason = " ".join(str(error or "").split())
        text = FaspCode.CONNECTION_LOST.meaning
        self._lose(SessionFailure(FaspCode.CONNECTION_LOST, f"{text}: {reason}" if reason else text))
        self._writable.set()
        self._closed.set()

    # What the session asks.

    async def greeting(self) -> None:
        """Return when the other side has begun as a half does. SessionFailure when it does not."""
        waiting = asyncio.ensure_future(self._greeted.wait())
        try:
            either: set[asyncio.Future[Any]] = {waiting, self._lost}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if not self._greeted.is_set():
            self._lost.result()

    def agree(self, features: Iterable[str]) -> None:
        """The other half has told what it can."""
        self.shared = frozenset(features).intersection(FEATURES)

    @property
    def lost(self) -> asyncio.Future[None]:
        """Has a SessionFailure as its exception when the other half is gone or cannot be understood."""
        return self._lost

    def listen(self, listener: Listener) -> None:
        """Tell all that comes, and has come, to `listener`."""
        self._listener = listener
        try:
            while self._early:
                listener.hear(self._early.popleft())
        except SessionFailure as failure:
            self._lose(failure)

    async def next(self) -> Message:
        """The next message, before anyone listens. SessionFailure when there will be none."""
        while not self._early:
            if self._lost.done():
                self._lost.result()
            self._news.clear()
            await self._news.wait()
        return self._early.popleft()

    def send(self, message: Message) -> None:
        """Say something; nothing happens when nobody is there any more."""
        log.log(logs.BODIES, "we say %r", message)
        self._write(encode_control(spelling.write(message), press=PRESSED in self.shared))

    def send_data(self, offset: int, data: bytes) -> None:
        """Send bytes of the stream."""
        self._write(data_head(offset, len(data)))
        self._write(data)

    async def room(self) -> None:
        """Return when more may be sent without filling memory. SessionFailure when nobody takes it."""
        await self._writable.wait()
        if self._lost.done():
            self._lost.result()

    def hold(self, held: bool) -> None:
        """Let the peer wait, or go on."""
        if held == self._paused or self._transport is None or self._closed.is_set():
            return
        self._paused = held
        if held:
            self._transport.pause_reading()
        else:
            self._heard = asyncio.get_running_loop().time()
            self._transport.resume_reading()

    async def keep_alive(self) -> None:
        """Say something now and then, and notice when the other half does not. Ends only with the conversation."""
        loop = asyncio.get_running_loop()
        while not self._lost.done():
            await asyncio.sleep(1.0)
            now = loop.time()
            if now - self._said >= KEEPALIVE_SECONDS:
                self.send(Keepalive())
            if not self._paused and now - self._heard > SILENCE_SECONDS:
                self.ended(TimeoutError("the far side has fallen silent"))

    async def close(self, farewell: Message | None = None, *, wait: float = 0.0) -> None:
        """Say the last word, and wait some seconds for the other half to close as well."""
        if self._transport is None:
            return
        if farewell is not None:
            self.send(farewell)
        self.hold(False)
        self._listener = None
        self._parting = True
        self._early.clear()
        try:
            if not self._closed.is_set():
                self._transport.write_eof()
            async with asyncio.timeout(wait):
                await self._closed.wait()
        except (TimeoutError, OSError):
            pass
        finally:
            self._transport.close()

    def _write(self, data: bytes) -> None:
        if self._transport is None or self._closed.is_set():
            return
        self._said = asyncio.get_running_loop().time()
        try:
            self._transport.write(data)
        except OSError as error:  # asyncssh raises BrokenPipeError on a channel that is closing
            self.ended(error)
        else:
            if self._transport.get_write_buffer_size() > MOST_UNHEARD:
                self._lose(SessionFailure(FaspCode.FASP_PROTO, "the far side talks and does not listen"))

    def _hear(self, message: Message) -> None:
        if isinstance(message, Broken):
            raise SessionFailure(known(message.code), " ".join(message.reason.split()))
        if self._parting or isinstance(message, Keepalive):
            return
        if self._listener is not None:
            self._listener.hear(message)
        elif len(self._early) < MOST_EARLY:
            self._early.append(message)
            self._news.set()
        else:
            raise SessionFailure(FaspCode.FASP_PROTO, "the far side talks before the session begins")

    def _take(self, event: Data) -> None:
        if self._listener is not None:
            self._listener.take(event.offset, event.data)

    def _lose(self, failure: SessionFailure) -> None:
        if not self._lost.done():
            self._lost.set_exception(failure)
            self._lost.exception()  # it may be that nobody asks
        self._writable.set()
        self._news.set()
