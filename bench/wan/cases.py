"""The paths that are measured, and what is aimed at on each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

_Each = TypeVar("_Each")

MB = 1_000_000


@dataclass(frozen=True)
class Case:
    """A path (Mbit/s, ms, per cent), how many MB to move, and the aim in per cent of the link."""

    rate: float
    rtt: float
    loss: float
    size: int
    aim: int

    def __str__(self) -> str:
        return f"{self.rate:g} Mbit/s, {self.rtt:g} ms, {self.loss:g} %"


CASES = (
    Case(500, 100, 1, 1000, 92),
    Case(500, 200, 2, 1000, 90),
    Case(155, 90, 1, 1000, 94),
    Case(500, 100, 10, 1000, 80),
    Case(1000, 100, 1, 1000, 88),
    Case(100, 1000, 5, 300, 80),
    Case(150, 1000, 30, 200, 45),
    Case(500, 100, 1, 200, 88),
)
BY_LOSS = tuple(Case(500, 100, loss, 300, 0) for loss in (0, 1, 2, 5, 10))
BY_DISTANCE = tuple(Case(500, rtt, 1, 300, 0) for rtt in (5, 20, 50, 100, 200))


def chosen(all_of_them: Sequence[_Each], numbers: str) -> Sequence[_Each]:
    """Those with these numbers, which count from 0 and have commas between them; all if there are none."""
    return [all_of_them[int(number)] for number in numbers.split(",")] if numbers else all_of_them
