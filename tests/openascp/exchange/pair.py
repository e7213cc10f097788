"""Two real halves in one process, on real files, joined by a pipe in memory."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from asperacentral.openascp.confined import confined
from asperacentral.openascp.exchange.channel import send_stream
from asperacentral.openascp.exchange.conversation import Conversation
from asperacentral.openascp.exchange.messages import Argument
from asperacentral.openascp.exchange.plane import StreamSink, StreamSource
from asperacentral.openascp.exchange.receiving import ReceivingHalf
from asperacentral.openascp.exchange.sending import SendingHalf
from asperacentral.openascp.exchange.terms import Terms
from asperacentral.openascp.pacing import Pacer


class Witness:
    """Hears what a half tells, by its name in HalfObserver."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, tuple[Any, ...]]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: self.heard.append((name, arguments))

    def names(self) -> list[str]:
        return [name for name, _ in self.heard]


class _Pipe:
    """One direction."""

    def __init__(self, other: Conversation) -> None:
        self._other = other
        self._loop = asyncio.get_running_loop()

    def write(self, data: bytes) -> None:
        self._loop.call_soon(self._other.data_received, bytes(data))

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def write_eof(self) -> None:
        self._loop.call_soon(self._other.ended, None)

    def close(self) -> None:
        pass


class Pair:
    """`run` moves `sources` into the folder `destination`; `sender` and `receiver` hear of it."""

    def __init__(self, sources: list[Path], destination: Path, **terms: Any) -> None:
        self.sender = Witness()
        self.receiver = Witness()
        self._sources = sources
        self._destination = bytes(destination)
        self._terms = Terms(self._destination, several=True, create_path=True, **terms)

    def run(self) -> None:
        """To the end; what ended a half is raised."""
        asyncio.run(self._run())

    async def _run(self) -> None:
        ours, theirs = Conversation(), Conversation()
        ours.connection_made(_Pipe(theirs))
        theirs.connection_made(_Pipe(ours))

        async def send(source: StreamSource) -> None:
            await send_stream(source, ours, Pacer(10_000_000))

        async def receive(_sink: StreamSink) -> bool:
            """The stream comes with the conversation."""
            return False

        with confined(None) as files:
            sending = SendingHalf(ours, self.sender, files, self._terms, send)
            receiving = ReceivingHalf(theirs, self.receiver, files, self._terms, receive)
            sending.lead(
                [
                    Argument(index, bytes(source), source.name.encode(), self._destination)
                    for index, source in enumerate(self._sources)
                ]
            )
            await asyncio.gather(self._half(sending, ours), self._half(receiving, theirs))

    async def _half(self, half: SendingHalf | ReceivingHalf, conversation: Conversation) -> None:
        try:
            await half.run()
        finally:
            await conversation.close()
