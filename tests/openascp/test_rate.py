"""The token bucket never grants more than the rate, and grants all of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.openascp.rate import BURST_SECONDS, BYTES_PER_KILOBIT, SMALLEST_BLOCK, TokenBucket

RATES = st.integers(1, 10_000_000)
REQUESTS = st.lists(st.tuples(st.integers(1, 300_000), st.floats(0, 2)), min_size=1, max_size=60)


@given(RATES, REQUESTS)
def test_no_interval_gets_more_than_rate_times_time_plus_a_burst(
    rate: int, requests: list[tuple[int, float]]
) -> None:
    now = 0.0
    bucket = TokenBucket(rate, now)
    granted = [(now, 0)]
    for count, idle in requests:
        now += idle
        while (wait := bucket.take(count, now)) != 0:
            assert wait is not None
            now += max(wait, 1e-9)
        granted.append((now, count))
    per_second = rate * BYTES_PER_KILOBIT
    burst = max(per_second * BURST_SECONDS, *(count for count, _ in requests))
    for first in range(len(granted)):
        total = 0
        for at, count in granted[first:]:
            total += count
            assert total <= per_second * (at - granted[first][0]) + burst + 1


@given(RATES, st.integers(1, 300_000))
def test_who_always_asks_gets_the_whole_rate(rate: int, count: int) -> None:
    now = 0.0
    bucket = TokenBucket(rate, now)
    total = 0
    for _ in range(50):
        while (wait := bucket.take(count, now)) != 0:
            assert wait is not None
            now += max(wait, 1e-9)
        total += count
    rounding = rate * BYTES_PER_KILOBIT * 1e-9 * 50  # each wait may have been rounded up by a nanosecond
    assert total >= rate * BYTES_PER_KILOBIT * now * 0.999 - 1 - rounding


@given(st.lists(st.tuples(st.integers(0, 100_000), st.floats(0, 1)), max_size=20))
def test_a_changing_rate_grants_no_more_than_the_rates_that_were_in_force(
    changes: list[tuple[int, float]],
) -> None:
    now, total, allowed, largest = 0.0, 0, 0.0, 0.0
    bucket = TokenBucket(1000, now)
    rate = 1000
    for new_rate, lasting in changes:
        for _ in range(10):
            now += lasting / 10
            allowed += rate * BYTES_PER_KILOBIT * lasting / 10
            while bucket.take(5000, now) == 0:
                total += 5000
        largest = max(largest, rate * BYTES_PER_KILOBIT * BURST_SECONDS, 5000)
        assert total <= allowed + largest + 1
        bucket.set_rate(new_rate, now)
        rate = new_rate


def test_a_rate_of_zero_grants_nothing_until_it_is_raised() -> None:
    bucket = TokenBucket(0, 0.0)
    assert bucket.take(1, 1000.0) is None
    bucket.set_rate(8, 1000.0)
    assert bucket.take(100, 1000.0) == pytest.approx(0.05)
    assert bucket.take(50, 1000.06) == 0


def test_time_during_a_pause_earns_nothing() -> None:
    bucket = TokenBucket(8000, 0.0)
    bucket.set_rate(0, 0.0)
    bucket.set_rate(8000, 100.0)
    assert bucket.take(1000, 100.0) != 0


@pytest.mark.parametrize(
    ("rate", "block"), [(1, SMALLEST_BLOCK), (10_000, 62_500), (10_000_000, 262_144), (0, SMALLEST_BLOCK)]
)
def test_blocks_are_as_large_as_the_burst_within_limits(rate: int, block: int) -> None:
    assert TokenBucket(rate, 0.0).block(262_144) == block
