"""Rates over time: exact sums, bounded memory, whatever a session does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.central.model import SessionRecord
from asperacentral.console import history
from asperacentral.console.history import BUCKET, POINTS, RateHistory, Track


class Sky:
    """A history on a clock of the test's own."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.history = RateHistory(lambda: self.now)

    def says(self, session: str, moved: int, topic: str = "Statistics", direction: str = "outgoing") -> None:
        record = SessionRecord(id=session, start_date=0, bytes_transferred=moved, direction=direction)
        self.history.happened("session", topic, session, record)


def test_a_sessions_points_are_its_rates_between_them() -> None:
    sky = Sky()
    sky.says("a", 0, "Started")
    for moved in (1000, 3000, 3000, 4000):
        sky.now += 2
        sky.says("a", moved)
    assert sky.history.session("a") == [
        (1_000_002, 4000),
        (1_000_004, 8000),
        (1_000_006, 0),
        (1_000_008, 4000),
    ]
    assert sky.history.session("b") == []


def test_the_last_moment_of_a_session_counts_however_short_it_is() -> None:
    sky = Sky()
    sky.says("a", 0, "Started")
    sky.now += 0.5
    sky.says("a", 1000, "Stopped")
    assert sky.history.session("a") == [(1_000_000.5, 16_000)]


@given(st.lists(st.tuples(st.floats(0.01, 100), st.integers(0, 10**12)), max_size=1000))
def test_a_track_stays_small_and_loses_no_byte(steps: list[tuple[float, int]]) -> None:
    track, now, moved = Track(0.0, 0), 0.0, 0
    for seconds, more in steps:
        now, moved = now + seconds, moved + more
        track.add(now, moved)
    track.add(now + 1000, moved, last=True)
    points = track.points()
    assert len(points) <= POINTS
    assert [at for at, _ in points] == sorted(at for at, _ in points)
    began, sum_of_bits = 0.0, 0.0
    for at, bits in points:
        sum_of_bits += bits * (at - began)
        began = at
    assert sum_of_bits == pytest.approx(moved * 8, abs=began + 1)


def test_counters_that_go_back_count_nothing() -> None:
    sky = Sky()
    sky.says("a", 5000, "Started")
    sky.now += 2
    sky.says("a", 100)
    sky.now += 2
    sky.says("a", 5000)
    assert [bits for _, bits in sky.history.session("a")] == [0, 0]


def test_the_total_is_the_sum_by_direction_and_silence_is_nought() -> None:
    sky = Sky()
    sky.says("a", 0, "Started")
    sky.says("b", 0, "Started", "incoming")
    sky.now += 1
    sky.says("a", 1000)
    sky.says("b", 500, direction="incoming")
    assert sky.history.rates()["outgoing"] > sky.history.rates()["incoming"] > 0
    sky.now += 4 * BUCKET
    assert sky.history.total() == [
        (1_000_005.0, 800, 1600),
        (1_000_010.0, 0, 0),
        (1_000_015.0, 0, 0),
        (1_000_020.0, 0, 0),
    ]
    assert sky.history.rates() == {"incoming": 0, "outgoing": 0}


def test_of_very_many_sessions_the_quietest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "TRACKS", 3)
    sky = Sky()
    for session in "abc":
        sky.says(session, 0, "Started")
    sky.now += 2
    sky.says("a", 10)
    sky.says("d", 0, "Started")
    sky.now += 2
    for session in "abcd":
        assert bool(sky.history.session(session)) == (session == "a")
