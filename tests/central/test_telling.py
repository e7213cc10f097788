"""What subscriptions hear: of which subject and topics, for how long, and what becomes of dead letters."""

from __future__ import annotations

import pytest

from asperacentral.central.errors import (
    InvalidValue,
    JobNotFound,
    SessionNotFound,
    SubscriptionNotFound,
)
from asperacentral.central.model import ALL, Endpoint
from tests.central.world import LANE, START, World, subscribe


def test_subscriptions_hear_only_of_their_own_subject(world: World) -> None:
    first = world.submit()
    subscribe(world, "job", first)
    world.submit()
    world.completes()
    assert world.deliveries(LANE) == []
    with pytest.raises(JobNotFound):
        subscribe(world, "job", "none")
    with pytest.raises(SessionNotFound):
        subscribe(world, "session", "none")


def test_a_subscription_ends_when_its_time_is_over_and_says_so(world: World) -> None:
    notices = Endpoint("http://127.0.0.1:9/notices")
    made = world.result(world.central.subscribe("job", ALL, Endpoint(LANE), notices, (), 60))
    assert world.central.time_remaining(made) == 60
    world.advance(30)
    changed = world.result(world.central.update_subscription("job", made.id, (), 100))
    assert world.central.time_remaining(changed) == 100
    world.advance(111)
    world.submit()
    assert world.deliveries(LANE) == []
    assert world.topics(notices.address) == ["subscription Changed", "subscription Expired"]
    with pytest.raises(SubscriptionNotFound):
        world.result(world.central.update_subscription("job", made.id, (), 10))


def test_topics_are_added_and_taken_away(world: World) -> None:
    made = subscribe(world, "session", topics=("Started",))
    assert world.result(world.central.update_subscription("session", made, ("error",), 9)).topics == (
        "Started",
        "Error",
    )
    assert world.result(world.central.unsubscribe("session", made, ("Started",))).topics == ("Error",)
    assert world.result(world.central.unsubscribe("session", made, ())).topics == ()
    with pytest.raises(SubscriptionNotFound):
        world.result(world.central.unsubscribe("session", made, ()))


def test_what_waits_to_be_told_knows_when_its_subscription_ends(world: World) -> None:
    made = subscribe(world, "job")
    world.submit()
    assert {d.subscription.expires for d in world.deliveries(LANE)} == {START + 3600}
    world.advance(10)
    world.result(world.central.update_subscription("job", made, (), 100))
    assert {d.subscription.expires for d in world.deliveries(LANE)} == {START + 110}
    world.result(world.central.unsubscribe("job", made, ()))
    assert {d.subscription.expires for d in world.deliveries(LANE)} == {START + 10}
    assert world.store.subscriptions() == []


def test_dead_letters_are_listed_told_again_and_dropped(world: World) -> None:
    subscribe(world, "job")
    world.submit()
    central = world.central
    ids = [delivery.id for delivery in world.deliveries(LANE)]
    world.result(world.store.settle([], [], [(number, "too old") for number in ids]))
    found = world.result(central.list_dead_letters(None, None, None))
    assert [letter.topic for letter in found.items] == ["Waiting", "Connecting"]
    assert found.items == world.result(central.list_dead_letters(LANE, 0, 10**6)).items
    woken = world.notifications.woken
    assert world.result(central.replay_dead_letters(None, (ids[0],))) == 1
    assert world.notifications.woken == woken + 1
    assert world.topics(LANE) == ["job Waiting"]
    assert world.result(central.drop_dead_letters(LANE, ())) == 1
    assert world.result(central.list_dead_letters(None, None, None)).items == ()


def test_an_address_that_is_not_allowed_is_refused(world: World) -> None:
    world.notifications.refused = "not on the allow-list"
    with pytest.raises(InvalidValue, match="allow-list"):
        subscribe(world, "job")
    world.notifications.refused = None
    with pytest.raises(InvalidValue, match="Duration"):
        world.result(world.central.subscribe("job", ALL, Endpoint(LANE), None, (), 0))
