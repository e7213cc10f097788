"""The sending end: which datagrams to send when, and what to send again.

Pure: the caller gives bytes of the stream (`feed`), what arrived (`take_in`) and the time, in seconds of a clock that
does not go back, and sends what `burst` returns.

Each transmission has a sequence number of its own, also of bytes that are sent again, so every loss is a gap that is
named once and nothing needs a timer. When there is nothing else to send, probes make the receiver report, which shows
what was lost at the tail.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from asperacentral.openascp.udp.boxes import Inbox, Outbox
from asperacentral.openascp.udp.flight import Flight
from asperacentral.openascp.udp.keys import Buffer
from asperacentral.openascp.udp.packets import OVERHEAD, UNKNOWN_LENGTH, Kind, MalformedBody, Probe, Report
from asperacentral.openascp.udp.rates import Observation, RateControl

MOST_AT_ONCE = 44
"""Datagrams, and `LARGEST_VOLLEY` bytes: what one call can hand to the kernel."""
LARGEST_VOLLEY = 65_000

_BURST_SECONDS = 0.001
_SLOW_BURST_SECONDS = 0.002
_MOST_VOLLEYS = 4
_CATCH_UP = 0.010
_PROBE_SECONDS = 0.010
_IDLE_SECONDS = 0.5
_TELL_SECONDS = 0.2
_FIRST_RTT = 0.1
_MOST_COPIES = 12
_COPIES_SHARE = 0.008
_COPIES_ROUND = 0.4
_CHANCE = 0.05
_RTT_MEMORY = 30.0
_SLACK_SECONDS = 0.005
_DELIVERED = -1
_PROBED = -1
_LENGTH = -2


@dataclass(slots=True)
class Sent:
    """Counters of the sending end: datagrams, bytes as they are on the wire, and bytes of the stream."""

    datagrams: int = 0
    wire: int = 0
    again: int = 0
    lost: int = 0
    acknowledged: int = 0
    """Bytes of the stream that the receiver says it has."""


Volley = list[bytes]
"""Header, sealed body, header ... of datagrams of one size but the last, which may be shorter."""


class SendingEnd:
    """Sends one stream. `size` is the bytes of a datagram, `headers` what IP and UDP add to each; `buffer` is what
    the receiver's socket holds.
    """

    def __init__(
        self,
        inbox: Inbox,
        outbox: Outbox,
        control: RateControl,
        size: int,
        headers: int,
        buffer: int,
        now: float,
        rtt: float = _FIRST_RTT,
    ) -> None:
        self.inbox = inbox
        self.control = control
        self.sent = Sent()
        self.rtt = rtt
        """Smoothed round trip, seconds."""
        self.peer_closed: int | None = None
        self.heard = False
        """Whether a report has come: the receiver knows of the link."""
        self.challenge: int | None = None
        """The cookie of a CHALLENGE; who sends the CONFIRM resets it."""
        self._outbox = outbox
        self._buffer = buffer
        self._headers = headers
        self._resize(size)
        self._chunk = memoryview(b"")
        self._place = 0
        self._offset = 0
        self._flush = False
        self._ended = False
        self._length_told = self._length_heard = False
        self._again: deque[tuple[int, Buffer]] = deque()
        self._copies: dict[int, int] = {}
        self._extra = 0
        self._flight = Flight()
        self._resolved = outbox.next
        self._least_rtt = rtt
        self._least_at = now
        self._last_report = -1
        self._taken = 0.0
        self._taken_mark = (0.0, 0)
        self._room: int | None = None
        self._ask = False
        self._loss = 0.0
        self._next_time = now
        self._paced = control.rate
        self._last_sent = now
        self._last_probe = now
        self._last_told = now

    # --- the stream

    @property
    def hungry(self) -> bool:
        """Whether less than a datagram of the stream is at hand, and more is to come."""
        return not self._ended and len(self._chunk) - self._place < self._payload

    @property
    def volley_bytes(self) -> int:
        """Bytes of the stream that one call to the kernel takes; multiples of it are best to `feed`."""
        return self._largest * self._payload

    @property
    def unacknowledged(self) -> bool:
        """Whether there are bytes, sent or at hand, of which the receiver does not yet say that it has them."""
        return self.sent.acknowledged < self._offset or self._place < len(self._chunk)

    @property
    def complete(self) -> bool:
        """The stream has ended, the receiver has all of it and knows that this is all."""
        return self._length_heard and not self._again and not self._flight.bytes

    def feed(self, data: bytes | None) -> None:
        """The next bytes of the stream; empty: no more for now, None: that was all."""
        if data is None:
            self._ended = True
        elif not data:
            self._flush = True
        else:
            left = self._chunk[self._place :]
            self._chunk = memoryview(b"".join((left, data)) if left else data)
            self._place = 0
            self._flush = False

    # --- out

    def burst(self, now: float) -> list[Volley]:
        """The datagrams to send now."""
        volleys = self._data(now)
        if volleys:
            count = sum(map(len, volleys)) // 2
            wire = sum(map(_length, volleys)) + count * self._headers
            self.sent.wire += wire
            self.sent.datagrams += count
            self._next_time = max(self._next_time, now - _CATCH_UP) + wire / self.control.rate
            self._last_sent = now
            if now - self._last_told < _TELL_SECONDS and not (self._ended and self._drained):
                return volleys
        if volleys or now >= self._probe_time():
            volleys.append(self._probe(now))
        return volleys

    def wait(self, now: float) -> float:
        """Seconds until `burst` has something, if nothing arrives before."""
        probe = max(0.0, self._probe_time() - now)
        if self._again or not self._drained:
            if self.control.rate != self._paced:
                return 0.0
            if self.control.rate > 0 and self._window() > 0:
                return min(probe, max(0.0, self._next_time - now))
        return probe

    def resize(self, size: int) -> None:
        """Use datagrams of this many bytes from now on; what waits to be sent again is cut to it."""
        if size + self._headers == self._wire_size:
            return
        self._resize(size)
        waiting, self._again = self._again, deque()
        for offset, payload in waiting:
            self._repeat(offset, payload)

    def close(self, reason: int) -> bytes:
        """A datagram that says that nothing more is sent."""
        return self._outbox.seal(Kind.CLOSE, reason)

    # --- in

    def take_in(self, datagrams: Iterable[bytes | memoryview], now: float) -> None:
        """Datagrams of the receiver arrived."""
        for datagram in datagrams:
            packet = self.inbox.open(datagram, now)
            if packet is None:
                continue
            kind, sequence, argument, body = packet
            if kind == Kind.REPORT and sequence > self._last_report:
                try:
                    report = Report.decode(body)
                except MalformedBody:
                    continue
                self._last_report = sequence
                self.heard = True
                self._learn(report, argument, now)
            elif kind == Kind.CLOSE:
                self.peer_closed = argument
            elif kind == Kind.CHALLENGE:
                self.challenge = argument
        self.inbox.tidy(now, max(0, self._last_report))

    def _learn(self, report: Report, contiguous: int, now: float) -> None:
        if report.after > self._outbox.next or report.echo >= self._outbox.next:
            return
        self.sent.acknowledged = max(self.sent.acknowledged, report.received)
        since, before = self._taken_mark
        if now > since + 0.01:
            self._taken = max((report.received - before) / (now - since), 0.98 * self._taken)
            self._taken_mark = (now, report.received)
        held_back = report.holds_back
        self._room = max(0, report.room - report.backlog) if held_back else None
        echoed = self._flight.sent_at(report.echo)
        rtt, delay = self._times(report, now)
        described = lost = 0
        if report.low > self._resolved:
            self._ask = True
        elif report.after > self._resolved:
            described = report.after - self._resolved
            lost = self._settle(report)
            self.sent.lost += lost
            self._loss += (lost / described - self._loss) * min(1.0, described / 2000)
        self.control.observe(
            Observation(
                now=now,
                rtt=rtt,
                delay=delay,
                described=described,
                lost=lost,
                received=report.received * self._wire_size // self._payload,
                received_at=report.arrived / 1e6,
                held_back=held_back,
                sent=echoed if rtt is not None else None,
            )
        )

    def _times(self, report: Report, now: float) -> tuple[float | None, float | None]:
        """Round trip and one-way delay (the latter plus the difference of the clocks), seconds."""
        sent_at = self._flight.sent_at(report.echo)
        if sent_at is None:
            return None, None
        rtt = now - sent_at - report.held / 1e6
        if rtt < 0:
            return None, None
        self.rtt += (rtt - self.rtt) / 8
        if rtt <= self._least_rtt or now - self._least_at > _RTT_MEMORY:
            self._least_rtt, self._least_at = rtt, now
        return rtt, report.arrived / 1e6 - sent_at

    def _settle(self, report: Report) -> int:
        """What the report describes has arrived, or is to be sent again; returns how many datagrams were lost."""
        lost = 0
        for first, after in report.missing:
            if after <= self._resolved:
                continue
            self._arrived(first)
            lost += after - max(self._resolved, first)
            for offset, content in self._flight.leave(after):
                if content:
                    self._missing(offset, content)
        self._arrived(report.after)
        self._resolved = report.after
        return lost

    def _arrived(self, before: int) -> None:
        for offset, _ in self._flight.leave(before):
            if self._copies and offset in self._copies:
                self._copies[offset] = _DELIVERED
            elif offset == _LENGTH:
                self._length_heard = True

    def _missing(self, offset: int, content: Buffer) -> None:
        left = self._copies.get(offset)
        if left is not None:
            if left == _DELIVERED:
                return
            if left > 1:
                self._copies[offset] = left - 1
                return
            del self._copies[offset]
        self._repeat(offset, content)

    def _repeat(self, offset: int, content: Buffer) -> None:
        """Send these bytes again, in datagrams of the present size."""
        for place in range(0, len(content), self._payload):
            self._again.append((offset + place, content[place : place + self._payload]))

    # --- which datagrams

    def _resize(self, size: int) -> None:
        self._payload = size - OVERHEAD
        self._wire_size = size + self._headers
        self._largest = max(1, min(MOST_AT_ONCE, LARGEST_VOLLEY // size))

    @property
    def _drained(self) -> bool:
        left = len(self._chunk) - self._place
        return left == 0 or (left < self._payload and not self._flush and not self._ended)

    def _window(self) -> float:
        """Bytes that may yet be under way: what the path holds, and half of what the receiver's socket does."""
        rate = self.control.rate
        limit = (
            self._buffer / 2 + rate * 1.5 * self._least_rtt + min(rate, 1.5 * self._taken) * _SLACK_SECONDS
        )
        if self._room is not None:
            limit = min(limit, self._room)
        return limit - self._flight.bytes

    def _allowed(self, now: float) -> int:
        rate = self.control.rate
        if rate != self._paced:
            if self._next_time > now and rate > 0:
                self._next_time = now + (self._next_time - now) * min(self._paced / rate, 1.0)
            self._paced = rate
        if rate <= 0 or now < self._next_time:
            return 0
        return min(self._share(rate), math.ceil(self._window() / self._payload))

    def _share(self, rate: float) -> int:
        """Datagrams to send at a time: those of a millisecond; where that is less than one call takes, up to two."""
        least = int(rate * _BURST_SECONDS / self._wire_size) + 1
        more = int(rate * _SLOW_BURST_SECONDS / self._wire_size) + 1
        return min(max(least, min(more, self._largest)), _MOST_VOLLEYS * self._largest)

    def _data(self, now: float) -> list[Volley]:
        """Datagrams with bytes of the stream, as many as may be sent."""
        volleys: list[Volley] = []
        left = self._allowed(now)
        if not self._again and self._copies and not self._flight.bytes:
            self._copies.clear()
        while left > 0 and (self._again or not self._drained):
            count = min(left, self._largest)
            volley = self._old(count, now) if self._again else self._new(count, now)
            if volley:
                volleys.append(volley)
                left -= len(volley) // 2
        return volleys

    def _new(self, count: int, now: float) -> Volley:
        """The next bytes of the stream."""
        content = self._chunk[self._place : self._place + count * self._payload]
        excess = len(content) % self._payload
        if excess and len(content) > excess and not self._flush and not self._ended:
            content = content[:-excess]  # it goes with what comes next
        volley = self._put(self._offset, content, now)
        self._place += len(content)
        self._offset += len(content)
        return volley

    def _old(self, count: int, now: float) -> Volley:
        """What was lost; empty when it turns out to have arrived."""
        volley: Volley = []
        for _ in range(min(count, len(self._again))):
            item = self._next_again()
            if item is None:
                continue
            volley += self._put(*item, now)
            self.sent.again += 1
            if len(item[1]) < self._payload:
                break
        return volley

    def _put(self, offset: int, content: Buffer, now: float) -> Volley:
        first = self._outbox.next
        volley = self._outbox.data(offset, content, self._payload)
        self._flight.add(first, self._outbox.next - first, offset, content, self._payload, now)
        return volley

    def _next_again(self) -> tuple[int, Buffer] | None:
        """What is to be sent again first; None when it has arrived meanwhile."""
        offset, payload = self._again.popleft()
        left = self._copies.get(offset)
        if left is None and (self._ended or self._flush) and self._drained:
            copies = self._copies_wanted()
            if copies > 1:
                self._copies[offset] = copies
                self._again.extend([(offset, payload)] * (copies - 1))
        return None if left == _DELIVERED else (offset, payload)

    def _copies_wanted(self) -> int:
        """Nothing else waits for the link: as many copies as leave a chance of one in twenty of another
        round, not too many in all, and no more than the link takes in a part of a round trip."""
        loss = min(max(self._loss, 1e-4), 0.9)
        waiting = len(self._again) + 1
        spare = _COPIES_SHARE * self.sent.datagrams * max(1.0, (loss / 0.1) ** 2.5) - self._extra
        idle = self.control.rate * self.rtt * _COPIES_ROUND / self._wire_size / waiting
        wanted = math.log(_CHANCE / waiting) / math.log(loss)
        copies = max(1, min(_MOST_COPIES, math.ceil(wanted), 1 + int(spare), int(idle)))
        self._extra += copies - 1
        return copies

    # --- probes

    def _probe_time(self) -> float:
        if self._ask:
            return self._last_probe + _PROBE_SECONDS
        if self._ended and self._place == len(self._chunk) and not self._length_told:
            return self._last_sent
        if self._flight:
            return max(self._last_sent, self._last_probe) + max(_PROBE_SECONDS, self.rtt / 4)
        return max(self._last_sent, self._last_probe) + _IDLE_SECONDS

    def _probe(self, now: float) -> Volley:
        length = self._offset if self._ended and self._place == len(self._chunk) else UNKNOWN_LENGTH
        known = length != UNKNOWN_LENGTH
        self._length_told |= known
        self._flight.add(self._outbox.next, 1, _LENGTH if known else _PROBED, b"", 0, now)
        body = Probe(self._resolved, int(self._ask)).encode()
        self._last_probe = self._last_told = now
        self._ask = False
        self.sent.datagrams += 1
        return [self._outbox.seal(Kind.PROBE, length, body)]


def _length(pieces: Volley) -> int:
    return sum(map(len, pieces))
