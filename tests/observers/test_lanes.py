"""Lanes: each observer waits only for itself; what is in the outbox survives failures, restarts and kills."""

from __future__ import annotations

import itertools
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from asperacentral.central.errors import Unavailable
from asperacentral.observers import rules, sender, tally
from asperacentral.observers.outbox import Delivery
from asperacentral.observers.rules import ENDED_FOR, GIVE_UP_AFTER
from asperacentral.observers.sender import BATCH
from asperacentral.store.store import Store
from asperacentral.waiting import deferred
from tests.observers import observer as observers
from tests.observers.conftest import MakeTeller
from tests.observers.observer import Gate, Observer, answer, closed_port
from tests.observers.teller import Teller, event, events_in_memory, subscription, wait_until


def names(count: int) -> list[str]:
    return [f"e{number:03}" for number in range(count)]


@pytest.mark.parametrize("trouble", [observers.hanging, answer(500), observers.talking_without_end])
def test_an_observer_in_trouble_delays_no_other(teller: Teller, trouble: observers.Answer) -> None:
    with Observer(always=trouble) as bad, Observer() as well:
        teller.tell(*names(10), to=bad.address)
        bad.wait_for_posts(1)
        began = time.monotonic()
        teller.tell(*(f"w{name}" for name in names(60)), to=well.address)
        assert well.wait_for_posts(60) == [f"w{name}" for name in names(60)]
        assert time.monotonic() - began < 30
        assert teller.waiting(bad.address)[0] == "e000"


def test_two_addresses_of_one_observer_are_two_lanes(teller: Teller) -> None:
    gate = Gate()
    with Observer([gate]) as observer:
        teller.tell("a", to=observer.address + "/one")
        observer.wait_for_posts(1)
        teller.tell("b", to=observer.address + "/two")
        assert observer.wait_for_posts(2) == ["a", "b"]
        gate.open()


def test_hundreds_of_dead_observers_delay_no_living_one(
    teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "FIRST_WAIT", 1.0)
    monkeypatch.setattr(rules, "TOP_WAIT", 300.0)
    port = closed_port()
    dead = [subscription(f"http://127.0.0.1:{port}/{number}") for number in range(300)]
    with Observer() as observer:
        teller.write(event("first"), to=[*dead, subscription(observer.address)])
        observer.wait_for_posts(1)
        teller.tell(*names(20), to=observer.address)
        assert observer.wait_for_posts(21) == ["first", *names(20)]


def test_a_backlog_for_a_dead_observer_is_not_held_in_memory(teller: Teller) -> None:
    address = f"http://127.0.0.1:{closed_port()}/"
    for part in range(10):
        teller.tell(*(f"{part}{name}" for name in names(300)), to=address)
    with Observer() as observer:
        teller.tell("done", to=observer.address)
        observer.wait_for_posts(1)
    wait_until(lambda: events_in_memory() <= 2 * BATCH)
    assert len(teller.waiting(address)) == 3000


def test_a_new_daemon_tells_what_the_old_one_could_not(make_teller: MakeTeller) -> None:
    port = closed_port()
    first = make_teller().start()
    first.tell(*names(5), to=f"http://127.0.0.1:{port}/observer")
    first.stop()
    second = make_teller()
    with Observer(port=port) as observer:
        second.start()
        assert observer.wait_for_posts(5) == names(5)


def test_what_was_told_is_not_told_again_by_a_new_daemon(make_teller: MakeTeller) -> None:
    with Observer() as observer:
        first = make_teller().start()
        first.tell(*names(5), to=observer.address)
        observer.wait_for_posts(5)
        first.stop()
        second = make_teller().start()
        second.tell("new", to=observer.address)
        assert observer.wait_for_body("new") == [*names(5), "new"]


def test_a_killed_daemon_repeats_at_most_one_batch_and_loses_nothing(
    make_teller: MakeTeller, tmp_path: Path
) -> None:
    with Observer() as observer:
        writer = make_teller()
        writer.write(*(event(name) for name in names(400)), to=[subscription(observer.address)])
        writer.stop()
        for told in (80, 260):
            command = [sys.executable, "-m", "tests.observers.teller", str(tmp_path)]
            process = subprocess.Popen(command)
            observer.wait_for_posts(told)
            process.send_signal(signal.SIGKILL)
            process.wait()
        make_teller().start()
        bodies = observer.wait_for_body(names(400)[-1])
    assert list(dict.fromkeys(bodies)) == names(400)
    assert len(bodies) - 400 <= 2 * BATCH
    repeated = [later for before, later in itertools.pairwise(bodies) if later <= before]
    assert len(repeated) <= 2


def test_what_is_too_old_is_dead_once_it_fails_and_the_rest_goes_on(teller: Teller) -> None:
    old = time.time() - GIVE_UP_AFTER
    with Observer([answer(500)]) as observer:
        teller.write(
            *(event(name, at=old - 60) for name in names(30)),
            event("young"),
            to=[subscription(observer.address)],
        )
        # One attempt is enough for all of them: they have been waiting for a day.
        assert observer.wait_for_body("young") == ["e000", "young"]
        teller.tell("next", to=observer.address)
        observer.wait_for_body("next")
    assert teller.dead() == [(name, "not delivered within 24 hours") for name in names(30)]


def test_what_a_vanished_observer_was_to_be_told_dies_after_its_subscriptions_end(teller: Teller) -> None:
    now = time.time()
    with Observer([answer(500), answer(500)]) as observer:
        gone = subscription(observer.address, "gone", expires=now - ENDED_FOR)
        recently = subscription(observer.address, "recently", expires=now - ENDED_FOR + 100)
        teller.write(event("a"), to=[gone])
        observer.wait_for_posts(1)  # One attempt, in case the observer is still there.
        wait_until(lambda: teller.dead() == [("a", "the subscription has ended")])
        teller.write(event("b"), to=[recently])
        assert observer.wait_for_posts(3) == ["a", "b", "b"]


def test_a_subscription_that_was_extended_or_ended_is_so_for_what_waits_already(teller: Teller) -> None:
    now = time.time()
    with Observer(always=answer(500)) as observer:
        extended = subscription(observer.address, "extended", expires=now - ENDED_FOR)
        ended = subscription(observer.address + "/2", "ended")
        for each in (extended, ended):
            teller.keep(each)
        teller.thread.call(teller.notifier.stop)  # Nothing is told while they wait.
        teller.write(event("a"), to=[extended])
        teller.write(event("b"), to=[ended])
        teller.write(event("c"), to=[subscription(observer.address + "/2", "another")])
        teller.keep(subscription(observer.address, "extended", expires=now + 100))
        teller.keep(subscription(observer.address + "/2", "ended", expires=now - ENDED_FOR), ended=True)
        teller.start()
        wait_until(lambda: teller.dead() == [("b", "the subscription has ended")])
        observer.wait_for_posts(3)
    assert teller.waiting(observer.address) == ["a"]
    assert teller.waiting(observer.address + "/2") == ["c"]


def test_a_batch_that_takes_long_is_taken_anew(teller: Teller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "BATCH_TIME", 0.0)
    with Observer() as observer:
        teller.tell(*names(5), to=observer.address)
        assert observer.wait_for_posts(5) == names(5)


def test_what_a_slow_observer_has_taken_is_settled_while_it_is_told_the_rest(
    teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tally, "SETTLE_EVERY", 0.05)
    gate = Gate()
    with Observer([observers.good, answer(200), gate]) as observer:
        teller.tell("a", "b", "c", "d", to=observer.address)
        observer.wait_for_posts(3)
        wait_until(lambda: teller.waiting(observer.address) == ["c", "d"])
        gate.open()
        assert observer.wait_for_body("d") == ["a", "b", "c", "d"]


def test_after_a_long_downtime_of_our_own_old_events_are_told_all_the_same(teller: Teller) -> None:
    old = time.time() - 10 * GIVE_UP_AFTER
    with Observer() as observer:
        teller.write(*(event(name, at=old) for name in names(3)), to=[subscription(observer.address)])
        assert observer.wait_for_posts(3) == names(3)
    assert teller.dead() == []


def test_an_event_without_a_rendering_is_dead_at_once_and_holds_up_nothing(teller: Teller) -> None:
    with Observer() as observer:
        teller.tell("a", "bad", "b", to=observer.address)
        assert observer.wait_for_posts(2) == ["a", "b"]
        teller.tell("c", to=observer.address)
        observer.wait_for_posts(3)
        teller.stop()
    assert teller.dead() == [("bad", "it cannot be rendered: bad event")]


def test_what_is_replayed_is_told_again_for_another_day(teller: Teller) -> None:
    with Observer([answer(500), observers.good, answer(500)]) as observer:
        old = event("old", at=time.time() - GIVE_UP_AFTER)
        teller.write(old, to=[subscription(observer.address)])
        wait_until(lambda: len(teller.dead()) == 1)
        teller.tell("a", to=observer.address)
        observer.wait_for_body("a")
        replay = teller.store.replay_dead_letters
        assert teller.thread.call(lambda: deferred(replay(observer.address, (), time.time()))) == 1
        assert observer.wait_for_posts(4) == ["old", "a", "old", "old"]
        wait_until(lambda: teller.waiting(observer.address) == [])
    assert teller.dead() == []


class Faltering:
    """An outbox that cannot be read or written every second time or so."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._chance = random.Random(7)

    def lanes_due(self, now: float) -> Future[Sequence[str]]:
        return self._trouble() or self._store.lanes_due(now)

    def due(self, lane: str, now: float, limit: int) -> Future[Sequence[Delivery]]:
        return self._trouble() or self._store.due(lane, now, limit)

    def settle(
        self, delivered: Sequence[int], retry: Sequence[tuple[int, float]], dead: Sequence[tuple[int, str]]
    ) -> Future[None]:
        return self._trouble() or self._store.settle(delivered, retry, dead)

    def _trouble(self) -> Future[Any] | None:
        if self._chance.random() < 0.5:
            return None
        failed: Future[Any] = Future()
        failed.set_exception(Unavailable("the store cannot be read"))
        return failed


def test_a_faltering_store_repeats_and_delays_but_loses_nothing(make_teller: MakeTeller) -> None:
    with Observer() as observer:
        teller = make_teller(through=Faltering).start()
        teller.tell(*names(5), to=observer.address)
        observer.wait_for_posts(5)
        teller.tell("last", to=observer.address)
        assert list(dict.fromkeys(observer.wait_for_body("last"))) == [*names(5), "last"]


def test_a_stop_waits_for_what_is_under_way_and_begins_nothing(make_teller: MakeTeller) -> None:
    slow = Gate()
    with Observer([slow]) as observer:
        first = make_teller().start()
        first.tell("a", "b", to=observer.address)
        observer.wait_for_posts(1)
        stopping: list[Deferred[None]] = []
        first.thread.call(lambda: stopping.append(first.notifier.stop()))
        slow.open()
        first.thread.call(stopping.pop)
        first.stop()
        assert observer.bodies == ["a"]
        second = make_teller().start()
        assert observer.wait_for_body("b") == ["a", "b"]
        second.stop()


@pytest.mark.usefixtures("short_timeout")
def test_a_stop_takes_no_longer_than_the_time_out_of_a_post(make_teller: MakeTeller) -> None:
    with Observer(always=observers.hanging) as one, Observer(always=observers.hanging_in_the_answer) as two:
        teller = make_teller().start()
        teller.tell("a", "b", to=one.address)
        teller.tell("c", "d", to=two.address)
        one.wait_for_posts(1)
        two.wait_for_posts(1)
        assert teller.stop() < 3
    assert (one.bodies, two.bodies) == (["a"], ["c"])


def test_after_a_stop_nothing_is_left_in_the_reactor(make_teller: MakeTeller) -> None:
    with Observer() as observer, Observer([answer(500)]) as failing:
        teller = make_teller().start()
        teller.tell("a", to=observer.address)
        teller.tell("b", to=failing.address)
        observer.wait_for_posts(1)
        failing.wait_for_posts(1)
        teller.stop()
        reactor = teller.thread.reactor
        assert [c for c in teller.thread.call(reactor.getDelayedCalls) if "observers" in repr(c)] == []
        assert observer.bodies == ["a"]
