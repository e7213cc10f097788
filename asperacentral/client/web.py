"""HTTP and WebSocket around the faces: ports of 127.0.0.1 for this user's processes only, CORS for pages.

A connection of another user of the machine is dropped. Requests that were led here by another host name, or by a
browser that hides whose page it is, are refused before they are read. Whether a page may do what it asks, the service
decides.
"""

# Method names are twisted's, and its classes are only partly typed.
# ruff: noqa: N802, N815
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import json
import logging
import os
from collections.abc import Awaitable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from asperacentral.client.origins import Caller, NotAdmitted, caller
from asperacentral.fasp import ownership
from asperacentral.web.resources import send
from asperacentral.web.server import LimitedRequest, LimitedSite

MOST_BODY = 4 << 20
"""Bytes of a request: ten thousand paths."""
DEADLINE = 30.0

log = logging.getLogger(__name__)

Reply = tuple[int, Any]
"""A status and what the body says: a JSON value, or bytes that are JSON already."""


class ClientRequest(LimitedRequest):
    """A request that any page may send: who it is for is looked at later."""

    def admits(self, origin: str) -> bool:
        """See LimitedRequest."""
        return True


class ClientSite(LimitedSite):
    """A site for the processes of this user; `open_to_pages` lets pages of all origins ask."""

    def __init__(self, root: Resource, reactor: Any, *, open_to_pages: bool) -> None:
        super().__init__(
            root,
            max_body=MOST_BODY,
            request_deadline=DEADLINE,
            max_connections=500,
            per_address=500,
            refusal=lambda reason, _: (b"text/plain; charset=utf-8", f"{reason}\n".encode()),
            reactor=reactor,
            measure=lambda *_: None,
        )
        if open_to_pages:
            self.requestFactory = ClientRequest
        self.port = 0
        self.owner_is_known = True

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Take a connection of this user's, or drop it."""
        user = ownership.user_of(getattr(addr, "port", 0), self.port)
        if user is None:
            self.owner_is_known = False
        elif user != os.getuid():
            log.warning("dropped a connection of user %d: this client is another user's", user)
            return None
        return super().buildProtocol(addr)


class Guarded(Resource):
    """A resource for callers that are admitted; the rest is refused in a line. Answers preflights."""

    isLeaf = True

    def render(self, request: Any) -> Any:
        """Find out who asks, and go on."""
        try:
            who = admitted(request)
        except NotAdmitted as problem:
            log.warning("refused a request: %s", problem)
            return _plain(request, 403, str(problem))
        if who.is_page:
            request.setHeader("access-control-allow-origin", request.getHeader("origin"))
        request.setHeader("vary", "Origin")
        request.setHeader("cache-control", "no-store")
        if request.method == b"OPTIONS":
            return _preflight(request)
        return self.handle(request, who)

    def handle(self, request: Any, who: Caller) -> Any:
        """Answer an admitted caller's request."""
        raise NotImplementedError


def admitted(request: Any) -> Caller:
    """Who sent the request. NotAdmitted."""
    who = caller(request.getHeader)
    if not who.is_page and not request.site.owner_is_known:
        raise NotAdmitted("this system does not tell whose program this is, so only pages are served")
    return who


def later(request: Any, work: Awaitable[Reply]) -> int:
    """Answer when the work is done; `work` raises nothing."""
    gone: list[Failure] = []
    request.notifyFinish().addErrback(gone.append)

    def reply(told: Reply) -> None:
        if not gone:
            code, body = told
            request.setResponseCode(code)
            data = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
            request.write(send(request, b"application/json", data))
            request.finish()

    def failed(failure: Failure) -> None:
        log.error("a request failed", exc_info=failure.value)
        reply((500, {"error": {"code": 500, "user_message": "internal error"}}))

    Deferred.fromCoroutine(_awaited(work)).addCallbacks(reply, failed)
    return NOT_DONE_YET


async def _awaited(work: Awaitable[Reply]) -> Reply:
    return await work


def _preflight(request: Any) -> bytes:
    """Pages may send JSON; public pages ask whether they may reach this machine at all, and consent decides that."""
    request.setHeader("access-control-allow-methods", "GET, POST, OPTIONS")
    request.setHeader("access-control-allow-headers", "content-type")
    request.setHeader("access-control-max-age", "600")
    if request.getHeader("access-control-request-private-network") == "true":
        request.setHeader("access-control-allow-private-network", "true")
    request.setResponseCode(204)
    return b""


def _plain(request: Any, code: int, text: str) -> bytes:
    request.setResponseCode(code)
    return send(request, b"text/plain; charset=utf-8", f"{text}\n".encode())
