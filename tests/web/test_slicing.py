"""Long work in slices: how it is divided, and that its result is the same."""

from __future__ import annotations

from collections.abc import Callable, Generator

import pytest
from twisted.python.failure import Failure

from asperacentral.web.slicing import SLICE, in_slices


class Turns:
    """A clock whose calls each wait for a turn of the loop."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waiting: list[Callable[[], object]] = []

    def seconds(self) -> float:
        return self.now

    def callLater(self, _delay: float, function: Callable[..., object], /, *args: object) -> None:
        self.waiting.append(lambda: function(*args))

    def turn(self) -> int:
        """Make the calls that wait now; how many they were."""
        calls, self.waiting = self.waiting, []
        for call in calls:
            call()
        return len(calls)


class Work:
    """Steps that take a given time of a clock; `done` counts them."""

    def __init__(self, clock: Turns, steps: int, each: float) -> None:
        self.clock, self.steps, self.each = clock, steps, each
        self.done = 0
        self.closed = False

    def run(self) -> Generator[None, None, str]:
        try:
            for _ in range(self.steps):
                self.clock.now += self.each
                self.done += 1
                yield
        finally:
            self.closed = True
        return "result"


def test_little_work_is_done_at_once() -> None:
    clock = Turns()
    finished = in_slices(Work(clock, 3, SLICE / 4).run(), clock, clock.seconds)
    assert finished.result == "result"
    assert not clock.waiting


def test_long_work_is_left_after_each_slice_for_a_turn_of_the_loop() -> None:
    clock = Turns()
    work = Work(clock, 10, SLICE / 4)
    finished = in_slices(work.run(), clock, clock.seconds)
    counts = []
    while not finished.called:
        counts.append(work.done)
        clock.turn()
    assert counts == [4, 8]
    assert finished.result == "result"


def test_a_mistake_in_a_later_slice_reaches_who_waits() -> None:
    clock = Turns()

    def wrong() -> Generator[None, None, str]:
        clock.now += SLICE
        yield
        raise ValueError("wrong")

    finished = in_slices(wrong(), clock, clock.seconds)
    clock.turn()
    errors: list[Failure] = []
    finished.addErrback(errors.append)
    assert [str(failure.value) for failure in errors] == ["wrong"]


def test_work_nobody_waits_for_any_more_ends() -> None:
    clock = Turns()
    work = Work(clock, 100, SLICE)
    finished = in_slices(work.run(), clock, clock.seconds)
    ends: list[object] = []
    finished.addErrback(ends.append)
    finished.cancel()
    while clock.turn():
        pass
    assert (work.done, work.closed) == (1, True)
    assert not clock.waiting


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_the_result_does_not_depend_on_the_slices(steps: int) -> None:
    clock = Turns()
    finished = in_slices(Work(clock, steps, SLICE).run(), clock, clock.seconds)
    while not finished.called:
        clock.turn()
    assert finished.result == "result"
