"""Notifications as SOAP messages: one event, for one subscription (contract §6.2). Pure; sends nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from asperacentral.central.model import Event, Subscription
from asperacentral.soap.faults import envelope
from asperacentral.soap.fields import Model
from asperacentral.soap.models import faspsession200601, iscptransfer
from asperacentral.soap.names import FASPSESSION_200601, ISCPTRANSFER
from asperacentral.soap.subscriptions import SubscriptionState
from asperacentral.soap.writer import compile_message


@dataclass(frozen=True, slots=True)
class Notification:
    """What a notification is written from; `snapshot` is a JobView, a SessionRecord or a SubscriptionState."""

    subscription_id: str
    topic: str
    snapshot: Any
    event_id: str
    time: float


def _writer(namespace: str, model: type[Model]) -> Callable[[Notification], bytes]:
    render = compile_message(model.__name__, model)
    return lambda notification: envelope(namespace, render(notification))


_WRITERS = {
    "job": _writer(ISCPTRANSFER, iscptransfer.JobNotification),
    "session": _writer(FASPSESSION_200601, faspsession200601.SessionNotification),
}
_SUBSCRIPTION_WRITERS = {
    "job": _writer(ISCPTRANSFER, iscptransfer.SubscriptionNotification),
    "session": _writer(FASPSESSION_200601, faspsession200601.SubscriptionNotification),
}


def render_notification(event: Event, subscription: Subscription, time_remaining: int) -> bytes:
    """The whole SOAP message that tells an observer of `subscription` about `event`.

    News about a subscription itself (`event.kind` "subscription") shows the event's snapshot of it, which has
    `time_remaining` seconds left.
    """
    if event.kind == "subscription":
        write = _SUBSCRIPTION_WRITERS[subscription.kind]
        snapshot: Any = SubscriptionState(event.snapshot, time_remaining)
    else:
        write, snapshot = _WRITERS[event.kind], event.snapshot
    return write(Notification(subscription.id, event.topic, snapshot, event.id, event.at))
