"""Makes whoever moves bytes wait for the token bucket, in the order of asking, also while the rate changes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from asperacentral.openascp.rate import TokenBucket


class Pacer:
    """The session's one gate for bytes; rates are Kbps, 0 is a pause."""

    def __init__(self, rate: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._bucket = TokenBucket(rate, clock())
        self._target = rate
        self._cap: int | None = None
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()

    @property
    def rate(self) -> int:
        """What is in force: the target rate, or the cap below it."""
        return self._bucket.rate

    def set_rate(self, rate: int) -> None:
        """Change the target rate; whoever waits counts anew."""
        self._target = rate
        self._apply()

    def set_cap(self, cap: int) -> None:
        """From now on no more than this, whatever the target rate is."""
        self._cap = cap
        self._apply()

    def _apply(self) -> None:
        rate = self._target if self._cap is None else min(self._target, self._cap)
        self._bucket.set_rate(rate, self._clock())
        self._changed.set()

    def block(self, largest: int) -> int:
        """How many bytes to ask for at a time."""
        return self._bucket.block(largest)

    async def take(self, count: int) -> None:
        """Return when `count` bytes may move."""
        async with self._turn:
            while (wait := self._bucket.take(count, self._clock())) != 0.0:
                self._changed.clear()
                try:
                    async with asyncio.timeout(wait):
                        await self._changed.wait()
                except TimeoutError:
                    continue
