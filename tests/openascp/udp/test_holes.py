"""What has arrived, against a set of numbers that says the same in the plainest way."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from asperacentral.openascp.udp.holes import Holes

RANGES = st.lists(st.tuples(st.integers(0, 120), st.integers(1, 15)), max_size=60)


def numbers(ranges: list[tuple[int, int]]) -> set[int]:
    return {number for start, stop in ranges for number in range(start, stop)}


@given(RANGES)
def test_each_number_is_new_once(ranges: list[tuple[int, int]]) -> None:
    holes, known = Holes(), set[int]()
    for start, length in ranges:
        new = holes.add(start, start + length)
        arrived = set(range(start, start + length))
        assert numbers(new) == arrived - known
        assert new == sorted(new)
        known |= arrived
        missing = set(range(max(known) + 1)) - known
        assert holes.end == max(known) + 1
        assert numbers(holes.within(0, holes.end)) == missing
        assert holes.first_missing == min(missing, default=holes.end)
        assert {number for number in range(140) if number in holes} == known


@given(RANGES, st.integers(0, 140), st.integers(0, 140))
def test_holes_are_found_in_any_range(ranges: list[tuple[int, int]], start: int, stop: int) -> None:
    holes, known = Holes(), set[int]()
    for first, length in ranges:
        holes.add(first, first + length)
        known |= set(range(first, first + length))
    missing = {number for number in range(start, min(stop, holes.end)) if number not in known}
    assert numbers(holes.within(start, stop)) == missing
    beyond = [number for number in range(start, holes.end) if number not in known]
    assert holes.missing_from(start) == (beyond[0] if beyond else holes.end)


@given(RANGES, st.integers(0, 140))
def test_what_is_forgotten_counts_as_arrived(ranges: list[tuple[int, int]], below: int) -> None:
    holes = Holes()
    for first, length in ranges:
        holes.add(first, first + length)
    before = numbers(holes.within(0, holes.end))
    holes.forget(below)
    assert numbers(holes.within(0, holes.end)) == {number for number in before if number >= below}
