"""Checkpoints on disk: notes each block of a partial file as it is written, and finds what a former session left.

A note that a block is written costs one small write and outlives the process, however that ends. Now and then the
file is synced in a thread of its own, and its blocks are noted as synced: what a power failure leaves.
"""

from __future__ import annotations

import contextlib
import os
import time
from concurrent.futures import Executor
from functools import cache
from pathlib import Path

from asperacentral.openascp.confined import Files
from asperacentral.openascp.exchange import partial
from asperacentral.openascp.exchange.checkpoint import (
    BLOCK,
    HEADER,
    RECORD,
    BlockTally,
    Checkpoint,
    Identity,
    span,
)

SYNC_BYTES = 64 * 1024 * 1024
SYNC_SECONDS = 5.0
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@cache
def boot() -> bytes:
    """A name of this run of the machine; where it has none, nothing but what is synced is ever believed."""
    try:
        return _BOOT_ID.read_bytes().strip()
    except OSError:
        return os.urandom(16)


class Notebook:
    """Keeps the checkpoint of one partial file that is being written."""

    def __init__(self, checkpoint: Checkpoint, descriptor: int, path: bytes) -> None:
        self.path = path
        self._checkpoint = checkpoint
        self._descriptor = descriptor
        self._tally = BlockTally(checkpoint.identity.size)
        self._unsynced: list[int] = []
        self._synced_at = time.monotonic()
        self._syncing = False
        self.holds_blocks = False

    @property
    def header(self) -> bytes:
        """What tells this checkpoint from any other."""
        return self._checkpoint.header

    @classmethod
    def begin(cls, files: Files, path: bytes, identity: Identity) -> Notebook:
        """A new checkpoint. OSError."""
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        descriptor = files.open_file(path, flags, 0o600)
        checkpoint = Checkpoint(identity, os.urandom(16), boot())
        os.pwrite(descriptor, checkpoint.header, 0)
        return cls(checkpoint, descriptor, path)

    def wrote(self, offset: int, length: int) -> None:
        """Bytes of the partial file are written. OSError."""
        for index in self._tally.add(offset, length):
            place, record = self._checkpoint.record(index, synced=False)
            self.write(place, record)
            self._unsynced.append(index)
            self.holds_blocks = True

    def write(self, place: int, record: bytes) -> None:
        """Write one record. OSError."""
        os.pwrite(self._descriptor, record, place)

    def is_due(self) -> bool:
        """Whether it is time to sync."""
        if self._syncing or not self._unsynced:
            return False
        late = time.monotonic() - self._synced_at > SYNC_SECONDS
        return late or len(self._unsynced) * BLOCK >= SYNC_BYTES

    def sync(self, partial_file: int, threads: Executor) -> None:
        """Sync the partial file and note its blocks as synced, in a thread: disks may be slow."""
        blocks, self._unsynced = self._unsynced, []
        self._syncing = True
        data, notes = os.dup(partial_file), os.dup(self._descriptor)
        threads.submit(self._sync, data, notes, blocks)

    def close(self) -> None:
        """Let go of the file."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _sync(self, data: int, notes: int, blocks: list[int]) -> None:
        try:
            with contextlib.suppress(OSError):  # it shows elsewhere, and until then nothing was claimed
                os.fdatasync(data)
                for index in blocks:
                    place, record = self._checkpoint.record(index, synced=True)
                    os.pwrite(notes, record, place)
        finally:
            os.close(data)
            os.close(notes)
            self._synced_at = time.monotonic()
            self._syncing = False


class Leftover:
    """A partial file of a former session, locked, with the blocks that its checkpoint says are there."""

    def __init__(
        self, descriptor: int, notebook: Notebook, checkpoint: Checkpoint, present: list[int]
    ) -> None:
        self.descriptor = descriptor
        self.notebook = notebook
        self.present = present
        self._checkpoint = checkpoint
        notebook.holds_blocks = bool(present)

    @property
    def size(self) -> int:
        """The bytes that are there."""
        return sum(length for _, length in self.spans())

    def spans(self) -> list[tuple[int, int]]:
        """Offset and length of each block that is there."""
        return [span(index, self._checkpoint.identity.size) for index in self.present]

    def forget(self, indexes: set[int]) -> None:
        """These blocks are wrong. OSError."""
        for index in indexes:
            place, record = self._checkpoint.missing(index)
            self.notebook.write(place, record)
        self.present = [index for index in self.present if index not in indexes]

    def close(self) -> None:
        """Let go of both files, and leave them."""
        os.close(self.descriptor)
        self.notebook.close()


def find(files: Files, partial_path: bytes, checkpoint_path: bytes, wanted: Identity) -> Leftover | None:
    """What a former session left of this file, if it can be used. `wanted.inode` is not looked at. OSError, Failure."""
    if not files.exists(partial_path) or not files.exists(checkpoint_path):
        return None
    descriptor = partial.claim(files, partial_path, executable=False)
    notes = -1
    try:
        found = os.fstat(descriptor)
        notes = files.open_file(checkpoint_path, os.O_RDWR | os.O_NOFOLLOW)
        identity = Identity(wanted.size, wanted.modified, wanted.path, found.st_ino)
        data = read_notes(notes, min(os.fstat(notes).st_size, HEADER + RECORD * (wanted.size // BLOCK + 1)))
        checkpoint = Checkpoint.read(data, identity, boot())
        if checkpoint is not None:
            present = checkpoint.present(data)
            ends = [sum(span(index, wanted.size)) for index in present[-1:]]
            if all(end <= found.st_size <= wanted.size for end in ends):
                notebook = Notebook(checkpoint, notes, checkpoint_path)
                return Leftover(descriptor, notebook, checkpoint, present)
    except FileNotFoundError:  # the former session has just finished it
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    if notes >= 0:
        os.close(notes)
    return None


def read_notes(descriptor: int, size: int) -> bytes:
    """The first `size` bytes of a checkpoint, or all. OSError."""
    data = b""
    while size > len(data) and (part := os.pread(descriptor, size - len(data), len(data))):
        data += part
    return data
