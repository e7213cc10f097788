"""The notifier: empties the outbox, one lane per observer, in order, as often as it takes.

A lane posts one notification at a time. When one fails the lane rests until its next attempt; other lanes do not
notice. Statistics are not in the outbox: the newest of each session waits in memory until the lane has nothing
else to tell, and is dropped when the observer is down.
"""

from __future__ import annotations

import logging
import random as randomness
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, inlineCallbacks

from asperacentral.central.model import Event, Subscription
from asperacentral.logs import MESSAGES
from asperacentral.observers.addresses import Allowed, shown
from asperacentral.observers.outbox import Delivery, Outbox
from asperacentral.observers.post import NotDelivered, Poster
from asperacentral.observers.rules import reason_to_give_up, wait_after
from asperacentral.observers.tally import Tally
from asperacentral.waiting import deferred

log = logging.getLogger(__name__)

POLL_INTERVAL = 1.0
"""Seconds between looks at the outbox when nobody wakes us: retries come due by themselves."""

BATCH = 50
"""Deliveries taken at a time."""

BATCH_TIME = 60.0
"""Seconds after which the rest of a batch is taken anew: subscriptions may have been extended or ended meanwhile."""

DOWN_FOR = 5.0
"""Seconds during which no statistics are sent to an observer that did not take the last."""

STOP_PATIENCE = 2.0
"""Seconds that posts under way may take at the end; what is cut off is told again after the next start."""

Render = Callable[[Event, Subscription], bytes]

Measure = Callable[[str, float], None]
"""Is told what became of an attempt (delivered, failed, dead) and the age of the event in seconds."""


class Notifier:
    """Tells observers what is in the outbox. `allow` are host names and networks; none means all are allowed."""

    def __init__(
        self,
        reactor: Any,
        outbox: Outbox,
        render: Render,
        *,
        allow: Iterable[str] = (),
        random: Callable[[], float] = randomness.random,
        measure: Measure = lambda *_: None,
    ) -> None:
        self._reactor = reactor
        self._outbox = outbox
        self._render = render
        self._allowed = Allowed(allow)
        self._random = random
        self._measure = measure
        self._poster = Poster(reactor, self._allowed)
        self._lanes: dict[str, _Lane] = {}
        self._poll: Any = None
        self._looking = False
        self._look_again = False
        self._running = False

    def start(self) -> None:
        """Begin with what an earlier daemon left."""
        self._running = True
        self._look()

    def stop(self) -> Deferred[None]:
        """Begin nothing more; done when what is under way has been answered or timed out."""
        self._running = False
        if self._poll is not None and self._poll.active():
            self._poll.cancel()
        lanes = list(self._lanes.values())

        def cut_off() -> None:
            for lane in lanes:
                lane.cancel()

        impatience = self._reactor.callLater(STOP_PATIENCE, cut_off)

        def close(_: object) -> Deferred[Any]:
            if impatience.active():
                impatience.cancel()
            return self._poster.close()

        idle = DeferredList([lane.idle() for lane in lanes])
        return idle.addCallback(close).addCallback(lambda _: None)

    def allow(self, entries: Iterable[str]) -> None:
        """Notify these hosts and networks from now on, and no others; none means all."""
        self._allowed.replace(entries)
        self._poster.close()  # Kept connections to names were judged by what was allowed before.

    def wake(self) -> None:
        """Deliveries were committed: look now."""
        if self._running:
            self._look()

    def statistics(self, event: Event, subscription: Subscription) -> None:
        """Tell the newest statistics as soon as the lane is free; those not told yet are forgotten."""
        if self._running:
            self._lane(subscription.observer.address).statistics(event, subscription)

    def subscription_address_allowed(self, address: str) -> str | None:
        """Why this address must not be notified, or None if it may."""
        return self._allowed.reason_against(address)

    def _look(self) -> None:
        """Find the lanes with something due; of several wishes during a look one more look remains."""
        if self._looking:
            self._look_again = True
            return
        self._looking = True
        deferred(self._outbox.lanes_due(self._reactor.seconds())).addCallbacks(
            self._begin, _complain
        ).addBoth(self._looked)

    def _begin(self, lanes: Sequence[str]) -> None:
        for name in lanes if self._running else ():
            self._lane(name).run()

    def _looked(self, _: object) -> None:
        self._looking = False
        if not self._running:
            return
        if self._look_again:
            self._look_again = False
            self._reactor.callLater(0, self._look)
            return
        for name in [name for name, lane in self._lanes.items() if lane.spent]:
            del self._lanes[name]
        if self._poll is not None and self._poll.active():
            self._poll.cancel()
        self._poll = self._reactor.callLater(POLL_INTERVAL, self._look)

    def _lane(self, name: str) -> _Lane:
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = _Lane(name, self)
        return lane


class NotRenderable(Exception):
    """There is no notification for this event, and trying again would not help."""


class _Lane:
    """One observer's address: what it is told, one after the other."""

    def __init__(self, name: str, notifier: Notifier) -> None:
        self._name = name
        self._n = notifier
        self._busy = False
        self._again = False
        self._down_until = 0.0
        self._newest: dict[tuple[str, str], tuple[Event, Subscription]] = {}
        self._waiting: list[Deferred[None]] = []
        self._posting: Deferred[None] | None = None
        self._shown = shown(name)

    @property
    def spent(self) -> bool:
        """Whether nothing is under way or waiting in memory."""
        return not self._busy and not self._newest and self._down_until <= self._n._reactor.seconds()

    def idle(self) -> Deferred[None]:
        """Fires when nothing is under way."""
        done: Deferred[None] = Deferred()
        if self._busy:
            self._waiting.append(done)
        else:
            done.callback(None)
        return done

    def cancel(self) -> None:
        """Cut off a post under way: it counts as not delivered."""
        if self._posting is not None:
            self._posting.cancel()

    def statistics(self, event: Event, subscription: Subscription) -> None:
        if self._n._reactor.seconds() < self._down_until:
            return
        self._newest[subscription.id, event.subject] = (event, subscription)
        if not self._busy:  # Who is busy comes to it.
            self.run()

    def run(self) -> None:
        """Tell what is due, unless that is being done."""
        if self._busy:
            self._again = True
            return
        self._busy = True
        self._again = False
        self._tell().addErrback(_complain).addBoth(self._rest)

    def _rest(self, _: object) -> None:
        self._busy = False
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            done.callback(None)
        if self._again and self._n._running:
            self.run()

    @inlineCallbacks
    def _tell(self) -> Generator[Deferred[Any], Any, None]:
        while self._n._running:
            now = self._n._reactor.seconds()
            due = yield deferred(self._n._outbox.due(self._name, now, BATCH))
            if not due:
                break
            if not (yield self._tell_batch(due)):
                self._newest.clear()
                return
        yield self._tell_statistics()

    @inlineCallbacks
    def _tell_batch(self, due: Sequence[Delivery]) -> Generator[Deferred[Any], Any, bool]:
        """Post deliveries in order, up to the first failure; settle them. Whether the lane may go on."""
        tally = Tally(self._n._reactor, self._n._outbox)
        failure: str | None = None
        began = self._n._reactor.seconds()
        for delivery in due:
            late = self._n._reactor.seconds() - began > BATCH_TIME and delivery is not due[0]
            if late or not self._n._running:
                break
            try:
                # After a failure only what is too old is still looked at: it is not worth an attempt each.
                failure = failure or (yield self._attempt(delivery))
            except NotRenderable as error:
                self._give_up(delivery, str(error), tally)
                continue
            if failure is None:
                tally.delivered.append(delivery.id)
                self._told("delivered", delivery)
                continue
            now = self._n._reactor.seconds()
            given_up = reason_to_give_up(delivery.created, delivery.subscription.expires, now)
            if given_up is None:
                wait = wait_after(delivery.attempts + 1, self._n._random)
                log.info("observer %s: %s; next attempt in %.1f s", self._shown, failure, wait)
                self._down_until = now + wait
                tally.retry.append((delivery.id, self._down_until))
                self._told("failed", delivery)
                break
            self._give_up(delivery, given_up, tally)
        yield tally.finish()
        return not tally.retry

    @inlineCallbacks
    def _attempt(self, delivery: Delivery) -> Generator[Deferred[Any], Any, str | None]:
        """Post one delivery; why that failed, or None."""
        try:
            yield self._post(delivery.event, delivery.subscription)
        except NotDelivered as error:
            return str(error)
        self._down_until = 0.0
        if delivery.event.topic == "Stopped":  # Old news must not come after the end.
            self._newest.pop((delivery.subscription.id, delivery.event.subject), None)
        return None

    def _give_up(self, delivery: Delivery, reason: str, tally: Tally) -> None:
        log.error("event %s for %s is dead: %s", delivery.event.id, self._shown, reason)
        tally.dead.append((delivery.id, reason))
        self._told("dead", delivery)

    def _told(self, outcome: str, delivery: Delivery) -> None:
        self._n._measure(outcome, self._n._reactor.seconds() - delivery.event.at)

    @inlineCallbacks
    def _tell_statistics(self) -> Generator[Deferred[Any], Any, None]:
        while self._newest and self._n._running and not self._again:
            key = next(iter(self._newest))
            event, subscription = self._newest.pop(key)
            try:
                yield self._post(event, subscription)
            except NotRenderable:
                continue
            except NotDelivered as error:
                log.info("observer %s: %s; statistics are dropped", self._shown, error)
                self._down_until = self._n._reactor.seconds() + DOWN_FOR
                self._newest.clear()

    @inlineCallbacks
    def _post(self, event: Event, subscription: Subscription) -> Generator[Deferred[Any], Any, None]:
        try:
            envelope = self._n._render(event, subscription)
        except Exception as error:
            log.exception("event %s cannot be rendered", event.id)
            raise NotRenderable(f"it cannot be rendered: {error}") from None
        self._posting = self._n._poster.post(self._name, subscription.observer.action, envelope)
        try:
            yield self._posting
        finally:
            self._posting = None
        log.log(MESSAGES, "told %s: %s %s %s", self._shown, event.kind, event.topic, event.subject)


def _complain(failure: Any) -> None:
    log.error("observers: %s", failure.getErrorMessage())
