"""Both halves agree about every byte of the stream."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.openascp.exchange.layout import Contiguous, Layout, Piece

EXTENTS = st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 50)), max_size=4)
FILES = st.lists(st.tuples(st.integers(0, 9), EXTENTS), max_size=20)


def laid(files: list[tuple[int, list[tuple[int, int]]]]) -> tuple[Layout, list[tuple[int, int]]]:
    """The layout, and the plain truth: file and offset of each byte of the stream."""
    layout, truth = Layout(), []
    for file, extents in files:
        layout.append(file, extents)
        truth += [(file, offset + step) for offset, length in extents for step in range(length)]
    return layout, truth


def bytes_of(pieces: list[Piece]) -> list[tuple[int, int]]:
    return [(piece.file, piece.offset + step) for piece in pieces for step in range(piece.length)]


@given(FILES, st.data())
def test_every_part_of_the_stream_is_where_it_was_laid(
    files: list[tuple[int, list[tuple[int, int]]]], data: st.DataObject
) -> None:
    layout, truth = laid(files)
    assert layout.end == len(truth)
    start = data.draw(st.integers(0, len(truth)))
    end = data.draw(st.integers(start, len(truth)))
    pieces = list(layout.locate(start, end - start))
    assert bytes_of(pieces) == truth[start:end]
    assert [piece.stream for piece in pieces[:1]] == ([start] if end > start else [])


@given(FILES, FILES, st.lists(st.integers(0, 200)))
def test_what_is_done_is_told_once_and_forgotten(
    files: list[tuple[int, list[tuple[int, int]]]],
    more: list[tuple[int, list[tuple[int, int]]]],
    steps: list[int],
) -> None:
    layout, truth = laid(files)
    told: list[tuple[int, int]] = []
    for step in steps:
        told += bytes_of(layout.advance(min(layout.done + step, layout.end)))
        assert told == truth[: layout.done]
        if more:
            file, extents = more.pop()
            layout.append(file, extents)
            truth += [(file, offset + step) for offset, length in extents for step in range(length)]
    assert bytes_of(list(layout.locate(layout.done, layout.end - layout.done))) == truth[layout.done :]


def test_a_long_stream_needs_no_room_for_its_past() -> None:
    layout = Layout()
    for number in range(50_000):
        layout.append(number, [(0, 10)])
        layout.advance(layout.end - 5)
    assert len(layout._pieces) < 5000


@pytest.mark.parametrize(("start", "length"), [(0, 5), (5, 100), (15, -1), (21, 1)])
def test_what_is_not_on_the_map_is_an_error(start: int, length: int) -> None:
    layout = Layout()
    layout.append(1, [(0, 20)])
    layout.advance(5)
    with pytest.raises(ValueError, match="map"):
        list(layout.locate(start, length))


def test_an_empty_or_negative_extent_is_an_error() -> None:
    for extent in ((0, 0), (-1, 5), (0, -5)):
        with pytest.raises(ValueError, match="extent"):
            Layout().append(1, [extent])


@given(st.lists(st.integers(1, 20), min_size=1), st.randoms())
def test_contiguous_is_the_first_gap(lengths: list[int], chance: object) -> None:
    pieces = [(sum(lengths[:place]), length) for place, length in enumerate(lengths)]
    chance.shuffle(pieces)  # type: ignore[attr-defined]
    there: set[int] = set()
    contiguous = Contiguous()
    for start, length in pieces:
        there |= set(range(start, start + length))
        gap = next(place for place in range(len(there) + 1) if place not in there)
        assert contiguous.add(start, length) == gap
