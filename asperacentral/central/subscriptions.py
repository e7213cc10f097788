"""Who hears of what: subscriptions, and the events made for them (contract §6)."""

from __future__ import annotations

import copy
import logging
import uuid
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from asperacentral.central import topics as topics_of
from asperacentral.central.errors import InvalidValue, SubscriptionNotFound
from asperacentral.central.futures import then
from asperacentral.central.model import ALL, DeadLetters, Endpoint, Event, SessionRecord, Subscription
from asperacentral.central.ports import Clock, DelayedCall, Notifications, Store, Write
from asperacentral.central.watching import Watchers

log = logging.getLogger(__name__)

SWEEP_INTERVAL = 10.0
"""Seconds between looks for expired subscriptions."""

MAX_SUBSCRIPTIONS = 10_000

MAX_DEAD_LETTERS = 1_000
"""In one answer."""

Addressed = tuple[Event, tuple[Subscription, ...]]


class Subscriptions:
    """The subscriptions in force. Events are made here and written by whoever writes the change they tell of."""

    def __init__(self, clock: Clock, store: Store, notifications: Notifications) -> None:
        self._clock = clock
        self._store = store
        self._notifications = notifications
        self._all: dict[str, Subscription] = {}
        self._sweeper: DelayedCall | None = None
        self.watchers = Watchers()

    def start(self, known: Iterable[Subscription]) -> None:
        """Take up the subscriptions the store has kept."""
        self._all = {subscription.id: subscription for subscription in known}
        self._sweep()

    def stop(self) -> None:
        """Look no more for expired subscriptions."""
        if self._sweeper is not None and self._sweeper.active():
            self._sweeper.cancel()

    def subscribe(
        self,
        kind: str,
        subject: str,
        observer: Endpoint,
        subscription_observer: Endpoint | None,
        topics: tuple[str, ...],
        duration: int,
    ) -> Future[Subscription]:
        """Add a subscription; done when it is on disk. Raises InvalidValue."""
        for endpoint in (observer, subscription_observer):
            reason = endpoint and self._notifications.subscription_address_allowed(endpoint.address)
            if reason:
                raise InvalidValue(f"observer address: {reason}")
        if len(self._all) >= MAX_SUBSCRIPTIONS:
            raise InvalidValue(f"there are {MAX_SUBSCRIPTIONS} subscriptions already")
        subscription = Subscription(
            id=str(uuid.uuid4()),
            kind=kind,
            subject=subject,
            observer=observer,
            subscription_observer=subscription_observer,
            topics=_canonical(kind, topics),
            expires=self._expiry(duration),
        )
        # In force at once: an event between now and the answer is told rather than missed.
        self._all[subscription.id] = subscription
        written = self._store.write(Write(subscriptions=(subscription,)), durable=True, give_up=True)
        written.add_done_callback(
            lambda ready: self._all.pop(subscription.id, None) if ready.exception() else None
        )
        log.info("subscription %s to %s %s", subscription.id, kind, "all" if subject == ALL else subject)
        return then(written, lambda _: subscription)

    def update(
        self, kind: str, subscription_id: str, topics: tuple[str, ...], duration: int
    ) -> Future[Subscription]:
        """Add topics, set a new expiry. Raises SubscriptionNotFound, InvalidValue."""
        before = self._find(kind, subscription_id)
        added = _canonical(kind, topics)
        merged = tuple(t for t in topics_of.TOPICS[kind] if t in before.topics or t in added)
        after = replace(
            before, topics=merged if before.topics else before.topics, expires=self._expiry(duration)
        )
        if not before.topics and added:
            # "All but Statistics" plus some: spelled out, so that Statistics can join.
            usual = [t for t in topics_of.TOPICS[kind] if t != topics_of.STATISTICS or t in added]
            after = replace(after, topics=tuple(usual))
        return self._change(after)

    def unsubscribe(self, kind: str, subscription_id: str, topics: tuple[str, ...]) -> Future[Subscription]:
        """Take topics away, or end the subscription. Raises SubscriptionNotFound, InvalidValue."""
        before = self._find(kind, subscription_id)
        removed = _canonical(kind, topics)
        current = before.topics or tuple(t for t in topics_of.TOPICS[kind] if t != topics_of.STATISTICS)
        left = tuple(topic for topic in current if topic not in removed)
        if removed and left:
            return self._change(replace(before, topics=left))
        return self._end(replace(before, topics=(), expires=self._clock.seconds()))

    def dead_letters(self, observer: str | None, after: int | None, limit: int | None) -> Future[DeadLetters]:
        """See `api.CentralService.list_dead_letters`."""
        return self._store.dead_letters(
            observer, after or 0, min(limit or MAX_DEAD_LETTERS, MAX_DEAD_LETTERS)
        )

    def replay(self, observer: str | None, ids: tuple[int, ...]) -> Future[int]:
        """See `api.CentralService.replay_dead_letters`."""

        def replayed(count: int) -> int:
            log.info("%d dead letters are told again", count)
            self._notifications.wake()
            return count

        return then(self._store.replay_dead_letters(observer, ids, self._clock.seconds()), replayed)

    def drop(self, observer: str | None, ids: tuple[int, ...]) -> Future[int]:
        """See `api.CentralService.drop_dead_letters`."""

        def dropped(count: int) -> int:
            log.info("%d dead letters are dropped", count)
            return count

        return then(self._store.drop_dead_letters(observer, ids), dropped)

    def time_remaining(self, subscription: Subscription) -> int:
        """Seconds until it expires, never negative."""
        return max(0, round(subscription.expires - self._clock.seconds()))

    def events(self, kind: str, topic: str, subject: str, snapshot: Any) -> tuple[Addressed, ...]:
        """The event for a happening, with its subscriptions; none when nobody wants it."""
        self.watchers.tell(kind, topic, subject, snapshot)
        hearers = self._hearers(kind, topic, subject)
        if not hearers:
            return ()
        return ((self._event(kind, topic, subject, snapshot), hearers),)

    def statistics(self, record: SessionRecord) -> None:
        """Tell those who want it of a session's newest counters."""
        self.watchers.tell("session", topics_of.STATISTICS, record.id, record)
        hearers = self._hearers("session", topics_of.STATISTICS, record.id)
        if hearers:
            event = self._event("session", topics_of.STATISTICS, record.id, record)
            for subscription in hearers:
                self._notifications.statistics(event, subscription)

    def _hearers(self, kind: str, topic: str, subject: str) -> tuple[Subscription, ...]:
        now = self._clock.seconds()
        return tuple(
            subscription
            for subscription in self._all.values()
            if subscription.kind == kind
            and subscription.subject in (ALL, subject)
            and subscription.expires > now
            and topics_of.wants(subscription.topics, topic)
        )

    def _event(self, kind: str, topic: str, subject: str, snapshot: Any) -> Event:
        return Event(str(uuid.uuid4()), kind, topic, subject, self._clock.seconds(), snapshot_of(snapshot))

    def _find(self, kind: str, subscription_id: str) -> Subscription:
        found = self._all.get(subscription_id)
        if found is None or found.kind != kind or found.expires <= self._clock.seconds():
            raise SubscriptionNotFound(subscription_id)
        return found

    def _expiry(self, duration: int) -> float:
        if duration < 1:
            raise InvalidValue("Duration: must be at least 1 second")
        return self._clock.seconds() + duration

    def _change(self, after: Subscription) -> Future[Subscription]:
        written = self._store.write(
            Write(subscriptions=(after,), events=self._notice(after, "Changed")), durable=True, give_up=True
        )

        def changed(_: None) -> Subscription:
            self._all[after.id] = after
            self._notifications.wake()
            return after

        return then(written, changed)

    def _end(self, ended: Subscription, topic: str = "Ended") -> Future[Subscription]:
        self._all.pop(ended.id, None)
        log.info("subscription %s %s", ended.id, topic.lower())
        # Its last version goes along: what is still to be told for it dies some time after its end.
        write = Write(
            subscriptions=(ended,), ended_subscriptions=(ended.id,), events=self._notice(ended, topic)
        )
        written = self._store.write(write, durable=True, give_up=False)
        written.add_done_callback(lambda _: self._notifications.wake())
        return then(written, lambda _: ended)

    def _notice(self, subscription: Subscription, topic: str) -> tuple[Addressed, ...]:
        if subscription.subscription_observer is None:
            return ()
        event = self._event("subscription", topic, subscription.id, subscription)
        return ((event, (replace(subscription, observer=subscription.subscription_observer),)),)

    def _sweep(self) -> None:
        now = self._clock.seconds()
        for subscription in [s for s in self._all.values() if s.expires <= now]:
            self._end(subscription, "Expired")
        self._sweeper = self._clock.callLater(SWEEP_INTERVAL, self._sweep)


def snapshot_of(value: Any) -> Any:
    """A session record goes on changing, so events carry a copy; the other snapshots are frozen values."""
    if isinstance(value, SessionRecord):
        taken = copy.copy(value)
        taken.current_file = copy.copy(value.current_file)
        taken.fragments, taken.templates = {}, {}
        return taken
    return value


def _canonical(kind: str, topics: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return topics_of.canonical(kind, topics)
    except ValueError as error:
        raise InvalidValue(f"Topics: {error}") from None
