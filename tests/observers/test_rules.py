"""The rules of delivery: when to try again, when to give up, what counts as delivered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.observers.rules import (
    ENDED_FOR,
    FIRST_WAIT,
    GIVE_UP_AFTER,
    TOP_WAIT,
    failure_in,
    reason_to_give_up,
    wait_after,
)

ATTEMPTS = st.integers(1, 10_000)
CHANCES = st.floats(0, 1, exclude_max=True)


@given(ATTEMPTS, CHANCES)
def test_no_wait_is_longer_than_the_top_nor_shorter_than_half_the_first(attempts: int, chance: float) -> None:
    assert FIRST_WAIT / 2 <= wait_after(attempts, lambda: chance) <= TOP_WAIT


@given(ATTEMPTS, CHANCES)
def test_with_the_same_luck_a_further_failure_never_shortens_the_wait(attempts: int, chance: float) -> None:
    assert wait_after(attempts + 1, lambda: chance) >= wait_after(attempts, lambda: chance)


def test_waits_are_doubled_up_to_the_top() -> None:
    longest = [wait_after(attempts, lambda: 1.0) for attempts in range(1, 12)]
    assert longest == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


@given(ATTEMPTS, CHANCES)
def test_waits_are_spread_over_the_upper_half(attempts: int, chance: float) -> None:
    longest = wait_after(attempts, lambda: 1.0)
    assert wait_after(attempts, lambda: 0.0) == longest / 2
    assert longest / 2 <= wait_after(attempts, lambda: chance) <= longest


@given(st.floats(0, 2e9), st.floats(0, 3 * GIVE_UP_AFTER))
def test_while_its_subscription_is_in_force_only_age_ends_the_attempts(created: float, age: float) -> None:
    now = created + age
    assert (reason_to_give_up(created, now + 1, now) is None) == (now - created < GIVE_UP_AFTER)


@given(st.floats(0, 2 * ENDED_FOR))
def test_attempts_for_a_subscription_that_has_ended_go_on_for_a_while(since: float) -> None:
    now = 1e6 + since
    reason = reason_to_give_up(now, 1e6, now)
    assert reason == (None if now - 1e6 < ENDED_FOR else "the subscription has ended")


def test_the_reason_to_give_up_tells_how_long_was_tried() -> None:
    assert reason_to_give_up(0, 9e9, GIVE_UP_AFTER) == "not delivered within 24 hours"


@given(st.integers(100, 599), st.binary())
def test_only_a_status_of_2xx_is_a_success(status: int, body: bytes) -> None:
    if not 200 <= status < 300:
        assert failure_in(status, body) == f"HTTP status {status}"


@pytest.mark.parametrize(
    "body", [b"", b"OK", b"<html><title>Thanks</title></html>", b"<s:Envelope><s:Body/></s:Envelope>"]
)
def test_any_answer_of_2xx_without_a_fault_is_a_success(body: bytes) -> None:
    assert failure_in(200, body) is None
    assert failure_in(202, body) is None


@pytest.mark.parametrize(
    "body",
    [
        b"<s:Envelope><s:Body><s:Fault><faultcode/></s:Fault></s:Body></s:Envelope>",
        b"<Envelope><Body><Fault xmlns=''/></Body></Envelope>",
        b"<SOAP-ENV:Envelope>\n <SOAP-ENV:Body>\n  <SOAP-ENV:Fault\n/>",
    ],
)
def test_a_fault_is_a_failure_even_with_status_200(body: bytes) -> None:
    assert failure_in(200, body) == "a SOAP Fault"


@pytest.mark.parametrize("body", [b"<FaultCount>0</FaultCount>", b"<NoFault/>", b"no Fault here"])
def test_words_that_only_hold_fault_are_no_fault(body: bytes) -> None:
    assert failure_in(200, body) is None
