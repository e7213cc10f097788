"""The interface of data planes: what moves a session's files, and what it tells while doing so.

A session plans first (`plan`), then hands all files to one data plane. How bytes travel, in which order files
move and how many at a time is the data plane's matter.
"""

from __future__ import annotations

from typing import Protocol

from asperacentral.openascp.failures import Failure
from asperacentral.openascp.plan import Plan, PlannedFile, PlannedFolder


class Observer(Protocol):
    """Hears of each file: `started`, `moved` many times, then `finished` or `failed`; or nothing but one of
    `skipped` and `failed`. Sizes and offsets are bytes. Calls must return at once.
    """

    def started(self, file: PlannedFile, size: int) -> None:
        """A file begins to move; `size` is what it has now."""
        ...

    def moved(self, file: PlannedFile, count: int, contiguous: int) -> None:
        """`count` more bytes are at the destination, which has all bytes before `contiguous`."""
        ...

    def finished(self, file: PlannedFile, checksum: str = "") -> None:
        """The file is whole and has its name; `checksum` is set when one was asked for."""
        ...

    def skipped(self, file: PlannedFile, size: int) -> None:
        """The overwrite rule leaves the destination as it is."""
        ...

    def failed(self, file: PlannedFile, failure: Failure) -> None:
        """The file was not moved; nothing of it is left under its name."""
        ...

    def path_failed(self, path: bytes, failure: Failure) -> None:
        """Something about a path of the session could not be done, apart from moving a file or making a folder."""
        ...

    def folder_failed(self, folder: PlannedFolder, failure: Failure) -> None:
        """The folder could not be made."""
        ...


class DataPlane(Protocol):
    """Moves the files of one session."""

    async def move(self, plan: Plan, observer: Observer) -> None:
        """Make the folders and move the files; those that fail are told. SessionFailure when it cannot go on.

        Cancelled, it removes what is half moved before it ends.
        """
        ...
