"""Brings what a session has written to the disks, all at once, before anybody is told that it is complete.

A name may be on a disk before its bytes are: after a power failure in the middle of a session a file may be empty, and
the next session of the job moves it again. Syncing each file would cost several times what moving small files does.
"""

from __future__ import annotations

import os
import threading

from asperacentral.openascp import kernel


class Syncing:
    """Remembers the file systems that files were written to. Called in threads."""

    def __init__(self) -> None:
        self._systems: dict[int, int] = {}  # device -> a descriptor of one of its files
        self._lock = threading.Lock()

    def wrote(self, descriptor: int) -> None:
        """A file is being written. OSError."""
        device = os.fstat(descriptor).st_dev
        with self._lock:
            if device not in self._systems:
                self._systems[device] = os.dup(descriptor)

    def sync(self) -> None:
        """Return when all that was written until now is on the disks. OSError when a disk could not take it."""
        with self._lock:
            systems = list(self._systems.values())
        for descriptor in systems:
            if not kernel.sync_file_system(descriptor):
                os.sync()
                return

    def close(self) -> None:
        """Let go of everything."""
        with self._lock:
            for descriptor in self._systems.values():
                os.close(descriptor)
            self._systems.clear()
