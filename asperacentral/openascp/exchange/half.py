"""What both halves have in common: whom they report to, how they run, and how they end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.dataplane import Observer
from asperacentral.openascp.exchange.arguments import ArgumentCounts, ArgumentTally
from asperacentral.openascp.exchange.conversation import Conversation
from asperacentral.openascp.exchange.messages import (
    Argument,
    Cap,
    Finished,
    Message,
    NoMoreArguments,
    Plane,
    Rates,
    Wire,
)
from asperacentral.openascp.failures import Failure, SessionFailure
from asperacentral.openascp.plan import PlannedFile
from asperacentral.openascp.scancounts import ScanCounts

PARTING_SECONDS = 600.0
"""How long the other half may take to bring what it has written to its disks; silence is noticed before."""


class HalfObserver(Observer, Protocol):
    """Hears of all that a half does, besides what every data plane tells."""

    def scanned(self, counts: ScanCounts) -> None:
        """What the scan has found so far."""
        ...

    def not_taken(self, path: bytes, failure: Failure) -> None:
        """A path that was found cannot be moved."""
        ...

    def resumed(self, file: PlannedFile, size: int, kept: int) -> None:
        """As `started`, where `kept` bytes of the file are at the destination already."""
        ...

    def argument_ended(self, argument: Argument, counts: ArgumentCounts) -> None:
        """A source is done with."""
        ...

    def rates_asked(self, rates: Rates) -> None:
        """The other half wants, or has, these rates."""
        ...

    def capped(self, rate: int) -> None:
        """The other half takes no more than this, Kbps; only the sending half hears it."""
        ...

    def wire_told(self, wire: Wire) -> None:
        """What the other half knows of the wire; only the receiving half hears it."""
        ...

    def plane_chosen(self, name: str) -> None:
        """The client has said what moves the stream; only the server's half hears it. SessionFailure."""
        ...


class Half:
    """One end of an exchange; `run` it once. Subclasses do the work."""

    leads = False
    """Whether this half is the client's, which says what is to be moved."""

    def __init__(self, conversation: Conversation, observer: HalfObserver) -> None:
        self.conversation = conversation
        self.observer = observer
        self.arguments: dict[int, Argument] = {}
        self.argument_count: int | None = None
        self.tally = ArgumentTally()
        self._arguments_over = 0
        self._finished = False
        self._peer_finished = asyncio.Event()
        self._over = asyncio.Event()
        self._broken: Failure | None = None

    async def run(self) -> None:
        """Do all there is to do. SessionFailure when that is not possible; cancelled, it clears up what it began."""
        tasks = [asyncio.ensure_future(work) for work in (*self.work(), self.conversation.keep_alive())]
        over = asyncio.ensure_future(self._over.wait())
        try:
            self.conversation.listen(self)
            await self._until_over(over, tasks)
            await self._part()
            await self.parted()
        finally:
            over.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await self.clear_up()

    def work(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """What runs for as long as the half does; these end by themselves only when there is nothing left to do."""
        raise NotImplementedError

    async def parted(self) -> None:
        """Both halves have settled all: nothing of this session will be asked for again."""

    async def clear_up(self) -> None:
        """Let go of everything."""

    def hear(self, message: Message) -> None:
        """See conversation.Listener."""
        match message:
            case Argument() if not self.leads:
                self.add(message)
            case NoMoreArguments(count) if not self.leads:
                self.no_more(count)
            case Rates():
                self.observer.rates_asked(message)
            case Cap(rate) if rate >= 0:
                self.observer.capped(rate)
            case Wire():
                self.observer.wire_told(message)
            case Plane(name) if not self.leads:
                self.observer.plane_chosen(name)
            case Finished():
                self._peer_finished.set()
            case _:
                raise SessionFailure(
                    FaspCode.FASP_PROTO, f"the far side says {type(message).__name__} out of turn"
                )

    def take(self, offset: int, data: bytes) -> None:
        """See conversation.Listener."""
        raise SessionFailure(FaspCode.FASP_PROTO, f"{len(data)} bytes at {offset} that nobody asked for")

    def lead(self, arguments: Sequence[Argument]) -> None:
        """Move these, and nothing else: for the client's half, before it runs."""
        self.leads = True
        for argument in arguments:
            self.lead_on(argument)
        self.lead_no_more(len(arguments))

    def lead_on(self, argument: Argument) -> None:
        """Move this as well: for the client's half."""
        self.conversation.send(argument)
        self.add(argument)

    def lead_no_more(self, count: int) -> None:
        """There will be no more: for the client's half."""
        self.conversation.send(NoMoreArguments(count))
        self.no_more(count)

    @property
    def idle(self) -> bool:
        """Whether all sources so far are done with."""
        return self._arguments_over == len(self.arguments)

    def withdraw(self, source: bytes) -> None:
        """Give up the sources of this name, and files of this path, that are not done with."""
        raise NotImplementedError

    def tell_ended_arguments(self) -> None:
        """Tell of sources that are done with."""
        for index, counts in self.tally.over():
            self._arguments_over += 1
            self.observer.argument_ended(self.arguments[index], counts)

    def add(self, argument: Argument) -> None:
        """There is one more source."""
        if argument.index != len(self.arguments) or self.argument_count is not None:
            raise SessionFailure(FaspCode.FASP_PROTO, "a source was announced out of turn")
        self.arguments[argument.index] = argument

    def no_more(self, count: int) -> None:
        """There will be no more sources."""
        if count != len(self.arguments):
            raise SessionFailure(FaspCode.FASP_PROTO, "sources were lost on the way")
        self.argument_count = count

    def finish(self) -> None:
        """For this half all is settled."""
        if not self._finished:
            self._finished = True
            self.conversation.send(Finished())
            self._over.set()

    def fail(self, failure: Failure) -> None:
        """The session cannot go on."""
        if self._broken is None:
            self._broken = failure
            self._over.set()

    async def _part(self) -> None:
        """Wait for the other half to be finished as well."""
        waiting = asyncio.ensure_future(self._peer_finished.wait())
        lost = self.conversation.lost
        either: set[asyncio.Future[Any]] = {waiting, lost}
        await asyncio.wait(either, timeout=PARTING_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not self._peer_finished.is_set():
            if lost.done():
                lost.result()
            raise SessionFailure(FaspCode.TRANSFER_TIMEOUT, "the far side does not come to an end")

    async def _until_over(self, over: asyncio.Future[Any], tasks: Sequence[asyncio.Future[None]]) -> None:
        """Wait until all is settled; raise what makes that impossible."""
        watched: set[asyncio.Future[Any]] = {over, self.conversation.lost, *tasks}
        while True:
            done, watched = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            if self._broken is not None:
                raise self._broken
            if self._finished:
                return
            for each in done:
                each.result()
