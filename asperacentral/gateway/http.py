"""HTTP for bodies of any size: a request whose body streams to whoever takes it, with back-pressure and patience.

Built on the limits of `web.server`: connections in number, time for headers to come. A body is either small (JSON,
kept, with a limit of its own) or streamed, as the router decides when the headers are there. A client that moves
next to nothing for too long is dropped. What is answered and why is the router's.
"""

# Method names are twisted's, and its classes are only partly typed.
# ruff: noqa: N802, N815
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import json
import logging
import select
import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.resource import Resource

from asperacentral.web.resources import printable
from asperacentral.web.server import LimitedChannel, LimitedRequest, LimitedSite

LONGEST_HEADERS = 1 << 20
"""Bytes of all headers: X-Aspera-Spec holds a whole transfer spec, in base64."""
READ_SIZE = 256 * 1024
"""Bytes read from a connection at a time while a body comes."""
FLUSHED = 1 << 20
"""Bytes of a refused body that are read to its end, so that the answer is seen; for more the connection is closed."""
LINGER = 10.0
"""Seconds for which more of it is read."""
LEAST_RATE = 1024
"""Bytes a second that a transfer must move, on the average of the patience."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered with; `headers` come besides the usual. An empty kind means no body."""

    status: int
    body: bytes = b""
    kind: bytes = b"application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def document(cls, document: object, status: int = 200) -> Answer:
        """A JSON document."""
        return cls(status, json.dumps(document).encode())

    @classmethod
    def error(cls, status: int, text: str) -> Answer:
        """An error in the form that the gateway's clients read."""
        return cls.document({"code": status, "message": text}, status)


class Body(ABC):
    """Takes a request's body while it comes."""

    @abstractmethod
    def data(self, data: bytes) -> None:
        """More of it."""

    @abstractmethod
    def whole(self) -> None:
        """That was all; an answer is due."""

    @abstractmethod
    def lost(self) -> None:
        """The client has left before it was answered."""


class Router(ABC):
    """Decides what becomes of requests."""

    @abstractmethod
    def stream(self, request: GatewayRequest, method: str, path: str) -> Body | None:
        """Who takes the body of a request whose headers are there; None when it is small and to be kept.

        May answer at once.
        """

    @abstractmethod
    def process(self, request: GatewayRequest) -> None:
        """Answer a request that is here whole, now or later."""

    @abstractmethod
    def loggable(self, path: str) -> str:
        """A path without what nobody should read in a log."""

    @abstractmethod
    def headers(self, request: GatewayRequest) -> Mapping[str, str]:
        """What every answer says besides."""


class GatewayRequest(LimitedRequest):
    """A request; `answer` ends it, at whatever time."""

    channel: Any
    declared: int | None = None
    answered = False
    _body: Body | None = None
    _dropping = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request_id = str(uuid.uuid4())

    @property
    def peer(self) -> str:
        """The client's address, without its port."""
        return str(self.channel.host_name)

    @property
    def asked_host(self) -> str:
        """How the client calls this server: host, and port if it says one."""
        return self.header("host")

    @property
    def secure(self) -> bool:
        """Whether it came over TLS to us."""
        return bool(self.isSecure())

    def header(self, name: str) -> str:
        """A header's value; empty when it is not there."""
        value: bytes | None = self.getHeader(name.encode())
        return "" if value is None else value.decode("utf-8", "replace")

    def gotLength(self, length: int | None) -> None:
        """The headers are there: find out who takes the body."""
        self.content = BytesIO()
        self.declared = length
        path = self.channel.asked_path
        self._body = self.channel.site.router.stream(self, self.channel.asked_method, path)
        if self.answered:
            return
        if self._body is not None:
            self.channel.stream_begins()
        elif length is not None and length > self.channel.site.max_body:
            self.answer(Answer.error(413, "the request is too long"))

    def handleContentChunk(self, data: bytes) -> None:
        """More of the body."""
        self._received += len(data)
        if self.answered or self._dropping:
            return
        if self._body is not None:
            self.channel.moved(len(data))
            self._body.data(data)
        elif self._received > self.channel.site.max_body:
            self.answer(Answer.error(413, "the request is too long"))
        else:
            self.content.write(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """All of it is there."""
        if self._body is not None:
            self.channel.stream_ends()
        super().requestReceived(command, path, version)

    def process(self) -> None:
        """Answer it, or let it be known that its body is whole."""
        if self._late is not None:
            self._send(self._late)
        elif self._body is not None:
            self._body.whole()
        else:
            self.channel.site.router.process(self)

    _late: Answer | None = None

    def answer(self, answer: Answer) -> None:
        """Answer once, however much of the body is still to come; later calls do nothing."""
        if self.answered or self.channel is None:
            return
        self.answered = True
        log.info(
            "%s %s from %s: %d%s",
            printable(self.channel.asked_method),
            printable(self.channel.site.router.loggable(self.channel.asked_path)),
            self.channel.peer,
            answer.status,
            f", {answer.body.decode('utf-8', 'replace')}" if answer.status >= 400 else "",
        )
        if self.complete:
            self._send(answer)
        elif self.declared is not None and self.declared - self._received <= FLUSHED:
            self._late = answer
            self.channel.resume()
        else:
            self._dropping = True
            self.requestHeaders.removeHeader(b"expect")
            self.channel.answer_early(answer, self._all_headers(answer))

    def begin_answer(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the head of an answer whose body follows by `write`; `finish` ends it."""
        self.answered = True
        self.setResponseCode(status)
        for name, value in {**self._usual(), **headers}.items():
            self.responseHeaders.setRawHeaders(name.encode(), [value.encode("utf-8", "surrogateescape")])
        self.write(b"")

    def connectionLost(self, reason: Failure) -> None:
        """The client is gone."""
        if self._body is not None and not self.answered:
            self._body.lost()
        super().connectionLost(reason)

    def _send(self, answer: Answer) -> None:
        self.setResponseCode(answer.status)
        for name, value in self._all_headers(answer).items():
            self.setHeader(name, value)
        if answer.body:
            self.write(answer.body)
        self.finish()

    def _all_headers(self, answer: Answer) -> dict[str, str]:
        kind = {"Content-Type": answer.kind.decode()} if answer.body else {}
        return {**self._usual(), **kind, "Content-Length": str(len(answer.body)), **answer.headers}

    def _usual(self) -> dict[str, str]:
        return {
            "Server": "asperacentral",
            "X-Request-Id": self.request_id,
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            **self.channel.site.router.headers(self),
        }


class GatewayChannel(LimitedChannel):
    """A connection of the gateway."""

    site: GatewaySite
    totalHeadersSize = LONGEST_HEADERS
    MAX_LENGTH = LONGEST_HEADERS
    _refused: bool
    _patience: Any = None
    _moved = 0
    _held = False
    _excused = False
    _waited = False
    gave_up = False
    """Whether the connection was closed here, before its end."""
    _read_size: int | None = None
    _upgraded: Any = None

    @property
    def asked_method(self) -> str:
        """The method of the request whose headers came last."""
        return self._of_request("_command", "method")

    @property
    def asked_path(self) -> str:
        """Its path, without its query."""
        return self._of_request("_path", "uri").partition("?")[0]

    @property
    def host_name(self) -> str:
        """The client's address."""
        return self._host

    def _of_request(self, early: str, late: str) -> str:
        """Twisted keeps the request line here until the request is complete, and there afterwards."""
        value: bytes = getattr(self, early, None) or getattr(self.requests[-1], late, None) or b"?"
        return value.decode("latin-1")

    def connectionMade(self) -> None:
        """Be known to the site."""
        self.site.channels.add(self)
        super().connectionMade()

    # Bodies that stream.

    def stream_begins(self) -> None:
        """A body comes, for as long as it moves."""
        self.stop_deadline()
        self.watch()
        self._read_size = getattr(self.transport, "bufferSize", None)
        if self._read_size is not None:
            self.transport.bufferSize = READ_SIZE

    def stream_ends(self) -> None:
        """The body is there."""
        self.unwatch()
        if self._read_size is not None:
            self.transport.bufferSize = self._read_size

    def hold(self) -> None:
        """Read no more for now: who takes the body is behind."""
        if not self._held:
            self._held = self._waited = True
            self.transport.pauseProducing()

    def resume(self) -> None:
        """Read on."""
        if self._held:
            self._held = False
            self.transport.resumeProducing()

    def excuse(self, excused: bool) -> None:
        """Whether it is our doing that next to nothing moves."""
        self._excused = excused
        self._waited = self._waited or excused

    def watch(self) -> None:
        """From now on so many bytes must be `moved` at least, or the connection is closed.

        What we hold up does not count; whether the client is still there is looked at all the same.
        """
        self.unwatch()
        self.setTimeout(None)
        self._moved = 0
        self._waited = self._held or self._excused
        self._patience = self.site.clock.callLater(self.site.patience, self._look)

    def unwatch(self) -> None:
        """A transfer has ended."""
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
            self.setTimeout(self.timeOut)

    def moved(self, count: int) -> None:
        """So many bytes have come or gone."""
        self._moved += count

    def _look(self) -> None:
        self._patience = None
        if self._held and _is_gone(self.transport):
            log.info("closed the connection of %s: the client has left", self.peer)
            self.transport.abortConnection()
            return
        if not self._waited and self._moved < self.site.patience * LEAST_RATE:
            log.info(
                "closed the connection of %s: it moved %d bytes in %g s",
                self.peer,
                self._moved,
                self.site.patience,
            )
            self.give_up()
            return
        self.watch()

    def give_up(self) -> None:
        """Close the connection, whatever is under way."""
        self.gave_up = True
        self.transport.abortConnection()

    # Ends.

    def answer_early(self, answer: Answer, headers: Mapping[str, str]) -> None:
        """Answer a request that is not read to its end, and close; what still comes is dropped."""
        self._refused = True
        self.unwatch()
        self.resume()
        head = "".join(f"{name}: {value}\r\n" for name, value in {**headers, "Connection": "close"}.items())
        self.transport.write(f"HTTP/1.1 {answer.status} Refused\r\n{head}\r\n".encode() + answer.body)
        # A connection closed with unread bytes is reset, which can take the answer with it: close one way only.
        half_close = getattr(self.transport, "loseWriteConnection", None)
        if half_close is not None:
            half_close()
        self.stop_deadline()
        self._deadline = self.site.clock.callLater(LINGER, self._expired)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Uncount it."""
        self.site.channels.discard(self)
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        if self._upgraded is not None:
            upgraded, self._upgraded = self._upgraded, None
            upgraded.connectionLost(reason)
        super().connectionLost(reason)

    # Other protocols.

    def become(self, protocol: Any, opening: bytes) -> None:
        """Let a protocol have the connection, from the request `opening` on; this channel only counts it."""
        self.stop_deadline()
        self.transport.unregisterProducer()
        self.requests.clear()
        self.watch()
        self._upgraded = protocol

        def received(data: bytes) -> None:
            self.moved(len(data))
            protocol.dataReceived(data)

        self.dataReceived = received  # type: ignore[method-assign]
        protocol.makeConnection(self.transport)
        self.transport.resumeProducing()
        protocol.dataReceived(opening)


def _is_gone(transport: Any) -> bool:
    """Whether the other end of a connection that is not read from has closed it."""
    looked = select.poll()
    looked.register(transport.fileno(), getattr(select, "POLLRDHUP", 0))
    return bool(looked.poll(0))


class GatewaySite(LimitedSite):
    """The site of one gateway; `patience` is in seconds."""

    protocol = GatewayChannel

    def __init__(self, router: Router, *, patience: float, reactor: Any, max_body: int) -> None:
        super().__init__(
            Resource(),
            max_body=max_body,
            request_deadline=min(patience, 30.0),
            max_connections=2000,
            per_address=1000,
            refusal=lambda reason, _: (b"application/json", Answer.error(400, reason).body),
            reactor=reactor,
            measure=lambda _face, _status, _seconds: None,
        )
        self.requestFactory = GatewayRequest
        self.channels: set[GatewayChannel] = set()
        self.router = router
        self.patience = patience

    def abort_all(self) -> None:
        """Close all connections at once."""
        for channel in list(self.channels):
            channel.give_up()
