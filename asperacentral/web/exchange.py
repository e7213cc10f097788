"""One request and its reply: taken by a face, answered in time, told of in the log.

A face says what a request means and in which form an error is told; here is what happens around that: the deadline,
the client that leaves, the line in the log.
"""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure
from twisted.web.server import NOT_DONE_YET

from asperacentral.logs import BODIES, MESSAGES
from asperacentral.web.resources import send
from asperacentral.web.server import LimitedRequest

NO_CONTENT = 204


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; with status 204 it has no body. `remark` is for the log, `headers` come besides the usual."""

    status: int
    content_type: bytes = b""
    body: bytes = b""
    remark: str = ""
    headers: tuple[tuple[str, str], ...] = ()


class LateError(Exception):
    """There was no answer in time."""


class Exchange(ABC):
    """One request and its reply; `log` is the face's. `face` is its name where requests are counted."""

    face = "other"

    def __init__(self, request: LimitedRequest, log: logging.Logger) -> None:
        self.request = request
        self._log = log
        self._site = request.channel.site
        self._peer = request.channel.peer
        self._started = time.perf_counter()
        self._size = 0
        self._over = False
        self._deadline: Any = None

    @abstractmethod
    def take(self, data: bytes) -> Deferred[Reply]:
        """Carry out a request with this body."""

    @abstractmethod
    def failed(self, error: BaseException) -> Reply:
        """How an error of `take`, or `LateError`, is told."""

    @abstractmethod
    def title(self) -> str:
        """What was asked, for the log."""

    @abstractmethod
    def shown(self, data: bytes, *, sent: bool) -> str:
        """A body, received or sent, as the log may show it."""

    def replied(self, reply: Reply) -> None:  # noqa: B027 - most have nothing to do then
        """The reply is about to be sent."""

    def run(self) -> Any:
        """Take the request; what a resource's `render` returns."""
        answer: Deferred[Reply] = maybeDeferred(self._take)
        answer.addCallbacks(self._send, self._fail).addErrback(self._bug)
        if not self._over:
            self._deadline = self._site.clock.callLater(self._site.request_deadline, self._give_up)
            self.request.notifyFinish().addErrback(self._left)
        return NOT_DONE_YET

    def _take(self) -> Deferred[Reply]:
        data: bytes = self.request.content.read()
        self._size = len(data)
        self._log_body(f"{self._peer} sent", data, sent=False)
        return self.take(data)

    def _give_up(self) -> None:
        self._deadline = None
        self._send(self.failed(LateError()))

    def _fail(self, failure: Any) -> None:
        self._send(self.failed(failure.value))

    def _left(self, _reason: Failure) -> None:
        self._end("left", "the client has left")

    def _send(self, reply: Reply) -> None:
        if self._over:
            return
        self._end(str(reply.status), f"{reply.status}, {len(reply.body)} bytes{reply.remark}")
        self._log_body(f"answer to {self._peer}", reply.body, sent=True)
        self.replied(reply)
        self.request.setResponseCode(reply.status)
        for name, value in reply.headers:
            self.request.setHeader(name, value)
        if reply.status == NO_CONTENT:
            self.request.setHeader("server", "asperacentral")
        else:
            self.request.write(send(self.request, reply.content_type, reply.body))
        self.request.finish()

    def _end(self, status: str, outcome: str) -> None:
        """Nothing more is sent; the request is counted and gets its line in the log."""
        self._over = True
        seconds = time.perf_counter() - self._started
        self._site.measure(self.face, status, seconds)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._log.log(
            MESSAGES,
            "%s from %s, %d bytes: %s, %.1f ms",
            self.title(),
            self._peer,
            self._size,
            outcome,
            seconds * 1000,
        )

    def _log_body(self, what: str, data: bytes, *, sent: bool) -> None:
        if self._log.isEnabledFor(BODIES):
            self._log.log(BODIES, "%s %d bytes: %s", what, len(data), self.shown(data, sent=sent))

    def _bug(self, failure: Failure) -> None:
        self._log.error("an answer could not be sent", exc_info=failure.value)
