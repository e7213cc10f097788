"""The half that has the source: scans, announces, and reads what the other half needs."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from typing import Any

from asperacentral.fasp.errors import FaspCode, known
from asperacentral.openascp.confined import Files
from asperacentral.openascp.exchange.bundle import MOST_FILES, SMALL, Shape
from asperacentral.openascp.exchange.clearing import SourceClearing
from asperacentral.openascp.exchange.codec import LARGEST_CONTROL
from asperacentral.openascp.exchange.contents import Contents
from asperacentral.openascp.exchange.conversation import Conversation
from asperacentral.openascp.exchange.digests import digests_by
from asperacentral.openascp.exchange.half import Half, HalfObserver
from asperacentral.openascp.exchange.layout import Layout
from asperacentral.openascp.exchange.listing import Lister
from asperacentral.openascp.exchange.messages import (
    DONE,
    FILE,
    FOLDER,
    MOST_ENTRIES,
    PART,
    SKIPPED,
    Argument,
    Ask,
    Bundle,
    Bundles,
    Cleared,
    Digests,
    Entries,
    Entry,
    Message,
    Need,
    Needs,
    Settled,
    Settlements,
    Trouble,
    Troubles,
    Verdict,
    Verdicts,
    Written,
)
from asperacentral.openascp.exchange.paths import joined
from asperacentral.openascp.exchange.plane import StreamSource
from asperacentral.openascp.exchange.reading import StreamReader
from asperacentral.openascp.exchange.scanning import Found, NotTaken, Scanner, scanned
from asperacentral.openascp.exchange.terms import Terms
from asperacentral.openascp.failures import Failure, SessionFailure
from asperacentral.openascp.plan import PlannedFile, PlannedFolder
from asperacentral.openascp.scancounts import ScanCounts

MOST_UNSETTLED = 16_384
"""Entries announced and not yet settled: what bounds memory on both sides."""

GATHER_SECONDS = 0.01
"""Between two messages of verdicts, when many small files are read one after the other."""

MOST_EXTENTS = 100_000
"""Laid out and not yet told to be written; a receiving half has never more than a twentieth of it."""
NOT_ANNOUNCED = "the far side needs what was not announced"
TOO_MUCH = "the far side needs more than it can take"

MOST_QUESTIONS = 64
"""Not yet answered; a receiving half has never more than four."""

Plane = Callable[[StreamSource], Awaitable[None]]
"""Sends a stream to its end."""


class _Outgoing:
    """An entry that is not settled yet."""

    __slots__ = ("announced", "bundled", "checksum", "due", "file", "found", "laid", "laid_all")

    def __init__(self, found: Found, file: PlannedFile) -> None:
        self.found = found
        self.file = file
        self.announced = False
        self.checksum = ""
        self.due = 0  # bytes laid out and not yet told to be written
        self.laid = 0  # bytes laid out at all
        self.laid_all = False
        self.bundled = False

    def bundle(self) -> None:
        """The file was asked for in a bundle. SessionFailure when it cannot be in one."""
        entry = self.found.entry
        if (
            entry.kind != FILE
            or entry.size > SMALL
            or self.laid_all
            or self.laid
            or self.found.share is not None
        ):
            raise SessionFailure(FaspCode.FASP_PROTO, "the far side needs in a bundle what cannot be in one")
        self.due = entry.size
        self.announced = self.bundled = self.laid_all = True

    def lay(self, need: Need) -> None:
        """More of the file was asked for. SessionFailure for what would be no part of making it whole."""
        size = sum(length for _, length in need.extents)
        self.due += size
        self.laid += size
        if self.laid_all or self.laid > self.found.entry.size or not (size or need.last):
            raise SessionFailure(FaspCode.FASP_PROTO, "the far side needs the same again, or nothing")
        self.laid_all = need.last


class SendingHalf(Half):
    """Sends what the arguments name; `plane` moves the stream."""

    def __init__(
        self,
        conversation: Conversation,
        observer: HalfObserver,
        files: Files,
        terms: Terms,
        plane: Plane,
        contents: Contents | None = None,
    ) -> None:
        super().__init__(conversation, observer)
        self._files = files
        self._terms = terms
        self._plane = plane
        self._loop = asyncio.get_running_loop()
        self._scanner = Scanner(files, terms)
        self._lister = Lister(conversation)
        self._foreseen: ScanCounts | None = None
        self._counts_told: ScanCounts | None = None
        self._clearing = SourceClearing(files, terms)
        self._to_clear: asyncio.Queue[tuple[Found, bytes] | None] = asyncio.Queue()
        self._all_settled = False
        self._withdrawn: set[int] = set()
        self._waiting: asyncio.Queue[Argument | None] = asyncio.Queue()
        self._outgoing: dict[int, _Outgoing] = {}
        self._settled = asyncio.Event()
        self._scanned_all = False
        self._layout = Layout()
        self._questions = 0
        self._verdicts: list[Verdict] = []
        self._verdicts_due = 0.0  # not before: each message costs as much as many verdicts in it
        self._read: list[Verdict] = []  # told by the reading thread and not yet taken
        self._read_lock = threading.Lock()
        self._contents = contents or Contents()
        self._reader = StreamReader(files, self._tell_verdict, terms, self._contents)
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="scan")

    def work(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """See Half."""
        return self._scan_all(), self._send_stream(), self._clear_all()

    async def clear_up(self) -> None:
        """See Half."""
        self._reader.end()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._reader.close()

    def add(self, argument: Argument) -> None:
        """See Half."""
        super().add(argument)
        self._waiting.put_nowait(argument)

    def no_more(self, count: int) -> None:
        """See Half."""
        super().no_more(count)
        self._waiting.put_nowait(None)

    def withdraw(self, source: bytes) -> None:
        """See Half: the other half hears that these files will not come."""
        self._withdrawn |= {index for index, each in self.arguments.items() if each.source == source}
        code = FaspCode.USER_CANCEL
        for id, outgoing in self._outgoing.items():
            entry, shown = outgoing.found.entry, outgoing.found.shown
            if entry.kind == FILE and (entry.argument in self._withdrawn or shown == source):
                self._reader.give_up(id)
                self._add_verdict(Verdict(id, int(code), code.meaning))

    def hear(self, message: Message) -> None:
        """See conversation.Listener."""
        match message:
            case Needs(needs):
                for need in needs:
                    self._needed(need)
            case Bundles(bundles):
                for bundle in bundles:
                    self._bundled(bundle)
            case Settlements():
                self._hear_settlements(message)
            case Cleared(count):
                self._lister.cleared(count)
            case Troubles():
                self._hear_troubles(message)
            case Written(offset):
                self._written(offset)
            case Ask():
                self._questions += 1
                if self._questions > MOST_QUESTIONS:
                    raise SessionFailure(FaspCode.FASP_PROTO, "the far side asks too much at once")
                asyncio.ensure_future(self._answer(message))  # noqa: RUF006 - it fails only with the session
            case _:
                super().hear(message)

    def _hear_settlements(self, settlements: Settlements) -> None:
        for each in settlements.settled:
            self._settle(each)
        self._settled.set()
        self.tell_ended_arguments()
        self._finish_if_over()

    def _hear_troubles(self, troubles: Troubles) -> None:
        for trouble in troubles.troubles:
            reason = " ".join(trouble.reason.split())
            self.observer.path_failed(trouble.path, Failure(known(trouble.code), reason))

    # Scanning.

    async def _scan_all(self) -> None:
        if self._terms.precalculate or self._terms.delete_before:
            await self._count_all()
        while (argument := await self._waiting.get()) is not None:
            async for batch in self._batches(self._scanner, argument):
                if argument.index in self._withdrawn:
                    break
                await self._announce(batch)
            self.tally.scanned(argument.index)
            self._tell_counts(argument.index)
            self.tell_ended_arguments()
        self._scanned_all = True
        self._finish_if_over()

    async def _count_all(self) -> None:
        """Tell what there is in all before anything of it is announced.

        Everything is scanned twice: to keep what a scan finds would take memory without bounds.
        """
        arguments = []
        while (argument := await self._waiting.get()) is not None:
            arguments.append(argument)
        counter = Scanner(self._files, self._terms, attributes_too=False)
        for argument in arguments:
            async for _ in self._batches(counter, argument):
                pass
        self._foreseen = counter.counts
        self._tell_counts(-1)
        if self._terms.delete_before and not counter.counts.failed:
            await self._list_all(arguments)
        for each in (*arguments, None):
            self._waiting.put_nowait(each)

    async def _list_all(self, arguments: list[Argument]) -> None:
        """Tell all names: a source that cannot be read whole would say nothing about what it has not."""
        scanner = Scanner(self._files, self._terms, attributes_too=False, listed=self._lister.listed)
        for argument in arguments:
            async for _ in self._batches(scanner, argument):
                await self._lister.tell(argument.index)
            await self._lister.tell(argument.index)

    async def _batches(self, scanner: Scanner, argument: Argument) -> AsyncIterator[list[Found | NotTaken]]:
        found = scanner.scan(argument)
        while batch := await self._loop.run_in_executor(self._threads, list, islice(found, MOST_ENTRIES)):
            yield batch

    def _tell_counts(self, argument: int) -> None:
        """Tell that the scan of `argument` has ended, and the counts: what is foreseen until all is known."""
        counts = self._scanner.counts
        if self._foreseen is not None and argument + 1 != self.argument_count:
            counts = self._foreseen
        self.conversation.send(scanned(argument, counts))
        if counts != self._counts_told:
            self._counts_told = replace(counts)
            self.observer.scanned(counts)

    async def _announce(self, batch: list[Found | NotTaken]) -> None:
        await self.conversation.room()
        entries = []
        troubles = []
        for each in batch:
            if isinstance(each, Found):
                entry = each.entry
                relative = joined(self.arguments[entry.argument].name, entry.path)
                part = None if each.share is None else (each.share.start, each.share.end)
                file = PlannedFile(each.shown, b"", entry.size, entry.id, entry.argument, relative, part)
                if entry.kind == FOLDER:
                    self._clearing.scanned(each.place, named=not entry.path)
                self._outgoing[entry.id] = _Outgoing(each, file)
                entries.append(entry)
                self.tally.begun(entry.argument, each.due)
            else:
                self.tally.lost(each.argument)
                code = int(each.failure.code)
                troubles.append(Trouble(each.argument, each.shown, code, str(each.failure)))
                self.observer.not_taken(each.shown, each.failure)
        if troubles:
            self.conversation.send(Troubles(tuple(troubles)))
        for some in _by_weight(entries):
            self.conversation.send(Entries(tuple(some)))
        while len(self._outgoing) > MOST_UNSETTLED:
            self._settled.clear()
            await self._settled.wait()

    # What the other half wants, and what became of it.

    def _needed(self, need: Need) -> None:
        outgoing = self._outgoing.get(need.id)
        if outgoing is None or outgoing.found.entry.kind != FILE:
            raise SessionFailure(FaspCode.FASP_PROTO, NOT_ANNOUNCED)
        entry = outgoing.found.entry
        try:
            self._layout.append(need.id, need.extents)
        except ValueError as error:
            raise SessionFailure(FaspCode.FASP_PROTO, str(error)) from error
        if any(offset + length > entry.size for offset, length in need.extents):
            raise SessionFailure(FaspCode.FASP_PROTO, "the far side needs what is beyond a file's end")
        outgoing.lay(need)
        if self._layout.pending > MOST_EXTENTS:
            raise SessionFailure(FaspCode.FASP_PROTO, TOO_MUCH)
        if not outgoing.announced:
            outgoing.announced = True
            if need.kept:
                self.observer.resumed(outgoing.file, entry.size, need.kept)
            else:
                self.observer.started(outgoing.file, entry.size)
        self._reader.feed(outgoing.found, need)

    def _bundled(self, bundle: Bundle) -> None:
        """Lay out some small files, which are told of as moved when they are settled."""
        if not 0 < bundle.files <= MOST_FILES:
            raise SessionFailure(FaspCode.FASP_PROTO, "the far side needs a bundle of no files, or too many")
        founds = []
        for id in range(bundle.first, bundle.first + bundle.files):
            outgoing = self._outgoing.get(id)
            if outgoing is None:
                raise SessionFailure(FaspCode.FASP_PROTO, NOT_ANNOUNCED)
            outgoing.bundle()
            founds.append(outgoing.found)
            self.observer.started(outgoing.file, outgoing.due)
        self._layout.append(bundle.first, [(0, Shape(found.entry.size for found in founds).length)])
        if self._layout.pending > MOST_EXTENTS:
            raise SessionFailure(FaspCode.FASP_PROTO, TOO_MUCH)
        self._reader.feed_bundle(founds)

    def _written(self, offset: int) -> None:
        try:
            pieces = self._layout.advance(offset)
        except ValueError as error:
            raise SessionFailure(FaspCode.FASP_PROTO, str(error)) from error
        for piece in pieces:
            outgoing = self._outgoing.get(piece.file)
            if outgoing is not None and not outgoing.bundled:
                outgoing.due -= piece.length
                self.observer.moved(outgoing.file, piece.length, piece.offset + piece.length)

    def _settle(self, settled: Settled) -> None:
        outgoing = self._outgoing.pop(settled.id, None)
        if outgoing is None:
            raise SessionFailure(FaspCode.FASP_PROTO, "the far side settled what was not announced")
        found, entry, outcome = outgoing.found, outgoing.found.entry, settled.outcome
        self.tally.ended(entry.argument, outcome, is_file=entry.kind == FILE)
        if entry.kind == FILE:
            self._settle_file(outgoing, settled)
        elif outcome not in (DONE, PART, SKIPPED):
            if entry.kind == FOLDER:
                self.observer.folder_failed(PlannedFolder(found.shown, b""), _failure(settled))
            else:
                self.observer.path_failed(found.shown, _failure(settled))
        if (
            outcome in (DONE, SKIPPED)
            and entry.kind != FOLDER
            and self._clearing.concerns(skipped=outcome == SKIPPED)
        ):
            self._to_clear.put_nowait((found, outgoing.file.relative))

    def _settle_file(self, outgoing: _Outgoing, settled: Settled) -> None:
        size = outgoing.found.entry.size
        if settled.outcome == SKIPPED:
            self.observer.skipped(outgoing.file, size)
        elif settled.outcome not in (DONE, PART):
            self._reader.give_up(settled.id)
            self.observer.failed(outgoing.file, _failure(settled))
        elif outgoing.announced:
            if outgoing.due:  # the mark of what is written comes later than the news of whole files
                self.observer.moved(outgoing.file, outgoing.due, size)
            self.observer.finished(outgoing.file, outgoing.checksum)
        else:
            raise SessionFailure(FaspCode.FASP_PROTO, "the far side has a file that was not sent")

    def _finish_if_over(self) -> None:
        if self._scanned_all and not self._outgoing and not self._all_settled:
            self._all_settled = True
            self._reader.end()
            self._to_clear.put_nowait(None)

    async def _clear_all(self) -> None:
        """Put away what has arrived, then the folders that are empty; after that all is done."""
        while (settled := await self._to_clear.get()) is not None:
            found, relative = settled
            place = found.place
            failure = await self._loop.run_in_executor(self._threads, self._clearing.settled, place, relative)
            if failure is not None:
                self.observer.path_failed(found.shown, failure)
        resisting = await self._loop.run_in_executor(self._threads, lambda: list(self._clearing.ended()))
        for path, failure in resisting:
            self.observer.path_failed(path, failure)
        self.finish()

    # The stream.

    async def _send_stream(self) -> None:
        await self._plane(self._reader)

    def _tell_verdict(self, verdict: Verdict) -> None:
        """In the reading thread: the loop is woken once for all that come before it looks."""
        with self._read_lock:
            self._read.append(verdict)
            first = len(self._read) == 1
        if first:
            self._loop.call_soon_threadsafe(self._add_read)

    def _add_read(self) -> None:
        with self._read_lock:
            verdicts, self._read = self._read, []
        for verdict in verdicts:
            self._add_verdict(verdict)

    def _add_verdict(self, verdict: Verdict) -> None:
        """Send verdicts together: the first at the end of the loop's turn, those that follow a moment later."""
        if (outgoing := self._outgoing.get(verdict.id)) is not None:
            outgoing.checksum = verdict.checksum.decode("ascii")
        self._verdicts.append(verdict)
        if len(self._verdicts) == 1:
            self._loop.call_at(self._verdicts_due, self._send_verdicts)

    def _send_verdicts(self) -> None:
        verdicts, self._verdicts = self._verdicts, []
        self._verdicts_due = self._loop.time() + GATHER_SECONDS
        self.conversation.send(Verdicts(tuple(verdicts)))

    async def _answer(self, ask: Ask) -> None:
        """Tell the digests of parts of a file; a file that cannot be read has none."""
        outgoing = self._outgoing.get(ask.id)
        digests: tuple[bytes, ...] = ()
        if outgoing is not None:
            digests = await self._loop.run_in_executor(
                self._threads, self._digests, outgoing.found, ask.ranges
            )
        self._questions -= 1
        self.conversation.send(Digests(ask.id, digests))

    def _digests(self, found: Found, ranges: tuple[tuple[int, int], ...]) -> tuple[bytes, ...]:
        try:
            descriptor = self._files.open_file(found.place, os.O_RDONLY)
        except OSError:
            return ()
        try:
            return digests_by(self._contents.of(descriptor, found).read, ranges)
        finally:
            os.close(descriptor)


def _failure(settled: Settled) -> Failure:
    return Failure(known(settled.code), " ".join(settled.reason.split()))


def _by_weight(entries: list[Entry]) -> Iterator[list[Entry]]:
    """Entries in groups that fit into a message each; what weighs are extended attributes."""
    group: list[Entry] = []
    weight = 0
    for entry in entries:
        own = len(entry.path) + len(entry.link) + 16 * len(entry.holes)
        if entry.attributes:
            own += sum(len(name) + len(value) for name, value in entry.attributes)
        if group and weight + own > LARGEST_CONTROL // 4:
            yield group
            group, weight = [], 0
        group.append(entry)
        weight += own
    if group:
        yield group
