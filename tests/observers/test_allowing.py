"""The allow-list at work: judged when subscribing by what is written, when connecting by what it turned out to be."""

from __future__ import annotations

import time

from asperacentral.observers.addresses import Allowed
from asperacentral.waiting import deferred
from tests.observers.conftest import MakeTeller
from tests.observers.observer import Observer
from tests.observers.teller import TIMEOUT, Teller


def wait_for_attempts(teller: Teller, address: str, count: int) -> None:
    """Until the first event for an address has been tried in vain so often."""
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        due = teller.thread.call(lambda: deferred(teller.store.due(address, 9e12, 1)))
        if due and due[0].attempts >= count:
            return
        time.sleep(0.01)
    raise TimeoutError(f"{address} was not tried {count} times")


def test_a_name_that_turns_out_to_be_elsewhere_is_sent_nothing(make_teller: MakeTeller) -> None:
    with Observer() as observer:
        address = f"http://localhost:{observer.port}/observer"
        strict = make_teller(allow=["10.0.0.0/8"]).start()
        assert strict.thread.call(strict.notifier.subscription_address_allowed, address) is None
        strict.tell("e", to=address)
        wait_for_attempts(strict, address, 3)
        strict.stop()
        assert observer.connections == 0
        lenient = make_teller(allow=["127.0.0.0/8", "::1"]).start()
        assert observer.wait_for_posts(1) == ["e"]
        lenient.stop()


def test_a_number_that_is_an_address_in_disguise_is_sent_nothing(make_teller: MakeTeller) -> None:
    with Observer() as observer:
        teller = make_teller(allow=["10.0.0.0/8"]).start()
        address = f"http://2130706433:{observer.port}/"
        teller.tell("e", to=address)
        wait_for_attempts(teller, address, 1)
        teller.stop()
    assert observer.connections == 0


def test_a_listed_name_is_told_wherever_it_is(make_teller: MakeTeller) -> None:
    with Observer() as observer:
        teller = make_teller(allow=["localhost"]).start()
        teller.tell("e", to=f"http://localhost:{observer.port}/observer")
        assert observer.wait_for_posts(1) == ["e"]


def test_a_list_made_stricter_holds_for_what_was_subscribed_before(make_teller: MakeTeller) -> None:
    with Observer() as observer:
        before = make_teller()
        before.tell("e", to=observer.address)
        before.stop()
        teller = make_teller(allow=["10.0.0.0/8"]).start()
        wait_for_attempts(teller, observer.address, 2)
        teller.stop()
    assert observer.connections == 0


def test_the_reason_is_given_for_a_subscription_that_is_refused(make_teller: MakeTeller) -> None:
    notifier = make_teller(allow=["10.0.0.0/8"]).notifier
    reason = notifier.subscription_address_allowed("http://127.0.0.1/")
    assert reason == Allowed(["10.0.0.0/8"]).reason_against("http://127.0.0.1/")
    assert reason == "127.0.0.1 is not among the allowed observers"


def test_a_changed_list_holds_for_connections_that_are_kept_too(make_teller: MakeTeller) -> None:
    with Observer() as observer:
        address = f"http://127.0.0.1:{observer.port}/observer"
        teller = make_teller(allow=["127.0.0.0/8"]).start()
        teller.tell("one", to=address)
        assert observer.wait_for_posts(1) == ["one"]
        teller.thread.call(teller.notifier.allow, ["10.0.0.0/8"])
        assert teller.thread.call(teller.notifier.subscription_address_allowed, address) is not None
        teller.tell("two", to=address)
        wait_for_attempts(teller, address, 2)
        teller.thread.call(teller.notifier.allow, [])
        assert observer.wait_for_posts(2) == ["one", "two"]
        teller.stop()
