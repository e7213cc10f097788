"""The outbox: what is to be told to observers, kept until it has been told. The store implements it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from asperacentral.central.model import Event, Subscription


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event to one observer.

    `id` grows with time and is the order of the lane; `lane` is the observer's address; `attempts` counts failed
    ones so far; `created` is seconds since the epoch.
    """

    id: int
    lane: str
    subscription: Subscription
    event: Event
    attempts: int
    created: float


class Outbox(Protocol):
    """Where deliveries wait. Futures are completed in the caller's thread."""

    def lanes_due(self, now: float) -> Future[Sequence[str]]:
        """Lanes whose oldest waiting delivery is due at `now` (seconds since the epoch)."""

    def due(self, lane: str, now: float, limit: int) -> Future[Sequence[Delivery]]:
        """The oldest waiting deliveries of one lane, in order; none while the first is not due."""

    def settle(
        self, delivered: Sequence[int], retry: Sequence[tuple[int, float]], dead: Sequence[tuple[int, str]]
    ) -> Future[None]:
        """In one transaction: ids that are done, (id, next attempt) that failed, (id, reason) given up."""
