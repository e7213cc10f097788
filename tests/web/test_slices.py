"""Long work gives others their turn, and loses nothing by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.task import Clock

from asperacentral.web.slices import in_slices


class Turns:
    """A reactor's turns, one by one."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []

    def callLater(self, _delay: float, function: Callable[[], None]) -> None:
        self.calls.append(function)

    def turn(self) -> None:
        self.calls.pop(0)()


def results(made: Any) -> list[Any]:
    found: list[Any] = []
    made.addBoth(found.append)
    return found


def test_each_turn_does_a_little_and_the_order_stays() -> None:
    coming = Turns()
    found = results(in_slices(iter(range(5)), coming, budget=0.0))
    for _ in range(5):
        assert found == []
        coming.turn()
    assert found == [[0, 1, 2, 3, 4]]


def test_little_work_is_done_at_once() -> None:
    assert results(in_slices(iter("ab"), Clock(), budget=1000.0)) == [["a", "b"]]


def test_a_mistake_in_a_later_turn_is_told() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("the second")

    clock = Clock()
    found = results(in_slices(items(), clock, budget=0.0))
    clock.advance(0)
    with pytest.raises(ValueError, match="the second"):
        found[0].raiseException()
