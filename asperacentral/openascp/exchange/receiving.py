"""The half that has the destination: decides about each entry, asks for what it needs, and writes it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from asperacentral.fasp.errors import FaspCode, known
from asperacentral.openascp.confined import Files
from asperacentral.openascp.exchange import holes
from asperacentral.openascp.exchange.asking import Asking
from asperacentral.openascp.exchange.channel import UNASKED, BesideSink, ChannelSink
from asperacentral.openascp.exchange.comparing import COMPARISONS, Comparer
from asperacentral.openascp.exchange.conversation import Conversation
from asperacentral.openascp.exchange.deciding import Comparison, Decider, Outcome
from asperacentral.openascp.exchange.deleting import Deleting
from asperacentral.openascp.exchange.finishing import Finisher
from asperacentral.openascp.exchange.half import Half, HalfObserver
from asperacentral.openascp.exchange.listing import MOST_LISTINGS
from asperacentral.openascp.exchange.messages import (
    BUNDLES,
    DONE,
    FAILED,
    FILE,
    FOLDER,
    PART,
    SKIPPED,
    Argument,
    Cleared,
    Digests,
    Entries,
    Entry,
    Listing,
    Listings,
    Message,
    Scanned,
    Settled,
    Settlements,
    Trouble,
    Troubles,
    Verdict,
    Verdicts,
    Written,
)
from asperacentral.openascp.exchange.paths import joined
from asperacentral.openascp.exchange.plane import StreamSink
from asperacentral.openascp.exchange.scanning import counts_of, shown_path
from asperacentral.openascp.exchange.sending import MOST_UNSETTLED
from asperacentral.openascp.exchange.sharing import SharedFiles
from asperacentral.openascp.exchange.target import Target
from asperacentral.openascp.exchange.terms import Terms
from asperacentral.openascp.exchange.unsealing import Unsealing
from asperacentral.openascp.exchange.wanting import planned, window
from asperacentral.openascp.exchange.writing import StreamWriter
from asperacentral.openascp.failures import Failure, SessionFailure, from_os_error
from asperacentral.openascp.plan import PlannedFile, PlannedFolder
from asperacentral.openascp.scancounts import ScanCounts

_T = TypeVar("_T")

BATCH = 512
"""Entries decided about at once, if so many are there."""
_TICK_SECONDS = 0.05
_GATHER_SECONDS = 0.01
_STOP_SECONDS = 60.0
_PARTING_SECONDS = 2.0

Plane = Callable[[StreamSink], Coroutine[Any, Any, bool]]
"""Receives the stream to its end, and tells so, if it does not come with the conversation."""


class ReceivingHalf(Half):
    """Receives what the other half announces, by the rules of `terms`."""

    def __init__(
        self,
        conversation: Conversation,
        observer: HalfObserver,
        files: Files,
        terms: Terms,
        plane: Plane,
        unsealing: Unsealing | None = None,
    ) -> None:
        super().__init__(conversation, observer)
        self._plane = plane
        self._loop = asyncio.get_running_loop()
        self._files = files
        self._finisher = Finisher(files, terms, unsealing)
        self._shared = SharedFiles(files)
        self._decider = Decider(files, terms, self._finisher, self._shared)
        self._deal = terms.deal()
        self._level = terms.resume_level
        self._persistent = terms.persistent
        self._threads = ThreadPoolExecutor(1 + COMPARISONS, thread_name_prefix="decide")
        self._writer = StreamWriter(files, self._woken, self._finisher, self._shared)
        self._asking = Asking(
            conversation,
            self._writer,
            window(terms.target_rate),
            bundling=BUNDLES in conversation.shared
            and terms.checksum == "none"
            and not self._finisher.header,
            begun=self._started,
            refused=self._settle,
        )
        self._channel = ChannelSink(self._writer, conversation)
        self._beside = BesideSink(self._writer, lambda: self._asking.end)
        self._into: bool | None = None
        self._deletes = terms.delete_before
        self._deleting = Deleting(files, terms, self._decider)
        self._entries: asyncio.Queue[tuple[Entry, ...] | Listing] = asyncio.Queue()  # as they were told
        self._next_id = 0
        self._files_open: dict[int, PlannedFile] = {}  # not settled yet
        self._unsettled = 0
        self._scanned = -1
        self._counts_told: ScanCounts | None = None
        self._withdrawn: set[int] = set()
        self._received = 0
        self._told = 0
        self._comparer = Comparer(conversation, files, self._in_thread, terms.resume_level)
        self._comparisons: set[asyncio.Task[None]] = set()
        self._settlements: list[Settled] = []
        self._after = terms.after()
        self._unsynced: list[Settled] = []  # settled when they are on the disk
        self._checksums: dict[int, str] = {}
        self._argument_of: dict[int, int] = {}  # of entries that are not settled
        self._folders: list[Entry] = []
        self._winding_up = False

    def work(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """See Half."""
        return self._decide_all(), self._tick(), self._receive_beside()

    async def _receive_beside(self) -> None:
        """Receive by a plane of its own, if that was agreed upon. SessionFailure."""
        if await self._plane(self._beside) and self._beside.received < self._asking.end:
            await asyncio.sleep(_PARTING_SECONDS)  # who breaks off says why, in the conversation
            raise SessionFailure(FaspCode.FASP_PROTO, "the stream ended before all of it had come")

    async def clear_up(self) -> None:
        """See Half."""
        for task in self._comparisons:
            task.cancel()
        self._channel.close()
        self._writer.stop()
        await self._loop.run_in_executor(None, self._writer.join, _STOP_SECONDS)
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._finisher.close()
        self._asking.close()

    def hear(self, message: Message) -> None:
        """See conversation.Listener."""
        match message:
            case Entries(entries):
                self._announced(entries)
            case Listings(listings):
                for listing in listings:
                    self._listed(listing)
            case Verdicts(verdicts):
                for verdict in verdicts:
                    self._judged(verdict)
            case Digests():
                self._comparer.answered(message)
            case Troubles(troubles):
                for trouble in troubles:
                    self.tally.lost(trouble.argument)
                    reason = " ".join(trouble.reason.split())
                    self.observer.not_taken(trouble.path, Failure(known(trouble.code), reason))
            case Scanned():
                self._hear_scanned(message)
            case _:
                super().hear(message)

    def withdraw(self, source: bytes) -> None:
        """See Half."""
        self._withdrawn |= {index for index, each in self.arguments.items() if each.source == source}
        code = FaspCode.USER_CANCEL
        for id, file in list(self._files_open.items()):
            if file.argument in self._withdrawn or file.source == source:
                self._judged(Verdict(id, int(code), code.meaning))

    def take(self, offset: int, data: bytes) -> None:
        """See conversation.Listener. On the channel the stream comes in order."""
        if self._beside.used or offset != self._received or offset + len(data) > self._asking.end:
            raise SessionFailure(FaspCode.FASP_PROTO, UNASKED)
        self._received += len(data)
        self._channel.take(offset, data)

    async def parted(self) -> None:
        """See Half."""
        await self._in_thread(self._shared.ended_well)

    def no_more(self, count: int) -> None:
        """See Half."""
        super().no_more(count)
        self._finish_if_over()

    # Entries.

    def _announced(self, entries: tuple[Entry, ...]) -> None:
        self._unsettled += len(entries)
        if self._unsettled > 2 * MOST_UNSETTLED:
            raise SessionFailure(FaspCode.FASP_PROTO, "more entries than anybody can take")
        for entry in entries:
            if entry.id != self._next_id or entry.argument not in self.arguments or entry.size < 0:
                raise SessionFailure(FaspCode.FASP_PROTO, "an entry out of turn")
            try:
                holes.check(entry.holes, entry.size)
            except ValueError as error:
                raise SessionFailure(FaspCode.FASP_PROTO, str(error)) from error
            self._next_id += 1
            self.tally.begun(entry.argument, self._due(entry) if entry.kind == FILE else 0)
        self._entries.put_nowait(entries)

    def _due(self, entry: Entry) -> int:
        """The bytes of a file that this session moves."""
        if self._deal.alone:
            return entry.size
        return self._deal.due(joined(self.arguments[entry.argument].name, entry.path), entry.size)

    def _listed(self, listing: Listing) -> None:
        if not self._deletes or self._next_id or listing.argument not in self.arguments:
            raise SessionFailure(FaspCode.FASP_PROTO, "a list of names out of turn")
        if self._entries.qsize() > 2 * MOST_LISTINGS:
            raise SessionFailure(FaspCode.FASP_PROTO, "more lists of names than anybody can take")
        self._entries.put_nowait(listing)

    def _hear_scanned(self, scanned: Scanned) -> None:
        self._scanned = scanned.argument
        self.tally.scanned(scanned.argument)
        self.tell_ended_arguments()
        counts = counts_of(scanned)
        if counts != self._counts_told:
            self._counts_told = counts
            self.observer.scanned(counts)
        self._finish_if_over()

    async def _decide_all(self) -> None:
        self._into = await self._loop.run_in_executor(self._threads, self._decider.prepare)
        self._finish_if_over()
        begun = 0
        while True:
            batch = [await self._entries.get()]
            size = 0
            while (size := size + len(batch[-1])) < BATCH and not self._entries.empty():
                batch.append(self._entries.get_nowait())
            new = [self.arguments[index] for index in range(begun, len(self.arguments))]
            begun += len(new)
            await self._in_thread(self._begin_arguments, new)
            await self._clear([each for each in batch if isinstance(each, Listing)])
            entries = [entry for each in batch if not isinstance(each, Listing) for entry in each]
            outcomes = await self._in_thread(
                lambda some: [self._decider.decide(each) for each in some], entries
            )
            for entry, outcome in zip(entries, outcomes, strict=True):
                self._decided(entry, outcome)
            self._asking.lay_out()
            self._flush()

    def _begin_arguments(self, new: list[Argument]) -> None:
        for argument in new:
            try:
                self._decider.begin(argument, bool(self._into))
            except (OSError, Failure) as error:
                failure = error if isinstance(error, Failure) else from_os_error(error, FaspCode.DISK_WRITE)
                if not self._persistent:
                    raise SessionFailure(failure.code, str(failure)) from error
                self._decider.refuse(argument, failure)

    async def _clear(self, listings: list[Listing]) -> None:
        """Delete what is not in these folders of the source."""
        for listing in listings:
            for path, failure in await self._in_thread(self._deleting.take, listing):
                self._tell_trouble(listing.argument, path, failure)
        if listings:
            self.conversation.send(Cleared(len(listings)))

    def _tell_trouble(self, argument: int, path: bytes, failure: Failure) -> None:
        self.observer.path_failed(path, failure)
        self.conversation.send(Troubles((Trouble(argument, path, int(failure.code), str(failure)),)))

    def _decided(self, entry: Entry, outcome: Outcome) -> None:
        argument = self.arguments[entry.argument]
        shown = shown_path(argument, entry.path)
        if entry.kind == FILE:
            self._files_open[entry.id] = planned(entry, shown, outcome)
        self._argument_of[entry.id] = entry.argument
        if entry.kind == FILE and entry.argument in self._withdrawn:
            self._asking.will_not_come(Verdict(entry.id, int(FaspCode.USER_CANCEL), "given up"))
        if isinstance(outcome, Target):
            if outcome.leftover is not None and self._level > 1:
                self._begin(self._verify(outcome))
            else:
                self._asking.want(outcome)
        elif isinstance(outcome, Comparison):
            self._begin(self._compare(outcome))
        elif isinstance(outcome, Failure):
            if entry.kind == FOLDER:
                self.observer.folder_failed(PlannedFolder(shown, b""), outcome)
            elif entry.kind != FILE:
                self.observer.path_failed(shown, outcome)
            self._settle(Settled(entry.id, FAILED, int(outcome.code), str(outcome)))
        else:
            if entry.kind == FOLDER and self._finisher.keeps_attributes:
                self._folders.append(entry)
            self._settle_for_good(Settled(entry.id, outcome))

    # Files and blocks that may be the same.

    def _begin(self, comparison: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(comparison)
        self._comparisons.add(task)
        task.add_done_callback(self._compared)

    async def _compare(self, comparison: Comparison) -> None:
        """A file that is there may be the same: equal ones are skipped."""
        target = comparison.target
        if await self._comparer.is_same(comparison):
            await self._in_thread(self._decider.skip, target)
            self._settle_for_good(Settled(target.entry.id, SKIPPED))
        else:
            self._decided(target.entry, await self._in_thread(self._decider.different, target))
        self._asking.lay_out()
        self._flush()

    async def _verify(self, target: Target) -> None:
        """Only what is still the source's is kept of what a former session left."""
        self._asking.want(await self._comparer.verified(target))
        self._asking.lay_out()
        self._flush()

    async def _in_thread(self, function: Callable[..., _T], *arguments: Any) -> _T:
        return await self._loop.run_in_executor(self._threads, function, *arguments)

    def _compared(self, task: asyncio.Task[None]) -> None:
        self._comparisons.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            if isinstance(error, SessionFailure):
                self.fail(error)
                return
            reason = f"a comparison failed: {type(error).__name__}"
            self.fail(SessionFailure(FaspCode.INTERNAL_ERROR, reason))

    # The stream.

    def _started(self, target: Target) -> None:
        file = self._files_open[target.entry.id]
        if target.kept:
            self.observer.resumed(file, target.entry.size, target.kept)
        else:
            self.observer.started(file, target.entry.size)

    def _judged(self, verdict: Verdict) -> None:
        """A file was read to its end, or will not be."""
        if verdict.checksum:
            self._checksums[verdict.id] = verdict.checksum.decode("ascii", "replace")
        self._asking.judged(verdict)

    # What the writer has done.

    def _woken(self) -> None:
        """In the writer's thread. A moment later there is more to be told in one message."""
        self._loop.call_soon_threadsafe(self._loop.call_later, _GATHER_SECONDS, self._look)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            self._look()

    def _look(self) -> None:
        news = self._writer.news()
        if news.error is not None:
            code = FaspCode.FASP_PROTO if isinstance(news.error, ValueError) else FaspCode.INTERNAL_ERROR
            self.fail(SessionFailure(code, f"writing failed: {type(news.error).__name__}: {news.error}"))
            return
        for file, (count, contiguous) in news.moved.items():
            if (planned := self._files_open.get(file)) is not None:
                self.observer.moved(planned, count, contiguous)
        self._asking.written = news.written
        for settled in news.settled:
            self._asking.over(settled)
            self._settle_for_good(settled)
        self._asking.lay_out()
        self._flush()

    def _settle_for_good(self, settled: Settled) -> None:
        """Settle; what makes its source go away only when it is on the disk, many files at a time."""
        ended_well = settled.outcome in (DONE, SKIPPED) and settled.id in self._files_open
        if not ended_well or not self._after.concerns(skipped=settled.outcome == SKIPPED):
            self._settle(settled)
            return
        self._unsynced.append(settled)
        if len(self._unsynced) == 1:
            self._begin(self._sync_and_settle())

    async def _sync_and_settle(self) -> None:
        while settled := list(self._unsynced):
            await self._sync()
            for each in settled:
                self._settle(each)
            del self._unsynced[: len(settled)]
            self._flush()

    async def _sync(self) -> None:
        """SessionFailure when the disk could not take what was written."""
        try:
            await self._in_thread(self._finisher.sync)
        except OSError as error:
            text = f"what was written could not be brought to the disk: {error.strerror}"
            raise SessionFailure(FaspCode.DISK_WRITE, text) from error

    def _settle(self, settled: Settled) -> None:
        self._settlements.append(settled)
        self._unsettled -= 1
        self._decider.settled(settled.id)
        file = self._files_open.pop(settled.id, None)
        bundled = self._asking.forget(settled.id)
        self.tally.ended(self._argument_of.pop(settled.id), settled.outcome, is_file=file is not None)
        if file is None:
            return
        if settled.outcome == SKIPPED:
            self.observer.skipped(file, file.size)
        elif settled.outcome in (DONE, PART):
            if bundled and file.size:  # the others were told of piece by piece
                self.observer.moved(file, file.size, file.size)
            self.observer.finished(file, self._checksums.pop(settled.id, ""))
        else:
            self.observer.failed(file, Failure(known(settled.code), settled.reason))

    def _flush(self) -> None:
        """Tell the other half what was done since the last time."""
        if (written := self._asking.written) > self._told:
            self._told = written
            self.conversation.send(Written(written))
        if self._settlements:
            settled, self._settlements = self._settlements, []
            for first in range(0, len(settled), BATCH * 4):
                self.conversation.send(Settlements(tuple(settled[first : first + BATCH * 4])))
        self.tell_ended_arguments()
        self._finish_if_over()

    def _finish_if_over(self) -> None:
        if self._into is None or self.argument_count is None or self._scanned < self.argument_count - 1:
            return
        if not self._unsettled and not self._settlements and not self._winding_up:
            self._winding_up = True
            self._begin(self._wind_up())

    async def _wind_up(self) -> None:
        """Nothing changes any more in any folder: give them their attributes, the deepest first."""
        for entry in reversed(self._folders):
            try:
                place = self._decider.place(entry)
                await self._in_thread(self._finisher.finish_folder, place, entry)
            except OSError as error:
                shown = shown_path(self.arguments[entry.argument], entry.path)
                self._tell_trouble(entry.argument, shown, from_os_error(error, FaspCode.DISK_WRITE))
        await self._sync()
        self.finish()
