"""Patterns decide from left to right; times limit what is left."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.openascp.files.selection import (
    NANOSECONDS,
    PatternError,
    Rule,
    Selection,
    TimeLimits,
    moment,
)


def excluding(*patterns: bytes) -> Selection:
    return Selection([Rule(pattern, exclude=True) for pattern in patterns])


def taken(selection: Selection, path: bytes, *, folder: bool = False) -> bool:
    return selection.takes(path, folder=folder)


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        (b"*.pdf", b"a/b.pdf", True),
        (b"*.pdf", b"b.pdf", True),
        (b"*.pdf", b"b.pdf.txt", False),
        (b"*.pdf", b".pdf", True),
        (b"b/*.pdf", b"a/b/c.pdf", True),
        (b"b/*.pdf", b"a/ab/c.pdf", False),
        (b"b/*.pdf", b"b/c/d.pdf", False),
        (b"b/**.pdf", b"b/c/d.pdf", True),
        (b"/a/*", b"a/b", True),
        (b"/a/*", b"x/a/b", False),
        (b"?.txt", b"a.txt", True),
        (b"?.txt", b"ab.txt", False),
        (b"a?b", b"a/b", False),
        (b"[a-c]1", b"b1", True),
        (b"[!a-c]1", b"b1", False),
        (b"[^a-c]1", b"d1", True),
        (b"x[!a]y", b"x/y", False),
        (b"[]x]", b"]", True),
        (b"[a-]", b"-", True),
        (b"a\\*", b"a*", True),
        (b"a\\*", b"ab", False),
        (b"a.b", b"axb", False),
        (b"(x|y)+", b"x", False),
        (b"(x|y)+", b"(x|y)+", True),
        (b"\xff*", b"\xff\xfe", True),
        (b"a*z", b"a\nz", True),
        ("ü*".encode(), "über".encode(), True),
    ],
)
def test_a_pattern_matches_whole_names_from_the_end_of_the_path(
    pattern: bytes, path: bytes, matches: bool
) -> None:
    assert taken(excluding(pattern), path) is not matches


def test_a_pattern_that_ends_in_a_slash_is_for_folders_only() -> None:
    selection = excluding(b"cache/")
    assert not taken(selection, b"a/cache", folder=True)
    assert taken(selection, b"a/cache")


def test_an_include_protects_from_later_excludes_only() -> None:
    keep, drop = Rule(b"keep*", exclude=False), Rule(b"*.txt", exclude=True)
    assert taken(Selection([keep, drop]), b"keep.txt")
    assert not taken(Selection([keep, drop]), b"other.txt")
    assert not taken(Selection([drop, keep]), b"keep.txt")
    assert taken(Selection([keep]), b"other.txt")


@pytest.mark.parametrize("pattern", [b"", b"[a", b"a\\", b"[z-a]", b"x" * 5000])
def test_a_pattern_that_cannot_be_used_is_refused(pattern: bytes) -> None:
    with pytest.raises(PatternError) as refused:
        excluding(pattern)
    assert "\n" not in str(refused.value)


def test_too_many_patterns_are_refused() -> None:
    with pytest.raises(PatternError, match="more than 1000"):
        excluding(*[b"a"] * 1001)


def test_a_hostile_pattern_costs_no_more_than_its_path() -> None:
    selection = excluding(b"*a" * 30 + b"b")
    began = time.process_time()
    assert taken(selection, b"a" * 4000)
    assert time.process_time() - began < 10


def test_times_limit_files_and_not_folders() -> None:
    selection = Selection(limits=TimeLimits(newest=200, oldest=100))
    assert [selection.takes(b"f", folder=False, modified=at) for at in (99, 100, 200, 201)] == [
        False,
        True,
        True,
        False,
    ]
    assert selection.takes(b"d", folder=True, modified=1)


def test_a_negative_time_is_before_now() -> None:
    assert moment(-60, 1000.0) == 940 * NANOSECONDS
    assert moment(60, 1000.0) == 60 * NANOSECONDS
    assert moment(0, 1000.0) == 0


@given(st.binary(min_size=1, max_size=40).filter(lambda name: b"/" not in name))
def test_every_name_is_matched_by_itself_quoted(name: bytes) -> None:
    quoted = b"".join(b"\\" + bytes([byte]) for byte in name)
    assert not taken(excluding(quoted), b"folder/" + name)
    assert taken(excluding(quoted), b"folder/" + name + b"x")


@given(st.lists(st.sampled_from([b"a", b"b", b"/", b"*", b"**", b"?", b"[ab]", b"[!a]"]), max_size=12))
def test_every_combination_of_signs_is_a_pattern_or_refused(parts: list[bytes]) -> None:
    pattern = b"".join(parts)
    if pattern:
        excluding(pattern).takes(b"a/b/a", folder=False)
