"""Small helpers for `concurrent.futures.Future`, which is how the rules wait without knowing an event loop."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def done(value: T) -> Future[T]:
    """A future that has succeeded already."""
    future: Future[T] = Future()
    future.set_result(value)
    return future


def failed(error: Exception) -> Future[T]:
    """A future that has failed already."""
    future: Future[T] = Future()
    future.set_exception(error)
    return future


def attempt(function: Callable[[], Future[T]]) -> Future[T]:
    """Call `function`; an exception it raises becomes a failed future."""
    try:
        return function()
    except Exception as error:
        return failed(error)


def then(first: Future[T], function: Callable[[T], R]) -> Future[R]:
    """A future with what `function` makes of `first`'s result; failures pass through."""
    result: Future[R] = Future()

    def forward(ready: Future[T]) -> None:
        error = ready.exception()
        if error is not None:
            result.set_exception(error)
            return
        try:
            value = function(ready.result())
        except Exception as mistake:
            result.set_exception(mistake)
        else:
            result.set_result(value)

    first.add_done_callback(forward)
    return result


def chain(first: Future[T], function: Callable[[T], Future[R]]) -> Future[R]:
    """As `then`, for a function that itself returns a future."""
    result: Future[R] = Future()

    def copy(ready: Future[R]) -> None:
        error = ready.exception()
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(ready.result())

    def forward(ready: Future[T]) -> None:
        error = ready.exception()
        if error is not None:
            result.set_exception(error)
        else:
            attempt(lambda: function(ready.result())).add_done_callback(copy)

    first.add_done_callback(forward)
    return result
