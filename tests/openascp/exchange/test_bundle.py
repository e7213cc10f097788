"""Both halves agree about every byte of a bundle, however it is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.openascp.exchange.bundle import Shape

SIZES = st.lists(st.integers(0, 9), max_size=12)


def truth(sizes: list[int]) -> list[tuple[int, int]]:
    """File and offset of each byte; the mark is the byte behind the last one."""
    return [(number, place) for number, size in enumerate(sizes) for place in range(size + 1)]


@given(SIZES, st.data())
def test_every_part_of_a_bundle_is_where_it_was_laid(sizes: list[int], data: st.DataObject) -> None:
    shape, whole = Shape(sizes), truth(sizes)
    assert shape.length == len(whole)
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    parts = list(shape.parts(start, end - start))
    found = [(part.number, place) for part in parts for place in range(part.start, part.end)]
    assert found == whole[start:end]
    assert len({part.number for part in parts}) == len(parts)


@pytest.mark.parametrize(("start", "length"), [(-1, 1), (0, 8), (7, 1), (3, -1)])
def test_what_is_outside_a_bundle_is_an_error(start: int, length: int) -> None:
    with pytest.raises(ValueError, match="bundle"):
        list(Shape([2, 0, 2]).parts(start, length))
