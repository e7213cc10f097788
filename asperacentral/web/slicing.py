"""Long work in slices: what takes many milliseconds is left now and then, so that other clients get their turn.

Knows a clock, not what is worked at.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

T = TypeVar("T")

SLICE = 0.005
"""Seconds of a slice. A step that is under way is not broken off."""


class Scheduler(Protocol):
    """What is asked of a reactor."""

    def callLater(self, delay: float, function: Callable[..., Any], /, *args: Any) -> Any:  # noqa: N802
        """Call `function` in `delay` seconds."""


def in_slices(
    steps: Generator[None, None, T], scheduler: Scheduler, seconds: Callable[[], float] = time.perf_counter
) -> Deferred[T]:
    """What `steps` returns in the end. The first slice is worked off at once, so that little work is not delayed;
    the others each in a turn of the loop of their own. Cancelling the Deferred ends the work."""
    finished: Deferred[T] = Deferred(lambda _: steps.close())

    def work() -> None:
        until = seconds() + SLICE
        try:
            while True:
                next(steps)
                if seconds() >= until:
                    break
        except StopIteration as end:
            if not finished.called:
                finished.callback(end.value)
        except Exception:
            finished.errback(Failure())
        else:
            scheduler.callLater(0, work)

    work()
    return finished
