"""Measures what the link carries by the session's own first data, for rates in percent of it (-w).

Pure: bytes and times are told by the caller. For the length of a measurement the session moves as fast as it can.
"""

from __future__ import annotations

from collections.abc import Callable

from asperacentral.fasp.messages import Rates
from asperacentral.openascp.options import Options

SECONDS = 1.0
"""How long is measured, once bytes flow."""
LEAST_BYTES = 256 * 1024
"""Fewer bytes say nothing: until so many have moved the measurement goes on."""


def rates(options: Options, capacity: int, policy: str) -> Rates:
    """The rates that are asked for in percent of what the link carries, Kbps."""
    capacity = min(capacity, options.largest_rate)
    target, minimum = options.target_share, options.minimum_share
    return Rates(
        target.of(capacity) if target else options.target_rate,
        minimum.of(capacity) if minimum else options.minimum_rate,
        policy,
    )


class Measurement:
    """From the moment bytes begin to flow; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began: float | None = None
        self._first = 0

    def capacity(self, moved: int) -> int | None:
        """Kbps that the link carries, given the bytes `moved` so far; None while that is not known yet."""
        if self._began is None:
            if moved:
                self._began, self._first = self._clock(), moved
            return None
        elapsed = self._clock() - self._began
        if elapsed < SECONDS or moved - self._first < LEAST_BYTES:
            return None
        return max(1, round((moved - self._first) * 8 / 1000 / elapsed))
