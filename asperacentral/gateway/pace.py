"""How fast a transfer may move: as fast as it goes until a manager of this machine wants a rate; 0 is a pause.

What has moved is paid for afterwards: who moves bytes says how many (`moved`) and asks before more (`behind`).
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from asperacentral.fasp.reactor import DelayedCall, ManagerReactor
from asperacentral.openascp.rate import TokenBucket


class Pace:
    """One transfer's pace. One asks at a time."""

    def __init__(self, clock: ManagerReactor) -> None:
        self._clock = clock
        self._bucket: TokenBucket | None = None
        self._owed = 0
        self._waiting: Deferred[None] | None = None
        self._call: DelayedCall | None = None

    def set_rate(self, rate: int | None) -> None:
        """From now on `rate` Kbps, or without a limit; who waits counts anew."""
        now = self._clock.seconds()
        if rate is None:
            self._bucket = None
        elif self._bucket is None:
            self._bucket = TokenBucket(rate, now)
        else:
            self._bucket.set_rate(rate, now)
        self._owed = 0
        if self._waiting is not None:
            self._look()

    def block(self, largest: int) -> int:
        """How many bytes to move at a time."""
        return largest if self._bucket is None else self._bucket.block(largest)

    def moved(self, count: int) -> None:
        """So many bytes have moved."""
        if self._bucket is not None:
            self._owed += count

    def behind(self) -> Deferred[None] | None:
        """Fires when more may move; None when it may at once."""
        if self._waiting is not None:
            return self._waiting
        wait = self._wait()
        if wait == 0.0:
            return None
        self._waiting = Deferred()
        self._later(wait)
        return self._waiting

    def end(self) -> None:
        """Nothing more will move; who waits is not called."""
        self._waiting = None
        self._later(None)

    def _wait(self) -> float | None:
        """Seconds until more may move, None for ever; at 0 what is owed is paid."""
        if self._bucket is None:
            return 0.0
        wait = self._bucket.take(self._owed, self._clock.seconds())
        if wait == 0.0:
            self._owed = 0
        return wait

    def _look(self) -> None:
        wait = self._wait()
        if wait != 0.0:
            self._later(wait)
            return
        self._later(None)
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    def _later(self, wait: float | None) -> None:
        call, self._call = self._call, None
        if call is not None:
            call.cancel()
        if wait is not None:
            self._call = self._clock.callLater(wait, self._due)

    def _due(self) -> None:
        self._call = None
        self._look()
