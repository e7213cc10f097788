"""The HTTP server below the faces, with every limit that keeps a hostile client cheap.

Bodies are limited in size whether their length is declared or not, connections in number, in all and per address, and
the coming of a request and the leaving of its answer each have a deadline. Knows of the faces only that a refusal has
a body in the form of each.
"""

# Method names are twisted's, and its classes are only partly typed.
# ruff: noqa: N802, N815
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection
from io import BytesIO
from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web import server
from twisted.web.http import HTTPChannel
from twisted.web.resource import Resource

from asperacentral.web.origin import is_own

log = logging.getLogger(__name__)

LINGER = 2.0
"""Seconds for which the rest of a refused request is still read, so that the client gets to see the answer."""

IDLE = 60.0
"""Seconds a connection may be idle between requests."""

AT_ONCE = 1 << 18
"""Bytes offered to the system in one turn of the loop: a long list leaves in few turns, and holds up nobody."""


class LimitedRequest(server.Request):
    """A request whose body stays in memory and within the site's limit, and is nobody's HTML form."""

    channel: Any
    content: Any
    content_type = b""
    complete = False
    _received = 0
    _refused = False

    def gotLength(self, length: int | None) -> None:
        """Refuse a body declared too long before it comes, and what a page of somebody else sends."""
        self.content = BytesIO()
        origin = self.getHeader(b"origin")
        if origin is not None and not self.admits(_text(origin)):
            self._refuse(b"403 Forbidden", f"a request from a page of {_text(origin)[:100]!r}")
        elif length is not None and length > self.channel.site.max_body:
            self._refuse_size()

    def admits(self, origin: str) -> bool:
        """Whether pages of `origin` may ask: our own, unless a face has rules of its own."""
        return is_own(origin, _text(self.getHeader(b"host") or b""), self.channel.site.names)

    def handleContentChunk(self, data: bytes) -> None:
        """Keep a piece of the body, or refuse it all once it is too long."""
        self._received += len(data)
        if not self._refused and self._received > self.channel.site.max_body:
            self._refuse_size()
        if not self._refused:
            super().handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """Go on with a request that is complete. Its type is put aside, lest twisted parse it as a form."""
        if self._refused:
            return
        self.complete = True
        self.channel.stop_deadline()
        types = self.requestHeaders.getRawHeaders(b"content-type") or [b""]
        self.content_type = types[0]
        self.requestHeaders.removeHeader(b"content-type")
        super().requestReceived(command, path, version)

    def _refuse_size(self) -> None:
        self._refuse(b"413 Content Too Large", f"a body of more than {self.channel.site.max_body} bytes")

    def _refuse(self, status: bytes, what: str) -> None:
        self._refused = True
        self.content = BytesIO()
        self.requestHeaders.removeHeader(b"expect")
        log.info("refused %s from %s", what, self.channel.peer)
        self.channel.refuse(status)


def _text(header: bytes) -> str:
    return header.decode("latin-1")


class LimitedChannel(HTTPChannel):
    """A connection with a deadline for each request to come, and for the last answer to leave."""

    site: LimitedSite
    transport: Any
    peer = "?"
    _host = ""
    _deadline: Any = None
    _refused = False

    def connectionMade(self) -> None:
        """Count the connection; the first request's time runs from here."""
        peer = self.transport.getPeer()
        self._host = str(getattr(peer, "host", peer))
        self.peer = f"{self._host}:{getattr(peer, 'port', '')}"
        self.transport.SEND_LIMIT = AT_ONCE
        self.site.opened(self._host)
        self._start_deadline()
        super().connectionMade()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Uncount the connection."""
        self.stop_deadline()
        self.site.closed(self._host)
        super().connectionLost(reason)

    def dataReceived(self, data: bytes) -> None:
        """The first byte of a request starts its time; what follows a refusal is dropped."""
        if self._refused:
            return
        if self._deadline is None and not self.requests:
            self._start_deadline()
        super().dataReceived(data)

    def lineLengthExceeded(self, line: bytes) -> None:
        """Refuse a request line or a header that is too long."""
        self.refuse(b"431 Request Header Fields Too Large")

    def requestDone(self, request: Any) -> None:
        """The answer is written: await the next request, or see the connection closed in time."""
        self.stop_deadline()
        super().requestDone(request)
        coming = any(not pipelined.complete for pipelined in self.requests)
        if (coming or not self.persistent) and self._deadline is None:
            self._start_deadline()

    def refuse(self, status: bytes) -> None:
        """Answer a request that is not read to its end, and close."""
        self._refused = True
        # Twisted keeps the address here until the request is complete, and nowhere else.
        path: bytes = getattr(self, "_path", b"").partition(b"?")[0]
        content_type, text = self.site.refusal(status.partition(b" ")[2].decode(), path)
        self.transport.write(
            b"HTTP/1.1 " + status + b"\r\nConnection: close\r\nContent-Type: " + content_type + b"\r\n"
            b"Content-Length: " + str(len(text)).encode() + b"\r\n\r\n" + text
        )
        # A connection closed with unread bytes is reset, which can take the answer with it: close one way only.
        half_close = getattr(self.transport, "loseWriteConnection", None)
        if half_close is not None:
            half_close()
        self.stop_deadline()
        self._deadline = self.site.clock.callLater(LINGER, self._expired)

    def stop_deadline(self) -> None:
        """The request has come in time."""
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None

    def _start_deadline(self) -> None:
        self._deadline = self.site.clock.callLater(self.site.request_deadline, self._expired)

    def _expired(self) -> None:
        self._deadline = None
        if not self._refused:
            log.info("closed the connection of %s: it took too long", self.peer)
        self.transport.abortConnection()


Measure = Callable[[str, str, float], None]
"""Is told the face, the status and the seconds of each answer."""


class LimitedSite(server.Site):
    """The site; its public attributes are the limits in force, and who is told of answers."""

    protocol = LimitedChannel  # type: ignore[assignment]
    displayTracebacks = False

    def __init__(
        self,
        root: Resource,
        *,
        max_body: int,
        request_deadline: float,
        max_connections: int,
        per_address: int,
        refusal: Callable[[str, bytes], tuple[bytes, bytes]],
        reactor: Any,
        measure: Measure,
        names: Collection[str] = (),
    ) -> None:
        super().__init__(root, requestFactory=LimitedRequest, timeout=IDLE, reactor=reactor)
        self.clock: Any = reactor
        self.max_body = max_body
        self.request_deadline = request_deadline
        self.max_connections = max_connections
        self.per_address = per_address
        self.refusal = refusal
        self.measure = measure
        self.names = names
        self._connections: Counter[str] = Counter()

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Take a connection, or drop it when there are too many."""
        host = str(getattr(addr, "host", addr))
        if self._connections.total() >= self.max_connections or self._connections[host] >= self.per_address:
            log.warning("dropped a connection from %s: too many", host)
            return None
        return super().buildProtocol(addr)

    def opened(self, host: str) -> None:
        """A connection from `host` began."""
        self._connections[host] += 1

    def closed(self, host: str) -> None:
        """A connection from `host` ended."""
        self._connections[host] -= 1
        if not self._connections[host]:
            del self._connections[host]

    def log(self, request: Any) -> None:
        """No access log: the resources log each message themselves."""
