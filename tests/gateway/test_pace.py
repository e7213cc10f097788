"""The pace of a transfer, with a clock that stands still until it is pushed."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from asperacentral.gateway.pace import Pace

KBPS = 8000
"""A million bytes a second."""


def paced(rate: int) -> tuple[Clock, Pace]:
    clock = Clock()
    pace = Pace(clock)  # type: ignore[arg-type]  # of the reactor it uses time alone
    pace.set_rate(rate)
    return clock, pace


def waiting(pace: Pace) -> Deferred[None]:
    waits = pace.behind()
    assert waits is not None
    return waits


def test_without_a_rate_nothing_waits() -> None:
    pace = Pace(Clock())  # type: ignore[arg-type]
    pace.moved(1 << 40)
    assert pace.behind() is None
    assert pace.block(1 << 20) == 1 << 20


def test_what_has_moved_is_waited_for_at_the_rate() -> None:
    clock, pace = paced(KBPS)
    begun, moved = clock.seconds(), 0
    for _ in range(100):
        pace.moved(250_000)
        moved += 250_000
        waits = pace.behind()
        while waits is not None and not waits.called:
            clock.advance(0.01)
    seconds = clock.seconds() - begun
    assert 0.95 * moved / 1_000_000 <= seconds <= 1.05 * moved / 1_000_000 + 0.1


def test_a_pause_lasts_until_there_is_a_rate_again() -> None:
    clock, pace = paced(0)
    waits = waiting(pace)
    clock.advance(10_000)
    assert not waits.called
    pace.set_rate(KBPS)
    clock.advance(1)
    assert waits.called


def test_who_waits_for_a_slow_rate_goes_on_at_once_when_there_is_no_limit() -> None:
    _, pace = paced(1)
    pace.moved(1_000_000)
    waits = pace.behind() or waiting(pace)
    pace.set_rate(None)
    assert waits.called
    assert pace.behind() is None


def test_a_transfer_that_has_ended_leaves_no_call_behind() -> None:
    clock, pace = paced(KBPS)
    pace.moved(1_000_000)
    waits = waiting(pace)
    pace.end()
    assert not clock.getDelayedCalls()
    clock.advance(100)
    assert not waits.called
