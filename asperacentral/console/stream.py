"""Server-sent events over one request: a feed's steps and the total rate, about once a second, if they are read.

A browser that does not read is not written to: the feed is asked when there is room, and what changed meanwhile is one
change then.
"""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from asperacentral.central.errors import CentralError
from asperacentral.console.errors import ConsoleError, error_of
from asperacentral.console.feed import Feed, Step, event
from asperacentral.waiting import deferred

log = logging.getLogger(__name__)

INTERVAL = 1.0
"""Seconds between two looks at what has changed."""


@implementer(IPushProducer)
class Stream:
    """One page's stream. `allowed` says whether it may still look; `totals` is the rate of all, by direction."""

    def __init__(
        self,
        request: Any,
        feed: Feed,
        clock: Any,
        *,
        allowed: Callable[[], bool],
        totals: Callable[[], Mapping[str, float]],
        ended: Callable[[], None],
    ) -> None:
        self._request = request
        self._feed = feed
        self._clock = clock
        self._allowed = allowed
        self._totals = totals
        self._ended = ended
        self._open = True
        self._room = True
        self._asking = False
        self._turn: Any = None

    def start(self, headers: Mapping[str, str]) -> None:
        """Answer with the first step, and go on until the page leaves."""
        for name, value in headers.items():
            self._request.setHeader(name, value)
        self._request.setHeader("content-type", "text/event-stream")
        self._request.setHeader("x-accel-buffering", "no")
        self._request.notifyFinish().addBoth(lambda _: self._over())
        self._request.registerProducer(self, True)
        self._work()

    def pauseProducing(self) -> None:
        """The browser does not keep up."""
        self._room = False

    def resumeProducing(self) -> None:
        """There is room again."""
        self._room = True
        if self._open and not self._asking and self._turn is None:
            self._turn = self._clock.callLater(0, self._work)

    def stopProducing(self) -> None:
        """The connection is gone; its end is told by `notifyFinish`."""

    def _work(self) -> None:
        self._turn = None
        if not self._open or self._asking:
            return
        if not self._allowed():
            self._finish(event("over", b"{}"))
            return
        self._asking = True
        deferred(self._feed.step()).addCallbacks(self._told, self._failed).addErrback(self._bug)

    def _told(self, step: Step) -> None:
        self._asking = False
        if not self._open:
            return
        if step.more:
            self._request.write(step.events)
            self._next(0)
        else:
            totals = {way: int(rate) for way, rate in self._totals().items()}
            self._request.write(step.events + event("total", json.dumps(totals).encode()))
            self._next(INTERVAL)

    def _next(self, seconds: float) -> None:
        if self._room and self._turn is None:
            self._turn = self._clock.callLater(seconds, self._work)

    def _failed(self, failure: Any) -> None:
        self._asking = False
        error = failure.value
        if isinstance(error, CentralError):
            error = error_of(error)
        elif not isinstance(error, ConsoleError):
            log.error("a stream of the console failed", exc_info=error)
            error = ConsoleError(500, "internal error")
        self._finish(event("problem", error.body()))

    def _bug(self, failure: Any) -> None:
        log.error("a stream of the console failed", exc_info=failure.value)
        self._finish(b"")

    def _finish(self, last: bytes) -> None:
        if self._open:
            self._request.write(last)
            self._request.unregisterProducer()
            self._request.finish()

    def _over(self) -> None:
        if not self._open:
            return
        self._open = False
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        self._feed.close()
        self._ended()
