"""What moves where: the sources are scanned, and every file gets its target by the rules of cp.

A destination that is a folder, or is to be one (`create_path`, several sources), takes the sources by their own
names; else the one source takes the destination's name. Symbolic links are followed; a link that leads back into
its own parents is refused. Names come from the scanned side and are not trusted: a target never leaves the
destination. Both sides are `FileSystem`s; nothing here knows which is the far one, or moves a byte.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, field

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.failures import Failure, SessionFailure
from asperacentral.openascp.filesystem import Attributes, FileSystem, Kind
from asperacentral.openascp.scancounts import ScanCounts

_FOLDER_WORDS = (b"", b".", b"..")


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """One file to move. `index` counts the files, `argument` the sources; `size` is what the scan saw."""

    source: bytes
    target: bytes
    size: int
    index: int
    argument: int


@dataclass(frozen=True, slots=True)
class PlannedFolder:
    """A folder that must be at the destination; `source` is empty for the destination and its parents."""

    source: bytes
    target: bytes


@dataclass(slots=True)
class Plan:
    """Files and folders (parents first), and the paths that cannot be moved, with their reasons."""

    folders: list[PlannedFolder] = field(default_factory=list)
    files: list[PlannedFile] = field(default_factory=list)
    failures: list[tuple[bytes, Failure]] = field(default_factory=list)
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
) -> Plan:
    """Scan `sources` and lay them out under `target`. `several`: a list was given, however short it is.

    SessionFailure when there is no source, or the destination cannot take them.
    """
    if not sources:
        raise SessionFailure(FaspCode.NOTHING)
    target = target or b"."
    there = await destination.attributes(target)
    into = several or create_path or len(sources) > 1 or target.endswith(b"/")
    if there is not None and there.kind is Kind.FOLDER:
        into = True
    elif into and there is not None:
        raise SessionFailure(FaspCode.NOT_DIR, f"{FaspCode.NOT_DIR.meaning}: the destination is a file")
    elif into and not create_path:
        raise SessionFailure(FaspCode.NO_SUCH_FILE, "the destination folder does not exist")
    scan = _Scan(source)
    if into and there is None:
        scan.plan.folders += await _missing(destination, target)
    for argument, path in enumerate(sources):
        scan.plan.arguments += 1
        if await scan.take(path, target, into, argument):
            scan.plan.arguments_completed += 1
    return scan.plan


async def _missing(files: FileSystem, path: bytes) -> list[PlannedFolder]:
    """The folder and the parents it lacks, parents first."""
    missing = []
    current = path.rstrip(b"/")
    while current and await files.attributes(current) is None:
        if posixpath.basename(current) not in _FOLDER_WORDS:
            missing.append(PlannedFolder(b"", current))
        current = posixpath.dirname(current).rstrip(b"/")
    return missing[::-1]


class _Scan:
    """One walk over all sources. Depth is bounded by memory only: folders wait in a list, not on the stack."""

    def __init__(self, source: FileSystem) -> None:
        self.plan = Plan()
        self._source = source
        self._taken: dict[bytes, Kind] = {}

    async def take(self, path: bytes, target: bytes, into: bool, argument: int) -> bool:
        """Scan one source; False when it cannot be moved at all."""
        self.plan.paths += 1
        try:
            found = await self._source.attributes(path)
            if found is None:
                raise Failure(FaspCode.NO_SUCH_FILE)
            name = posixpath.basename(path.rstrip(b"/"))
            nameless = name in _FOLDER_WORDS  # of such a folder the contents are meant
            place = _join(target, _safe(name)) if into and not nameless else target
            await self._add(path, place, found, argument, (), top=True)
        except SessionFailure:
            raise
        except Failure as failure:
            self.plan.failures.append((path, failure))
            return False
        return True

    async def _add(
        self,
        path: bytes,
        target: bytes,
        found: Attributes,
        argument: int,
        parents: tuple[bytes, ...],
        top: bool,
    ) -> None:
        """Plan one name, and if it is a folder all below it."""
        waiting = [(path, target, found, parents)]
        while waiting:
            path, target, found, parents = waiting.pop()
            try:
                if found.kind is Kind.FOLDER:
                    waiting += reversed(await self._folder(path, target, parents))
                else:
                    self._file(path, target, found, argument)
            except SessionFailure:
                raise
            except Failure as failure:
                if top:
                    raise
                self.plan.failures.append((path, failure))
            top = False

    async def _folder(
        self, path: bytes, target: bytes, parents: tuple[bytes, ...]
    ) -> list[tuple[bytes, bytes, Attributes, tuple[bytes, ...]]]:
        """Plan a folder and return what is in it, links followed."""
        self._claim(target, Kind.FOLDER)
        here = await self._source.canonical(path)
        if here in parents:
            raise Failure(FaspCode.LINK_LOOP)
        entries = await self._source.entries(path)
        self.plan.folders.append(PlannedFolder(path, target))
        self.plan.folders_scanned += 1
        below = []
        for name, attributes in entries:
            self.plan.paths += 1
            inner = _join(path, name)
            try:
                place = _join(target, _safe(name))
                followed: Attributes | None = attributes
                if attributes.kind is Kind.LINK:
                    followed = await self._source.attributes(inner)
                if followed is None:
                    raise Failure(FaspCode.NO_SUCH_FILE, "the symbolic link leads nowhere")
            except SessionFailure:
                raise
            except Failure as failure:
                self.plan.failures.append((inner, failure))
                continue
            below.append((inner, place, followed, (*parents, here)))
        return below

    def _file(self, path: bytes, target: bytes, found: Attributes, argument: int) -> None:
        if found.kind is not Kind.FILE:
            self.plan.irregular += 1
            raise Failure(FaspCode.NOT_REGULAR)
        self._claim(target, Kind.FILE)
        self.plan.files.append(PlannedFile(path, target, found.size, len(self.plan.files), argument))
        self.plan.total_bytes += found.size

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
