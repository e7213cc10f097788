"""Two real halves in one process, on real files, joined by a pipe in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from asperacentral.openascp.confined import confined
from asperacentral.openascp.exchange.channel import send_stream
from asperacentral.openascp.exchange.conversation import Conversation
from asperacentral.openascp.exchange.messages import FEATURES, Argument
from asperacentral.openascp.exchange.plane import StreamSink, StreamSource
from asperacentral.openascp.exchange.receiving import ReceivingHalf
from asperacentral.openascp.exchange.sending import SendingHalf
from asperacentral.openascp.exchange.terms import Terms
from asperacentral.openascp.pacing import Pacer


class Witness:
    """Hears what a half tells, by its name in HalfObserver."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, tuple[Any, ...]]] = []
        self._acts: dict[str, Callable[..., None]] = {}

    def when(self, name: str, act: Callable[..., None]) -> None:
        """Do this whenever that is told."""
        self._acts[name] = act

    def __getattr__(self, name: str) -> Any:
        def told(*arguments: Any) -> None:
            self.heard.append((name, arguments))
            if name in self._acts:
                self._acts[name](*arguments)

        return told

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
    """`run` moves `sources` into the folder `destination`; `sender` and `receiver` hear of it.

    Both have these `features`, none as first versions.
    """

    def __init__(
        self, sources: list[Path], destination: Path, *, features: Sequence[str] = FEATURES, **terms: Any
    ) -> None:
        self._features = features
        self.halves: tuple[SendingHalf, ReceivingHalf]
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
        for each in (ours, theirs):
            each.agree(self._features)
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
            self.halves = sending, receiving
            await asyncio.gather(self._half(sending, ours), self._half(receiving, theirs))

    async def _half(self, half: SendingHalf | ReceivingHalf, conversation: Conversation) -> None:
        try:
            await half.run()
        finally:
            await conversation.close()
