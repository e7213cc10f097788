"""Statistics: the newest of each session, when there is nothing else to tell, and never after the end."""

from __future__ import annotations

import pytest

from asperacentral.central.model import Event
from asperacentral.observers import sender
from tests.observers.conftest import MakeTeller
from tests.observers.observer import Gate, Observer, answer, closed_port
from tests.observers.teller import Teller, event, events_in_memory, subscription, wait_until


def statistics(subject: str, number: int) -> Event:
    return event(f"{subject}#{number}", "Statistics", subject)


def test_statistics_are_told_at_once_to_an_observer_with_nothing_to_do(teller: Teller) -> None:
    with Observer() as observer:
        teller.statistics(statistics("s", 1), to=observer.address)
        observer.wait_for_posts(1)
        teller.statistics(statistics("s", 2), to=observer.address)
        assert observer.wait_for_posts(2) == ["s#1", "s#2"]


def test_a_slow_observer_is_told_only_the_newest_of_each_session(teller: Teller) -> None:
    gate = Gate()
    with Observer([gate]) as observer:
        teller.statistics(statistics("first", 0), to=observer.address)
        observer.wait_for_posts(1)
        for number in range(100):
            teller.statistics(statistics("s", number), statistics("t", number), to=observer.address)
        gate.open()
        observer.wait_for_posts(3)
        teller.tell("end", to=observer.address)
        assert observer.wait_for_body("end") == ["first#0", "s#99", "t#99", "end"]


def test_each_subscription_has_its_own_newest(teller: Teller) -> None:
    gate = Gate()
    with Observer([gate]) as observer:
        teller.tell("a", to=observer.address)
        observer.wait_for_posts(1)
        for name in ("one", "two"):
            hearer = subscription(observer.address, name)
            teller.thread.call(teller.notifier.statistics, event(name, "Statistics"), hearer)
        gate.open()
        assert observer.wait_for_posts(3) == ["a", "one", "two"]


def test_events_go_before_statistics_that_have_been_waiting(teller: Teller) -> None:
    gate = Gate()
    with Observer([gate]) as observer:
        teller.tell("a", to=observer.address)
        observer.wait_for_posts(1)
        teller.statistics(statistics("s", 1), to=observer.address)
        teller.tell("b", "c", to=observer.address)
        gate.open()
        assert observer.wait_for_posts(4) == ["a", "b", "c", "s#1"]


def test_events_need_not_wait_for_all_the_statistics(teller: Teller) -> None:
    gates = [Gate(), Gate()]
    with Observer(gates) as observer, Observer() as other:
        teller.tell("a", to=observer.address)
        observer.wait_for_posts(1)
        for number in range(50):
            teller.statistics(statistics(f"s{number}", 1), to=observer.address)
        gates[0].open()
        observer.wait_for_posts(2)
        teller.tell("b", to=observer.address)
        teller.tell("x", to=other.address)
        other.wait_for_posts(1)  # So the notifier has looked, and has seen the other event, too.
        gates[1].open()
        assert observer.wait_for_posts(52)[:3] == ["a", "s0#1", "b"]


def test_no_statistics_of_a_session_follow_its_end(teller: Teller) -> None:
    gate = Gate()
    with Observer([gate]) as observer:
        teller.tell("a", to=observer.address)
        observer.wait_for_posts(1)
        teller.statistics(statistics("s", 1), statistics("t", 1), to=observer.address)
        teller.tell(event("s-stopped", "Stopped", "s"), to=observer.address)
        gate.open()
        observer.wait_for_body("t#1")
        teller.tell("end", to=observer.address)
        assert observer.wait_for_body("end") == ["a", "s-stopped", "t#1", "end"]


def test_statistics_that_were_not_taken_are_not_repeated(teller: Teller) -> None:
    with Observer([answer(500)]) as observer:
        teller.statistics(statistics("s", 1), to=observer.address)
        observer.wait_for_posts(1)
        teller.tell("a", to=observer.address)
        assert observer.wait_for_body("a") == ["s#1", "a"]


def test_an_observer_that_is_down_gets_no_statistics_until_it_takes_events_again(
    teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "DOWN_FOR", 60.0)
    with Observer([answer(500)]) as observer:
        teller.statistics(statistics("s", 1), to=observer.address)
        observer.wait_for_posts(1)
        teller.tell("a", to=observer.address)
        observer.wait_for_posts(2)
        teller.tell("b", to=observer.address)
        observer.wait_for_posts(3)
        teller.statistics(statistics("s", 2), to=observer.address)
        assert observer.wait_for_posts(4) == ["s#1", "a", "b", "s#2"]


def test_statistics_for_an_observer_that_is_down_cost_no_memory(
    teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "DOWN_FOR", 60.0)
    address = f"http://127.0.0.1:{closed_port()}/"
    hearer = subscription(address)

    def put(count: int) -> None:
        for number in range(count):
            teller.thread.call(teller.notifier.statistics, statistics(f"s{number}", 1), hearer)

    put(1000)
    wait_until(lambda: events_in_memory() < 100)  # The attempt has failed.
    put(1000)
    assert events_in_memory() < 100


def test_a_lane_with_nothing_to_tell_is_forgotten(teller: Teller) -> None:
    with Observer() as observer:
        for number in range(100):
            hearer = subscription(f"{observer.address}/{number}")
            teller.thread.call(teller.notifier.statistics, statistics("s", number), hearer)
        observer.wait_for_posts(100)
        for number in range(20):
            teller.tell(f"e{number}", to=observer.address)
            observer.wait_for_body(f"e{number}")
    assert len(teller.notifier._lanes) < 5


def test_nothing_is_told_after_a_stop(make_teller: MakeTeller) -> None:
    with Observer() as observer:
        teller = make_teller().start()
        teller.tell("a", to=observer.address)
        observer.wait_for_posts(1)
        teller.stop()
        teller.statistics(statistics("s", 1), to=observer.address)
        teller.thread.call(teller.notifier.wake)
        other = make_teller().start()
        other.tell("b", to=observer.address)
        assert observer.wait_for_body("b") == ["a", "b"]
