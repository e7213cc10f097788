"""Every overwrite rule at every resume level."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.openascp.filesystem import NANOSECONDS, Attributes, Kind
from asperacentral.openascp.overwrite import RULES, SAMPLE, WHOLE_BELOW, Decision, decide, ranges

MOVE, SKIP = Decision.MOVE, Decision.SKIP
SAMPLES, ALL = Decision.COMPARE_SAMPLES, Decision.COMPARE_ALL


def file(size: int, age: int = 0) -> Attributes:
    return Attributes(Kind.FILE, size, (1_000_000 - age) * NANOSECONDS)


SOURCE = file(10, age=100)
OLDER_SAME_SIZE, OLDER_OTHER_SIZE = file(10, age=200), file(11, age=200)
NEWER_SAME_SIZE, NEWER_OTHER_SIZE = file(10, age=0), file(11, age=0)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("level", range(4))
def test_what_is_not_there_is_moved(rule: str, level: int) -> None:
    assert decide(rule, level, SOURCE, None) is MOVE


@pytest.mark.parametrize("level", range(4))
@pytest.mark.parametrize("target", [OLDER_SAME_SIZE, OLDER_OTHER_SIZE, NEWER_SAME_SIZE, NEWER_OTHER_SIZE])
def test_always_moves_and_never_skips(level: int, target: Attributes) -> None:
    assert decide("always", level, SOURCE, target) is MOVE
    assert decide("never", level, SOURCE, target) is SKIP


@pytest.mark.parametrize("level", range(4))
def test_older_looks_at_times_only(level: int) -> None:
    assert decide("older", level, SOURCE, OLDER_SAME_SIZE) is MOVE
    assert decide("older", level, SOURCE, NEWER_OTHER_SIZE) is SKIP
    assert decide("older", level, SOURCE, SOURCE) is SKIP


@pytest.mark.parametrize(("level", "decision"), [(0, MOVE), (1, SKIP), (2, SAMPLES), (3, ALL)])
def test_the_level_says_how_equal_sizes_are_compared(level: int, decision: Decision) -> None:
    assert decide("diff", level, SOURCE, NEWER_SAME_SIZE) is decision
    assert decide("diff+older", level, SOURCE, OLDER_SAME_SIZE) is decision
    assert decide("diff+older", level, SOURCE, NEWER_SAME_SIZE) is SKIP


@pytest.mark.parametrize("level", range(4))
def test_different_sizes_differ(level: int) -> None:
    assert decide("diff", level, SOURCE, NEWER_OTHER_SIZE) is MOVE
    assert decide("diff+older", level, SOURCE, OLDER_OTHER_SIZE) is MOVE


def test_parts_of_a_second_make_nothing_older() -> None:
    source = Attributes(Kind.FILE, 1, 5 * NANOSECONDS + 9)
    assert decide("older", 0, source, Attributes(Kind.FILE, 1, 5 * NANOSECONDS)) is SKIP


def test_small_files_are_sampled_entirely() -> None:
    assert list(ranges(SAMPLES, 100, 60)) == [(0, 60), (60, 40)]


@given(st.integers(WHOLE_BELOW, 2**50))
def test_samples_include_first_and_last_block_and_stay_inside(size: int) -> None:
    found = list(ranges(SAMPLES, size, 2**18))
    assert found[0][0] == 0
    assert found[-1] == (size - SAMPLE, SAMPLE)
    assert all(offset >= 0 and offset + length <= size for offset, length in found)


@given(st.integers(0, 10**6), st.integers(1000, 2**18))
def test_comparing_all_covers_every_byte_once(size: int, block: int) -> None:
    covered = 0
    for offset, length in ranges(ALL, size, block):
        assert offset == covered
        covered += length
    assert covered == size
