"""Writes small files whose bytes are all there, into folders that this session has made. Called in the writer's thread.

In such a folder is nothing that a file could be compared with or that a former session has left, so a file is made,
written and named in as few steps as it takes, with the folder held open. It has its partial name and its lock until
then all the same: a successor of this session may come at any moment.
"""

from __future__ import annotations

import contextlib
import fcntl
import os

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.confined import Files
from asperacentral.openascp.exchange import partial
from asperacentral.openascp.exchange.finishing import Finisher
from asperacentral.openascp.exchange.paths import parted
from asperacentral.openascp.exchange.runs import write_fully
from asperacentral.openascp.exchange.target import Target
from asperacentral.openascp.failures import from_os_error
from asperacentral.openascp.folder import Folder


class SmallTargets:
    """Close it when nothing is written any more."""

    def __init__(self, files: Files, finisher: Finisher) -> None:
        self._files = files
        self._finisher = finisher
        self._folder: Folder | None = None
        self._path = b""
        self._noted = False  # whether its file system is

    def put(self, target: Target, data: memoryview) -> bool:
        """Make the file, whole and with its name; False when that is not as easy as it looked. Failure."""
        if not target.fresh or not self._finisher.finishes_at_once:
            return False
        path, name = parted(target.place)
        names = parted(target.partial)[1], name
        code = FaspCode.DISK_WRITE
        try:
            folder = self._folder_of(path)
            descriptor = folder.create(names[0], 0o777 if target.executable else 0o666)
        except OSError:  # who goes the longer way finds out why
            return False
        try:
            if not partial.is_locked(descriptor, fcntl.LOCK_EX) or not folder.is_still(names[0], descriptor):
                return False  # a successor was quicker
            if not self._noted:
                self._finisher.wrote(descriptor)
                self._noted = True
            write_fully(descriptor, [data], 0)
            code = FaspCode.CANNOT_RENAME_PARTIAL
            self._finisher.finish_at_once(descriptor, folder, names, target)
        except OSError as error:
            with contextlib.suppress(OSError):
                partial.remove(self._files, target.partial)
            raise from_os_error(error, code) from error
        finally:
            os.close(descriptor)
        return True

    def close(self) -> None:
        """Let go of the folder."""
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.close()

    def _folder_of(self, path: bytes) -> Folder:
        if self._folder is None or path != self._path:
            self.close()
            self._path, self._folder, self._noted = path, self._files.folder(path, change=True), False
        return self._folder
