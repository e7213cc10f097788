"""Partial files of uploads, noted while they are there: what a gateway that was killed has left goes at its next start.

A folder with a small file for each upload, which names the docroot and the partial file that is being written. Notes
are not synced: they are for a process that was killed. A machine that lost its power may keep a partial file, under
its partial name.
"""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
from contextlib import suppress
from pathlib import Path

from asperacentral.openascp.confined import Files, confined

log = logging.getLogger(__name__)


class Leftovers:
    """The notes of one gateway. OSError when the folder cannot be used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def clear(self) -> int:
        """Remove what notes name that nobody holds any more; how many files that were.

        A note whose docroot cannot be had now is kept for another start.
        """
        removed = 0
        for file in self._folder.iterdir():
            try:
                descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            except OSError:
                continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                removed += _remove_noted(os.read(descriptor, 1 << 16))
                file.unlink()
            except OSError as error:
                log.warning("what an upload has left is not removed: %s", error.strerror)
            finally:
                os.close(descriptor)
        if removed:
            log.info("removed %d partial files of uploads that were broken off", removed)
        return removed

    def note(self, files: Files) -> Note:
        """For one upload into these files. OSError."""
        return Note(self._folder / secrets.token_hex(8), files.root or b"")


class Note:
    """Which partial file of an upload is there, if any. It is held as long as this process lives, or until `close`."""

    def __init__(self, file: Path, root: bytes) -> None:
        self._file = file
        self._root = root
        self._descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def write(self, partial: bytes) -> None:
        """This partial file, beneath the root, is about to be made; the one before it is gone. OSError."""
        # Shorter than the text before or not: what is read ends at the second zero.
        os.pwrite(self._descriptor, b"%s\0%s\0" % (self._root, partial), 0)

    def close(self) -> None:
        """There is none. May be said twice."""
        if self._descriptor >= 0:
            self._file.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = -1


def _remove_noted(text: bytes) -> int:
    root, ended, rest = text.partition(b"\0")
    partial, whole, _ = rest.partition(b"\0")
    if not ended or not whole:
        return 0
    with confined(root or None) as files, suppress(FileNotFoundError, NotADirectoryError):
        files.remove(partial)
        return 1
    return 0
