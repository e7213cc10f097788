"""The management port: a loopback listener whose connections read and write messages, and the file that names it.

A connection knows bytes and messages only; which session a message belongs to is the manager's business.
"""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path
from typing import Protocol

from twisted.internet import defer, protocol
from twisted.python.failure import Failure

from asperacentral.fasp.management import Decoder, Message, RemoteProtocolError, encode
from asperacentral.fasp.reactor import DelayedCall, ListeningPort, ManagerReactor, Transport
from asperacentral.logs import BODIES

LOOPBACK = "127.0.0.1"
IDLE = 120.0
"""Seconds after which a connection that says nothing is closed; a session at work speaks each second."""
READ_AT_ONCE = 16 * 1024
"""Bytes taken from one connection before the others have their turn: some milliseconds of work."""

log = logging.getLogger(__name__)


class Hearer(Protocol):
    """Who is told what connections bring."""

    def hear(self, message: Message, connection: ManagementConnection) -> None:
        """A message came."""

    def lose(self, connection: ManagementConnection) -> None:
        """The connection is closed; nothing more comes from it."""


class ManagementConnection(protocol.Protocol):
    """One connection of a transfer process; it is in `family` while it is open."""

    transport: Transport  # type: ignore[assignment]  # Twisted declares less than it gives

    def __init__(self, reactor: ManagerReactor, hearer: Hearer, family: set[ManagementConnection]) -> None:
        self._hearer = hearer
        self._family = family
        self._decoder = Decoder()
        self._reactor = reactor
        self._idle: DelayedCall | None = None

    def connectionMade(self) -> None:
        """Begin to wait for messages."""
        self._family.add(self)
        self.transport.bufferSize = READ_AT_ONCE
        self._idle = self._reactor.callLater(IDLE, self._give_up)

    def _give_up(self) -> None:
        self._idle = None
        self.transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        """Tell each message; a peer that does not speak FASPMGR 2 is cut off."""
        if self._idle is not None:
            self._idle.reset(IDLE)
        mistake = None
        try:
            messages = tuple(self._decoder.feed(data))
        except RemoteProtocolError as error:
            mistake, messages = error, error.messages
        telling = log.isEnabledFor(BODIES)
        for message in messages:
            if telling:
                log.log(BODIES, "management frame received: %r", message)
            self._hearer.hear(message, self)
        if mistake is not None:
            log.warning("management connection closed: %s", mistake)
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        """Tell that nothing more comes."""
        if self._idle is not None:
            self._idle.cancel()
        self._family.discard(self)
        self._hearer.lose(self)

    def send(self, message: Message) -> None:
        """Write a message."""
        log.log(BODIES, "management frame sent: %r", message)
        self.transport.write(encode(message))

    def abort(self) -> None:
        """Close the connection at once."""
        self.transport.abortConnection()


class ManagementListener:
    """Listens on loopback and keeps `port_file` naming the port while it does."""

    def __init__(
        self, reactor: ManagerReactor, hearer: Hearer, port_file: Path, port: int, backlog: int
    ) -> None:
        self._reactor = reactor
        self._hearer = hearer
        self._port_file = port_file
        self._wanted_port = port
        self._backlog = backlog
        self._listening: ListeningPort | None = None
        self._connections: set[ManagementConnection] = set()
        self.port = 0

    def start(self) -> int:
        """Listen and return the port. Twisted's CannotListenError, or OSError when the file cannot be written."""
        factory = protocol.Factory.forProtocol(
            lambda: ManagementConnection(self._reactor, self._hearer, self._connections)
        )
        factory.noisy = False
        self._listening = self._reactor.listenTCP(
            self._wanted_port, factory, backlog=self._backlog, interface=LOOPBACK
        )
        self.port = self._listening.getHost().port
        _write_atomically(self._port_file, str(self.port))
        return self.port

    def stop(self) -> defer.Deferred[None]:
        """Listen no more, close all connections, and remove the file unless another listener has put its own."""
        listening, self._listening = self._listening, None
        if listening is None:
            return defer.succeed(None)
        _remove_if_it_says(self._port_file, str(self.port))
        for connection in tuple(self._connections):
            connection.abort()
        return listening.stopListening()


def _write_atomically(path: Path, text: str) -> None:
    """A reader sees the old content or the new, never a part."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o644)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink()
        raise


def _remove_if_it_says(path: Path, text: str) -> None:
    try:
        if path.read_text(encoding="ascii", errors="replace") == text:
            path.unlink()
    except OSError as error:
        log.warning("cannot remove %s: %s", path, error.strerror)
