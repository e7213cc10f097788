"""Rates over time: of each session, and of all together. Pure; follows the topics (`central.watching`).

Memory is bounded: a session has at most `POINTS` points, further apart the longer it lasts, and only so many ended
sessions are kept; the total is in buckets of the last hour.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

from asperacentral.central.model import SessionRecord

POINTS = 240
"""Points of a session; when there are more, every second one goes."""

INTERVAL = 1.0
"""Seconds between the points of a session at first."""

TRACKS = 1000
"""Sessions whose points are kept, those under way and the latest of those that ended."""

BUCKET = 5.0
"""Seconds of a bucket of the total."""

BUCKETS = 720
"""Buckets kept: an hour."""

Point = tuple[float, int]
"""When a stretch of time ended (seconds since the epoch), and its rate in bits per second."""


class Track:
    """One session's bytes over time."""

    def __init__(self, at: float, moved: int) -> None:
        self._interval = INTERVAL
        self._times = array("d", [at])
        self._bytes = array("Q", [moved])
        self.moved = moved

    def add(self, at: float, moved: int, *, last: bool = False) -> int:
        """Note the bytes moved so far; gives how many came since the last call."""
        more = max(0, moved - self.moved)
        self.moved += more
        if at - self._times[-1] >= self._interval or (last and at > self._times[-1]):
            self._times.append(at)
            self._bytes.append(self.moved)
            if len(self._times) > POINTS:
                self._times, self._bytes = self._times[::2], self._bytes[::2]
                self._interval *= 2
        return more

    def points(self) -> list[Point]:
        """The rate of each stretch between two points."""
        return [
            (end, int((after - before) * 8 / (end - start)))
            for start, end, before, after in zip(
                self._times, self._times[1:], self._bytes, self._bytes[1:], strict=False
            )
            if end > start
        ]


class RateHistory:
    """Follows all sessions; `seconds` gives seconds since the epoch."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._tracks: OrderedDict[str, Track] = OrderedDict()
        self._buckets: deque[list[int]] = deque(maxlen=BUCKETS)  # [number, bytes in, bytes out]

    def happened(self, kind: str, topic: str, subject: str, snapshot: Any) -> None:
        """See `central.watching.Watcher`."""
        if kind != "session":
            return
        record: SessionRecord = snapshot
        now = self._seconds()
        track = self._tracks.get(subject)
        if track is None:
            self._tracks[subject] = Track(now, record.bytes_transferred)
            if len(self._tracks) > TRACKS:
                self._tracks.popitem(last=False)
            return
        self._tracks.move_to_end(subject)
        more = track.add(now, record.bytes_transferred, last=topic == "Stopped")
        if more:
            self._count(now, more, incoming=record.direction == "incoming")

    def session(self, session_id: str) -> list[Point]:
        """The points of one session; none if nothing is known of it."""
        track = self._tracks.get(session_id)
        return track.points() if track is not None else []

    def total(self) -> list[tuple[float, int, int]]:
        """For each stretch of the last hour: when it ended, bits per second in and out. The present one is left out."""
        present = int(self._seconds() // BUCKET)
        known = {number: (came, went) for number, came, went in self._buckets}
        began = min(known, default=present)
        stretches = range(max(began, present - BUCKETS), present)
        points = ((number, *known.get(number, (0, 0))) for number in stretches)
        return [
            ((number + 1) * BUCKET, int(came * 8 / BUCKET), int(went * 8 / BUCKET))
            for number, came, went in points
        ]

    def rates(self) -> dict[str, float]:
        """Bits per second in and out, in the last few seconds."""
        now = self._seconds()
        present = int(now // BUCKET)
        moved = {"incoming": 0, "outgoing": 0}
        for number, came, went in list(self._buckets)[-2:]:
            if number >= present - 1:
                moved["incoming"] += came
                moved["outgoing"] += went
        since = now - (present - 1) * BUCKET
        return {way: count * 8 / since for way, count in moved.items()}

    def _count(self, now: float, more: int, *, incoming: bool) -> None:
        number = int(now // BUCKET)
        if not self._buckets or self._buckets[-1][0] < number:
            self._buckets.append([number, 0, 0])
        self._buckets[-1][1 if incoming else 2] += more
