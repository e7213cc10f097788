"""What moves where: the sources are scanned, and every file gets its target by the rules of cp.

A destination that is a folder, or is to be one (`create_path`, several sources), takes the sources by their own
names; else the one source takes the destination's name. Rules say what is left out and what becomes of symbolic
links; one that is followed and leads back into its own parents is refused. Names come from the scanned side and are
not trusted: a target never leaves the destination. Both sides are `FileSystem`s; nothing here knows which is the far
one, or moves a byte.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.failures import Failure, SessionFailure
from asperacentral.openascp.files import links
from asperacentral.openascp.files.selection import Selection
from asperacentral.openascp.filesystem import Attributes, FileSystem, Kind
from asperacentral.openascp.scancounts import ScanCounts

_FOLDER_WORDS = (b"", b".", b"..")


class PlannedFile(NamedTuple):
    """One file to move. `index` counts the files, `argument` the sources; `size` is what the scan saw, `relative` the
    path below the folder that holds the source. Of a file that several sessions share, `part` is the first byte of this
    one's and the one after the last.
    """

    source: bytes
    target: bytes
    size: int
    index: int  # type: ignore[assignment]  # nobody looks for a value in a file
    argument: int
    relative: bytes = b""
    part: tuple[int, int] | None = None

    @property
    def due(self) -> int:
        """The bytes that this session moves."""
        return self.size if self.part is None else self.part[1] - self.part[0]


@dataclass(frozen=True, slots=True)
class PlannedFolder:
    """A folder that must be at the destination; `source` is empty for the destination and its parents.

    `found` is what the scan saw of the source; `named` tells that the command line names it.
    """

    source: bytes
    target: bytes
    found: Attributes | None = None
    named: bool = False


@dataclass(frozen=True, slots=True)
class PlannedLink:
    """A symbolic link to make."""

    source: bytes
    target: bytes
    argument: int
    relative: bytes


@dataclass(frozen=True, slots=True)
class ScanRules:
    """What of the sources is taken, and how its files are called. `links` is one of `links.POLICIES`.

    `skip_special` leaves special files out instead of reporting them, `skip_duplicates` folders that were scanned
    before by another way; `naming` makes the last part of a file's target.
    """

    selection: Selection = field(default_factory=Selection)
    links: str = "follow"
    skip_special: bool = False
    skip_duplicates: bool = False
    naming: Callable[[bytes], bytes] = lambda name: name


@dataclass(slots=True)
class Plan:
    """Files, links and folders (parents first), and the paths that cannot be moved, with their reasons.

    `left_out` are the targets of what the rules leave out.
    """

    folders: list[PlannedFolder] = field(default_factory=list)
    files: list[PlannedFile] = field(default_factory=list)
    links: list[PlannedLink] = field(default_factory=list)
    failures: list[tuple[bytes, Failure]] = field(default_factory=list)
    left_out: list[bytes] = field(default_factory=list)
    arguments: int = 0
    arguments_completed: int = 0
    paths: int = 0
    irregular: int = 0
    folders_scanned: int = 0
    total_bytes: int = 0

    def counts(self) -> ScanCounts:
        """What the scan has found."""
        return ScanCounts(
            arguments=self.arguments,
            completed=self.arguments_completed,
            paths=self.paths,
            failed=len(self.failures),
            irregular=self.irregular,
            excluded=len(self.left_out),
            folders=self.folders_scanned,
            files=len(self.files),
            size=self.total_bytes,
        )


async def make_plan(
    source: FileSystem,
    destination: FileSystem,
    sources: Sequence[bytes],
    target: bytes,
    *,
    create_path: bool = False,
    several: bool = False,
    placed: Sequence[bytes] = (),
    rules: ScanRules | None = None,
) -> Plan:
    """Scan `sources` and lay them out under `target`. `several`: a list was given, however short it is.

    `placed`, if given, has for each source its path below the target. SessionFailure when there is no source, or the
    destination cannot take them.
    """
    if not sources:
        raise SessionFailure(FaspCode.NOTHING)
    target = target or b"."
    there = await destination.attributes(target)
    into = several or create_path or bool(placed) or len(sources) > 1 or target.endswith(b"/")
    if there is not None and there.kind is Kind.FOLDER:
        into = True
    elif into and there is not None:
        raise SessionFailure(FaspCode.NOT_DIR, f"{FaspCode.NOT_DIR.meaning}: the destination is a file")
    elif into and not create_path:
        raise SessionFailure(FaspCode.NO_SUCH_FILE, "the destination folder does not exist")
    scan = _Scan(source, rules or ScanRules())
    if into and there is None:
        scan.plan.folders += await _missing(destination, target)
    for argument, path in enumerate(sources):
        place = await _place(scan.plan, destination, path, target, into, placed[argument] if placed else None)
        scan.plan.arguments += 1
        if await scan.take(path, place, argument):
            scan.plan.arguments_completed += 1
    return scan.plan


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a source goes: its target, and its path below the folder that holds it."""

    target: bytes
    relative: bytes


async def _place(
    plan: Plan, destination: FileSystem, path: bytes, target: bytes, into: bool, placed: bytes | None
) -> _Place:
    """Lay one source out; folders on the way to a given place are planned too."""
    name = posixpath.basename(path.rstrip(b"/"))
    if name in _FOLDER_WORDS:  # of such a folder the contents are meant
        name = b""
    if placed is None:
        return _Place(_join(target, name) if into and name else target, name)
    if not placed:
        return _Place(target, b"")
    above = _join(target, posixpath.dirname(placed)).rstrip(b"/")
    known = {folder.target for folder in plan.folders}
    plan.folders += [folder for folder in await _missing(destination, above) if folder.target not in known]
    return _Place(_join(target, placed), placed)


async def _missing(files: FileSystem, path: bytes) -> list[PlannedFolder]:
    """The folder and the parents it lacks, parents first."""
    missing = []
    current = path.rstrip(b"/")
    while current and await files.attributes(current) is None:
        if posixpath.basename(current) not in _FOLDER_WORDS:
            missing.append(PlannedFolder(b"", current))
        current = posixpath.dirname(current).rstrip(b"/")
    return missing[::-1]


@dataclass(frozen=True, slots=True)
class _Found:
    """One name on its way into the plan; `parents` are the canonical paths of the folders above it."""

    path: bytes
    target: bytes
    relative: bytes
    attributes: Attributes
    parents: tuple[bytes, ...] = ()
    named: bool = False


class _Scan:
    """One walk over all sources. Depth is bounded by memory only: folders wait in a list, not on the stack."""

    def __init__(self, source: FileSystem, rules: ScanRules) -> None:
        self.plan = Plan()
        self._source = source
        self._rules = rules
        self._follow = links.at_source(rules.links) is links.Source.FOLLOW
        self._taken: dict[bytes, Kind] = {}
        self._scanned: set[bytes] = set()

    async def take(self, path: bytes, place: _Place, argument: int) -> bool:
        """Scan one source; False when it cannot be moved at all."""
        self.plan.paths += 1
        try:
            # Of `link/` the folder is meant, whatever becomes of links.
            found = await self._source.attributes(path, follow=self._follow or path.endswith(b"/"))
            if found is None:
                raise Failure(FaspCode.NO_SUCH_FILE)
            await self._add(_Found(path, place.target, place.relative, found, named=True), argument)
        except SessionFailure:
            raise
        except Failure as failure:
            self.plan.failures.append((path, failure))
            return False
        return True

    async def _add(self, first: _Found, argument: int) -> None:
        """Plan one name, and if it is a folder all below it."""
        waiting = [first]
        while waiting:
            here = waiting.pop()
            try:
                if self._left_out(here):
                    self.plan.left_out.append(here.target)
                elif here.attributes.kind is Kind.FOLDER:
                    waiting += reversed(await self._folder(here))
                elif here.attributes.kind is Kind.LINK:
                    self._claim(here.target, Kind.FILE)
                    self.plan.links.append(PlannedLink(here.path, here.target, argument, here.relative))
                else:
                    self._file(here, argument)
            except SessionFailure:
                raise
            except Failure as failure:
                if here.named:
                    raise
                self.plan.failures.append((here.path, failure))

    def _left_out(self, here: _Found) -> bool:
        """Tell whether the rules leave this name out."""
        kind = here.attributes.kind
        if here.relative and not self._rules.selection.takes(
            here.relative, folder=kind is Kind.FOLDER, modified=here.attributes.modified
        ):
            return True
        if kind is Kind.LINK:
            return links.at_source(self._rules.links) is links.Source.SKIP
        return kind is Kind.SPECIAL and self._rules.skip_special

    async def _folder(self, folder: _Found) -> list[_Found]:
        """Plan a folder and return what is in it."""
        canonical = await self._source.canonical(folder.path)
        if self._rules.skip_duplicates and canonical in self._scanned:
            self.plan.left_out.append(folder.target)
            return []
        self._claim(folder.target, Kind.FOLDER)
        if canonical in folder.parents:
            raise Failure(FaspCode.LINK_LOOP)
        entries = await self._source.entries(folder.path)
        self._scanned.add(canonical)
        self.plan.folders.append(PlannedFolder(folder.path, folder.target, folder.attributes, folder.named))
        self.plan.folders_scanned += 1
        below = []
        for name, attributes in entries:
            self.plan.paths += 1
            inner = _join(folder.path, name)
            try:
                place = _join(folder.target, _safe(name))
                found = await self._followed(inner, attributes)
            except SessionFailure:
                raise
            except Failure as failure:
                self.plan.failures.append((inner, failure))
                continue
            relative = posixpath.join(folder.relative, name)
            below.append(_Found(inner, place, relative, found, (*folder.parents, canonical)))
        return below

    async def _followed(self, path: bytes, attributes: Attributes) -> Attributes:
        if attributes.kind is not Kind.LINK or not self._follow:
            return attributes
        followed = await self._source.attributes(path)
        if followed is None:
            raise Failure(FaspCode.NO_SUCH_FILE, "the symbolic link leads nowhere")
        return followed

    def _file(self, here: _Found, argument: int) -> None:
        if here.attributes.kind is not Kind.FILE:
            self.plan.irregular += 1
            raise Failure(FaspCode.NOT_REGULAR)
        folder, name = posixpath.split(here.target)
        target = posixpath.join(folder, self._rules.naming(name))
        self._claim(target, Kind.FILE)
        size = here.attributes.size
        self.plan.files.append(
            PlannedFile(here.path, target, size, len(self.plan.files), argument, here.relative)
        )
        self.plan.total_bytes += size

    def _claim(self, target: bytes, kind: Kind) -> None:
        """Two sources may share a folder, but never a file's name."""
        key = posixpath.normpath(target)
        taken = self._taken.get(key)
        if taken is not None and Kind.FILE in (kind, taken):
            raise Failure(FaspCode.AMBIGUOUS_TARGET, "another source has the same target")
        self._taken[key] = kind


def _join(folder: bytes, name: bytes) -> bytes:
    if folder == b".":
        return name
    return folder + name if folder.endswith(b"/") else folder + b"/" + name


def _safe(name: bytes) -> bytes:
    """A name that stays in its folder. Failure BAD_PATH for any other."""
    if name in _FOLDER_WORDS or b"/" in name or b"\0" in name:
        raise Failure(FaspCode.BAD_PATH, "a name would lead outside the destination")
    return name
