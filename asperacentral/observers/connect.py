"""Connections to observers: only to allowed addresses, bounded in what they take in, kept for the next request.

Observers are not trusted. Which addresses a host has is looked at before any of them is connected to, and that
very address is used: a name that is pointed elsewhere later gains nothing. Knows nothing of notifications.
"""
# ruff: noqa: N802, N803 - the names are Twisted's

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    wrapClientTLS,
)
from twisted.internet.error import ConnectionDone, ConnectionLost, DNSLookupError
from twisted.internet.interfaces import (
    IHostnameResolver,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
    IStreamClientEndpoint,
)
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.client import (
    URI,
    BrowserLikePolicyForHTTPS,
    HTTPConnectionPool,
    RequestTransmissionFailed,
    ResponseNeverReceived,
)
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from asperacentral.observers.addresses import Allowed

CONNECT_TIMEOUT = 5.0
"""Seconds for one address of a host."""

KEPT_FOR = 4.0
"""Seconds that an idle connection is kept: servers commonly close theirs after 5."""

MAX_RECEIVED = 128 * 1024
"""Bytes taken in for one request, headers and interim answers included."""


class NotAllowed(Exception):
    """None of the host's addresses may be notified."""


@implementer(IAgentEndpointFactory)
class ObserverEndpoints:
    """Makes the endpoint of one request."""

    def __init__(self, reactor: Any, allowed: Allowed) -> None:
        self._reactor = reactor
        self._allowed = allowed
        self._tls: BrowserLikePolicyForHTTPS | None = None

    def endpointForURI(self, uri: URI) -> ObserverEndpoint:
        """The endpoint for the host and port of `uri`."""
        secured = None
        if uri.scheme == b"https":
            self._tls = self._tls or BrowserLikePolicyForHTTPS()
            secured = self._tls.creatorForNetloc(uri.host, uri.port)
        return ObserverEndpoint(self._reactor, self._allowed, uri.host.decode("ascii"), uri.port, secured)


@implementer(IStreamClientEndpoint)
class ObserverEndpoint:
    """Connects to an allowed address of `host`. `used` tells whether a connection was asked for."""

    def __init__(self, reactor: Any, allowed: Allowed, host: str, port: int, secured: Any) -> None:
        self._reactor = reactor
        self._allowed = allowed
        self._host = host
        self._port = port
        self._secured = secured
        self.used = False

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        """Connect; fails with NotAllowed, or with what Twisted's endpoints fail with."""
        self.used = True
        try:
            endpoint = self._by_address() or self._by_name()
        except NotAllowed:
            return fail(Failure())
        if self._secured is not None:
            endpoint = wrapClientTLS(self._secured, endpoint, self._reactor)
        metered: Any = _MeteredFactory(protocolFactory)  # type: ignore[no-untyped-call]
        connecting: Deferred[Any] = endpoint.connect(metered)
        return connecting.addCallback(lambda connected: connected.wrappedProtocol)

    def _by_address(self) -> Any:
        """An endpoint for a host that is an address: not through the resolver, where slow names may queue."""
        try:
            allowed = self._allowed.peer(self._host, self._host)
        except ValueError:
            return None
        if not allowed:
            raise NotAllowed(f"{self._host} is not among the allowed observers")
        kind = TCP6ClientEndpoint if ":" in self._host else TCP4ClientEndpoint
        return kind(self._reactor, self._host, self._port, CONNECT_TIMEOUT)

    def _by_name(self) -> Any:
        resolver = _CheckedResolver(self._reactor.nameResolver, self._allowed)
        return _NamedEndpoint(
            HostnameEndpoint(
                _CheckedReactor(self._reactor, resolver), self._host, self._port, timeout=CONNECT_TIMEOUT
            ),
            self._host,
            resolver,
        )


@implementer(IStreamClientEndpoint)
class _NamedEndpoint:
    """Says why there was nothing to connect to, when the allow-list left nothing."""

    def __init__(self, endpoint: HostnameEndpoint, host: str, resolver: _CheckedResolver) -> None:
        self._endpoint = endpoint
        self._host = host
        self._resolver = resolver

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        def explain(failure: Failure) -> Failure:
            refused = self._resolver.refused
            if failure.check(DNSLookupError) and refused:
                return Failure(
                    NotAllowed(f"{self._host} is {refused[0]}, which is not among the allowed observers")
                )
            return failure

        connecting: Deferred[Any] = self._endpoint.connect(protocolFactory)
        return connecting.addErrback(explain)


@implementer(IReactorPluggableNameResolver)
class _CheckedReactor:
    """What a HostnameEndpoint asks of a reactor, with another name resolver."""

    def __init__(self, reactor: Any, resolver: _CheckedResolver) -> None:
        self.nameResolver = resolver
        self.connectTCP = reactor.connectTCP
        self.callLater = reactor.callLater
        self.seconds = reactor.seconds


@implementer(IHostnameResolver)
class _CheckedResolver:
    """Resolves names, leaving out addresses that are not allowed; those are kept in `refused`."""

    def __init__(self, resolver: Any, allowed: Allowed) -> None:
        self._resolver = resolver
        self._allowed = allowed
        self.refused: list[str] = []

    def resolveHostName(
        self,
        receiver: Any,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type] | None = None,
        transportSemantics: str = "TCP",
    ) -> Any:
        def wanted(address: str) -> bool:
            allowed = self._allowed.peer(hostName, address)
            if not allowed:
                self.refused.append(address)
            return allowed

        sieve = _Sieve(receiver, wanted)
        return self._resolver.resolveHostName(sieve, hostName, portNumber, addressTypes, transportSemantics)


@implementer(IResolutionReceiver)
class _Sieve:
    """Passes on the addresses that are wanted."""

    def __init__(self, receiver: Any, wanted: Callable[[str], bool]) -> None:
        self._wanted = wanted
        self._receiver = receiver
        self.resolutionBegan = receiver.resolutionBegan
        self.resolutionComplete = receiver.resolutionComplete

    def addressResolved(self, address: Any) -> None:
        if self._wanted(address.host):
            self._receiver.addressResolved(address)


class _Metered(ProtocolWrapper):
    """Breaks the connection when too much comes in: the HTTP client would take endless headers."""

    _received = 0

    def write(self, data: bytes) -> None:
        self._received = 0
        super().write(data)  # type: ignore[no-untyped-call]

    def writeSequence(self, data: Any) -> None:
        self._received = 0
        super().writeSequence(data)  # type: ignore[no-untyped-call]

    def dataReceived(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > MAX_RECEIVED:
            self.abortConnection()
        else:
            super().dataReceived(data)  # type: ignore[no-untyped-call]


class _MeteredFactory(WrappingFactory):
    protocol = _Metered
    noisy = False


class ObserverPool(HTTPConnectionPool):
    """Keeps connections; a request on a kept one that turns out to be closed is made again on another.

    Many servers close without a word after an answer. Without this a healthy observer would look like a failing
    one now and then, and its lane would rest. That a request is made twice at worst is what at-least-once allows.
    """

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor)  # type: ignore[no-untyped-call]
        self.maxPersistentPerHost = 2
        self.cachedConnectionTimeout = KEPT_FOR  # type: ignore[assignment]
        self.retryAutomatically = False

    def getConnection(self, key: Any, endpoint: Any) -> Deferred[Any]:
        """A kept or a new connection."""
        endpoint.used = False
        found: Deferred[Any] = super().getConnection(key, endpoint)
        if endpoint.used:
            return found
        return found.addCallback(_Kept, lambda: self.getConnection(key, endpoint))


class _Kept:
    """A connection that was used before and may be closed by now."""

    def __init__(self, connection: Any, another: Callable[[], Deferred[Any]]) -> None:
        self._connection = connection
        self._another = another

    def request(self, request: Any) -> Deferred[Any]:
        def again(failure: Failure) -> Any:
            failure.trap(RequestTransmissionFailed, ResponseNeverReceived)
            reasons: Sequence[Failure] = getattr(failure.value, "reasons", ())
            if not all(reason.check(ConnectionDone, ConnectionLost) for reason in reasons):
                return failure
            return self._another().addCallback(lambda connection: connection.request(request))

        asked: Deferred[Any] = self._connection.request(request)
        return asked.addErrback(again)
