"""How much of the stream is asked for at a time."""

from __future__ import annotations

import pytest

from asperacentral.openascp.exchange.wanting import window

GB = 1_000_000_000


def test_several_round_trips_by_satellite_fit_at_the_target_rate() -> None:
    gigabit = 1_000_000
    assert window(gigabit) >= 4 * 1.0 * GB / 8


@pytest.mark.parametrize("target_rate", [0, 10_000, 1_000_000, 100_000_000])
def test_a_window_is_neither_too_small_for_short_ways_nor_without_a_limit(target_rate: int) -> None:
    assert 64 << 20 <= window(target_rate) <= 1 << 30
