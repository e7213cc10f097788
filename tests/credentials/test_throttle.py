from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.credentials import throttle
from asperacentral.credentials.throttle import FailureThrottle


class Time:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_after_the_limit_an_address_waits_until_its_guesses_are_old() -> None:
    time = Time()
    guard = FailureThrottle(3, 60.0, time)
    assert [guard.begin("192.0.2.1") for _ in range(5)] == [True, True, True, False, False]
    time.now += 59.9
    assert not guard.begin("192.0.2.1")
    time.now += 0.1
    assert guard.begin("192.0.2.1")


def test_each_address_has_a_limit_of_its_own() -> None:
    guard = FailureThrottle(1, 60.0, Time())
    assert guard.begin("192.0.2.1")
    assert guard.begin("192.0.2.2")
    assert not guard.begin("192.0.2.1")


def test_right_passwords_do_not_count() -> None:
    guard = FailureThrottle(2, 60.0, Time())
    for _ in range(10):
        assert guard.begin("192.0.2.1")
        guard.succeeded("192.0.2.1")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2001:db8::1", "2001:db8::2"),
        ("fe80::1%eth0", "fe80::2%eth0"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("not an address", "not an address"),
    ],
)
def test_the_same_client_under_another_address_is_the_same(one: str, other: str) -> None:
    guard = FailureThrottle(1, 60.0, Time())
    assert guard.begin(one)
    assert not guard.begin(other)


def test_a_flood_of_addresses_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "_MOST_ADDRESSES", 2)
    guard = FailureThrottle(1, 60.0, Time())
    for last in range(1, 5):
        assert guard.begin(f"192.0.2.{last}")
    assert not guard.begin("192.0.2.4")
    assert guard.begin("192.0.2.1")


@given(st.lists(st.tuples(st.floats(0, 20), st.booleans()), max_size=60))
def test_there_are_never_more_wrong_guesses_in_a_window_than_the_limit(
    steps: list[tuple[float, bool]],
) -> None:
    time = Time()
    guard = FailureThrottle(3, 30.0, time)
    wrong: list[float] = []
    for wait, right in steps:
        time.now += wait
        if guard.begin("192.0.2.1"):
            if right:
                guard.succeeded("192.0.2.1")
            else:
                wrong.append(time.now)
        assert len([at for at in wrong if at > time.now - 30.0]) <= 3
