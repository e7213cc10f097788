"""How fast to send: the rate policies.

fixed sends at the target rate whatever happens. fair, high and low look at the queue that their own datagrams meet on
the way: random loss says nothing about a link, a growing delay does. They add to the rate, the faster the longer
nothing stood in the way, and take off a share of it when the delay says that the queue has grown. Sessions that share
a link see the same queue at the same time, so what they add is the same and what they give up is in proportion:
that makes their rates equal, and that of `high`, which adds twice as much, twice the others'. TCP fills the queue
until it overflows: beside it, fair and high give way near the longest queue they have seen, as it does. low gives way
to a queue so short that whoever else wants the link gets it.

Pure. Rates are bytes per second on the wire inside, Kbps (1,000 bit/s) at the face; times are seconds.
"""

from __future__ import annotations

from asperacentral.openascp.udp.adapting import LEAST_RATE, Adapting, Manner, Observation
from asperacentral.openascp.udp.setting import Policy

__all__ = ["BYTES_PER_KILOBIT", "Observation", "Policy", "RateControl"]

BYTES_PER_KILOBIT = 125


_MANNERS = {
    Policy.HIGH: Manner(0.017, 2.0),
    Policy.FAIR: Manner(0.017, 1.0),
    Policy.LOW: Manner(0.004, 0.5, meek=0.15, holds=False),
}


class RateControl:
    """The rate of one sending end. ValueError for a negative rate."""

    def __init__(self, policy: Policy, target: int, minimum: int, now: float) -> None:
        self._policy = policy
        self._target = 0.0
        self._minimum = 0.0
        self._seen = now
        self._adapting = Adapting(now, float(target * BYTES_PER_KILOBIT))
        self.set_rates(target, minimum)

    @property
    def policy(self) -> Policy:
        """The one in force."""
        return self._policy

    @property
    def rate(self) -> float:
        """Bytes per second to send now, headers of IP and UDP included; 0 is a pause."""
        if self._policy is Policy.FIXED or self._target == 0:
            return self._target
        return max(min(self._adapting.rate, self._target), min(self._minimum, self._target))

    @property
    def queue_delay(self) -> float:
        """Seconds that datagrams wait in the path's queue, as far as known."""
        return self._adapting.queue

    def set_rates(self, target: int, minimum: int) -> None:
        """Change the target and the minimum rate, Kbps; a target of 0 is a pause."""
        if target < 0 or minimum < 0:
            raise ValueError(f"rates of {target} and {minimum} Kbps: they must not be negative")
        before, self._target = self._target, float(target * BYTES_PER_KILOBIT)
        self._minimum = float(minimum * BYTES_PER_KILOBIT)
        if self._target > before > 0:
            self._adapting.widen(before)

    def set_policy(self, policy: Policy) -> None:
        """Change the policy; an adaptive one goes on from the present rate."""
        if self._policy is Policy.FIXED:
            self._adapting.resume(self._target, self._seen)
        self._policy = policy

    def observe(self, seen: Observation) -> None:
        """A report came."""
        self._seen = seen.now
        manner = _MANNERS.get(self._policy, _MANNERS[Policy.FAIR])
        self._adapting.observe(seen, manner, max(self._target, LEAST_RATE))
