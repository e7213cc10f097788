"""Jobs and sessions followed by their topics: what ended how, bytes and files moved, the rate of each session now.

Pure: no store, no HTTP. `Following` is a `central.watching.Watcher`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, Counter

from asperacentral.central.model import SessionRecord
from asperacentral.central.topics import TOPICS
from asperacentral.fasp.errors import known

LEAST_INTERVAL = 0.5
"""Seconds between two looks at a session's bytes for its rate: closer ones say little."""

STALE = 5.0
"""Seconds after which the rate of a session that says nothing is no more believed."""

_PREFIX = "asperacentral_"


@dataclass(slots=True)
class Seen:
    """What was last seen of a session under way; `rate` is in bits per second, `at` in seconds."""

    direction: str
    at: float
    measured_at: float
    measured: int
    moved: int
    lost: int
    complete: int
    failed: int
    rate: float = 0.0


class Following:
    """Counts into `registry`; `seconds` is a clock that never goes back."""

    def __init__(self, registry: CollectorRegistry, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._sessions: dict[str, Seen] = {}

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(_PREFIX + name, text, labels, registry=registry)

        self._topics = counter(
            "events", "Topics of jobs and sessions, as observers hear them.", "kind", "topic"
        )
        for kind, topics in TOPICS.items():
            for topic in topics:
                self._topics.labels(kind, topic)
        self._ended = counter("sessions_ended", "Sessions that have ended.", "status", "direction")
        self._errors = counter("session_errors", "Sessions that ended in an error.", "code", "name")
        self._bytes = counter("transferred_bytes", "Bytes that sessions have moved.", "direction")
        self._lost = counter("lost_bytes", "Bytes that were lost on the way and sent again.", "direction")
        self._files = counter("files", "File transfers that have ended.", "outcome", "direction")
        for direction in ("incoming", "outgoing"):
            self._bytes.labels(direction)
            self._lost.labels(direction)

    def happened(self, kind: str, topic: str, subject: str, snapshot: Any) -> None:
        """See `central.watching.Watcher`."""
        self._topics.labels(kind, topic).inc()
        if kind == "session":
            self._look(snapshot)
            if topic == "Error":
                row = known(snapshot.error_code)
                self._errors.labels(str(int(row)), row.name).inc()
            elif topic == "Stopped":
                self._ended.labels(snapshot.status, snapshot.direction).inc()
                self._sessions.pop(subject, None)

    def rates(self) -> dict[str, float]:
        """Bits per second of the sessions under way together, by direction."""
        now = self._seconds()
        total = {"incoming": 0.0, "outgoing": 0.0}
        for seen in self._sessions.values():
            if now - seen.at < STALE:
                total[seen.direction] = total.get(seen.direction, 0.0) + seen.rate
        return total

    def _look(self, record: SessionRecord) -> None:
        """Count what has changed since the last look. The first only notes: a session taken up has a past."""
        now = self._seconds()
        seen = self._sessions.get(record.id)
        if seen is None:
            self._sessions[record.id] = Seen(
                direction=record.direction,
                at=now,
                measured_at=now,
                measured=record.bytes_transferred,
                moved=record.bytes_transferred,
                lost=record.bytes_lost,
                complete=record.files_complete,
                failed=record.files_failed,
            )
            return
        way = seen.direction
        seen.at = now
        self._bytes.labels(way).inc(max(0, record.bytes_transferred - seen.moved))
        self._lost.labels(way).inc(max(0, record.bytes_lost - seen.lost))
        self._files.labels("complete", way).inc(max(0, record.files_complete - seen.complete))
        self._files.labels("failed", way).inc(max(0, record.files_failed - seen.failed))
        seen.moved, seen.lost = record.bytes_transferred, record.bytes_lost
        seen.complete, seen.failed = record.files_complete, record.files_failed
        if now - seen.measured_at >= LEAST_INTERVAL:
            seen.rate = max(0, seen.moved - seen.measured) * 8 / (now - seen.measured_at)
            seen.measured_at, seen.measured = now, seen.moved
