"""The counters of one session, and how they read in the messages of FASPMGR.

Fed as the data plane's observer; pure: no clock, no socket. TransferBytes are the bytes that were moved, FileBytes
those that are in files at the destination: bytes of a file that failed count in the first only.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from asperacentral.fasp.messages import FileState, Progress, Tally
from asperacentral.openascp.exchange.plane import PlaneFacts
from asperacentral.openascp.failures import shown
from asperacentral.openascp.plan import PlannedFile
from asperacentral.openascp.scancounts import ScanCounts


@dataclass(slots=True)
class _Moving:
    size: int
    kept: int = 0
    written: int = 0
    contiguous: int = 0
    told: int = -1


class Counters:
    """What was moved so far and which files are under way."""

    def __init__(self, session_id: str) -> None:
        self._session_id = session_id
        self._scan = ScanCounts()
        self._moving: dict[int, tuple[PlannedFile, _Moving]] = {}  # by the index of the file
        self._delivered = 0
        self._in_moving = 0  # bytes that files under way have at the destination
        self.transfer_bytes = 0
        self.attempted = 0
        self.failed = 0
        self.passed = 0
        self.skipped = 0

    def scanned(self, counts: ScanCounts) -> None:
        """What the scan has found so far."""
        self._scan = counts

    def started(self, file: PlannedFile, size: int, kept: int = 0) -> None:
        """A file begins to move, `kept` bytes of which are at the destination already."""
        self.attempted += 1
        self._moving[file.index] = file, _Moving(size, kept, 0, 0 if _first(file) else kept)
        self._in_moving += kept

    def moved(self, file: PlannedFile, count: int, contiguous: int) -> None:
        """More bytes of a file are at the destination."""
        _, moving = self._moving[file.index]
        moving.written += count
        self._in_moving += count
        if _first(file) == 0:  # what is before a later part is not known here
            moving.contiguous = max(moving.contiguous, contiguous)
        self.transfer_bytes += count

    def finished(self, file: PlannedFile) -> None:
        """A file is whole."""
        _, moving = self._moving.pop(file.index)
        self._in_moving -= moving.kept + moving.written
        self.passed += 1
        self._delivered += file.due

    def state(self, file: PlannedFile) -> FileState:
        """A file that is under way."""
        return self._state(*self._moving[file.index])

    def skip(self, file: PlannedFile, size: int) -> FileState:
        """A file was left as it is: it begins where it ends."""
        self.attempted += 1
        self.skipped += 1
        return FileState(shown(file.source), size, size, size, size, self._file_id(file), file.argument)

    def fail(self, file: PlannedFile) -> FileState:
        """A file failed, before or after it began to move."""
        _, moving = self._moving.pop(file.index, (file, None))
        if moving is None:
            self.attempted += 1
            moving = _Moving(file.size)
        self._in_moving -= moving.kept + moving.written
        self.failed += 1
        return self._state(file, moving)

    def under_way(self, *, changed: bool = False) -> list[FileState]:
        """Files that move now; with `changed` only those that moved since the last such call."""
        states = []
        for file, moving in self._moving.values():
            if not changed or moving.told != moving.written:
                states.append(self._state(file, moving))
            if changed:
                moving.told = moving.written
        return states

    def progress(self, elapsed: int, delay: int = 0) -> Progress:
        """The session so far; `elapsed` is microseconds, `delay` milliseconds of a round trip."""
        return Progress(
            transfer_bytes=self.transfer_bytes,
            file_bytes=self._delivered + self._in_moving,
            delay=delay,
            elapsed=elapsed,
        )

    def tally(self) -> Tally:
        """The closing counts."""
        scan = self._scan
        return Tally(
            arguments_attempted=scan.arguments,
            arguments_completed=scan.completed,
            paths_attempted=scan.paths,
            paths_failed=scan.failed,
            paths_irregular=scan.irregular,
            paths_excluded=scan.excluded,
            folders_scanned=scan.folders,
            files_scanned=scan.files,
            attempted=self.attempted,
            failed=self.failed,
            passed=self.passed,
            skipped=self.skipped,
        )

    def _state(self, file: PlannedFile, moving: _Moving) -> FileState:
        return FileState(
            path=shown(file.source),
            size=moving.size,
            written=moving.kept + moving.written,
            contiguous=moving.contiguous,
            start_byte=_first(file) + moving.kept,
            id=self._file_id(file),
            argument=file.argument,
            end_byte=None if file.part is None else file.part[1] - 1,
        )

    def _file_id(self, file: PlannedFile) -> str:
        """Five groups of eight hex digits, the same in all messages about a file of this session."""
        name = f"{self._session_id}/{file.index}".encode()
        return hashlib.sha1(name, usedforsecurity=False).digest().hex("-", -4)


def _first(file: PlannedFile) -> int:
    """The first byte of a file that is this session's."""
    return 0 if file.part is None else file.part[0]


def with_facts(progress: Progress, facts: PlaneFacts | None) -> Progress:
    """Progress with what the plane tells of the wire, if it tells anything."""
    if facts is None:
        return progress
    return replace(progress, loss=facts.lost, delay=facts.rtt or progress.delay)
