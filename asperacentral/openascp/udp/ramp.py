"""Start-up: finds what a link carries before its queue is long.

Each round trip a pulse of some 10 ms goes out at three times the rate. If the link carries that, the pulse arrives as
it was sent, and the rate follows it. If not, the datagrams of the pulse wait the longer the later they were sent, and
how much longer says what the link carries: the queue never holds more than one pulse.

Pure. Rates are bytes per second, times are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

_LOUD, _QUIET = 3.0, 1.5
_PULSE_SECONDS = 0.008
_PULSE_BYTES = 9_000.0
_MARK_SECONDS = 0.004
_FOLLOW = 0.85
_NOTICED = 0.002
_BELOW = 0.92
_STANDING = 0.010
_BAD_PULSES = 2
_PULSES = 3
_MORE = 1.25
_EXCESS_LOSS = 0.1
_FIRST_RATES = (125_000.0, 2_500_000.0)


def first_rate(target: float) -> float:
    """What to begin with when this is the target."""
    least, most = _FIRST_RATES
    return max(least, min(target / 16, most))


@dataclass(frozen=True, slots=True)
class Sign:
    """What a report told of one datagram and the stream: when it was sent, how long it waited in queues, what
    arrives in a second, and how much more is lost than chance explains."""

    now: float
    sent: float | None
    waited: float
    delivered: float
    excess: float


class Ramp:
    """`rate` is what to send at now, until `settled` is what the link was found to carry."""

    def __init__(self, rate: float, *, gently: bool = False) -> None:
        self.rate = rate
        self._louder = _QUIET if gently else _LOUD
        self.settled: float | None = None
        self._base = rate
        self._pulse: tuple[float, float] | None = None
        """Rate and beginning of the pulse that is under way or looked at."""
        self._ended: float | None = None
        self._marks: list[tuple[float, float]] = []
        self._bad = 0
        self._standing = 0
        self._judged = 0
        self._before = 0.0

    def observe(self, sign: Sign, ceiling: float) -> None:
        """Learn from a report; no more than `ceiling` is ever sent."""
        self._base = min(self._base, ceiling)
        if self._stuck(sign.delivered) or sign.excess > _EXCESS_LOSS:
            self._settle(min(self._base, sign.delivered) if sign.delivered else self._base)
        elif self._pulse is None:
            self._begin(sign, ceiling)
        elif self._ended is None:
            loud, began = self._pulse
            if sign.now - began >= max(_PULSE_SECONDS, _PULSE_BYTES / loud):
                self._ended, self.rate = sign.now, self._base
        if self._pulse is not None:
            self._listen(sign)

    def _begin(self, sign: Sign, ceiling: float) -> None:
        self._standing = self._standing + 1 if sign.waited > _STANDING else 0
        if self._standing > 2:
            self._settle(min(self._base, sign.delivered) if sign.delivered else self._base)
            return
        if self._standing:
            return
        self.rate = min(self._base * self._louder, ceiling)
        self._pulse, self._ended = (self.rate, sign.now), None
        self._marks.clear()

    def _listen(self, sign: Sign) -> None:
        """Take note of a datagram of the pulse; judge when one of those after it has arrived."""
        assert self._pulse is not None  # noqa: S101 - for the reader of types
        _, began = self._pulse
        if sign.sent is None or sign.sent < began + _MARK_SECONDS:
            return
        if self._ended is None or sign.sent <= self._ended:
            self._marks.append((sign.sent - began, sign.waited))
        elif self._ended is not None:
            if not self._marks or sign.waited > self._marks[-1][1]:
                self._marks.append((self._ended - began, sign.waited))
            self._judge()

    def _judge(self) -> None:
        assert self._pulse is not None  # noqa: S101 - for the reader of types
        loud, _ = self._pulse
        self._pulse = None
        self._judged += 1
        length, waited = max(self._marks, key=lambda mark: mark[1])
        if waited < max(_NOTICED, 0.1 * length):
            self._base = max(self._base, loud * _FOLLOW)
        else:
            # Others may be there, too: what did not fit was too much, and nothing less is taken for free.
            self._bad += 1
            self._louder = _QUIET
            self._base = max(self._base, _BELOW * loud * (1 - waited / length))
        self.rate = self._base
        if self._bad >= _BAD_PULSES:
            self._settle(self._base)

    def _stuck(self, delivered: float) -> bool:
        """Whether more sending has brought no more arrivals for some pulses."""
        if self._judged < _PULSES:
            return False
        before, self._before, self._judged = self._before, delivered, 0
        return before > 0 and delivered < _MORE * before

    def _settle(self, rate: float) -> None:
        self.settled = self.rate = rate
        self._pulse = None
