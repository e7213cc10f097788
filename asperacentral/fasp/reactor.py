"""What the FASP Manager needs of Twisted, as types: time, listening, and taking over a connected socket.

Twisted's own interfaces cannot be checked against without a plug-in; these say the same for what is used here.
"""
# ruff: noqa: N802, N803, N815 - the names are Twisted's

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory


class DelayedCall(Protocol):
    """A call that is to come."""

    def cancel(self) -> None:
        """Take it back."""

    def reset(self, secondsFromNow: float) -> None:
        """Have it come that much later than now."""


class Transport(Protocol):
    """A connection. `bufferSize` is how many bytes are read from it at once."""

    bufferSize: int

    def getPeer(self) -> Address:
        """The other end."""

    def getHost(self) -> Address:
        """This end."""

    def pauseProducing(self) -> None:
        """Read no more for now."""

    def resumeProducing(self) -> None:
        """Read again."""

    def write(self, data: bytes) -> None:
        """Send bytes, now or when there is room."""

    def loseConnection(self) -> None:
        """Close once everything is sent."""

    def abortConnection(self) -> None:
        """Close at once."""


class Address(Protocol):
    """A TCP address."""

    port: int


class ListeningPort(Protocol):
    """A port that accepts connections."""

    def getHost(self) -> Address:
        """Where it listens."""

    def stopListening(self) -> Deferred[None]:
        """Accept no more."""


class ManagerReactor(Protocol):
    """A part of IReactorTime, IReactorTCP and IReactorSocket."""

    def seconds(self) -> float:
        """Seconds of the reactor's clock."""

    def callLater(self, delay: float, callable: Callable[..., object], *args: Any) -> DelayedCall:
        """Call in `delay` seconds."""

    def listenTCP(self, port: int, factory: Factory[Any], backlog: int, interface: str) -> ListeningPort:
        """Accept connections."""

    def adoptStreamConnection(self, fileDescriptor: int, addressFamily: int, factory: Factory[Any]) -> object:
        """Run a protocol on a copy of a connected socket's descriptor."""
