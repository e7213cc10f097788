"""What the receiving half does with each entry: makes folders, applies the overwrite rule, finds what is there already.

Called in a thread, since it looks at disks. Names come from the other half and are not trusted: a target never leaves
the destination.
"""

from __future__ import annotations

import errno
import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp import names
from asperacentral.openascp.confined import Files
from asperacentral.openascp.exchange import holes, partial, resuming, sharing
from asperacentral.openascp.exchange.checkpoint import BLOCK, Identity
from asperacentral.openascp.exchange.dealing import Share
from asperacentral.openascp.exchange.finishing import Finisher
from asperacentral.openascp.exchange.messages import DONE, FILE, FOLDER, LINK, SKIPPED, Argument, Entry
from asperacentral.openascp.exchange.paths import joined, parted
from asperacentral.openascp.exchange.sharing import SharedFiles, ShareLeft, Standing
from asperacentral.openascp.exchange.target import Target
from asperacentral.openascp.exchange.terms import DECRYPT, ENCRYPT, Terms
from asperacentral.openascp.failures import Failure, SessionFailure, from_file_crypt, from_os_error
from asperacentral.openascp.files import filecrypt
from asperacentral.openascp.files.filecrypt import FileCryptError
from asperacentral.openascp.filesystem import Attributes, Kind, kind_of
from asperacentral.openascp.overwrite import Decision, decide


@dataclass(frozen=True, slots=True)
class Comparison:
    """A file at the destination that may be the same: to be compared by `decision`."""

    target: Target
    decision: Decision


@dataclass(frozen=True, slots=True)
class _Begun:
    """An argument: its source, with its range, its name, and where it is to be."""

    source: bytes
    name: bytes
    place: bytes


Outcome = Target | Comparison | Failure | str
"""What becomes of an entry: wanted, perhaps wanted, failed, or DONE or SKIPPED."""


class Decider:
    """Decides one entry after the other."""

    def __init__(self, files: Files, terms: Terms, finisher: Finisher, shared: SharedFiles) -> None:
        self._files = files
        self._shared = shared
        self._terms = terms
        self._finisher = finisher
        self._arguments: dict[int, _Begun] = {}
        self._deal = terms.deal()
        self._into = False
        self._refused: dict[int, Failure] = {}
        self._fresh: set[bytes] = set()  # folders made by this session: nothing is in them
        self._naming = _NAMING[terms.file_crypt]
        self._decrypts = terms.file_crypt == DECRYPT
        self._taken: dict[bytes, str] | None = {} if terms.several else None
        self._normal = (b"", b".")  # a folder, and its normal name
        self._under_way: dict[bytes, int] = {}  # files of this session that are not settled
        self._places: dict[int, bytes] = {}  # the same the other way round

    def prepare(self) -> bool:
        """Look at the destination, make it if it is to be made; tell whether sources go into it by their names.

        SessionFailure when it cannot take them.
        """
        terms = self._terms
        if terms.persistent:  # each source has a destination of its own, by that very name
            return False
        try:
            place = self._files.named(terms.destination)
            there = self._attributes(place)
            into = terms.several or terms.create_path or terms.destination.endswith(b"/")
            if there is not None and there.kind is Kind.FOLDER:
                return True
            if into and there is not None:
                text = f"{FaspCode.NOT_DIR.meaning}: the destination is a file"
                raise SessionFailure(FaspCode.NOT_DIR, text)
            if into and not terms.create_path:
                raise SessionFailure(FaspCode.NO_SUCH_FILE, "the destination folder does not exist")
            if into:
                self._files.make_folders(place)
                self._fresh.add(place.rstrip(b"/"))
        except OSError as error:
            failure = from_os_error(error, FaspCode.DISK_WRITE)
            raise SessionFailure(failure.code, f"{failure} (destination folder)") from error
        return into

    def begin(self, argument: Argument, into: bool) -> None:
        """An argument's entries will come. OSError, Failure when it cannot go where it is to."""
        self._into = into
        place = self._files.named(argument.destination)
        if into and argument.name:
            place = joined(place, self._safe(argument.name))
        if b"/" in argument.name or (self._terms.persistent and self._terms.create_path):
            self._files.make_folders(posixpath.dirname(place))
        self._arguments[argument.index] = _Begun(_named(argument), argument.name, place)

    def refuse(self, argument: Argument, failure: Failure) -> None:
        """An argument cannot go where it is to: all its entries fail."""
        self._refused[argument.index] = failure

    def place(self, entry: Entry) -> bytes:
        """Where an entry is to be. Failure BAD_PATH, also for one of an argument that was not announced."""
        if (refused := self._refused.get(entry.argument)) is not None:
            raise refused
        argument = self._arguments.get(entry.argument)
        if argument is None:
            raise Failure(FaspCode.BAD_PATH, "an entry of no argument")
        place = self.below(entry.argument, entry.path)
        return self._naming(place) if entry.kind == FILE else place

    def below(self, argument: int, path: bytes) -> bytes:
        """Where a path of a source is to be. Failure BAD_PATH."""
        place = self._arguments[argument].place
        return joined(place, self._safe(path)) if path else place

    def decide(self, entry: Entry) -> Outcome:
        """What to do with an entry; folders are made at once."""
        try:
            place = self.place(entry)
            self._claim(place, entry)
            if entry.kind == FOLDER:
                self._check_folder(entry)
                return self._folder(place)
            if entry.kind == FILE:
                return self._file(entry, place)
            if entry.kind == LINK:
                return self._finisher.make_link(place, entry.link)
            return Failure(FaspCode.NOT_REGULAR)
        except OSError as error:
            return from_os_error(error, FaspCode.DISK_WRITE)
        except SessionFailure:
            raise
        except Failure as failure:
            return failure

    def _check_folder(self, entry: Entry) -> None:
        """A folder must not become the destination itself when another session may find it there, and go into it."""
        if not (self._into or self._deal.alone or self._terms.persistent or entry.path):
            text = "with -C a folder goes into a destination that is there, or that -d makes"
            raise SessionFailure(FaspCode.NO_SUCH_FILE, text)

    def _folder(self, place: bytes) -> Outcome:
        if not place:  # the root
            return DONE
        try:
            self._files.make_folder(place)
        except FileExistsError:
            there = self._attributes(place)
            if there is None or there.kind is not Kind.FOLDER:
                raise NotADirectoryError(errno.ENOTDIR, "there is a file of this name") from None
        else:
            self._fresh.add(place)
        return DONE

    def _file(self, entry: Entry, place: bytes) -> Outcome:
        fresh = parted(place)[0] in self._fresh
        there = None if fresh else self._attributes(place)
        if there is not None and there.kind is Kind.FOLDER:
            raise Failure(FaspCode.IS_DIR)
        if there is not None and there.kind is not Kind.FILE:
            raise Failure(FaspCode.NOT_REGULAR, "the destination is a special file")
        decision = self._compared(entry, there)
        target = self._target(entry, place, fresh=fresh)
        if target.share is not None:
            return self._share(target, decision)
        if decision is Decision.SKIP:
            self.skip(target)
            return SKIPPED
        if not target.fresh:
            partial.remove(self._files, partial.other_name(place, self._terms))
        return self._resume(target) if decision is Decision.MOVE else Comparison(target, decision)

    def _share(self, target: Target, decision: Decision) -> Outcome:
        """A file that several sessions move: what one of them has begun, the others go on with."""
        found = sharing.look(self._files, target, self._terms.resume_level)
        if found is Standing.WHOLE:
            self._shared.add(target)
            self.skip(target)
            return SKIPPED
        if isinstance(found, ShareLeft):
            return target.resuming(found)
        if decision is Decision.SKIP:
            self.skip(target)
            return SKIPPED
        return target if decision is Decision.MOVE else Comparison(target, decision)

    def _compared(self, entry: Entry, there: Attributes | None) -> Decision:
        size = entry.size
        if there is None and not self._decrypts:
            return Decision.MOVE
        if self._decrypts:
            try:
                size = filecrypt.clear_size(size)
            except FileCryptError as error:
                raise from_file_crypt(error) from error
        source = Attributes(Kind.FILE, size, entry.modified)
        decision = decide(self._terms.overwrite, self._terms.resume_level, source, there)
        if self._decrypts and decision is not Decision.SKIP:  # a clear file has nothing to be compared with
            return Decision.MOVE
        return decision

    def _target(self, entry: Entry, place: bytes, *, fresh: bool) -> Target:
        terms = self._terms
        identity = None
        share = None if self._deal.alone else self._share_of(entry)
        if (terms.resume_level and entry.size > BLOCK) or share is not None:
            source = joined(
                self._arguments[entry.argument].source, entry.path
            )  # with its range, if it is one
            shares = b"" if share is None else b"\0%d shares" % share.count
            identity = Identity(entry.size, entry.modified, source + shares, 0)
        whole = [(0, entry.size)] if entry.size else []
        missing = tuple(holes.without(whole, entry.holes)) if share is None else ((share.start, share.size),)
        return Target(
            entry,
            place,
            partial.partial_name(place, terms),
            partial.checkpoint_name(place, terms),
            identity,
            missing,
            clear=partial.clear_name(place, terms) if self._decrypts else b"",
            share=share,
            fresh=fresh,
        )

    def _share_of(self, entry: Entry) -> Share | None:
        """This session's share of a file that is cut. Failure when there is none."""
        if not self._deal.cuts(entry.size):
            return None
        share = self._deal.share(joined(self._arguments[entry.argument].name, entry.path), entry.size)
        if share is None:
            raise Failure(FaspCode.FASP_PROTO, "the far side offers what is another session's")
        return share

    def different(self, target: Target) -> Outcome:
        """A comparison found that the file has to be moved."""
        try:
            return self._resume(target) if target.share is None else self._share(target, Decision.MOVE)
        except OSError as error:
            return from_os_error(error, FaspCode.DISK_WRITE)
        except Failure as failure:
            return failure

    def _resume(self, target: Target) -> Target:
        """The target with what a former session left of it."""
        if target.identity is None or target.fresh:
            return target
        found = resuming.find(self._files, target.partial, target.checkpoint, target.identity)
        return target if found is None else target.resuming(found)

    def skip(self, target: Target) -> None:
        """The file is there as it should be; nor is anything left of a session that ended right after it was."""
        if self._terms.after().concerns(skipped=True):
            self._finisher.found(target.place)
        if target.identity is not None and target.share is None:
            partial.remove(self._files, target.checkpoint)
            if target.clear:
                partial.remove(self._files, target.partial)

    def _attributes(self, place: bytes) -> Attributes | None:
        try:
            found = self._files.stat(place)
        except FileNotFoundError:
            return None
        return Attributes(kind_of(found.st_mode), found.st_size, found.st_mtime_ns)

    def settled(self, id: int) -> None:
        """An entry has ended; another may have its name. From any thread."""
        place = self._places.pop(id, None)
        if place is not None:
            del self._under_way[place]

    def _claim(self, place: bytes, entry: Entry) -> None:
        """Two sources may share a folder, but never a file's name, nor may one source tell of a file while it is
        being moved: it would wait for itself.
        """
        key, kind = self._key(place), entry.kind
        if self._taken is not None:
            taken = self._taken.get(key)
            if taken is not None and (kind, taken) != (FOLDER, FOLDER):
                raise Failure(FaspCode.AMBIGUOUS_TARGET, "another source has the same target")
            self._taken[key] = kind
        if kind == FILE:
            if key in self._under_way:
                raise Failure(FaspCode.UPLOAD_IN_PROGRESS, "this session is writing the same file already")
            self._under_way[key] = entry.id
            self._places[entry.id] = key

    def _key(self, place: bytes) -> bytes:
        """A place by the one name that all ways to write it have; the folder of many files is normalised once."""
        folder, name = parted(place)
        if name in (b"", b".", b".."):
            return posixpath.normpath(place)
        if folder != self._normal[0]:
            self._normal = folder, posixpath.normpath(folder)
        return joined(self._normal[1], name)

    @staticmethod
    def _safe(name: bytes) -> bytes:
        try:
            return names.checked(name)
        except names.BadPathError as error:
            raise Failure(FaspCode.BAD_PATH, str(error.strerror)) from error


_NAMING: Mapping[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ENCRYPT: filecrypt.sealed_name,
    DECRYPT: filecrypt.clear_name,
}
"""What a file is called by what was or will be done to it."""


def _named(argument: Argument) -> bytes:
    """The source of an argument, and which part of it is meant."""
    part = b"" if not argument.start and not argument.end else b"@%d:%d" % (argument.start, argument.end)
    return argument.source + part
