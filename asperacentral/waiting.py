"""Futures for Twisted: the rules and the store wait with `concurrent.futures.Future`, faces with `Deferred`."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TypeVar

from twisted.internet.defer import Deferred

T = TypeVar("T")


def deferred(future: Future[T]) -> Deferred[T]:
    """The future as a Deferred. The future must be completed in the reactor's thread."""
    result: Deferred[T] = Deferred()

    def forward(ready: Future[T]) -> None:
        error = ready.exception()
        if error is not None:
            result.errback(error)
        else:
            result.callback(ready.result())

    future.add_done_callback(forward)
    return result
