"""Links to downloads: for one method, one host, one time, and one use."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from asperacentral.gateway.links import LinkError, Links


@pytest.fixture
def clock() -> Clock:
    return Clock()


def links(clock: Clock, *, reusable: bool = False) -> Links[str]:
    return Links(clock.seconds, 10, reusable=reusable)


def test_what_was_kept_is_found_by_the_address_that_was_made(clock: Clock) -> None:
    kept = links(clock)
    query = kept.query(kept.keep("this"), "GET", "gw.example:9443")
    assert set(query) == {"id", "expires", "signature"}
    assert kept.take(kept.check(query, "GET", "GW.example:9443")) == "this"


def test_a_link_is_used_once(clock: Clock) -> None:
    kept = links(clock)
    name = kept.keep("this")
    kept.take(name)
    with pytest.raises(LinkError, match="used before") as raised:
        kept.take(name)
    assert raised.value.gone


def test_a_reusable_link_is_used_until_it_expires(clock: Clock) -> None:
    kept = links(clock, reusable=True)
    name = kept.keep("this")
    assert [kept.take(name), kept.take(name)] == ["this", "this"]
    clock.advance(10)
    with pytest.raises(LinkError, match="expired"):
        kept.take(name)


@pytest.mark.parametrize(
    ("change", "method", "host"),
    [
        ({"id": "other"}, "GET", "a"),
        ({"expires": "99999999999"}, "GET", "a"),
        ({"signature": "0" * 64}, "GET", "a"),
        ({"signature": "ümläut"}, "GET", "a"),
        ({"signature": ""}, "GET", "a"),
        ({}, "POST", "a"),
        ({}, "GET", "b"),
    ],
)
def test_an_address_that_was_changed_is_none(
    clock: Clock, change: dict[str, str], method: str, host: str
) -> None:
    kept = links(clock)
    query = kept.query(kept.keep("this"), "GET", "a")
    with pytest.raises(LinkError, match="not a link"):
        kept.check(query | change, method, host)


def test_another_gateway_did_not_sign_it(clock: Clock) -> None:
    one, other = links(clock), links(clock)
    with pytest.raises(LinkError):
        other.check(one.query(one.keep("this"), "GET", "a"), "GET", "a")


def test_ids_are_not_guessed_and_old_ones_are_forgotten(clock: Clock) -> None:
    kept = links(clock)
    names = {kept.keep("x") for _ in range(1000)}
    assert len(names) == 1000
    assert min(map(len, names)) >= 32
    clock.advance(10 + 3601)
    kept.keep("y")
    with pytest.raises(LinkError, match="no such"):
        kept.take(names.pop())
