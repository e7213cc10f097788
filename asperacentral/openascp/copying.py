"""A data plane that copies between two file systems, block by block, many blocks and files at a time.

A file is written under a partial name beside its target and renamed when the destination has acknowledged every
byte, its size has been read back and the source is still what it was. Whoever dies on the way leaves at most a
partial file. The next session with the same tag finds and removes it, but never writes under a name it found:
the rename of a killed session may still be on its way to a slow server, and must then find nothing. So there are
two partial names per tag, and a session takes the one that is free.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import posixpath
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.clearing import SourceClearing, delete_superfluous
from asperacentral.openascp.dataplane import Observer
from asperacentral.openascp.failures import Failure, SessionFailure
from asperacentral.openascp.files.afterwards import Afterwards
from asperacentral.openascp.files.attributes import Preserve
from asperacentral.openascp.filesystem import Attributes, Changes, FileSystem, Kind, Reader, Writer
from asperacentral.openascp.finishing import changes, keep, make_link
from asperacentral.openascp.overwrite import Decision, decide, ranges
from asperacentral.openascp.pacing import Pacer
from asperacentral.openascp.plan import Plan, PlannedFile, PlannedLink

FILES_AT_ONCE = 32
PIECES_AT_ONCE = 16
BYTES_IN_FLIGHT = 4 * 1024 * 1024
"""Of all files together: what bounds memory."""
LONGEST_NAME = 255
_CLEANING_SECONDS = 5.0


Checksum = Callable[[bytes, int], Awaitable[str]]
"""The checksum of a file's first bytes, by its path on the side that computes it."""


@dataclass(frozen=True, slots=True)
class CopyRules:
    """How existing files are treated, partial ones are called, and what else is done with each file.

    `block` is the most bytes of one read or write, 0 for the most both sides can. `save_suffix` names what
    `save` keeps of what would be overwritten. `checksum_source` and `checksum_target` compute the checksum of the
    source, or of what was written, on the side that is this machine. Links may not lead out of `root`, if it is set.
    """

    overwrite: str = "diff"
    resume_level: int = 0
    partial_tag: bytes = b""
    partial_suffix: bytes = b".partial"
    block: int = 0
    links: str = "follow"
    root: bytes | None = None
    preserve: Preserve = Preserve()
    save: bool = False
    save_suffix: bytes = b""
    afterwards: Afterwards = Afterwards()
    delete_before: bool = False
    checksum_source: Checksum | None = None
    checksum_target: Checksum | None = None


class CopyingPlane:
    """Copies from `source` to `destination`, no faster than `pacer` allows."""

    def __init__(self, source: FileSystem, destination: FileSystem, pacer: Pacer, rules: CopyRules) -> None:
        self._source = source
        self._destination = destination
        self._pacer = pacer
        self._rules = rules
        sizes = (source.block_size, destination.block_size, rules.block)
        self._block = min(size for size in sizes if size)
        self._clearing = SourceClearing(source, rules.afterwards)
        self._slots = asyncio.Semaphore(max(4, BYTES_IN_FLIGHT // self._block))
        self._fresh: set[bytes] = set()

    async def move(self, plan: Plan, observer: Observer) -> None:
        """See DataPlane."""
        if self._rules.delete_before:
            await self._report(delete_superfluous(self._destination, plan), observer)
        await self._make_folders(plan, observer)
        await self._move_files(plan, observer)
        for link in plan.links:
            await self._move_link(link, observer)
        await self._change_folders(plan, observer)
        await self._report(self._clearing.ended(plan), observer)

    async def _move_files(self, plan: Plan, observer: Observer) -> None:
        waiting = iter(plan.files)
        settled = 0

        async def worker() -> None:
            nonlocal settled
            for file in waiting:
                # A task for each file: on early releases of Python 3.11 a task whose TaskGroup has failed stays half
                # cancelled, and the failure of its next TaskGroup would look like a cancellation from outside.
                await asyncio.create_task(self._move_file(file, observer))
                settled += 1

        async with _first_failure(), asyncio.TaskGroup() as group:
            for _ in range(min(FILES_AT_ONCE, len(plan.files))):
                group.create_task(worker())
        if settled != len(plan.files):
            missing = len(plan.files) - settled
            raise SessionFailure(FaspCode.INTERNAL_ERROR, f"{missing} files were neither moved nor reported")

    async def _make_folders(self, plan: Plan, observer: Observer) -> None:
        """In order, so that parents come first. What is new is empty: no need to look there for files."""
        for folder in plan.folders:
            try:
                if await self._destination.make_folder(folder.target):
                    self._fresh.add(folder.target)
            except SessionFailure:
                raise
            except Failure as failure:
                if not folder.source:
                    raise SessionFailure(failure.code, f"{failure} (destination folder)") from failure
                observer.folder_failed(folder, failure)

    async def _report(self, failures: AsyncIterator[tuple[bytes, Failure]], observer: Observer) -> None:
        async for path, failure in failures:
            observer.path_failed(path, failure)

    async def _move_link(self, link: PlannedLink, observer: Observer) -> None:
        try:
            made = await make_link(self._source, self._destination, link, self._rules.links, self._rules.root)
            await self._clearing.settled(link, skipped=not made)
        except SessionFailure:
            raise
        except Failure as failure:
            observer.path_failed(link.source, failure)

    async def _change_folders(self, plan: Plan, observer: Observer) -> None:
        """After all that is in them, which changes their times; what is deepest first."""
        for folder in reversed(plan.folders):
            wanted = None if folder.found is None else changes(folder.found, self._rules.preserve)
            if wanted is None:
                continue
            try:
                await self._destination.change(folder.target, wanted)
            except SessionFailure:
                raise
            except Failure as failure:
                observer.folder_failed(folder, failure)

    async def _settle(self, file: PlannedFile, observer: Observer, *, skipped: bool) -> None:
        """The file ended well, and nothing that happens to its source now can change that."""
        try:
            await self._clearing.settled(file, skipped=skipped)
        except SessionFailure:
            raise
        except Failure as failure:
            observer.path_failed(file.source, failure)

    async def _move_file(self, file: PlannedFile, observer: Observer) -> None:
        try:
            reader = await self._source.open(file.source)
            try:
                before = await reader.attributes()
                if before.kind is not Kind.FILE:
                    raise Failure(FaspCode.NOT_REGULAR)
                wanted = await self._wanted(file, reader, before)
                if wanted:
                    observer.started(file, before.size)
                    observer.finished(file, await self._copy(file, reader, before, observer))
                else:
                    observer.skipped(file, before.size)
                if self._rules.preserve.source_access_time:
                    await self._source.change(file.source, Changes(accessed=before.accessed))
            finally:
                await reader.close()
            await self._settle(file, observer, skipped=not wanted)
        except SessionFailure:
            raise
        except Failure as failure:
            observer.failed(file, failure)

    async def _wanted(self, file: PlannedFile, reader: Reader, before: Attributes) -> bool:
        """Tell whether the file is to be moved, reading what is there where the rule says so."""
        if posixpath.dirname(file.target) in self._fresh:
            return True
        there = await self._destination.attributes(file.target)
        if there is not None and there.kind is Kind.FOLDER:
            raise Failure(FaspCode.IS_DIR)
        if there is not None and there.kind is not Kind.FILE:
            raise Failure(FaspCode.NOT_REGULAR, "the destination is a special file")
        decision = decide(self._rules.overwrite, self._rules.resume_level, before, there)
        if decision in (Decision.MOVE, Decision.SKIP):
            return decision is Decision.MOVE
        return not await self._equal(file, reader, ranges(decision, before.size, self._block))

    async def _equal(self, file: PlannedFile, reader: Reader, pieces: Iterator[tuple[int, int]]) -> bool:
        """Compare pieces of both files, several at once; what is read counts against the rate."""
        other = await self._destination.open(file.target)

        async def same(offset: int, size: int) -> bool:
            await self._pacer.take(size)
            async with self._slots:
                return await reader.read(offset, size) == await other.read(offset, size)

        try:
            while batch := list(islice(pieces, PIECES_AT_ONCE)):
                async with _first_failure(), asyncio.TaskGroup() as group:
                    answers = [group.create_task(same(*piece)) for piece in batch]
                if not all(answer.result() for answer in answers):
                    return False
        finally:
            await other.close()
        return True

    async def _copy(self, file: PlannedFile, reader: Reader, before: Attributes, observer: Observer) -> str:
        """Copy the file and give it its name; its checksum, if one was asked for."""
        partial, writer = await self._claim_uncut(file.target, before.executable)
        try:
            await self._pump(file, reader, writer, before.size, observer)
            after = await reader.attributes()
            if (after.size, after.modified) != (before.size, before.modified):
                raise Failure(FaspCode.DISK_READ, "the source changed while it was read")
            written = (await writer.attributes()).size
            if written != before.size:
                raise Failure(FaspCode.DISK_WRITE, f"the destination has {written} bytes of {before.size}")
            if (wanted := changes(before, self._rules.preserve)) is not None:
                await writer.change(wanted)
            if self._rules.afterwards.concerns(
                skipped=False
            ):  # the source goes when the copy cannot get lost
                await writer.sync()
            await writer.close()
            checksum = await self._checksum(file, partial, written)
            if self._rules.save and posixpath.dirname(file.target) not in self._fresh:
                await keep(self._destination, file.target, self._rules.save_suffix)
            replace = self._rules.overwrite != "never"
            await self._destination.rename(partial, file.target, replace=replace)
        except BaseException:
            await _briefly(self._discard(partial, writer))
            raise
        return checksum

    async def _checksum(self, file: PlannedFile, partial: bytes, written: int) -> str:
        """By reading what is on this machine: the source, or what was written."""
        if self._rules.checksum_source is not None:
            return await self._rules.checksum_source(file.source, written)
        if self._rules.checksum_target is not None:
            return await self._rules.checksum_target(partial, written)
        return ""

    async def _claim_uncut(self, target: bytes, executable: bool) -> tuple[bytes, Writer]:
        """Claim; cancelled on the way, let the claim come to its end, since only then it can be undone."""
        claim = asyncio.ensure_future(self._claim(target, executable))

        async def undo() -> None:
            await self._discard(*await claim)

        try:
            return await asyncio.shield(claim)
        except asyncio.CancelledError:
            await _briefly(undo())
            raise

    async def _discard(self, partial: bytes, writer: Writer) -> None:
        with contextlib.suppress(Failure):
            await writer.close()
        await self._destination.remove(partial)

    async def _claim(self, target: bytes, executable: bool) -> tuple[bytes, Writer]:
        """Create the file's partial under the first of its names that nobody left behind; remove what is stale."""
        first, second = partial_names(target, self._rules)
        writer = await self._destination.create(first, executable=executable)
        if writer is not None:
            await self._remove_stale(second, target)
            return first, writer
        await self._destination.remove(first)
        writer = await self._destination.create(second, executable=executable)
        if writer is None:
            await self._destination.remove(second)
            writer = await self._destination.create(second, executable=executable)
        if writer is None:
            raise Failure(FaspCode.UPLOAD_IN_PROGRESS)
        return second, writer

    async def _remove_stale(self, partial: bytes, target: bytes) -> None:
        if posixpath.dirname(target) not in self._fresh:
            await self._destination.remove(partial)

    async def _pump(
        self, file: PlannedFile, reader: Reader, writer: Writer, size: int, observer: Observer
    ) -> None:
        """Move all blocks of one file, as many at once as there are slots."""
        outstanding: set[int] = set()
        next_offset = 0

        async def move(offset: int, count: int) -> None:
            data = await reader.read(offset, count)
            if len(data) != count:
                raise Failure(FaspCode.DISK_READ, "the source became shorter while it was read")
            await writer.write(offset, data)
            outstanding.discard(offset)
            observer.moved(file, count, min(outstanding, default=next_offset))

        async with _first_failure(), asyncio.TaskGroup() as group:
            while next_offset < size:
                count = min(self._pacer.block(self._block), size - next_offset)
                await self._pacer.take(count)
                await self._slots.acquire()
                outstanding.add(next_offset)
                task = group.create_task(move(next_offset, count))
                task.add_done_callback(
                    lambda _: self._slots.release()
                )  # also of one cancelled before it began
                next_offset += count


def partial_names(target: bytes, rules: CopyRules) -> tuple[bytes, bytes]:
    """The two partial names of `target`, in its folder; a name that would grow too long is shortened to a hash."""
    folder, name = posixpath.split(target)
    names = [name + b"." + rules.partial_tag + mark + rules.partial_suffix for mark in (b"", b"~")]
    if len(names[1]) > LONGEST_NAME:
        digest = hashlib.sha256(name + b"." + rules.partial_tag).hexdigest().encode()
        names = [digest + mark + rules.partial_suffix for mark in (b"", b"~")]
    return posixpath.join(folder, names[0]), posixpath.join(folder, names[1])


@asynccontextmanager
async def _first_failure() -> AsyncIterator[None]:
    """Raise a task group's first failure as itself; a session's failure before a file's."""
    try:
        yield
    except BaseExceptionGroup as group:
        failures = sorted(_leaves(group), key=lambda error: not isinstance(error, SessionFailure))
        raise failures[0] from group


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    return [
        leaf
        for error in group.exceptions
        for leaf in (_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    ]


async def _briefly(cleaning: Coroutine[None, None, None]) -> None:
    """Clean up as well as can be done in a short time, also when cancelled meanwhile.

    What ended the file matters more than what fails now.
    """

    async def limited() -> None:
        with contextlib.suppress(Failure, TimeoutError):
            async with asyncio.timeout(_CLEANING_SECONDS):
                await cleaning

    task = asyncio.ensure_future(limited())
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
