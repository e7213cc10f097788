"""A notifier with a real store on a reactor of its own: in a thread of the test, or as a process to be killed.

As a process: `python -m tests.observers.teller FOLDER` tells what is in the store of that folder until it ends.
"""

from __future__ import annotations

import gc
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.epollreactor import EPollReactor

from asperacentral.central.model import Endpoint, Event, SessionRecord, Subscription
from asperacentral.central.ports import Write
from asperacentral.observers.outbox import Outbox
from asperacentral.observers.sender import Notifier
from asperacentral.store.store import Store
from asperacentral.waiting import deferred

TIMEOUT = 40.0


class ReactorThread:
    """A reactor that runs in a thread of its own."""

    def __init__(self) -> None:
        self.reactor: Any = EPollReactor()
        self._thread = threading.Thread(target=self.reactor.run, args=(False,), daemon=True)
        self._thread.start()

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """The result of a call in the reactor's thread."""
        done: Future[Any] = Future()

        def run() -> None:
            maybeDeferred(function, *args).addCallbacks(
                done.set_result, lambda failure: done.set_exception(failure.value)
            )

        self.reactor.callFromThread(run)
        return done.result(TIMEOUT)

    def end(self) -> None:
        self.reactor.callFromThread(self.reactor.stop)
        self._thread.join(TIMEOUT)


def subscription(
    address: str, name: str = "sub", action: str = "Urn#Action", expires: float = 9e9
) -> Subscription:
    return Subscription(name, "session", "0", Endpoint(address, action), None, (), expires)


def event(name: str, topic: str = "Started", subject: str = "s", at: float | None = None) -> Event:
    return Event(
        name, "session", topic, subject, time.time() if at is None else at, SessionRecord(subject, 1.0)
    )


def render(event: Event, subscription: Subscription) -> bytes:
    """The event's name is the body; "bad" events have none."""
    if event.id.startswith("bad"):
        raise ValueError("bad event")
    return event.id.encode()


def events_in_memory() -> int:
    """How many events this process holds."""
    gc.collect()
    return sum(isinstance(thing, Event) for thing in gc.get_objects())


def wait_until(reached: Callable[[], bool]) -> None:
    """Look again until it is so."""
    deadline = time.monotonic() + TIMEOUT
    while not reached():
        if time.monotonic() > deadline:
            raise TimeoutError("it did not come to pass")
        time.sleep(0.02)


class Teller:
    """One daemon's worth of notifications on the files in `folder`."""

    def __init__(
        self,
        thread: ReactorThread,
        folder: Path,
        *,
        allow: Sequence[str] = (),
        through: Callable[[Store], Outbox] = lambda store: store,
    ) -> None:
        self.thread = thread
        self.folder = folder
        self.store = Store(folder / "store.db", folder / "key", thread.reactor.callFromThread)
        self.notifier: Notifier = thread.call(
            lambda: Notifier(thread.reactor, through(self.store), render, allow=allow)
        )
        self._stopped = False

    def start(self) -> Teller:
        self.thread.call(self.notifier.start)
        return self

    def write(self, *events: Event, to: Sequence[Subscription]) -> None:
        """Commit events; nobody is woken."""
        write = Write(events=tuple((each, tuple(to)) for each in events))
        self.thread.call(lambda: deferred(self.store.write(write, durable=True, give_up=True)))

    def keep(self, subscription: Subscription, *, ended: bool = False) -> None:
        """Commit a new version of a subscription, or its end."""
        write = Write(subscriptions=(subscription,), ended_subscriptions=(subscription.id,) if ended else ())
        self.thread.call(lambda: deferred(self.store.write(write, durable=True, give_up=True)))

    def tell(self, *events: Event | str, to: str) -> None:
        """Commit events for one address and wake the notifier."""
        made = [event(each) if isinstance(each, str) else each for each in events]
        self.write(*made, to=[subscription(to)])
        self.thread.call(self.notifier.wake)

    def statistics(self, *events: Event, to: str) -> None:
        for each in events:
            self.thread.call(self.notifier.statistics, each, subscription(to))

    def waiting(self, address: str) -> list[str]:
        """The events in the outbox for an address, whenever they are due."""
        due = self.thread.call(lambda: deferred(self.store.due(address, 9e12, 10_000)))
        return [delivery.event.id for delivery in due]

    def dead(self) -> list[tuple[str, str]]:
        """Events given up, with the reason, as anybody with the file can see them."""
        connection = sqlite3.connect(self.folder / "store.db")
        try:
            query = "select event_id, dead from deliveries where dead is not null order by id"
            return list(connection.execute(query))
        finally:
            connection.close()

    def stop(self) -> float:
        """Stop; how many seconds that took."""
        began = time.monotonic()
        if not self._stopped:
            self._stopped = True
            self.thread.call(self.notifier.stop)
            self.store.close()
        return time.monotonic() - began


def main(folder: Path) -> None:
    """Tell what is in the folder's store."""
    reactor: Any = EPollReactor()
    store = Store(folder / "store.db", folder / "key", reactor.callFromThread)
    notifier = Notifier(reactor, store, render)
    reactor.callWhenRunning(notifier.start)
    reactor.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
