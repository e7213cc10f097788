"""What became of a batch of deliveries, written down while the batch is still being told.

Knows nothing of posting. A delivery that was told but not settled is told again after a crash, so what is in
the lists is settled each `SETTLE_EVERY` seconds, however slow the observer is, and the rest at the end.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall

from asperacentral.observers.outbox import Outbox
from asperacentral.waiting import deferred

SETTLE_EVERY = 1.0
"""Seconds of telling that a crash may repeat at most, but for the post that was under way."""


class Tally:
    """Add to the lists as things happen; `finish` when the batch is through."""

    def __init__(self, reactor: Any, outbox: Outbox) -> None:
        self._outbox = outbox
        self.delivered: list[int] = []
        self.retry: list[tuple[int, float]] = []
        self.dead: list[tuple[int, str]] = []
        self._loop = LoopingCall(self._settle_so_far)
        self._loop.clock = reactor
        self._loop.start(SETTLE_EVERY, now=False)

    def finish(self) -> Deferred[None]:
        """Settle what has not been settled yet; fails with the store's error."""
        if self._loop.running:
            self._loop.stop()
        return deferred(self._outbox.settle(self.delivered, self.retry, self.dead))

    def _settle_so_far(self) -> Deferred[None] | None:
        delivered, dead = tuple(self.delivered), tuple(self.dead)
        if not delivered and not dead:
            return None

        def settled(_: object) -> None:
            del self.delivered[: len(delivered)]
            del self.dead[: len(dead)]

        # What could not be settled now is so at the end; settling twice does no harm.
        return deferred(self._outbox.settle(delivered, (), dead)).addCallbacks(settled, lambda _: None)
