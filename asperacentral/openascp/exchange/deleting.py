"""Deletes at the destination what a source has not, folder by folder. Called in a thread; links are not followed.

What this job's sessions have left of files that the source has stays, since it can be gone on with.
"""

from __future__ import annotations

import contextlib
import posixpath
import stat
from collections.abc import Iterator

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.confined import Files
from asperacentral.openascp.exchange import partial
from asperacentral.openascp.exchange.deciding import Decider
from asperacentral.openascp.exchange.messages import Listing
from asperacentral.openascp.exchange.paths import joined
from asperacentral.openascp.exchange.terms import Terms
from asperacentral.openascp.failures import Failure, SessionFailure, from_os_error
from asperacentral.openascp.files import filecrypt

LARGEST_FOLDER = 64 * 1024 * 1024
"""Bytes of all names in one folder."""

Resisting = Iterator[tuple[bytes, Failure]]
"""What could not be deleted, and why."""


class Deleting:
    """Of one receiving half."""

    def __init__(self, files: Files, terms: Terms, decider: Decider) -> None:
        self._decider = decider
        self._files = files
        self._terms = terms
        self._names: set[bytes] = set()
        self._size = 0

    def take(self, listing: Listing) -> list[tuple[bytes, Failure]]:
        """After the last names of a folder all else in it is deleted; what could not be, and why. SessionFailure."""
        root = self._decider.below(listing.argument, b"")
        path = self._decider.below(listing.argument, listing.path)[len(root) :].strip(b"/")
        return list(self._take(root, path, listing))

    def _take(self, root: bytes, path: bytes, listing: Listing) -> Resisting:
        self._names.update(listing.names)
        self._size += sum(map(len, listing.names))
        if self._size > LARGEST_FOLDER:
            raise SessionFailure(FaspCode.DISK_WRITE, "a folder has more names than can be compared")
        if not listing.last:
            return
        names, self._names, self._size = self._names, set(), 0
        try:
            if self._is_there(root, path):
                yield from self._delete(joined(root, path) if path else root, names)
        except OSError as error:
            yield joined(root, path), from_os_error(error, FaspCode.DISK_WRITE)

    def _is_there(self, root: bytes, path: bytes) -> bool:
        """Whether there is such a folder, and no link on the way to it."""
        place, follow = root, True
        for part in (b"", *path.split(b"/")):
            place, follow = (joined(place, part), False) if part else (place, follow)
            try:
                if not stat.S_ISDIR(self._files.stat(place, follow=follow).st_mode):
                    return False
            except FileNotFoundError:
                return False
        return True

    def _delete(self, folder: bytes, names: set[bytes]) -> Resisting:
        wanted = {kept for name in names for kept in self._forms(name)}
        for name, found in self._files.entries(folder):
            if name not in wanted:
                yield from self._remove(joined(folder, name), folder=stat.S_ISDIR(found.st_mode))

    def _forms(self, name: bytes) -> Iterator[bytes]:
        """What the destination may have of a name, also of an unfinished file."""
        for form in (name, filecrypt.sealed_name(name), filecrypt.clear_name(name)):
            if form == name or self._terms.file_crypt:
                yield form
                yield partial.partial_name(form, self._terms)
                yield partial.checkpoint_name(form, self._terms)

    def _remove(self, path: bytes, *, folder: bool) -> Resisting:
        folders = []
        waiting = [(path, folder)]
        while waiting:
            here, folder = waiting.pop()
            try:
                if folder:
                    folders.append(here)
                    for name, found in self._files.entries(here):
                        waiting.append((posixpath.join(here, name), stat.S_ISDIR(found.st_mode)))
                else:
                    with contextlib.suppress(FileNotFoundError):
                        self._files.remove(here)
            except OSError as error:
                yield here, from_os_error(error, FaspCode.DISK_WRITE)
        for here in reversed(folders):
            try:
                with contextlib.suppress(FileNotFoundError):
                    self._files.remove_folder(here)
            except OSError as error:
                yield here, from_os_error(error, FaspCode.DISK_WRITE)
