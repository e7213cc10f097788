"""The token bucket that keeps a session at its target rate.

Pure: time is given by the caller, in seconds of any monotonic clock. Rates are Kbps (1,000 bit/s). Over any
interval of t seconds at an unchanged rate at most rate x t + burst bytes are granted, where the burst is 50 ms
of the rate or the largest single request, whichever is more.
"""

from __future__ import annotations

BYTES_PER_KILOBIT = 125
BURST_SECONDS = 0.05
SMALLEST_BLOCK = 4096
"""Below this a block costs more than its bytes; slow rates wait longer between blocks instead."""


class TokenBucket:
    """Grants bytes. A request larger than the burst is granted from a full bucket and paid for afterwards."""

    def __init__(self, rate: int, now: float) -> None:
        self._rate = rate
        self._tokens = 0.0
        self._updated = now

    @property
    def rate(self) -> int:
        """Kbps; 0 is a pause."""
        return self._rate

    def set_rate(self, rate: int, now: float) -> None:
        """Change the rate from `now` on; what was earned stays, as far as the new burst holds it."""
        self._earn(now)
        self._rate = rate
        self._tokens = min(self._tokens, self._burst)

    def take(self, count: int, now: float) -> float | None:
        """Grant `count` bytes and return 0; else how many seconds to wait before asking again, None for ever."""
        if self._rate <= 0:
            return None
        self._earn(now)
        missing = min(float(count), self._burst) - self._tokens
        if missing <= 0:
            self._tokens -= count
            return 0.0
        return missing / (self._rate * BYTES_PER_KILOBIT)

    def block(self, largest: int) -> int:
        """How many bytes to move at a time: as many as a burst has, within `SMALLEST_BLOCK` and `largest`."""
        return max(min(int(self._burst), largest), min(SMALLEST_BLOCK, largest))

    @property
    def _burst(self) -> float:
        return self._rate * BYTES_PER_KILOBIT * BURST_SECONDS

    def _earn(self, now: float) -> None:
        elapsed = max(0.0, now - self._updated)
        self._updated = max(now, self._updated)
        self._tokens = min(self._burst, self._tokens + elapsed * self._rate * BYTES_PER_KILOBIT)
