"""Finds what there is to send below each source, as entries; called in a thread, since disks may be slow.

What the session's rules leave out is not told, nor what is another session's of the same transfer: of the latter only
folders that something of this one's lies in. A symbolic link that is followed back into its own parents is refused. A
folder comes before what is in it. Depth is bounded by memory only: folders wait in a list, not on the stack.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields
from typing import NamedTuple

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.confined import Files
from asperacentral.openascp.exchange import holes
from asperacentral.openascp.exchange.checkpoint import BLOCK
from asperacentral.openascp.exchange.dealing import Share
from asperacentral.openascp.exchange.holes import Extents
from asperacentral.openascp.exchange.messages import FILE, FOLDER, LINK, Argument, Entry, Scanned
from asperacentral.openascp.exchange.paths import before, joined
from asperacentral.openascp.exchange.terms import ENCRYPT, Terms
from asperacentral.openascp.failures import Failure, from_os_error
from asperacentral.openascp.files import attributes, filecrypt, links
from asperacentral.openascp.files.afterwards import Afterwards
from asperacentral.openascp.files.attributes import Preserve
from asperacentral.openascp.names import is_within
from asperacentral.openascp.scancounts import ScanCounts


class Found(NamedTuple):
    """An entry, where it is on this machine, and how it is shown to people.

    `whole` is the size of the file it is of, in which it begins at `start`: of a range the entry's size is its length.
    `share` is what this session moves of a file that several do.
    """

    entry: Entry
    place: bytes
    shown: bytes
    start: int = 0
    whole: int = 0
    share: Share | None = None

    @property
    def due(self) -> int:
        """The bytes that this session moves."""
        return self.share.size if self.share is not None else self.entry.size


class NotTaken(NamedTuple):
    """A path that cannot be moved."""

    argument: int
    shown: bytes
    failure: Failure


class _Waiting(NamedTuple):
    place: bytes
    path: bytes
    found: os.stat_result
    parents: tuple[tuple[int, int], ...] = ()


class Scanner:
    """Scans one argument after the other; ids count the entries of the whole session.

    Without `attributes_too` extended attributes are not read: for who only counts. `listed` is told the path and all
    names of each folder that is read.
    """

    def __init__(
        self,
        files: Files,
        terms: Terms,
        *,
        attributes_too: bool = True,
        listed: Callable[[bytes, list[bytes]], None] | None = None,
    ) -> None:
        self._listed = listed
        self._files = files
        self._selection = terms.selection()
        self._links = links.at_source(terms.links)
        self._skip_special = terms.skip_special
        self._preserve = terms.preserving() if attributes_too else Preserve()
        self._reads_attributes = (self._preserve.xattrs, self._preserve.acls) != ("none", "none")
        self._keeps_access_time = self._preserve.access_time or self._preserve.source_access_time
        self._scanned: set[tuple[int, int]] | None = set() if terms.skip_duplicates else None
        self._sealed = terms.file_crypt == ENCRYPT
        self._looks_for_holes = attributes_too and not terms.file_crypt
        self._deal = terms.deal()
        # Then a regular file is an entry, whatever it is: no rule concerns it, and nothing more is read of it.
        self._simple = self._deal.alone and self._selection.everything and not self._reads_attributes
        self._clears = terms.after() != Afterwards()
        self._above: list[_Waiting] = []
        """Folders above what is looked at that are another session's and were not told so far."""
        self._next_id = 0
        self.counts = ScanCounts()

    def scan(self, argument: Argument) -> Iterator[Found | NotTaken]:
        """All there is below one source."""
        self.counts.arguments += 1
        self.counts.paths += self._deal.takes(argument.name)
        self._above.clear()
        try:
            place = self._files.named(argument.source)
            # Of `link/` the folder is meant, whatever becomes of links.
            follow = self._links is links.Source.FOLLOW or argument.source.endswith(b"/")
            found = self._files.stat(place, follow=follow)
        except OSError as error:
            yield from self._not_taken(argument, b"", from_os_error(error, FaspCode.STAT_FAILS))
            return
        waiting = [_Waiting(place, b"", found)]
        completed = True
        while waiting:
            here = waiting.pop()
            if self._simple and stat.S_ISREG(here.found.st_mode):
                yield self._counted(argument, here)
                continue
            for each in self._take(argument, here, waiting):
                if isinstance(each, NotTaken) and each.shown == argument.source:
                    completed = False
                yield each
        self.counts.completed += completed

    def _take(
        self, argument: Argument, here: _Waiting, waiting: list[_Waiting]
    ) -> Iterator[Found | NotTaken]:
        try:
            mine = self._takes(argument, here.path)
            if self._left_out(argument, here):
                self.counts.excluded += mine
            elif stat.S_ISDIR(here.found.st_mode):
                yield from self._folder(argument, here, waiting)
            elif stat.S_ISREG(here.found.st_mode):
                yield from self._file(argument, here)
            elif stat.S_ISLNK(here.found.st_mode):
                if mine:
                    yield from self._found(argument, here, LINK)
            else:
                self.counts.irregular += mine
                raise Failure(FaspCode.NOT_REGULAR)
        except attributes.MetadataError as error:
            yield from self._not_taken(argument, here.path, Failure(FaspCode.DISK_READ, str(error)))
        except OSError as error:
            yield from self._not_taken(argument, here.path, from_os_error(error, FaspCode.DISK_READ))
        except Failure as failure:
            yield from self._not_taken(argument, here.path, failure)

    def _folder(
        self, argument: Argument, here: _Waiting, waiting: list[_Waiting]
    ) -> Iterator[Found | NotTaken]:
        below = self._below(argument, here)
        if below is None:
            return
        if self._takes(argument, here.path):
            self.counts.folders += 1
            yield from self._found(argument, here, FOLDER)
        else:
            self._pass(here)
        for each in reversed(below):
            if isinstance(each, _Waiting):
                waiting.append(each)
            else:
                yield from self._not_taken(argument, *each)

    def _file(self, argument: Argument, here: _Waiting) -> Iterator[Found]:
        """A file, if it or a share of it is this session's."""
        share = None
        if not self._deal.alone:
            relative = joined(argument.name, here.path)
            size = _span(argument, here)[1]
            if self._deal.cuts(size):
                share = self._deal.share(relative, size)
                if share is None:
                    return
            elif not self._deal.takes(relative):
                return
        yield from self._above_it(argument, here)
        yield self._counted(argument, here, share)

    def _counted(self, argument: Argument, here: _Waiting, share: Share | None = None) -> Found:
        """A file, counted."""
        found = self._entry(argument, here, FILE, share)
        self.counts.files += 1
        self.counts.size += found.due
        return found

    def _takes(self, argument: Argument, path: bytes) -> bool:
        return self._deal.alone or self._deal.takes(joined(argument.name, path))

    def _pass(self, folder: _Waiting) -> None:
        """A folder of another session: keep it for the case that something of this one's is in it."""
        self._leave_folders(folder.path)
        self._above.append(folder)

    def _leave_folders(self, path: bytes) -> None:
        while self._above and not is_within(path, self._above[-1].path):
            self._above.pop()

    def _left_out(self, argument: Argument, here: _Waiting) -> bool:
        """Whether the rules leave this name out."""
        mode = here.found.st_mode
        folder = stat.S_ISDIR(mode)
        if not self._selection.everything:
            relative = joined(argument.name, here.path)
            modified = here.found.st_mtime_ns
            if relative and not self._selection.takes(relative, folder=folder, modified=modified):
                return True
        if stat.S_ISLNK(mode):
            return self._links is links.Source.SKIP
        if folder and self._scanned is not None:
            identity = (here.found.st_dev, here.found.st_ino)
            again = identity in self._scanned and identity not in here.parents
            self._scanned.add(identity)
            return again
        return self._skip_special and not folder and not stat.S_ISREG(mode)

    def _below(self, argument: Argument, here: _Waiting) -> list[_Waiting | tuple[bytes, Failure]] | None:
        """What is in a folder, links followed; None when another session has cleared the folder away meanwhile."""
        identity = (here.found.st_dev, here.found.st_ino)
        if identity in here.parents:
            raise Failure(FaspCode.LINK_LOOP)
        parents = (*here.parents, identity)
        below: list[_Waiting | tuple[bytes, Failure]] = []
        try:
            entries = self._files.entries(here.place)
        except FileNotFoundError:
            if self._deal.alone or not self._clears:
                raise
            return None
        if self._listed is not None:
            self._listed(here.path, [name for name, _ in entries])
        above_place, above_path = before(here.place), before(here.path)
        for name, found in entries:
            place, path = above_place + name, above_path + name
            self.counts.paths += self._deal.alone or self._takes(argument, path)
            try:
                follow = stat.S_ISLNK(found.st_mode) and self._links is links.Source.FOLLOW
                followed = self._files.stat(place) if follow else found
            except FileNotFoundError:
                text = "the symbolic link leads nowhere"
                below.append((path, Failure(FaspCode.NO_SUCH_FILE, text)))
            except OSError as error:
                below.append((path, from_os_error(error, FaspCode.STAT_FAILS)))
            else:
                below.append(_Waiting(place, path, followed, parents))
        return below

    def _found(self, argument: Argument, here: _Waiting, kind: str) -> Iterator[Found]:
        """What there is, after the folders above it that were not told so far."""
        yield from self._above_it(argument, here)
        yield self._entry(argument, here, kind)

    def _above_it(self, argument: Argument, here: _Waiting) -> Iterator[Found]:
        """The folders above it that were not told so far."""
        self._leave_folders(here.path)
        while self._above:
            folder = self._entry(argument, self._above[0], FOLDER)
            del self._above[0]
            yield folder

    def _entry(self, argument: Argument, here: _Waiting, kind: str, share: Share | None = None) -> Found:
        found = here.found
        start, size = _span(argument, here)
        entry = Entry(
            self._next_id,
            argument.index,
            here.path,
            kind,
            self._size(size) if kind == FILE else 0,
            modified=found.st_mtime_ns,
            mode=stat.S_IMODE(found.st_mode),
            accessed=found.st_atime_ns if self._keeps_access_time else 0,  # a number of many digits
            user=found.st_uid,
            group=found.st_gid,
            link=self._files.read_link(here.place) if kind == LINK else b"",
            attributes=self._attributes(here.place, kind) if self._reads_attributes else (),
            holes=self._holes(here) if kind == FILE and share is None and size == found.st_size else (),
        )
        self._next_id += 1
        return Found(entry, here.place, shown_path(argument, here.path), start, found.st_size, share)

    def _holes(self, here: _Waiting) -> Extents:
        """What need not be read of a sparse file. One that cannot be looked into fails when it is read."""
        found = here.found
        if found.st_size <= BLOCK or found.st_blocks * 512 >= found.st_size or not self._looks_for_holes:
            return ()
        try:
            descriptor = self._files.open_file(here.place, os.O_RDONLY)
        except (OSError, Failure):
            return ()
        try:
            return holes.found(descriptor, found.st_size)
        except OSError:
            return ()
        finally:
            os.close(descriptor)

    def _size(self, clear: int) -> int:
        """As it travels."""
        return filecrypt.sealed_size(clear) if self._sealed else clear

    def _attributes(self, place: bytes, kind: str) -> tuple[tuple[bytes, bytes], ...]:
        """Extended attributes and access lists, as far as they are to be kept. OSError, MetadataError."""
        if kind == LINK:
            return ()
        flags = os.O_RDONLY | (os.O_DIRECTORY if kind == FOLDER else 0)
        descriptor = self._files.open(place, flags) if kind == FOLDER else self._files.open_file(place, flags)
        try:
            metadata = attributes.read(descriptor, self._preserve)
            return tuple((os.fsencode(name), value) for name, value in metadata.xattrs + metadata.acls)
        finally:
            os.close(descriptor)

    def _not_taken(self, argument: Argument, path: bytes, failure: Failure) -> Iterator[NotTaken]:
        """A path that cannot be moved, if it is this session's to tell of it."""
        if self._takes(argument, path):
            self.counts.failed += 1
            yield NotTaken(argument.index, shown_path(argument, path), failure)


def _span(argument: Argument, here: _Waiting) -> tuple[int, int]:
    """First byte and size of what the argument means of a file."""
    size = here.found.st_size
    if not argument.start and not argument.end:
        return 0, size
    start = min(argument.start, size)
    return start, max(0, min(argument.end or size, size) - start)


def scanned(argument: int, counts: ScanCounts) -> Scanned:
    """What is told when the scan of `argument` has ended."""
    return Scanned(argument, **asdict(counts))


def counts_of(message: Scanned) -> ScanCounts:
    """The counts that were told."""
    return ScanCounts(**{each.name: getattr(message, each.name) for each in fields(ScanCounts)})


def shown_path(argument: Argument, path: bytes) -> bytes:
    """How people are told of an entry: by the source as they named it."""
    return joined(argument.source, path) if path else argument.source
