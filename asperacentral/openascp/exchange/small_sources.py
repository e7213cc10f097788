"""Reads the small files of bundles, each as a whole. Called in the thread that reads the stream.

Files that follow each other lie in one folder mostly, which is held open. That a file is still what was scanned is
seen after it was read: a change before that or meanwhile shows in its size or its time.
"""

from __future__ import annotations

import os
import stat

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.confined import Files
from asperacentral.openascp.exchange.contents import Contents
from asperacentral.openascp.exchange.paths import parted
from asperacentral.openascp.exchange.scanning import Found
from asperacentral.openascp.failures import Failure
from asperacentral.openascp.files.attributes import restore_access_time
from asperacentral.openascp.folder import Folder

CHANGED = "the source changed while it was read"


class SmallSources:
    """Close it when nothing is read any more. With `restore` access times become what they were."""

    def __init__(self, files: Files, contents: Contents, *, restore: bool) -> None:
        self._files = files
        self._contents = contents
        self._restore = restore
        self._folder: Folder | None = None
        self._path = b""

    def read(self, found: Found) -> bytes:
        """All bytes of a file as they travel. OSError; Failure when it is not what was found."""
        try:
            return self._content(self._open(found.place), found)
        except (OSError, Failure):
            # By its whole name, links followed, it can be read after all, or tells the reason.
            return self._content(self._files.open_file(found.place, os.O_RDONLY), found, before=True)

    def close(self) -> None:
        """Let go of the folder."""
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.close()

    def _open(self, place: bytes) -> int:
        path, name = parted(place)
        if self._folder is None or path != self._path:
            self.close()
            self._path, self._folder = path, self._files.folder(path)
        return self._folder.open(name)

    def _content(self, descriptor: int, found: Found, *, before: bool = False) -> bytes:
        """Read a file and close it, perhaps only after a look at it."""
        try:
            if before:
                check(descriptor, found)
            data = self._contents.of(descriptor, found).read(0, found.entry.size)
            if self._restore:
                restore_access_time(descriptor, found.entry.accessed)
            check(descriptor, found)
        finally:
            os.close(descriptor)
        return data


def check(descriptor: int, found: Found) -> None:
    """See that an open file is still what was found. OSError, Failure."""
    now = os.fstat(descriptor)
    if (now.st_size, now.st_mtime_ns) != (found.whole, found.entry.modified) or not stat.S_ISREG(now.st_mode):
        raise Failure(FaspCode.DISK_READ, CHANGED)
