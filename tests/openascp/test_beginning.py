"""A half runs beside the meeting of its two ends; who watches hears of the session first."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from asperacentral.openascp.beginning import Held, run_beside
from asperacentral.openascp.failures import SessionFailure


class Observer:
    """Writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *words, **named: self.heard.append((name, *words, *named.items()))


def beside(half: Coroutine[Any, Any, None], meeting: Coroutine[Any, Any, str]) -> list[Any]:
    """Run both; what `met` heard."""
    heard: list[Any] = []
    asyncio.run(run_beside(half, meeting, heard.append))
    return heard


async def soon(result: str) -> str:
    await asyncio.sleep(0)
    return result


def test_what_is_told_waits_for_its_release_and_keeps_its_order() -> None:
    observer: Any = Observer()
    held = Held(observer)
    told = held.observer
    told.path_failed(b"a", SessionFailure)  # type: ignore[arg-type]
    told.capped(5)
    assert observer.heard == []
    held.release()
    told.capped(6)
    assert observer.heard == [("path_failed", b"a", SessionFailure), ("capped", 5), ("capped", 6)]


def test_the_half_begins_before_the_ends_have_met() -> None:
    order: list[Any] = []

    async def test() -> None:
        begun = asyncio.Event()

        async def half() -> None:
            order.append("half")
            begun.set()

        async def meeting() -> str:
            await begun.wait()
            await asyncio.sleep(0)
            return "udp"

        await run_beside(half(), meeting(), order.append)

    asyncio.run(test())
    assert order[0] == "half"


def test_the_half_goes_on_when_the_ends_have_met() -> None:
    async def half() -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    assert beside(half(), soon("udp")) == ["udp"]


def test_a_half_that_fails_first_is_told_of_as_met_by_nothing() -> None:
    async def half() -> None:
        raise SessionFailure(1, "no")  # type: ignore[arg-type]

    async def meeting() -> str:
        await asyncio.sleep(3600)
        return "never"

    heard: list[Any] = []
    with pytest.raises(SessionFailure):
        asyncio.run(run_beside(half(), meeting(), heard.append))
    assert heard == [None]


def test_a_meeting_that_fails_ends_the_half() -> None:
    ended: list[Any] = []

    async def half() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(True)

    async def meeting() -> str:
        await asyncio.sleep(0)
        raise SessionFailure(1, "no UDP")  # type: ignore[arg-type]

    heard: list[Any] = []
    with pytest.raises(SessionFailure, match="no UDP"):
        asyncio.run(run_beside(half(), meeting(), heard.append))
    assert ended
    assert heard == []


def test_who_is_cancelled_leaves_nothing_running() -> None:
    ended: list[Any] = []

    async def forever() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(True)

    async def meeting() -> str:
        await forever()
        return ""

    async def test() -> None:
        task = asyncio.ensure_future(run_beside(forever(), meeting(), ended.append))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(test())
    assert ended == [True, True]
