"""How fast to send: the rate policies.

fixed sends at the target rate whatever happens. fair, high and low look at the queue that their own datagrams meet on
the way: random loss says nothing about a link, a growing delay does. They add to the rate, the faster the longer
nothing stood in the way, and take off a share of it when the delay says that the queue has grown. Sessions that share
a link see the same queue at the same time, so what they add is the same and what they give up is in proportion:
that makes their rates equal, and that of `high`, which adds twice as much, twice the others'. low gives way to a
queue so short that whoever else wants the link gets it.

Pure. Rates are bytes per second on the wire inside, Kbps (1,000 bit/s) at the face; times are seconds.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from enum import Enum

BYTES_PER_KILOBIT = 125


class Policy(Enum):
    """Names as on ascp's command line."""

    FIXED = "fixed"
    HIGH = "high"
    FAIR = "fair"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Observation:
    """What one report told."""

    now: float
    rtt: float | None
    delay: float | None
    """One way, plus a constant that nobody knows."""
    described: int
    """Datagrams whose fate is newly known, and how many of them were lost."""
    lost: int
    received: int
    """Bytes on the wire of what arrived so far, and when, by the receiver's clock."""
    received_at: float
    held_back: bool
    """The receiver's disk is slower than the link."""


@dataclass(frozen=True, slots=True)
class _Manner:
    """What makes a policy: the queue at which it gives way, and its weight among others."""

    queue: float
    weight: float


_MANNERS = {
    Policy.HIGH: _Manner(0.020, 2.0),
    Policy.FAIR: _Manner(0.020, 1.0),
    Policy.LOW: _Manner(0.006, 0.5),
}


class _Phase(Enum):
    START = "start"
    DRAIN = "drain"
    STEER = "steer"


_STEP = 0.020
_SHORT = 0.02
_SLOPE_SECONDS = 0.1
_GROWTH = 25_000_000 / 8
_GROWTH_RTT = 0.1
_MOST_GROWTH = 0.1
_GIVE_UP = 0.10
_DRAIN_DEPTH = 0.75
_DRAIN_EVERY = 4.0
_DELAY_MEMORY = 20.0
_START_QUEUE = 0.008
_START_RATES = (125_000.0, 2_500_000.0)
_START_GROWTH = 1.6
_LEAST_RATE = 12_500.0
_EXCESS_LOSS = 0.03
_LOSS_MEMORY = 10.0
_VAIN = 3
"""So often giving way has not made the queue shorter before others are taken to keep it long."""


class RateControl:
    """The rate of one sending end. ValueError for a negative rate."""

    def __init__(self, policy: Policy, target: int, minimum: int, now: float) -> None:
        self._policy = policy
        self._target = 0.0
        self._minimum = 0.0
        self.set_rates(target, minimum)
        least, most = _START_RATES
        self._adaptive = _Adaptive(now, max(least, min(self._target / 16, most)))

    @property
    def policy(self) -> Policy:
        """The one in force."""
        return self._policy

    @property
    def rate(self) -> float:
        """Bytes per second to send now, headers of IP and UDP included; 0 is a pause."""
        if self._policy is Policy.FIXED or self._target == 0:
            return self._target
        return max(min(self._adaptive.rate, self._target), min(self._minimum, self._target))

    @property
    def queue_delay(self) -> float:
        """Seconds that datagrams wait in the path's queue, as far as known."""
        return self._adaptive.queue

    def set_rates(self, target: int, minimum: int) -> None:
        """Change the target and the minimum rate, Kbps; a target of 0 is a pause."""
        if target < 0 or minimum < 0:
            raise ValueError(f"rates of {target} and {minimum} Kbps: they must not be negative")
        self._target = float(target * BYTES_PER_KILOBIT)
        self._minimum = float(minimum * BYTES_PER_KILOBIT)

    def set_policy(self, policy: Policy) -> None:
        """Change the policy; an adaptive one goes on from the present rate."""
        if self._policy is Policy.FIXED:
            self._adaptive.resume(self._target)
        self._policy = policy

    def observe(self, seen: Observation) -> None:
        """A report came."""
        manner = _MANNERS.get(self._policy, _MANNERS[Policy.FAIR])
        self._adaptive.observe(seen, manner, max(self._target, _LEAST_RATE))


class _Adaptive:
    """The rate that the delay allows; see the head of this module."""

    def __init__(self, now: float, rate: float) -> None:
        self.rate = rate
        self.queue = 0.0
        self._phase = _Phase.START
        self._phase_ends = 0.0
        self._next_rate: float | None = None
        self._base: deque[tuple[float, float]] = deque()
        self._recent: deque[tuple[float, float]] = deque()
        self._past: deque[tuple[float, float]] = deque()
        self._slope = 0.0
        self._rtt = 0.1
        self._stepped = now
        self._event = self._drained = now
        self._vain = 0
        self._queue_at_event = 0.0
        self._mark: tuple[float, int] | None = None
        self._delivered = self._peak = 0.0
        self._plateau: tuple[float, float] = (now, 0.0)
        self._described = self._lost = 0
        self._losses: deque[tuple[float, float]] = deque()
        self._excess = 0.0

    def resume(self, rate: float) -> None:
        """Go on from a rate that was not ours."""
        self.rate = max(rate, _LEAST_RATE)
        self._phase = _Phase.STEER

    def observe(self, seen: Observation, manner: _Manner, ceiling: float) -> None:
        """Learn from a report, and take a step when it is time for one."""
        now = seen.now
        if seen.rtt is not None:
            self._rtt += (seen.rtt - self._rtt) / 8
        if seen.delay is not None:
            self._measure(seen.delay, now)
        self._count(seen, now)
        if now - self._stepped < _STEP:
            return
        elapsed = min(now - self._stepped, 0.2)
        self._stepped = now
        if self._phase is _Phase.DRAIN:
            self._end_drain(now)
        elif self._phase is _Phase.START:
            self._start_up(now, elapsed, manner)
        else:
            self._steer(seen, now, elapsed, manner)
        self.rate = max(min(self.rate, ceiling), _LEAST_RATE)

    # --- what is measured

    def _measure(self, delay: float, now: float) -> None:
        _put_least(self._base, now, delay, _DELAY_MEMORY)
        memory = _SHORT if self._phase is _Phase.START else max(_SHORT, min(self._rtt / 4, 0.05))
        _put_least(self._recent, now, delay, memory)
        self.queue = self._recent[0][1] - self._base[0][1]
        self._past.append((now, self.queue))
        while self._past[0][0] < now - _SLOPE_SECONDS:
            self._past.popleft()
        span = now - self._past[0][0]
        self._slope = (self.queue - self._past[0][1]) / span if span > _SLOPE_SECONDS / 2 else 0.0

    def _count(self, seen: Observation, now: float) -> None:
        self._described += seen.described
        self._lost += seen.lost
        if self._mark is None:
            self._mark = (seen.received_at, seen.received)
        span = seen.received_at - self._mark[0]
        if span >= max(0.05, min(self._rtt, 0.1)):
            self._delivered = (seen.received - self._mark[1]) / span
            self._peak = max(self._peak, self._delivered)
            self._mark = (seen.received_at, seen.received)
            if self._described >= 300:
                loss = self._lost / self._described
                _put_least(self._losses, now, loss, _LOSS_MEMORY)
                chance = 3 * math.sqrt(loss / self._described)
                self._excess = loss - self._losses[0][1] - chance
                self._described = self._lost = 0
        elif span < 0:
            self._mark = None

    # --- what is done

    def _start_up(self, now: float, elapsed: float, manner: _Manner) -> None:
        """Grow by the same share each round trip until the queue grows, or more does not bring more."""
        stuck = False
        if now - self._plateau[0] > 3 * self._rtt + 0.1:
            stuck = self._plateau[1] > 0 and self._delivered < 1.25 * self._plateau[1]
            self._plateau = (now, self._delivered)
        if self.queue > min(_START_QUEUE, manner.queue) or stuck or self._excess > 0.1:
            self._peak = self._delivered
            self._drain(now, self._rtt + 0.1, self._delivered * 0.8, None)
        else:
            self.rate *= _START_GROWTH ** (elapsed / max(self._rtt, 0.02))

    def _steer(self, seen: Observation, now: float, elapsed: float, manner: _Manner) -> None:
        expected = self.queue + max(0.0, self._slope) * (self._rtt + 0.05)
        crowded = self.queue > manner.queue / 2 and expected > manner.queue
        since = now - self._event
        if crowded or self._excess > _EXCESS_LOSS:
            if since > self._rtt + 0.08:
                self._give_way(now)
        elif not seen.held_back:
            growth = manner.weight * _GROWTH * min(1.0, _GROWTH_RTT / self._rtt)
            step = growth * ((since + elapsed) ** 2 - since**2)
            self.rate += min(step, self.rate * _MOST_GROWTH * elapsed / max(self._rtt, 0.02))

    def _give_way(self, now: float) -> None:
        """Take off a share: what is too much by the growth of the queue, and a tenth."""
        in_vain = self.queue > 0.9 * self._queue_at_event > 0 and now - self._event < 3 * self._rtt + 0.3
        self._vain = self._vain + 1 if in_vain else 0
        self._queue_at_event = self.queue
        self._event = now
        self._excess = 0.0
        if self._vain >= _VAIN:
            return
        lower = self.rate * (1 - _GIVE_UP - min(max(0.0, self._slope), 0.3))
        if now - self._drained > _DRAIN_EVERY:
            seconds = min(0.2, 1.3 * max(self.queue, 0.005) / _DRAIN_DEPTH)
            self._drain(now, seconds, lower * (1 - _DRAIN_DEPTH), lower)
        else:
            self.rate = lower

    def _drain(self, now: float, seconds: float, rate: float, after: float | None) -> None:
        """Stay below the link's rate until the queue is empty, so that the delay of the empty path is seen again."""
        self._phase, self._phase_ends = _Phase.DRAIN, now + seconds
        self._drained = now
        self._next_rate = after
        self.rate = rate

    def _end_drain(self, now: float) -> None:
        """Go on; after start-up with what the link delivered while its queue was full."""
        if now < self._phase_ends:
            return
        self._phase = _Phase.STEER
        self._event = now
        loss = self._losses[0][1] if self._losses else 0.0
        self.rate = (
            self._next_rate if self._next_rate is not None else 0.95 * self._peak / (1 - min(loss, 0.5))
        )


def _put_least(kept: deque[tuple[float, float]], now: float, value: float, memory: float) -> None:
    """Keep the least values of the last `memory` seconds: the first is the least of all."""
    while kept and kept[-1][1] >= value:
        kept.pop()
    kept.append((now, value))
    while kept[0][0] < now - memory:
        kept.popleft()
