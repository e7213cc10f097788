"""A partial file that several sessions of one transfer write, each its share, and the checkpoint that joins them.

Who comes first makes both; the partial file has its full size at once and is sparse. Each session locks the bytes of
its share while it writes them, so that a successor waits for its predecessor, and holds the checkpoint's lock for
moments only: to begin, to note that its share is there, to leave. Who notes the last share gives the file its name. The
checkpoint stays until the sessions of all shares have ended well: it tells one that is tried again what is done.

Nothing here needs another session to run, or to have run to its end.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from enum import Enum, auto

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.confined import Files
from asperacentral.openascp.exchange import partial
from asperacentral.openascp.exchange.checkpoint import BLOCK, HEADER, Checkpoint, Identity, span
from asperacentral.openascp.exchange.dealing import Share
from asperacentral.openascp.exchange.resuming import Notebook, boot, read_notes
from asperacentral.openascp.exchange.shares import Marks
from asperacentral.openascp.exchange.target import Target
from asperacentral.openascp.failures import Failure

_POLL_SECONDS = 0.05
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
_LOCK = struct.Struct("hhqqi4x")
"""Linux's struct flock, for files of any size."""
_SET_LOCK: int | None = getattr(fcntl, "F_OFD_SETLK", None)
"""Locks that belong to the open file, not to the process; Linux has them."""


class Standing(Enum):
    """How a shared file stands, when there is nothing to go on with."""

    NOT_BEGUN = auto()
    WHOLE = auto()
    """This transfer has brought it already."""


class ShareLeft:
    """What is there of a session's share of a partial file; its blocks are told for level 1 and above."""

    def __init__(self, files: Files, target: Target, checkpoint: Checkpoint, descriptor: int) -> None:
        self.descriptor = descriptor
        self.checkpoint = checkpoint
        self.present: list[int] = []
        self._files = files
        self._target = target

    @property
    def size(self) -> int:
        """The bytes that are there."""
        return sum(span(index, self._target.entry.size)[1] for index in self.present)

    def forget(self, indexes: set[int]) -> None:
        """These blocks are wrong. OSError, Failure."""
        if indexes:
            with _locked_notes(self._files, self._target) as notes:
                if notes is not None:
                    _take_back(notes, self._target, self.checkpoint, indexes)
        self.present = [index for index in self.present if index not in indexes]
        self.close()

    def close(self) -> None:
        """Nothing more is read of it."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class Joint:
    """The partial file, while one session writes its share of it."""

    def __init__(
        self, files: Files, target: Target, descriptor: int, notes: int, checkpoint: Checkpoint
    ) -> None:
        self.descriptor = descriptor
        self.notebook = Notebook(checkpoint, os.dup(notes), target.checkpoint)
        self._files = files
        self._target = target
        self._checkpoint = checkpoint
        self._notes = notes

    def conclude(self, finish: Callable[[], None]) -> bool:
        """This share is there: note that for good. When it was the last one, `finish` the file; whether it was.

        OSError, Failure, also those of `finish`: then nothing is left of any share.
        """
        os.fdatasync(self.descriptor)
        with self._locked():
            for index in _blocks(self._target):
                _put(self._notes, self._checkpoint.record(index, synced=True))
            _put(self._notes, self._marks().there())
            os.fdatasync(self._notes)
            if not self._marks().all_there:
                return False
            if not partial.is_still(self._files, self._target.partial, self.descriptor):
                return False
            try:
                finish()
            except (OSError, Failure):
                partial.remove(self._files, self._target.checkpoint, self._target.partial)
                raise
            _put(self._notes, self._marks().whole(os.fstat(self.descriptor).st_mtime_ns))
            return True

    def leave(self, *, forget: bool) -> None:
        """Let go of it; with `forget` nothing of this share is right. What nobody has noted anything of is removed."""
        try:
            with contextlib.suppress(OSError, Failure), self._locked():
                if forget:
                    indexes = set(_blocks(self._target))
                    _take_back(self._notes, self._target, self._checkpoint, indexes)
                files, target = self._files, self._target
                if self._marks().is_blank and _lock(self.descriptor, 0, 0) is True:
                    for path, descriptor in (
                        (target.checkpoint, self._notes),
                        (target.partial, self.descriptor),
                    ):
                        if partial.is_still(files, path, descriptor):
                            partial.remove(files, path)
        finally:
            self.close()

    def close(self) -> None:
        """Let go of it and leave it as it is."""
        self.notebook.close()
        os.close(self._notes)
        os.close(self.descriptor)

    def _marks(self) -> Marks:
        return Marks(self._checkpoint, _share(self._target), _data(self._notes, self._target))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        _wait_for(lambda: partial.is_locked(self._notes, fcntl.LOCK_EX))
        try:
            yield
        finally:
            fcntl.flock(self._notes, fcntl.LOCK_UN)


class SharedFiles:
    """The shared files that a session is done with: their checkpoints hear when it has ended well."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._targets: list[Target] = []

    def add(self, target: Target) -> None:
        """Its share is there, or the whole file was."""
        self._targets.append(target)

    def ended_well(self) -> None:
        """The session will never ask for them again. What does not work leaves a small file behind, nothing else."""
        for target in self._targets:
            with contextlib.suppress(OSError, Failure):
                _note_end(self._files, target)


def look(files: Files, target: Target, level: int) -> ShareLeft | Standing:
    """How a shared file stands, for a session that is going to ask for its share. OSError, Failure."""
    notes = _opened(files, target.checkpoint, os.O_RDONLY)
    if notes is None:
        return Standing.NOT_BEGUN
    try:
        data = _data(notes, target)
    finally:
        os.close(notes)
    descriptor = _opened(files, target.partial, os.O_RDONLY)
    if descriptor is None:
        return Standing.WHOLE if _is_whole(files, target, data) else Standing.NOT_BEGUN
    try:
        checkpoint = _checkpoint(target, data, descriptor)
        if checkpoint is None:
            os.close(descriptor)
            return Standing.NOT_BEGUN
        left = ShareLeft(files, target, checkpoint, descriptor)
        if level:
            mine = _blocks(target)
            left.present = [index for index in checkpoint.present(data) if index in mine]
        elif Marks(checkpoint, _share(target), data).is_there:
            return _begin_again(files, target, left)
        if level < 2 or not left.present:
            left.close()
        return left
    except BaseException:
        os.close(descriptor)
        raise


def join(files: Files, target: Target, *, executable: bool) -> Joint | None:
    """Begin to write a share, or go on with it; None when the file is whole already. OSError, Failure."""
    left = target.leftover
    header = left.checkpoint.header if isinstance(left, ShareLeft) and left.present else b""
    found: list[Joint | None] = []
    _wait_for(lambda: _try_to_join(files, target, executable, found))
    joint = found[0]
    if joint is not None and header not in (b"", joint.notebook.header):
        joint.close()
        raise Failure(FaspCode.UPLOAD_IN_PROGRESS, "another session has begun this file anew")
    return joint


def _try_to_join(files: Files, target: Target, executable: bool, found: list[Joint | None]) -> bool:
    """Put the joint partial file, or None when the file is whole, into `found`; False when somebody is in the way."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
    notes = files.open_file(target.checkpoint, flags, 0o600)
    descriptor: int | None = None
    kept = False
    try:
        locked = partial.is_locked(notes, fcntl.LOCK_EX)
        if not locked or not partial.is_still(files, target.checkpoint, notes):
            return False
        data = _data(notes, target)
        descriptor = _opened(files, target.partial, os.O_RDWR)
        if descriptor is None and _is_whole(files, target, data):
            found.append(None)
            return True
        if descriptor is None:
            descriptor = files.open_file(target.partial, flags, 0o777 if executable else 0o666)
        checkpoint = _taken(target, descriptor, notes, data)
        if checkpoint is None:
            return False
        found.append(Joint(files, target, descriptor, notes, checkpoint))
        kept = True
        return True
    finally:
        with contextlib.suppress(OSError):
            fcntl.flock(notes, fcntl.LOCK_UN)
        if not kept:
            os.close(notes)
            if descriptor is not None:
                os.close(descriptor)


def _taken(target: Target, descriptor: int, notes: int, data: bytes) -> Checkpoint | None:
    """The checkpoint of a partial file whose share is locked now; None when somebody else holds it."""
    share = _share(target)
    if not partial.is_locked(descriptor, fcntl.LOCK_SH):  # a session alone holds it
        return None
    checkpoint = _checkpoint(target, data, descriptor)
    if checkpoint is None:
        if _lock(descriptor, 0, 0) is False:
            return None
        checkpoint = _begin(target, descriptor, notes)
        _lock(descriptor, 0, 0, fcntl.F_UNLCK)
    if _lock(descriptor, share.start, share.size) is False:
        return None
    _put(notes, Marks(checkpoint, share, data).not_ended())
    return checkpoint


def _begin(target: Target, descriptor: int, notes: int) -> Checkpoint:
    """Make both files anew: what was noted is void before the bytes are gone."""
    os.ftruncate(notes, 0)
    os.ftruncate(descriptor, 0)
    os.ftruncate(descriptor, target.entry.size)
    checkpoint = Checkpoint(_identity(target, os.fstat(descriptor).st_ino), os.urandom(16), boot())
    os.pwrite(notes, checkpoint.header, 0)
    return checkpoint


def _begin_again(files: Files, target: Target, left: ShareLeft) -> ShareLeft | Standing:
    """Level 0: a share that is there is asked for again, unless the file is whole by now."""
    left.close()
    with _locked_notes(files, target) as notes:
        if notes is None:
            return Standing.NOT_BEGUN
        if not files.exists(target.partial) and _is_whole(files, target, _data(notes, target)):
            return Standing.WHOLE
        _take_back(notes, target, left.checkpoint, set(_blocks(target)))
    return left


def _note_end(files: Files, target: Target) -> None:
    with _locked_notes(files, target) as notes:
        if notes is None:
            return
        data = _data(notes, target)
        for place in (target.partial, target.place):
            descriptor = _opened(files, place, os.O_RDONLY)
            if descriptor is None:
                continue
            try:
                checkpoint = _checkpoint(target, data, descriptor)
            finally:
                os.close(descriptor)
            if checkpoint is None:
                continue
            share = _share(target)
            _put(notes, Marks(checkpoint, share, data).ended())
            marks = Marks(checkpoint, share, _data(notes, target))
            if place == target.place and marks.all_ended:
                partial.remove(files, target.checkpoint)
            return


def _is_whole(files: Files, target: Target, data: bytes) -> bool:
    """Whether the file that has the name is the one that the checkpoint is about, with all shares."""
    descriptor = _opened(files, target.place, os.O_RDONLY)
    if descriptor is None:
        return False
    try:
        checkpoint = _checkpoint(target, data, descriptor)
        if checkpoint is None:
            return False
        return Marks(checkpoint, _share(target), data).may_be_whole(os.fstat(descriptor).st_mtime_ns)
    finally:
        os.close(descriptor)


def _checkpoint(target: Target, data: bytes, descriptor: int) -> Checkpoint | None:
    """The checkpoint in `data`, if it is about this source and this file."""
    found = os.fstat(descriptor)
    if found.st_size != target.entry.size:
        return None
    return Checkpoint.read(data, _identity(target, found.st_ino), boot())


def _identity(target: Target, inode: int) -> Identity:
    assert target.identity is not None  # noqa: S101 - every shared file has one
    return replace(target.identity, inode=inode)


def _share(target: Target) -> Share:
    assert target.share is not None  # noqa: S101 - only such targets come here
    return target.share


def _blocks(target: Target) -> range:
    share = _share(target)
    return range(share.start // BLOCK, -(-share.end // BLOCK))


def _data(notes: int, target: Target) -> bytes:
    """All of a checkpoint, as long as it can be."""
    size = Marks.length(-(-target.entry.size // BLOCK), _share(target).count)
    return read_notes(notes, size)


def _take_back(notes: int, target: Target, checkpoint: Checkpoint, indexes: set[int]) -> None:
    """Note that these blocks are not there, and so the share is not; nothing when the checkpoint is another one."""
    data = _data(notes, target)
    if data[:HEADER] == checkpoint.header:
        for index in indexes:
            _put(notes, Checkpoint.missing(index))
        _put(notes, Marks(checkpoint, _share(target), data).not_there())


def _put(notes: int, record: tuple[int, bytes]) -> None:
    place, data = record
    os.pwrite(notes, data, place)


def _opened(files: Files, path: bytes, flags: int) -> int | None:
    try:
        return files.open_file(path, flags | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None


@contextlib.contextmanager
def _locked_notes(files: Files, target: Target) -> Iterator[int | None]:
    """The checkpoint, locked; None when there is none any more. OSError, Failure."""
    notes = _opened(files, target.checkpoint, os.O_RDWR)
    if notes is None:
        yield None
        return
    try:
        _wait_for(lambda: partial.is_locked(notes, fcntl.LOCK_EX))
        yield notes if partial.is_still(files, target.checkpoint, notes) else None
    finally:
        os.close(notes)


def _wait_for(done: Callable[[], bool]) -> None:
    """Failure when it takes too long."""
    deadline = time.monotonic() + partial.LOCK_SECONDS
    while not done():
        if time.monotonic() > deadline:
            raise Failure(FaspCode.UPLOAD_IN_PROGRESS)
        time.sleep(_POLL_SECONDS)


def _lock(descriptor: int, start: int, length: int, kind: int = fcntl.F_WRLCK) -> bool | None:
    """Lock bytes of a file for this descriptor, to its end if `length` is 0; False when another has one of them, None
    when there are no such locks.
    """
    if _SET_LOCK is None:
        return None
    try:
        fcntl.fcntl(descriptor, _SET_LOCK, _LOCK.pack(kind, os.SEEK_SET, start, length, 0))
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            return False
        if error.errno in _NO_LOCKS:
            return None
        raise
    return True
