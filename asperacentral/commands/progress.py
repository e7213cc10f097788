"""What a job's sessions, seen again and again, say about its progress. Pure: time and sessions are given.

Knows no wire and no terminal; texts are plain lines.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from asperacentral.commands.terminal import bar, human_rate, human_size, human_time, safe

_RATE_SPAN = 5.0
"""Seconds over which the rate is averaged."""

_BAR_WIDTH = 24

UNDER_WAY = frozenset({"running", "paused"})
_LAST = frozenset({"completed", "cancelled"})
"""A session that ended so has no other after it, though its job was still listed a moment before."""


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session as the daemon tells it. Sizes in bytes, `target_rate` in Kbps, `elapsed` in seconds."""

    id: str
    job: str
    status: str
    started: datetime | None
    ended: datetime | None = None
    attempt: int = 1
    direction: str = ""
    cookie: str = ""
    expected_bytes: int = 0
    expected_files: int = 0
    bytes_written: int = 0
    bytes_transferred: int = 0
    files_complete: int = 0
    files_failed: int = 0
    elapsed: float = 0.0
    target_rate: int = 0
    error_code: int = 0
    error_description: str = ""

    @property
    def age_key(self) -> tuple[float, int]:
        """Sorts sessions from oldest to latest."""
        return (self.started.timestamp() if self.started else 0.0, self.attempt)

    @property
    def average_rate(self) -> float:
        """Bits per second over the whole session."""
        return self.bytes_transferred * 8 / self.elapsed if self.elapsed > 0 else 0.0

    @property
    def error(self) -> str:
        """Code and text of the error, or empty."""
        return f"{self.error_code} {safe(self.error_description)}".strip() if self.error_code else ""


class Outcome(IntEnum):
    """How a job ended; the value is the exit status of a command that waited for it."""

    COMPLETED = 0
    ERROR = 1
    CANCELLED = 3


_OUTCOMES = {
    "completed": Outcome.COMPLETED,
    "cancelled": Outcome.CANCELLED,
    "willretry": Outcome.CANCELLED,
}
"""By the status of a finished job's last session: one that would have been retried was cancelled while waiting."""


def outcome(active: bool, sessions: Sequence[SessionView]) -> Outcome | None:
    """How the job ended, None while it has not. `active` (is it listed?) must be older news than `sessions`."""
    if active:
        return None
    if not sessions:
        return Outcome.CANCELLED
    return _OUTCOMES.get(sessions[-1].status, Outcome.ERROR)


class Meter:
    """The rate of a growing count, over the last few seconds."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def add(self, now: float, count: int) -> None:
        """Note that `count` bytes have moved at `now` (seconds). A count that shrank starts anew."""
        if self._samples and count < self._samples[-1][1]:
            self._samples.clear()
        self._samples.append((now, count))
        while len(self._samples) > 2 and self._samples[1][0] <= now - _RATE_SPAN:
            self._samples.popleft()

    @property
    def rate(self) -> float:
        """Bytes per second; 0 before two samples."""
        if len(self._samples) < 2:
            return 0.0
        (first, before), (last, after) = self._samples[0], self._samples[-1]
        return (after - before) / (last - first) if last > first else 0.0


@dataclass(frozen=True, slots=True)
class Progress:
    """What is worth telling after one look: `notes` for good, and `line` for now or, at the end, `summary`."""

    notes: tuple[str, ...]
    line: str = ""
    summary: str = ""
    outcome: Outcome | None = None


class JobWatch:
    """Follows one job through its sessions. Call `look` with each new view of it."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}
        self._meter = Meter()
        self._waiting_told = False

    def look(self, now: float, active: bool, sessions: Sequence[SessionView]) -> Progress:
        """Take in what the daemon says at `now` (seconds); `sessions` are the job's, oldest first."""
        notes = [note for view in sessions for note in self._notes(view)]
        end = outcome(active, sessions)
        if sessions and sessions[-1].status in UNDER_WAY:
            self._meter.add(now, sessions[-1].bytes_transferred)
        if end is not None:
            return Progress(tuple(notes), summary=summary(end, sessions), outcome=end)
        return Progress(tuple(notes), line=self._line(sessions))

    def _notes(self, view: SessionView) -> list[str]:
        """Lines about a session that is new or has another status than when it was last told."""
        before = self._told.get(view.id)
        if before == view.status:
            return []
        self._told[view.id] = view.status
        notes = []
        if before is None:
            self._meter = Meter()
            notes.append(f"session {view.id} started (attempt {view.attempt})")
        if view.status == "running" and before is not None:
            notes.append(f"session {view.id} goes on")
        elif view.status == "willretry":
            notes.append(f"session {view.id} failed: error {view.error or 'unknown'}; another will follow")
        elif view.status == "error":
            notes.append(f"session {view.id} ended in error {view.error or 'unknown'}")
        elif view.status != "running":
            notes.append(f"session {view.id} {view.status}")
        return notes

    def _line(self, sessions: Sequence[SessionView]) -> str:
        if not sessions:
            return "waiting for its first session"
        view = sessions[-1]
        if view.status not in UNDER_WAY | _LAST:
            return f"waiting for the next session, after attempt {view.attempt}"
        return progress_line(view, self._meter.rate)


def progress_line(view: SessionView, rate: float) -> str:
    """Bar, percent, bytes, rate (bytes per second), files, time left, attempt; what is not known is left out."""
    parts = []
    if view.expected_bytes:
        fraction = min(1.0, view.bytes_written / view.expected_bytes)
        parts.append(f"{bar(fraction, _BAR_WIDTH)} {int(fraction * 100):3}%")
        parts.append(f"{human_size(view.bytes_written)} of {human_size(view.expected_bytes)}")
    else:
        parts.append(human_size(view.bytes_written))
    parts.append("paused" if view.status == "paused" else human_rate(rate * 8))
    done = str(view.files_complete)
    parts.append(f"{done}/{view.expected_files} files" if view.expected_files else f"{done} files")
    if view.files_failed:
        parts.append(f"{view.files_failed} failed")
    left = view.expected_bytes - view.bytes_written
    if left > 0 and rate > 0 and view.status != "paused":
        parts.append(f"{human_time(left / rate)} left")
    if view.attempt > 1:
        parts.append(f"attempt {view.attempt}")
    return "  ".join(parts)


def summary(end: Outcome, sessions: Sequence[SessionView]) -> str:
    """The last line about a job."""
    if not sessions:
        return f"{end.name.lower()} before its first session"
    last = sessions[-1]
    text = f"{end.name.lower()}: {_count(last.files_complete, 'file')}, {human_size(last.bytes_written)}"
    if last.files_failed:
        text += f", {_count(last.files_failed, 'file')} failed"
    begun, ended = sessions[0].started, last.ended
    if begun is not None and ended is not None:
        text += f" in {human_time((ended - begun).total_seconds())}"
    if len(sessions) > 1:
        text += f", {len(sessions)} sessions"
    if end is Outcome.ERROR and last.error:
        text += f": error {last.error}"
    return text


def latest_by_job(sessions: Sequence[SessionView]) -> dict[str, SessionView]:
    """Each job's latest session; `sessions` are oldest first, those without a job are left out."""
    return {view.job: view for view in sessions if view.job}


JOB_TABLE_HEADS = ("JOB", "STATE", "SESSION", "DIRECTION", "FILES", "BYTES", "RATE", "COOKIE")
JOB_TABLE_RIGHT = ("FILES", "BYTES", "RATE")


def job_rows(jobs: Sequence[str], sessions: Sequence[SessionView]) -> list[tuple[str, ...]]:
    """A row for each job, in order: as JOB_TABLE_HEADS."""
    latest = latest_by_job(sessions)
    return [_job_row(job, latest.get(job)) for job in jobs]


def _job_row(job: str, view: SessionView | None) -> tuple[str, ...]:
    if view is None:
        return (job, "waiting", "", "", "", "", "", "")
    files = (
        f"{view.files_complete}/{view.expected_files}" if view.expected_files else str(view.files_complete)
    )
    size = human_size(view.bytes_written)
    return (
        job,
        view.status,
        view.id,
        view.direction,
        files,
        size,
        human_rate(view.average_rate),
        view.cookie,
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
