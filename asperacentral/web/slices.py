"""Long work in short turns, so that everybody else is served in between."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

T = TypeVar("T")

BUDGET = 0.005
"""Seconds of one turn."""


def in_slices(items: Iterator[T], clock: Any, budget: float = BUDGET) -> Deferred[list[T]]:
    """All items, made in turns of about `budget` seconds each; the first turn is now.

    `clock` is the reactor.
    """
    made: list[T] = []
    done: Deferred[list[T]] = Deferred()

    def turn() -> None:
        end = time.perf_counter() + budget
        try:
            for item in items:
                made.append(item)
                if time.perf_counter() >= end:
                    clock.callLater(0, turn)
                    return
        except Exception as error:
            done.errback(error)
        else:
            done.callback(made)

    turn()
    return done
