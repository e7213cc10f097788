"""JSON-RPC on its port: POST to `/`, or texts in a WebSocket, which is told of transfers besides.

Whoever subscribes on a WebSocket is told of the transfers of its origin that belong to its application. A client that
does not read what it is told is cut off.
"""

# Method names are twisted's and autobahn's, and their classes are only partly typed.
# ruff: noqa: N802
# mypy: disable-error-code="no-untyped-call, misc"

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from autobahn.twisted.resource import WebSocketResource
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.defer import Deferred

from asperacentral.client import jsonrpc
from asperacentral.client.engine import Engine
from asperacentral.client.jsonrpc import Call
from asperacentral.client.origins import Caller
from asperacentral.client.parameters import Parameters
from asperacentral.client.rpc import SUBSCRIBE, SUBSCRIPTION, RpcFace
from asperacentral.client.transfer import Status, Transfer
from asperacentral.client.web import MOST_BODY, Guarded, Reply, later
from asperacentral.web.resources import send

MOST_UNREAD = 8 << 20
"""Bytes that wait for a subscriber before it is given up."""
MOST_CALLS = 100
"""Calls of one WebSocket that are under way."""
BINARY = (4003, "texts only")
TOO_MANY = (4008, "too many calls at a time")
"""Codes and reasons for closing a WebSocket."""

log = logging.getLogger(__name__)


class RpcResource(Guarded):
    """The root of the port."""

    def __init__(self, face: RpcFace, engine: Engine, reactor: Any) -> None:
        super().__init__()
        self._face = face
        self._engine = engine
        self._factory = _factory(reactor)

    def getChild(self, path: bytes, request: Any) -> RpcResource:
        """Any path is the root."""
        return self

    def handle(self, request: Any, who: Caller) -> Any:
        """A request, or the beginning of a WebSocket."""
        if (request.getHeader("upgrade") or "").lower() == "websocket":
            self._factory.make = lambda: _Socket(self._face, self._engine, who, request.channel)
            return WebSocketResource(self._factory).render(request)
        if request.method == b"POST":
            return later(request, self._answer(who, request.content.read()))
        request.setResponseCode(200 if request.method in (b"GET", b"HEAD") else 405)
        return send(
            request,
            b"text/plain; charset=utf-8",
            b"a transfer client listens here; it takes JSON-RPC by POST\n",
        )

    async def _answer(self, who: Caller, body: bytes) -> Reply:
        answer, _ = await self._face.answer(who, body)
        return (200, b"") if answer is None else (200, answer.encode())


def _factory(reactor: Any) -> Any:
    """What makes the protocol of a WebSocket; `make` is set to the way to do that, for each anew."""
    factory: Any = WebSocketServerFactory(None, server="asperacentral", reactor=reactor)
    factory.setProtocolOptions(
        maxFramePayloadSize=MOST_BODY,
        maxMessagePayloadSize=MOST_BODY,
        openHandshakeTimeout=10,
        closeHandshakeTimeout=5,
        autoPingInterval=30,
        autoPingTimeout=60,
        allowNullOrigin=False,
    )
    factory.protocol = lambda: factory.make()  # noqa: PLW0108 - which one is known when it is called
    return factory


class _Socket(WebSocketServerProtocol):
    """One WebSocket of one caller."""

    transport: Any

    def __init__(self, face: RpcFace, engine: Engine, who: Caller, channel: Any) -> None:
        super().__init__()
        self._face = face
        self._engine = engine
        self._who = who
        self._channel = channel
        self._calls = 0
        self._unsubscribe: Callable[[], None] | None = None
        self._apps: set[str] = set()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: N803
        """A request."""
        if isBinary or self._calls >= MOST_CALLS:
            self.sendClose(*(BINARY if isBinary else TOO_MANY))
            return
        self._calls += 1
        Deferred.fromCoroutine(self._face.answer(self._who, payload)).addCallback(self._answered)

    def _answered(self, told: tuple[str | None, Call | None]) -> None:
        self._calls -= 1
        answer, call = told
        if answer is not None and self.state == self.STATE_OPEN:
            self.sendMessage(answer.encode())
        if call is not None and call.method == SUBSCRIBE:
            self._subscribe(Parameters.of(call.params, ("app_id",)).text("app_id", ""))

    def _subscribe(self, app_id: str) -> None:
        self._apps.add(app_id)
        if self._unsubscribe is None and self.state == self.STATE_OPEN:
            self._unsubscribe = self._engine.listen(self._tell)

    def _tell(self, transfer: Transfer) -> None:
        if transfer.origin != self._who.origin or transfer.app_id not in self._apps:
            return
        if self.transport._tempDataLen > MOST_UNREAD:  # Twisted keeps there what the system does not take
            log.warning("%s does not read what it subscribed to; cut off", self._who)
            self.transport.abortConnection()
            return
        kind = "transferRemoved" if transfer.status is Status.REMOVED else "transferUpdated"
        told = {"result": {"type": kind, "data": transfer.seen()}}
        self.sendMessage(jsonrpc.notification(SUBSCRIPTION, told).encode())

    def onClose(self, wasClean: bool, code: int, reason: str) -> None:  # noqa: N803
        """Tell no more; the HTTP connection it came from is over."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        if self._channel is not None:
            self._channel.connectionLost()
            self._channel = None
