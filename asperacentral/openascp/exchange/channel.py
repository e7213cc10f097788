"""The plane that sends the stream on the conversation itself: data frames between the messages, at the target rate."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.exchange.codec import LARGEST_DATA
from asperacentral.openascp.exchange.conversation import Conversation
from asperacentral.openascp.exchange.plane import StreamSink, StreamSource
from asperacentral.openascp.failures import SessionFailure
from asperacentral.openascp.pacing import Pacer

_FULL = 16 * 1024 * 1024
_EASED = 4 * 1024 * 1024
_LOOK_SECONDS = 0.01


async def send_stream(source: StreamSource, conversation: Conversation, pacer: Pacer) -> None:
    """Send the stream to its end; the next bytes are read while the last are under way."""
    loop = asyncio.get_running_loop()
    offset = 0
    with ThreadPoolExecutor(1, thread_name_prefix="reader") as thread:
        ahead = loop.run_in_executor(thread, source.read, pacer.block(LARGEST_DATA))
        try:
            while (data := await ahead) is not None:
                ahead = loop.run_in_executor(thread, source.read, pacer.block(LARGEST_DATA))
                if data:
                    await pacer.take(len(data))
                    await conversation.room()
                    conversation.send_data(offset, data)
                    offset += len(data)
        finally:
            await asyncio.wait({ahead})  # it never takes longer than a disk does


UNASKED = "bytes of the stream that nobody asked for"


class BesideSink:
    """The sink of a plane beside the conversation: takes what was asked for only, up to the offset `asked` tells."""

    def __init__(self, sink: StreamSink, asked: Callable[[], int]) -> None:
        self._sink = sink
        self._asked = asked
        self.used = False
        self.received = 0

    def write(self, offset: int, data: bytes) -> None:
        """See StreamSink. SessionFailure."""
        self.used = True
        if offset + len(data) > self._asked():
            raise SessionFailure(FaspCode.FASP_PROTO, UNASKED)
        self.received += len(data)
        self._sink.write(offset, data)

    @property
    def backlog(self) -> int:
        """See StreamSink."""
        return self._sink.backlog


class ChannelSink:
    """Hands the stream to the receiving half, and lets the other side wait while disks are behind."""

    def __init__(self, sink: StreamSink, conversation: Conversation) -> None:
        self._sink = sink
        self._conversation = conversation
        self._watch: asyncio.TimerHandle | None = None

    def take(self, offset: int, data: bytes) -> None:
        """Bytes of the stream came."""
        self._sink.write(offset, data)
        if self._watch is None and self._sink.backlog > _FULL:
            self._conversation.hold(True)
            self._look()

    def close(self) -> None:
        """Look no more."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _look(self) -> None:
        if self._sink.backlog > _EASED:
            self._watch = asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._look)
        else:
            self._watch = None
            self._conversation.hold(False)
