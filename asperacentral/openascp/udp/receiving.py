"""The receiving end: from datagrams to bytes of the stream, and reports of what arrived.

Pure: the caller gives datagrams and the time, in seconds of a clock that does not go back, and sends what `reports`
returns. A report describes a window of sequence numbers; three reports in a row describe each datagram, and the
sender asks when it missed all three.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from asperacentral.openascp.udp.boxes import Inbox, Outbox
from asperacentral.openascp.udp.holes import Holes
from asperacentral.openascp.udp.packets import UNKNOWN_LENGTH, Kind, MalformedBody, Probe, Report, fitting

REPORT_SECONDS = 0.010
"""Between reports while datagrams arrive."""

IDLE_SECONDS = 0.5
"""Between reports while none do; it also keeps address translations alive."""

MOST_GAPS = 200_000
"""Gaps to be remembered: some seconds at ten gigabits a second, a tenth lost."""

_PROBE_SECONDS = 0.002
_TELLINGS = 3
_MOST_REPORTS = 16
_MICROSECONDS = 1_000_000


class ReceivingEnd:
    """Takes what the sending end of one session sends.

    `room` is how many bytes may wait for a disk; `early` after how many bytes a report does not wait for its time.
    """

    def __init__(self, inbox: Inbox, outbox: Outbox, room: int, early: int, now: float) -> None:
        self.inbox = inbox
        self._outbox = outbox
        self._room = room
        self._early = early
        self._stream = Holes()
        self._told = deque([0] * _TELLINGS, maxlen=_TELLINGS)
        self._resolved = 0
        self._asked: int | None = None
        self._pending = False
        self._holds_back = False
        self._since_report = 0
        self._reported_at = now
        self.received = 0
        """Bytes of the stream that arrived, each counted once."""
        self.duplicates = 0
        """Datagrams that brought bytes that were there."""
        self.lost = 0
        """Datagrams that did not arrive in time."""
        self._counted = 0
        self.overrun = 0
        """Datagrams dropped because too much waits for a disk; the sender sends their bytes again."""
        self.length: int | None = None
        """Of the whole stream; None until the sender knows."""
        self.heard = False
        """Whether the sender has said anything: it knows of the link."""
        self.closed: int | None = None
        """The argument of the sender's CLOSE."""
        self.challenge: int | None = None
        """The cookie of a CHALLENGE; who sends the CONFIRM resets it."""

    @property
    def contiguous(self) -> int:
        """All bytes of the stream before this offset are there."""
        return self._stream.first_missing

    @property
    def scattered(self) -> bool:
        """Whether there are more gaps, in the stream or in what was sent, than can be for a good reason."""
        return max(len(self._stream), len(self.inbox.arrived)) > MOST_GAPS

    @property
    def complete(self) -> bool:
        """Whether all bytes of the stream are there."""
        return self.length is not None and self.contiguous >= self.length

    def take(
        self, datagrams: Iterable[bytes | memoryview], now: float, backlog: int = 0
    ) -> list[tuple[int, bytes]]:
        """Datagrams arrived; the new bytes in them, as (offset, bytes), neighbours joined."""
        if backlog > self._room:
            self.overrun += sum(1 for _ in datagrams)
            return []
        runs: list[tuple[int, bytes]] = []
        parts: list[bytes] = []
        start = place = 0
        stream, data = self._stream, int(Kind.DATA)
        for kind, _, offset, body in self.inbox.open_all(datagrams, now):
            if kind != data:
                self._control(kind, offset, body)
                continue
            after = offset + len(body)
            self._since_report += len(body)
            if offset == stream.end:
                stream.end = after
            else:
                new = stream.add(offset, after)
                if new != [(offset, after)]:
                    self.duplicates += 1
                    runs += [(first, body[first - offset : stop - offset]) for first, stop in new]
                    continue
            if offset != place or not parts:
                if parts:
                    runs.append((start, b"".join(parts) if len(parts) > 1 else parts[0]))
                parts, start = [], offset
            parts.append(body)
            place = after
        if parts:
            runs.append((start, b"".join(parts) if len(parts) > 1 else parts[0]))
        if self._since_report:
            self.heard = True
        self.received += sum(len(content) for _, content in runs)
        return runs

    def wait(self, now: float) -> float:
        """Seconds until `reports` has something to say, if nothing arrives before."""
        if self._asked is not None:
            return max(0.0, self._reported_at + _PROBE_SECONDS - now)
        if self._since_report >= self._early:
            return 0.0
        busy = self._pending or self._since_report or self._holds_back
        return max(0.0, self._reported_at + (REPORT_SECONDS if busy else IDLE_SECONDS) - now)

    def reports(self, now: float, backlog: int = 0) -> list[bytes]:
        """The reports that are due, as datagrams; mostly none or one."""
        if self.wait(now) > 0:
            return []
        low = max(self._resolved, self._told[0])
        if self._asked is not None:
            low = min(low, self._asked)
        settled = max(low, self.inbox.settled(now))
        self._count_lost(settled)
        made: list[bytes] = []
        while len(made) < _MOST_REPORTS:
            after = self._report(low, settled, now, backlog, made)
            if after >= settled:
                break
            low = after
        self._told.append(after)
        self._asked = None
        self._pending = after < self.inbox.arrived.end
        self._since_report = 0
        self._reported_at = now
        self.inbox.tidy(now, self._resolved)
        return made

    def close(self, reason: int) -> bytes:
        """A datagram that says that nothing more is taken."""
        return self._outbox.seal(Kind.CLOSE, reason)

    def _report(self, low: int, settled: int, now: float, backlog: int, made: list[bytes]) -> int:
        missing = self.inbox.arrived.within(low, settled)
        count = fitting(low, missing)
        after = settled if count == len(missing) else missing[count][0]
        report = Report(
            low=low,
            after=after,
            missing=tuple(missing[:count]),
            echo=self.inbox.newest,
            arrived=int(self.inbox.newest_at * _MICROSECONDS),
            held=int((now - self.inbox.newest_at) * _MICROSECONDS),
            received=self.received,
            duplicates=self.duplicates,
            backlog=backlog,
            room=self._room,
        )
        made.append(self._outbox.seal(Kind.REPORT, self.contiguous, report.encode()))
        self._holds_back = report.holds_back  # then the sender waits to hear of more room
        return after

    def _count_lost(self, settled: int) -> None:
        if settled > self._counted:
            self.lost += sum(
                stop - start for start, stop in self.inbox.arrived.within(self._counted, settled)
            )
            self._counted = settled

    def _control(self, kind: int, argument: int, body: bytes) -> None:
        if kind == Kind.PROBE:
            self.heard = True
            try:
                probe = Probe.decode(body)
            except MalformedBody:
                return
            if argument != UNKNOWN_LENGTH:
                self.length = argument
            self._resolved = max(self._resolved, probe.resolved)
            self._asked = probe.resolved if probe.asked else max(self._resolved, self._told[0])
        elif kind == Kind.CLOSE:
            self.closed = argument
        elif kind == Kind.CHALLENGE:
            self.challenge = argument
