"""Puts away sources that have arrived, if the session's terms ask for it. Called in a thread."""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Iterator

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.confined import Files
from asperacentral.openascp.exchange.terms import Terms
from asperacentral.openascp.failures import Failure, from_os_error
from asperacentral.openascp.moving import move


class SourceClearing:
    """Of the sending half of one session."""

    def __init__(self, files: Files, terms: Terms) -> None:
        self._files = files
        self._after = terms.after()
        self._folders: list[tuple[bytes, bool]] = []

    def concerns(self, *, skipped: bool) -> bool:
        """Whether a file or link that ended well goes away from its place."""
        return self._after.concerns(skipped=skipped)

    def scanned(self, folder: bytes, *, named: bool) -> None:
        """A folder was among the sources; `named` on the command line."""
        self._folders.append((folder, named))

    def settled(self, place: bytes, relative: bytes) -> Failure | None:
        """A file or link ended well: remove or move it. Why that was not possible."""
        try:
            if not self._after.move_to:
                self._files.remove(place)
                return None
            target = posixpath.join(
                self._files.named(self._after.move_to), relative.lstrip(b"/") or posixpath.basename(place)
            )
            self._files.make_folders(posixpath.dirname(target))
            move(self._files, place, target)
        except OSError as error:
            return from_os_error(error, FaspCode.DISK_WRITE)
        return None

    def ended(self) -> Iterator[tuple[bytes, Failure]]:
        """All was settled: remove the folders that are empty now. Gives those that resisted."""
        for folder in self._after.empty_folders(self._folders):
            try:
                with contextlib.suppress(FileNotFoundError):  # another session of this transfer was faster
                    if not self._files.entries(folder):
                        self._files.remove_folder(folder)
            except OSError as error:
                yield folder, from_os_error(error, FaspCode.DISK_WRITE)
