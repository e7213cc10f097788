from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.openascp.names import BadPathError, beneath_root, checked, is_within, parts_of

part = st.one_of(
    st.sampled_from([b"", b".", b"..", b"...", b"a", b" ", b"a\nb", b"\x1b[2J", b"\xff\xfe", b"..\n"]),
    st.binary(max_size=8),
)
paths = st.lists(part, max_size=8).map(b"/".join)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (b"", b""),
        (b"/", b""),
        (b"//a//b/", b"a/b"),
        (b"./a/.", b"a"),
        (b"../../etc/passwd", b"etc/passwd"),
        (b"/a/../../b", b"b"),
        (b"a/b/../c", b"a/c"),
        (b"line\nbreak/\x1b[31m", b"line\nbreak/\x1b[31m"),
        (b"\xff\xfe/..x", b"\xff\xfe/..x"),
    ],
)
def test_what_a_person_writes_starts_and_ends_at_the_root(written: bytes, meant: bytes) -> None:
    assert beneath_root(written) == meant


@pytest.mark.parametrize(
    "sent", [b"", b"/a", b"..", b"a/..", b"a/../b", b"a//b", b"a/", b".", b"./a", b"a\0b"]
)
def test_a_program_sends_one_form_only(sent: bytes) -> None:
    with pytest.raises(BadPathError):
        checked(sent)


def test_a_name_that_no_file_system_takes_is_refused_before_it_is_tried() -> None:
    for name in (b"a" * 256, b"a/" * 2047 + b"aa"):
        for read in (beneath_root, checked):
            with pytest.raises(BadPathError, match="longer than"):
                read(name)
    assert checked(b"a" * 255) == b"a" * 255


@given(paths)
def test_what_was_made_safe_passes_the_check_of_programs_names(name: bytes) -> None:
    try:
        safe = beneath_root(name)
    except BadPathError:
        assert b"\0" in name
        return
    assert beneath_root(safe) == safe
    assert b"/".join(parts_of(safe)) == safe


def test_within_compares_whole_parts() -> None:
    assert is_within(b"a/b", b"a/b")
    assert is_within(b"a/b/c", b"a/b")
    assert is_within(b"a", b"")
    assert not is_within(b"a/bc", b"a/b")
    assert not is_within(b"a", b"a/b")
