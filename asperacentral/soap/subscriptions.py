"""What the Subscribe calls of the two older services share: reading arguments, and a subscription as answered.

Knows `central.api`, not which service is asked.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from asperacentral.central.api import CentralService
from asperacentral.central.model import Endpoint, Subscription
from asperacentral.soap.fields import domain_values
from asperacentral.soap.service import then


@dataclass(frozen=True, slots=True)
class SubscriptionState:
    """A subscription and the seconds it has left: what a SubscriptionResource is written from."""

    subscription: Subscription
    time_remaining: int


def subscribe(central: CentralService, kind: str, request: Any) -> Future[SubscriptionState]:
    """Subscribe to jobs or sessions (`kind` "job" or "session")."""
    asked = domain_values(request)
    waiting = central.subscribe(
        kind,
        asked["subject"].strip(),
        _endpoint(asked["observer"]),
        _endpoint(asked["subscription_observer"]) if "subscription_observer" in asked else None,
        _topics(asked),
        asked["duration"],
    )
    return _with_time(central, waiting)


def update(central: CentralService, kind: str, request: Any) -> Future[SubscriptionState]:
    """Add topics and set a new time to live."""
    asked = domain_values(request)
    identity = asked["subscription_id"].strip()
    return _with_time(central, central.update_subscription(kind, identity, _topics(asked), asked["duration"]))


def unsubscribe(central: CentralService, kind: str, request: Any) -> Future[SubscriptionState]:
    """Take topics away, or end the subscription."""
    asked = domain_values(request)
    return _with_time(central, central.unsubscribe(kind, asked["subscription_id"].strip(), _topics(asked)))


def _endpoint(received: Any) -> Endpoint:
    values = domain_values(received)
    return Endpoint(values["address"].strip(), values.get("action", "").strip())


def _topics(asked: dict[str, Any]) -> tuple[str, ...]:
    if "topics" not in asked:
        return ()
    return tuple(topic.strip() for topic in domain_values(asked["topics"]).get("topics", ()))


def _with_time(central: CentralService, waiting: Future[Subscription]) -> Future[SubscriptionState]:
    def state(subscription: Subscription) -> SubscriptionState:
        return SubscriptionState(subscription, central.time_remaining(subscription))

    return then(waiting, state)
