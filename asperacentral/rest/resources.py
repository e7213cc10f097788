"""The addresses of the REST face: finds the call, and turns its answer or error into HTTP."""

# Its classes are only partly typed.
# ruff: noqa: N815
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import logging
from collections.abc import Generator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.web.resource import Resource

from asperacentral.central.api import CentralService
from asperacentral.central.errors import CentralError
from asperacentral.central.futures import attempt
from asperacentral.rest.calls import CALLS, Call, Pieces, SomeRefused
from asperacentral.rest.documents import read_document
from asperacentral.rest.errors import RestError, error_of, render_error
from asperacentral.waiting import deferred
from asperacentral.web.exchange import NO_CONTENT, Exchange, LateError, Reply
from asperacentral.web.resources import printable
from asperacentral.web.server import LimitedRequest
from asperacentral.web.slicing import in_slices

log = logging.getLogger(__name__)

JSON = b"application/json"
BASE = ["transfers", "v1"]
"""The path below the face's own."""

HINT = "REST is at /services/rest/transfers/v1/{sessions,files,info}"


class RestResource(Resource):
    """Everything below the face's path: what is not there is told in JSON too."""

    isLeaf = True

    def __init__(self, service: CentralService) -> None:
        super().__init__()
        self._service = service

    def render(self, request: Any) -> Any:
        """Answer any method."""
        return _Exchange(request, self._service).run()


class _Exchange(Exchange):
    """One call and its answer."""

    face = "rest"

    def __init__(self, request: LimitedRequest, service: CentralService) -> None:
        super().__init__(request, log)
        self._service = service
        self._method = request.method.decode("latin-1")
        self._path = [part.decode("latin-1") for part in request.postpath or ()]

    def take(self, data: bytes) -> Deferred[Reply]:
        """Carry out the call; an answer of many records is made in slices of time."""
        call = self._call()
        document = read_document(data)
        answered: Deferred[Pieces] = deferred(attempt(lambda: call(self._service, document)))
        return answered.addCallback(self._made).addCallback(_reply)

    def _made(self, pieces: Pieces) -> Deferred[list[bytes]]:
        return in_slices(_one_by_one(pieces), self.request.channel.site.clock)

    def _call(self) -> Call:
        path = self._path[:-1] if self._path[-1:] == [""] else self._path
        methods = CALLS.get(path[-1]) if path[:-1] == BASE else None
        if methods is None:
            raise RestError(404, f"nothing here; {HINT}")
        if self._method not in methods:
            allowed = ", ".join(methods)
            raise RestError(405, f"{path[-1]} takes {allowed}", allow=allowed)
        return methods[self._method]

    def failed(self, error: BaseException) -> Reply:
        """Errors have one shape."""
        if isinstance(error, LateError):
            error = RestError(503, "no answer in time")
        elif isinstance(error, CentralError):
            error = error_of(error)
        elif not isinstance(error, RestError):
            log.error("a REST call failed", exc_info=error)
            error = RestError(500, "internal error")
        body = error.body() if isinstance(error, SomeRefused) else render_error(error.status, str(error))
        headers = (("allow", error.allow),) if error.allow else ()
        return Reply(error.status, JSON, body, f" ({printable(str(error))})", headers)

    def title(self) -> str:
        """Method and path."""
        return printable(f"REST {self._method} /{'/'.join(self._path)}")

    def shown(self, data: bytes, *, sent: bool) -> str:
        """The body: nothing in it is secret."""
        return data.decode("utf-8", "backslashreplace")


def _one_by_one(pieces: Pieces) -> Generator[None, None, list[bytes]]:
    made: list[bytes] = []
    for piece in pieces:
        made.append(piece)
        yield
    return made


def _reply(pieces: list[bytes]) -> Reply:
    return Reply(200, JSON, b"".join(pieces)) if pieces else Reply(NO_CONTENT)
