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
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.dataplane import Observer
from asperacentral.openascp.failures import Failure, SessionFailure
from asperacentral.openascp.filesystem import Attributes, FileSystem, Kind, Reader, Writer
from asperacentral.openascp.overwrite import Decision, decide, ranges
from asperacentral.openascp.pacing import Pacer
from asperacentral.openascp.plan import Plan, PlannedFile

FILES_AT_ONCE = 32
PIECES_AT_ONCE = 16
BYTES_IN_FLIGHT = 4 * 1024 * 1024
"""Of all files together: what bounds memory."""
LONGEST_NAME = 255
_CLEANING_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class CopyRules:
    """How existing files are treated and partial ones are called."""

    overwrite: str = "diff"
    resume_level: int = 0
    partial_tag: bytes = b""
    partial_suffix: bytes = b".partial"


class CopyingPlane:
    """Copies from `source` to `destination`, no faster than `pacer` allows."""

    def __init__(self, source: FileSystem, destination: FileSystem, pacer: Pacer, rules: CopyRules) -> None:
        self._source = source
        self._destination = destination
        self._pacer = pacer
        self._rules = rules
        self._block = min(source.block_size, destination.block_size)
        self._slots = asyncio.Semaphore(max(4, BYTES_IN_FLIGHT // self._block))
        self._fresh: set[bytes] = set()

    async def move(self, plan: Plan, observer: Observer) -> None:
        """See DataPlane."""
        await self._make_folders(plan, observer)
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

    async def _move_file(self, file: PlannedFile, observer: Observer) -> None:
        try:
            reader = await self._source.open(file.source)
            try:
                before = await reader.attributes()
                if before.kind is not Kind.FILE:
                    raise Failure(FaspCode.NOT_REGULAR)
                if await self._wanted(file, reader, before):
                    observer.started(file, before.size)
                    await self._copy(file, reader, before, observer)
                    observer.finished(file)
                else:
                    observer.skipped(file, before.size)
            finally:
                await reader.close()
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

    async def _copy(self, file: PlannedFile, reader: Reader, before: Attributes, observer: Observer) -> None:
        partial, writer = await self._claim_uncut(file.target, before.executable)
        try:
            await self._pump(file, reader, writer, before.size, observer)
            after = await reader.attributes()
            if (after.size, after.modified) != (before.size, before.modified):
                raise Failure(FaspCode.DISK_READ, "the source changed while it was read")
            written = (await writer.attributes()).size
            if written != before.size:
                raise Failure(FaspCode.DISK_WRITE, f"the destination has {written} bytes of {before.size}")
            await writer.close()
            replace = self._rules.overwrite != "never"
            await self._destination.rename(partial, file.target, replace=replace)
        except BaseException:
            await _briefly(self._discard(partial, writer))
            raise

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
