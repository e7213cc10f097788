"""A folder for bytes on their way to or from a transfer server, with a limit for all of them, emptied at every start.

Staging cannot be left out there: the transfer process sends files, of known size and with a beginning to go back to,
and a browser's stream is none. Each transfer has a folder of its own; files go as soon as they were passed on.
"""

from __future__ import annotations

import itertools
import logging
import os
import shutil
from pathlib import Path

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.failures import Failure

log = logging.getLogger(__name__)


class Staging:
    """All of one gateway's. `limit` is in bytes. OSError when the folder cannot be made."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._used = 0
        self._numbers = itertools.count()
        shutil.rmtree(folder, ignore_errors=True)  # what a gateway that was killed has left
        folder.mkdir(mode=0o700, parents=True)

    @property
    def used(self) -> int:
        """Bytes that are staged or reserved now."""
        return self._used

    @property
    def limit(self) -> int:
        """Bytes there may be in all."""
        return self._limit

    def room(self) -> Room:
        """A folder for one transfer."""
        folder = self._folder / str(next(self._numbers))
        folder.mkdir(mode=0o700)
        return Room(self, folder)

    def take(self, count: int) -> None:
        """So many bytes more. Failure (NO_SPACE_LEFT) when that is too much."""
        if self._used + count > self._limit:
            raise Failure(FaspCode.NO_SPACE_LEFT, "the gateway has no room for this transfer now")
        self._used += count

    def give_back(self, count: int) -> None:
        """So many bytes less."""
        self._used -= count


class Room:
    """The folder of one transfer, and what it has of the limit."""

    def __init__(self, staging: Staging, folder: Path) -> None:
        self._staging = staging
        self.folder = folder
        self._taken = 0

    @property
    def crowded(self) -> bool:
        """Whether more than half of all room is taken: time to wait until files were passed on."""
        return self._staging.used * 2 > self._staging.limit

    @property
    def taken(self) -> int:
        """Bytes that this transfer has now."""
        return self._taken

    def take(self, count: int) -> None:
        """See Staging."""
        self._staging.take(count)
        self._taken += count

    def remove(self, file: Path, size: int) -> None:
        """A file was passed on."""
        file.unlink(missing_ok=True)
        self._staging.give_back(size)
        self._taken -= size

    def close(self) -> None:
        """Remove all that is left."""
        self._staging.give_back(self._taken)
        self._taken = 0
        shutil.rmtree(self.folder, ignore_errors=True)
        if os.path.lexists(self.folder):
            log.warning("%s could not be removed", self.folder)
