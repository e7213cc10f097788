"""What a session needs of a file system, and this machine's own.

A session moves files from one `FileSystem` to another; which of the two is the far side is not known here.
Paths are bytes, so that every name works. Errors are `failures.Failure`; nothing else is raised on purpose.
This machine's files are read and written in a few threads, so that a slow disk does not stop the event loop.
"""

# Paths are bytes here, which pathlib does not take.
# ruff: noqa: PTH102, PTH106, PTH108, PTH112, PTH115, PTH116, PTH211

from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol, TypeVar

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp import moving
from asperacentral.openascp.confined import confined
from asperacentral.openascp.failures import Failure, from_os_error
from asperacentral.openascp.files import checksums
from asperacentral.openascp.syncing import Syncing

_T = TypeVar("_T")
_THREADS = 4
NANOSECONDS = 1_000_000_000


class Kind(Enum):
    """What a name stands for."""

    FILE = auto()
    FOLDER = auto()
    LINK = auto()
    SPECIAL = auto()


@dataclass(frozen=True, slots=True)
class Attributes:
    """Of one name. Times are nanoseconds since the epoch; the far side may know whole seconds only. An owner or group
    that is not known is -1.
    """

    kind: Kind
    size: int = 0
    modified: int = 0
    executable: bool = False
    accessed: int = 0
    uid: int = -1
    gid: int = -1


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be set of a file or folder; None leaves a value as it is."""

    modified: int | None = None
    accessed: int | None = None
    uid: int | None = None
    gid: int | None = None


def kind_of(mode: int) -> Kind:
    """The kind told by a POSIX mode."""
    if stat.S_ISREG(mode):
        return Kind.FILE
    if stat.S_ISDIR(mode):
        return Kind.FOLDER
    if stat.S_ISLNK(mode):
        return Kind.LINK
    return Kind.SPECIAL


class Reader(Protocol):
    """A file opened for reading; many reads may be under way at once."""

    async def read(self, offset: int, size: int) -> bytes:
        """Return `size` bytes at `offset`; fewer only at the end of the file."""
        ...

    async def attributes(self) -> Attributes:
        """Of the open file, now."""
        ...

    async def close(self) -> None:
        """Release the file."""
        ...


class Writer(Protocol):
    """A file opened for writing; many writes may be under way at once."""

    async def write(self, offset: int, data: bytes) -> None:
        """Write all of `data` at `offset`."""
        ...

    async def attributes(self) -> Attributes:
        """Of the open file, now."""
        ...

    async def change(self, changes: Changes) -> None:
        """Set attributes of the open file."""
        ...

    async def sync(self) -> None:
        """Bring all that was written to the disk, where the file's side can do that."""
        ...

    async def close(self) -> None:
        """Release the file; an error of a late write shows here."""
        ...


class FileSystem(Protocol):
    """One side of a session."""

    @property
    def block_size(self) -> int:
        """The most bytes that one read or write should have."""
        ...

    async def attributes(self, path: bytes, *, follow: bool = True) -> Attributes | None:
        """Of `path`, symbolic links followed or not; None when there is nothing."""
        ...

    async def entries(self, path: bytes) -> list[tuple[bytes, Attributes]]:
        """Names in a folder, without `.` and `..`; links are not followed."""
        ...

    async def canonical(self, path: bytes) -> bytes:
        """The absolute path without links."""
        ...

    async def make_folder(self, path: bytes) -> bool:
        """Make one folder; False when it is there already."""
        ...

    async def open(self, path: bytes) -> Reader:
        """Open a file for reading."""
        ...

    async def create(self, path: bytes, *, executable: bool) -> Writer | None:
        """Create a new file for writing; None when the name is taken."""
        ...

    async def remove(self, path: bytes) -> None:
        """Remove a file; nothing happens when it is not there."""
        ...

    async def rename(self, path: bytes, target: bytes, *, replace: bool) -> None:
        """Give a file its name; without `replace` an existing one fails with ALREADY_EXISTS."""
        ...

    async def read_link(self, path: bytes) -> bytes:
        """What a symbolic link says."""
        ...

    async def make_link(self, path: bytes, text: bytes) -> None:
        """Make a symbolic link at `path` that says `text`."""
        ...

    async def remove_folder(self, path: bytes) -> bool:
        """Remove a folder if it is empty; False when it is not, or is not there."""
        ...

    async def change(self, path: bytes, changes: Changes) -> None:
        """Set attributes of a file or folder."""
        ...


class LocalFileSystem:
    """This machine's files."""

    block_size = 256 * 1024

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="disk")
        self._syncing = Syncing()

    async def sync(self) -> None:
        """Bring all files that were made to the disks. Failure."""
        await self.run(FaspCode.DISK_WRITE, self._syncing.sync)

    def close(self) -> None:
        """Let the threads go; calls under way end first."""
        self._syncing.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def run(self, otherwise: FaspCode, action: Callable[[], _T]) -> _T:
        """Call in a thread; errors become failures, with `otherwise` for those without a code of their own.

        A cancelled caller waits for the thread all the same: were its file closed before, the thread would go on
        with a descriptor that may belong to another file by then.
        """
        call = asyncio.get_running_loop().run_in_executor(self._threads, action)
        try:
            try:
                return await asyncio.shield(call)
            except asyncio.CancelledError:
                await asyncio.wait([call])
                raise
        except OSError as error:
            raise from_os_error(error, otherwise) from error
        except ValueError as error:  # a NUL byte in a path
            raise Failure(FaspCode.BAD_PATH, str(error)) from error

    async def attributes(self, path: bytes, *, follow: bool = True) -> Attributes | None:
        """See FileSystem."""

        def look() -> Attributes | None:
            try:
                return _attributes(os.stat(path, follow_symlinks=follow))
            except FileNotFoundError:
                return None

        return await self.run(FaspCode.STAT_FAILS, look)

    async def entries(self, path: bytes) -> list[tuple[bytes, Attributes]]:
        """See FileSystem."""

        def look() -> Iterable[tuple[bytes, Attributes]]:
            with os.scandir(path) as found:
                for entry in found:
                    try:
                        yield entry.name, _attributes(entry.stat(follow_symlinks=False))
                    except FileNotFoundError:  # gone since
                        continue

        return await self.run(FaspCode.DISK_READ, lambda: sorted(look(), key=lambda entry: entry[0]))

    async def canonical(self, path: bytes) -> bytes:
        """See FileSystem."""
        return await self.run(FaspCode.STAT_FAILS, lambda: os.path.realpath(path))

    async def make_folder(self, path: bytes) -> bool:
        """See FileSystem."""

        def make() -> bool:
            try:
                os.mkdir(path)
            except FileExistsError:
                if os.path.isdir(path):
                    return False
                raise NotADirectoryError(errno.ENOTDIR, "there is a file of this name") from None
            return True

        return await self.run(FaspCode.DISK_WRITE, make)

    async def open(self, path: bytes) -> LocalFile:
        """See FileSystem. A name that stands for no file since it was looked at is refused, never waited for."""

        def start() -> LocalFile:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            return LocalFile(self, descriptor)

        return await self.run(FaspCode.DISK_READ, start)

    async def create(self, path: bytes, *, executable: bool) -> LocalFile | None:
        """See FileSystem."""

        def start() -> LocalFile | None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            try:
                descriptor = os.open(path, flags, 0o777 if executable else 0o666)
            except FileExistsError:
                return None
            self._syncing.wrote(descriptor)
            return LocalFile(self, descriptor)

        return await self.run(FaspCode.DISK_WRITE, start)

    async def remove(self, path: bytes) -> None:
        """See FileSystem."""

        def away() -> None:
            try:
                os.unlink(path)
            except FileNotFoundError:
                return

        await self.run(FaspCode.DISK_WRITE, away)

    async def rename(self, path: bytes, target: bytes, *, replace: bool) -> None:
        """See FileSystem."""

        def move() -> None:
            if not replace and os.path.lexists(target):
                raise FileExistsError(errno.EEXIST, "the file exists")
            moving.move(confined(None), path, target)

        await self.run(FaspCode.CANNOT_RENAME_PARTIAL, move)

    async def read_link(self, path: bytes) -> bytes:
        """See FileSystem."""
        return await self.run(FaspCode.DISK_READ, lambda: os.readlink(path))

    async def make_link(self, path: bytes, text: bytes) -> None:
        """See FileSystem."""
        await self.run(FaspCode.DISK_WRITE, lambda: os.symlink(text, path))

    async def remove_folder(self, path: bytes) -> bool:
        """See FileSystem."""

        def away() -> bool:
            try:
                os.rmdir(path)
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
                    return False
                raise
            return True

        return await self.run(FaspCode.DISK_WRITE, away)

    async def change(self, path: bytes, changes: Changes) -> None:
        """See FileSystem."""
        await self.run(FaspCode.DISK_WRITE, lambda: _change(path, changes))

    async def checksum(self, path: bytes, name: str, size: int) -> str:
        """The checksum (see `checksums.NAMES`) of the first `size` bytes of a file."""

        def compute() -> str:
            with open(path, "rb", buffering=0) as file:  # noqa: PTH123
                descriptor = file.fileno()
                return checksums.of_bytes(
                    name, lambda offset, count: os.pread(descriptor, count, offset), size
                )

        try:
            return await self.run(FaspCode.DISK_READ, compute)
        except EOFError as error:
            raise Failure(FaspCode.DISK_READ, str(error)) from error


class LocalFile:
    """An open file of this machine: a `Reader` or a `Writer`."""

    def __init__(self, files: LocalFileSystem, descriptor: int) -> None:
        self._files = files
        self._descriptor = descriptor

    async def read(self, offset: int, size: int) -> bytes:
        """See Reader."""
        descriptor = self._descriptor
        return await self._files.run(FaspCode.DISK_READ, lambda: os.pread(descriptor, size, offset))

    async def write(self, offset: int, data: bytes) -> None:
        """See Writer."""
        descriptor = self._descriptor

        def put() -> None:
            written = 0
            view = memoryview(data)
            while written < len(view):
                written += os.pwrite(descriptor, view[written:], offset + written)

        await self._files.run(FaspCode.DISK_WRITE, put)

    async def attributes(self) -> Attributes:
        """See Reader and Writer."""
        descriptor = self._descriptor
        return await self._files.run(FaspCode.STAT_FAILS, lambda: _attributes(os.fstat(descriptor)))

    async def change(self, changes: Changes) -> None:
        """See Writer."""
        descriptor = self._descriptor
        await self._files.run(FaspCode.DISK_WRITE, lambda: _change(descriptor, changes))

    async def sync(self) -> None:
        """See Writer."""
        descriptor = self._descriptor
        await self._files.run(FaspCode.DISK_WRITE, lambda: os.fsync(descriptor))

    async def close(self) -> None:
        """See Reader and Writer. Closing twice does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            await self._files.run(FaspCode.DISK_WRITE, lambda: os.close(descriptor))


def _attributes(found: os.stat_result) -> Attributes:
    return Attributes(
        kind_of(found.st_mode),
        found.st_size,
        found.st_mtime_ns,
        bool(found.st_mode & stat.S_IXUSR),
        found.st_atime_ns,
        found.st_uid,
        found.st_gid,
    )


def _change(target: bytes | int, changes: Changes) -> None:
    """Owner first, since changing it changes times. What is right already needs no rights."""
    found = os.stat(target)
    uid = -1 if changes.uid in (None, found.st_uid) else changes.uid
    gid = -1 if changes.gid in (None, found.st_gid) else changes.gid
    if (uid, gid) != (-1, -1):
        os.chown(target, -1 if uid is None else uid, -1 if gid is None else gid)
    if changes.modified is not None or changes.accessed is not None:
        accessed = found.st_atime_ns if changes.accessed is None else changes.accessed
        modified = found.st_mtime_ns if changes.modified is None else changes.modified
        os.utime(target, ns=(accessed, modified))
