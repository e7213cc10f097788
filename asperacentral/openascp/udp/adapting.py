"""The rate that a link's queue allows: what fair, high and low have in common.

Pure. Rates are bytes per second on the wire, times are seconds.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from enum import Enum

from asperacentral.openascp.udp.ramp import Ramp, Sign, first_rate

LEAST_RATE = 12_500.0


@dataclass(frozen=True, slots=True)
class Observation:
    """What one report told."""

    now: float
    rtt: float | None
    delay: float | None
    """One way, plus a constant that nobody knows; of a datagram that was `sent` then."""
    described: int
    """Datagrams whose fate is newly known, and how many of them were lost."""
    lost: int
    received: int
    """Bytes on the wire of what arrived so far, and when, by the receiver's clock."""
    received_at: float
    held_back: bool
    """The receiver's disk is slower than the link."""
    sent: float | None = None


@dataclass(frozen=True, slots=True)
class Manner:
    """What makes a policy: the queue at which it gives way, its weight among others, what more than others it then
    gives up, and whether it holds its own against those who keep the queue long."""

    queue: float
    weight: float
    meek: float = 0.0
    holds: bool = True


class _Phase(Enum):
    START = "start"
    DRAIN = "drain"
    STEER = "steer"


_STEP = 0.020
_SHORT = 0.02
_SLOPE_SECONDS = 0.1
_LOOK_AHEAD = 0.1
_GROWTH = 3_125_000.0
_GROWTH_RATE, _SLOW_POWER, _FAST_POWER, _LEAST_SCALE = 5_000_000.0, 0.35, 0.3, 0.25
_FASTER_SECONDS = 4.0
_GROWTH_RTT = 0.06
_STEEPNESS = 1.8
_OVERSHOOT = 0.0135
_LESS_QUEUE, _LEAST_QUEUE = 0.035, 0.5
_LEAST_OVERSHOOT = 0.05
_GIVE_UP = 0.08
_GIVE_UP_MORE, _USUAL_RATE = 0.012, 1_250_000.0
_LEAST_GIVEN, _MOST_GIVEN = 0.06, 0.18
_PRESSED_GIVEN, _PRESSED_GROWTH = 0.22, 2.0
_FALLING = -0.02
_DRAIN_DEPTH = 0.75
_DRAIN_EVERY = 4.0
_EMPTY = 0.002
_DELAY_MEMORY = 20.0
_EXCESS_LOSS = 0.02
_LOSS_MEMORY = 15.0
_BRIM_SECONDS, _BELOW_BRIM = 8.0, 0.96
_LONG_AGO = 0.5
"""Seconds after which losses are no longer those of a queue that was seen to be long."""
_FREE_SECONDS, _FREE_ROUNDS = 2.0, 4
_VAIN, _VAIN_SECONDS, _SHORTER = 3, 0.8, 0.75
"""So often and for so long giving way has not made the queue a quarter shorter than allowed before others are taken to
keep it long."""
_PEAK_MEMORY, _NEAR_PEAK, _OFF_PEAK = 20.0, 0.9, 0.5
"""Beside those who keep the queue long: near the longest queue of this time way is given, once until it is shorter."""


class Adapting:
    """The rate that the delay allows; see the head of `rates`."""

    def __init__(self, now: float, target: float) -> None:
        self.rate = first_rate(target)
        self._before = 0.0
        self.queue = 0.0
        self._phase = _Phase.START
        self._ramp = Ramp(self.rate)
        self._phase_ends = 0.0
        self._next_rate = self.rate
        self._base: deque[tuple[float, float]] = deque()
        self._recent: deque[tuple[float, float]] = deque()
        self._past: deque[tuple[float, float]] = deque()
        self._slope = 0.0
        self._rtt = 0.0
        self._stepped = now
        self._event = self._emptied = self._filled = now
        self._long_at = -math.inf
        self._vain = 0
        self._since = now
        """How often way was given since the queue was short, and when that was."""
        self._peaks: deque[tuple[float, float]] = deque()
        self._yielded = False
        self._mark: tuple[float, int] | None = None
        self._delivered = 0.0
        self._described = self._lost = 0
        self._losses: deque[tuple[float, float]] = deque()
        self._excess = 0.0
        self._best = 0.0
        self._brim = (math.inf, now)
        """What brought losses when the queue was too short to be seen, and until when to stay below."""

    def resume(self, rate: float, now: float) -> None:
        """Go on from a rate that was not ours."""
        self.rate = max(rate, LEAST_RATE)
        self._event = now
        self._phase = _Phase.STEER

    def widen(self, ceiling: float) -> None:
        """The ceiling is higher from now on: where it was what held the rate, look what the link carries."""
        if self.rate >= 0.99 * ceiling and self._phase is _Phase.STEER:
            self._look(gently=False)

    def observe(self, seen: Observation, manner: Manner, ceiling: float) -> None:
        """Learn from a report, and take a step when it is time for one."""
        now = seen.now
        if seen.rtt is not None:
            self._rtt += (seen.rtt - self._rtt) / 8 if self._rtt else seen.rtt
        if seen.delay is not None:
            self._measure(seen.delay, now)
        self._count(seen, now)
        if self._phase is _Phase.START:
            self._start_up(seen, ceiling)
        elif now - self._stepped >= _STEP:
            elapsed = min(now - self._stepped, 0.2)
            self._stepped = now
            if self._phase is _Phase.DRAIN:
                self._end_drain(now)
            else:
                self._steer(seen, elapsed, manner, ceiling)
        self.rate = max(min(self.rate, ceiling), LEAST_RATE)

    # --- what is measured

    def _measure(self, delay: float, now: float) -> None:
        _put_least(self._base, now, delay, _DELAY_MEMORY)
        _put_least(self._recent, now, delay, _SHORT)
        self.queue = self._recent[0][1] - self._base[0][1]
        if self.queue < _EMPTY:
            self._emptied = now
        else:
            self._filled = now
        _put_least(self._peaks, now, -self.queue, _PEAK_MEMORY)
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
            self._best = max(self._best, self._delivered)
            self._mark = (seen.received_at, seen.received)
            if self._described >= 300:
                loss = self._lost / self._described
                _put_least(self._losses, now, loss, _LOSS_MEMORY)
                chance = 3 * math.sqrt(loss / self._described)
                self._excess = loss - self._losses[0][1] - chance
                self._described = self._lost = 0
        elif span < 0:
            self._mark = None

    @property
    def _chance_loss(self) -> float:
        return min(self._losses[0][1], 0.5) if self._losses else 0.0

    # --- what is done

    def _start_up(self, seen: Observation, ceiling: float) -> None:
        waited = seen.delay - self._base[0][1] if seen.delay is not None else self.queue
        delivered = self._delivered / (1 - self._chance_loss)
        self._ramp.observe(Sign(seen.now, seen.sent, waited, delivered, self._excess), ceiling)
        self.rate = self._ramp.rate
        if self._ramp.settled is not None:
            self._stepped = seen.now
            self._excess = 0.0
            self._phase = _Phase.STEER
            self._filled = seen.now
            if self.rate > 1.05 * self._before:
                self._event = seen.now
            if self.queue > _STEP:
                self._drain(seen.now, self._rtt + self.queue, self.rate)

    def _steer(self, seen: Observation, elapsed: float, manner: Manner, ceiling: float) -> None:
        now = seen.now
        # The longer the round trip, the more comes before giving way is felt.
        most = max(manner.queue - _LESS_QUEUE * self._rtt, _LEAST_QUEUE * manner.queue)
        if self.queue < _SHORTER * most:
            self._vain, self._since = 0, now
        elif self.queue > manner.queue:
            self._long_at = now
        if self._pressed(manner, now):
            crowded = self._near_peak()
        else:
            expected = self.queue + self._slope * _LOOK_AHEAD
            crowded = self.queue > manner.queue / 3 and expected > most and self._slope > _FALLING
            self._yielded = False
        since = now - self._event
        if crowded or self._excess > _EXCESS_LOSS:
            if since > self._rtt + _LOOK_AHEAD:
                self._give_way(now, manner)
        elif self._yielded:
            self._event = now
        elif seen.held_back or self.rate >= ceiling:
            self._filled = now
        elif now - max(self._filled, self._event, self._brim[1]) > _FREE_SECONDS + _FREE_ROUNDS * self._rtt:
            self._look(gently=self.rate > self._best / 3)
        else:
            self._grow(since, elapsed, manner)

    def _pressed(self, manner: Manner, now: float) -> bool:
        """Whether others keep the queue long whatever is given up, as TCP does, and this session holds its own."""
        return manner.holds and self._vain >= _VAIN and now - self._since > _VAIN_SECONDS

    def _near_peak(self) -> bool:
        """Whether the queue is as long as those others let it get, and way was not yet given for that."""
        longest = -self._peaks[0][1]
        if self.queue < _OFF_PEAK * longest:
            self._yielded = False
        return not self._yielded and self.queue > _NEAR_PEAK * longest

    def _look(self, *, gently: bool) -> None:
        """See what the link carries, as at the start."""
        self._phase = _Phase.START
        self._ramp = Ramp(self.rate, gently=gently)
        self._before = self.rate

    def _grow(self, since: float, elapsed: float, manner: Manner) -> None:
        """Faster the longer nothing stood in the way, but so that the queue cannot get long in a round trip."""
        rtt = self._rtt + 0.02
        growth = manner.weight * _GROWTH * min(1.0, _GROWTH_RTT / rtt) ** _STEEPNESS
        if self._pressed(manner, self._stepped):
            growth *= _PRESSED_GROWTH
        scale = max(self.rate / (manner.weight * _GROWTH_RATE), _LEAST_SCALE)
        growth *= scale ** (_SLOW_POWER if scale < 1 else _FAST_POWER)
        step = growth * (_risen(since + elapsed) - _risen(since))
        most = max(_OVERSHOOT / rtt, _LEAST_OVERSHOOT) * self.rate * elapsed / rtt
        brim, until = self._brim
        if self._stepped > until or self.rate + min(step, most) < brim:
            self.rate += min(step, most)
        else:
            self._event = self._stepped

    def _give_way(self, now: float, manner: Manner) -> None:
        """Take off a share: what is too much by the growth of the queue, and some more."""
        self._yielded = pressed = self._pressed(manner, now)
        self._vain += 1
        self._event = now
        if self._excess > _EXCESS_LOSS and now - self._long_at > _LONG_AGO + 2 * self._rtt:
            # What is lost by chance is known once the rate has been below.
            chance = self._chance_loss if self._brim[0] < math.inf else 0.0
            self._brim = (_BELOW_BRIM * self._delivered / (1 - chance), now + _BRIM_SECONDS)
        self._excess = 0.0
        weight = math.log2(self.rate / (manner.weight * _USUAL_RATE))
        share = max(_LEAST_GIVEN, min(_GIVE_UP + _GIVE_UP_MORE * weight, _MOST_GIVEN))
        share = max(share + manner.meek, _PRESSED_GIVEN if pressed else 0.0)
        lower = self.rate * (1 - share - min(max(0.0, self._slope), 0.3))
        if self._brim[1] > now:
            lower = min(lower, self._brim[0])
        if now - self._emptied > _DRAIN_EVERY and not pressed:
            self._emptied = now
            self._drain(now, min(0.2, 1.3 * max(self.queue, 0.005) / _DRAIN_DEPTH), lower)
        else:
            self.rate = lower

    def _drain(self, now: float, seconds: float, after: float) -> None:
        """Stay below the link's rate until the queue is empty, so that the delay of the empty path is seen again."""
        self._phase, self._phase_ends = _Phase.DRAIN, now + seconds
        self._next_rate = after
        self.rate = after * (1 - _DRAIN_DEPTH)

    def _end_drain(self, now: float) -> None:
        if now >= self._phase_ends:
            self._phase = _Phase.STEER
            self._event = now
            self.rate = self._next_rate


def _risen(seconds: float) -> float:
    """How far the rate has grown, for a growth of one, so long after giving way."""
    return seconds**2 * (1 + seconds / _FASTER_SECONDS)


def _put_least(kept: deque[tuple[float, float]], now: float, value: float, memory: float) -> None:
    """Keep the least values of the last `memory` seconds: the first is the least of all."""
    while kept and kept[-1][1] >= value:
        kept.pop()
    kept.append((now, value))
    while kept[0][0] < now - memory:
        kept.popleft()
