"""The beginning of an exchange: its half runs while the two ends still find out what moves the stream.

Both take round trips, and neither needs what the other finds out before the first byte of a file moves. What the half
tells meanwhile is kept, so that managers hear of the session before they hear of its files.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, TypeVar, cast

from asperacentral.openascp.exchange.half import HalfObserver

_TOLD = [name for name in dir(HalfObserver) if not name.startswith("_")]
_T = TypeVar("_T")


class Held:
    """Stands before an observer: keeps what a half tells until `release`, and from then on is not in the way."""

    def __init__(self, observer: HalfObserver) -> None:
        self._observer = observer
        self._kept: list[Callable[[], None]] = []
        for name in _TOLD:
            setattr(self, name, partial(self._keep, getattr(observer, name)))

    @property
    def observer(self) -> HalfObserver:
        """What the half is given."""
        return cast(HalfObserver, self)

    def release(self) -> None:
        """Tell what was kept, in its order, and all else at once."""
        for name in _TOLD:
            setattr(self, name, getattr(self._observer, name))
        kept, self._kept = self._kept, []
        for tell in kept:
            tell()

    def _keep(self, tell: Callable[..., None], *words: Any, **named: Any) -> None:
        self._kept.append(partial(tell, *words, **named))


async def run_beside(
    half: Coroutine[Any, Any, None], meeting: Awaitable[_T], met: Callable[[_T | None], None]
) -> None:
    """Run a half to its end, and the meeting beside it; `met` hears what came of that, None when the half was over
    before. What either raises is raised; the half has cleared up then.
    """
    running, finding = asyncio.ensure_future(half), asyncio.ensure_future(meeting)
    either: set[asyncio.Future[Any]] = {running, finding}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        met(finding.result() if finding.done() else None)
        await running
    finally:
        for each in either:
            each.cancel()
        await asyncio.wait(either)
        for each in either:
            if not each.cancelled():
                each.exception()  # one of them was raised; nobody asks for the other
