"""Finds what there is to send below each source, as entries; called in a thread, since disks may be slow.

Symbolic links are followed; a link that leads back into its own parents is refused. A folder comes before what is in
it. Depth is bounded by memory only: folders wait in a list, not on the stack.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.confined import Files
from asperacentral.openascp.exchange.messages import FILE, FOLDER, Argument, Entry, Scanned
from asperacentral.openascp.exchange.paths import joined
from asperacentral.openascp.failures import Failure, from_os_error
from asperacentral.openascp.scancounts import ScanCounts


@dataclass(frozen=True, slots=True)
class Found:
    """An entry, where it is on this machine, and how it is shown to people."""

    entry: Entry
    place: bytes
    shown: bytes


@dataclass(frozen=True, slots=True)
class NotTaken:
    """A path that cannot be moved."""

    argument: int
    shown: bytes
    failure: Failure


@dataclass(frozen=True, slots=True)
class _Waiting:
    place: bytes
    path: bytes
    found: os.stat_result
    parents: tuple[tuple[int, int], ...]


class Scanner:
    """Scans one argument after the other; ids count the entries of the whole session."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._next_id = 0
        self.counts = ScanCounts()

    def scan(self, argument: Argument) -> Iterator[Found | NotTaken]:
        """All there is below one source."""
        self.counts.arguments += 1
        self.counts.paths += 1
        try:
            place = self._files.named(argument.source)
            found = self._files.stat(place)
        except OSError as error:
            yield self._not_taken(argument, b"", from_os_error(error, FaspCode.STAT_FAILS))
            return
        waiting = [_Waiting(place, b"", found, ())]
        completed = True
        while waiting:
            for each in self._take(argument, waiting.pop(), waiting):
                if isinstance(each, NotTaken) and each.shown == argument.source:
                    completed = False
                yield each
        self.counts.completed += completed

    def scanned(self, argument: int) -> Scanned:
        """The counts so far, to be told after `argument`."""
        counts = self.counts
        return Scanned(
            argument,
            counts.arguments,
            counts.completed,
            counts.paths,
            counts.failed,
            counts.irregular,
            counts.excluded,
            counts.folders,
            counts.files,
            counts.size,
        )

    def _take(
        self, argument: Argument, here: _Waiting, waiting: list[_Waiting]
    ) -> Iterator[Found | NotTaken]:
        try:
            if stat.S_ISDIR(here.found.st_mode):
                below = self._below(here)
                self.counts.folders += 1
                yield self._found(argument, here, FOLDER)
                for each in reversed(below):
                    if isinstance(each, _Waiting):
                        waiting.append(each)
                    else:
                        yield self._not_taken(argument, *each)
            elif stat.S_ISREG(here.found.st_mode):
                self.counts.files += 1
                self.counts.size += here.found.st_size
                yield self._found(argument, here, FILE)
            else:
                self.counts.irregular += 1
                raise Failure(FaspCode.NOT_REGULAR)
        except OSError as error:
            yield self._not_taken(argument, here.path, from_os_error(error, FaspCode.DISK_READ))
        except Failure as failure:
            yield self._not_taken(argument, here.path, failure)

    def _below(self, here: _Waiting) -> list[_Waiting | tuple[bytes, Failure]]:
        """What is in a folder, links followed."""
        identity = (here.found.st_dev, here.found.st_ino)
        if identity in here.parents:
            raise Failure(FaspCode.LINK_LOOP)
        parents = (*here.parents, identity)
        below: list[_Waiting | tuple[bytes, Failure]] = []
        for name, found in self._files.entries(here.place):
            self.counts.paths += 1
            place, path = joined(here.place, name), joined(here.path, name)
            try:
                followed = self._files.stat(place) if stat.S_ISLNK(found.st_mode) else found
            except FileNotFoundError:
                text = "the symbolic link leads nowhere"
                below.append((path, Failure(FaspCode.NO_SUCH_FILE, text)))
            except OSError as error:
                below.append((path, from_os_error(error, FaspCode.STAT_FAILS)))
            else:
                below.append(_Waiting(place, path, followed, parents))
        return below

    def _found(self, argument: Argument, here: _Waiting, kind: str) -> Found:
        found = here.found
        entry = Entry(
            id=self._next_id,
            argument=argument.index,
            path=here.path,
            kind=kind,
            size=found.st_size if kind == FILE else 0,
            modified=found.st_mtime_ns,
            mode=stat.S_IMODE(found.st_mode),
            accessed=found.st_atime_ns,
            user=found.st_uid,
            group=found.st_gid,
        )
        self._next_id += 1
        return Found(entry, here.place, shown_path(argument, here.path))

    def _not_taken(self, argument: Argument, path: bytes, failure: Failure) -> NotTaken:
        self.counts.failed += 1
        return NotTaken(argument.index, shown_path(argument, path), failure)


def shown_path(argument: Argument, path: bytes) -> bytes:
    """How people are told of an entry: by the source as they named it."""
    return joined(argument.source, path) if path else argument.source
