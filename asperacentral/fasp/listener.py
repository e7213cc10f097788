"""The management port: a loopback listener whose connections read and write messages, and the file that names it.

A connection knows bytes and messages only; which session a message belongs to is the manager's business. Any process
of the machine may connect, so those that were not `vouched` for are kept few and slow: of too many the one that was
silent longest is closed, and together they are read only so fast.
"""

from __future__ import annotations

import logging
import os
import tempfile
from functools import cached_property
from pathlib import Path
from typing import Protocol

from twisted.internet import defer, protocol
from twisted.python.failure import Failure

from asperacentral.fasp import ownership
from asperacentral.fasp.management import Decoder, Message, RemoteProtocolError, encode
from asperacentral.fasp.proof import Ends
from asperacentral.fasp.reactor import DelayedCall, ListeningPort, ManagerReactor, Transport
from asperacentral.logs import BODIES

LOOPBACK = "127.0.0.1"
IDLE = 120.0
"""Seconds after which a connection that says nothing is closed; a session at work speaks each second."""
READ_AT_ONCE = 16 * 1024
"""Bytes taken from one connection before the others have their turn: some milliseconds of work."""

MOST_STRANGERS = 512
"""Connections that nobody has vouched for."""
STRANGERS_AT_ONCE = 4 * 1024 * 1024
"""Bytes read from all of them together in `STRANGERS_WINDOW`."""
STRANGERS_WINDOW = 1.0
"""Seconds."""

log = logging.getLogger(__name__)


class Hearer(Protocol):
    """Who is told what connections bring."""

    def hear(self, message: Message, connection: ManagementConnection) -> None:
        """A message came."""

    def lose(self, connection: ManagementConnection) -> None:
        """The connection is closed; nothing more comes from it."""


class Strangers:
    """The connections nobody has vouched for, and what may still be read from them in this window of time."""

    def __init__(self, reactor: ManagerReactor) -> None:
        self._reactor = reactor
        self._by_silence: dict[ManagementConnection, None] = {}  # the longest silent first
        self._paused: list[ManagementConnection] = []
        self._left = STRANGERS_AT_ONCE
        self._closed = 0
        self._window: DelayedCall | None = None

    def __contains__(self, connection: ManagementConnection) -> bool:
        return connection in self._by_silence

    def add(self, connection: ManagementConnection) -> None:
        """A new one; of too many another one is closed."""
        self._by_silence[connection] = None
        if len(self._by_silence) > MOST_STRANGERS:
            silent = next(iter(self._by_silence))
            self.remove(silent)
            if self._closed % MOST_STRANGERS == 0:  # a flood of them is no reason for one of the log
                log.warning(
                    "more than %d unknown management connections: the silent are closed", MOST_STRANGERS
                )
            self._closed += 1
            silent.abort()

    def remove(self, connection: ManagementConnection) -> None:
        """It is closed, or no stranger any more."""
        self._by_silence.pop(connection, None)
        if connection in self._paused:
            self._paused.remove(connection)
            connection.go_on()

    def heard(self, connection: ManagementConnection, size: int) -> None:
        """So many bytes came from it: when the window's share is used up it has to wait for the next."""
        if self._by_silence.pop(connection, self) is self:
            return
        self._by_silence[connection] = None
        self._left -= size
        if self._window is None:
            self._window = self._reactor.callLater(STRANGERS_WINDOW, self._open_window)
        if self._left < 0:
            self._paused.append(connection)
            connection.wait()

    def stop(self) -> None:
        """Nothing more is to be timed."""
        if self._window is not None:
            self._window.cancel()
            self._window = None

    def _open_window(self) -> None:
        self._window = None
        self._left = STRANGERS_AT_ONCE
        paused, self._paused = self._paused, []
        for connection in paused:
            connection.go_on()


class ManagementConnection(protocol.Protocol):
    """One connection of a transfer process; it is in `family` while it is open.

    `vouched` holds the sessions it may speak for, `refused` tells that it claimed one that is not its own.
    """

    transport: Transport  # type: ignore[assignment]  # Twisted declares less than it gives

    def __init__(
        self,
        reactor: ManagerReactor,
        hearer: Hearer,
        family: set[ManagementConnection],
        strangers: Strangers,
    ) -> None:
        self._hearer = hearer
        self._family = family
        self._strangers = strangers
        self._decoder = Decoder()
        self._reactor = reactor
        self._idle: DelayedCall | None = None
        self.vouched: set[str] = set()
        self.refused = False

    def connectionMade(self) -> None:
        """Begin to wait for messages."""
        self._family.add(self)
        self._strangers.add(self)
        self.transport.bufferSize = READ_AT_ONCE
        self._idle = self._reactor.callLater(IDLE, self._give_up)

    @property
    def ends(self) -> Ends:
        """Its two ports."""
        return Ends(self.transport.getPeer().port, self.transport.getHost().port)

    @cached_property
    def socket(self) -> int | None:
        """The inode of the other end's socket, looked up once."""
        return ownership.socket_of(self.ends.process, self.ends.manager)

    def vouch(self, user_str: str) -> None:
        """It may speak for this session."""
        self.vouched.add(user_str)
        self._strangers.remove(self)

    def refuse(self) -> None:
        """Nothing it says counts; it is closed."""
        self.refused = True
        self.transport.abortConnection()

    def wait(self) -> None:
        """Read no more for now."""
        self.transport.pauseProducing()

    def go_on(self) -> None:
        """Read again."""
        if self in self._family:
            self.transport.resumeProducing()

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
            if self.refused:
                return
        self._strangers.heard(self, len(data))
        if mistake is not None:
            log.warning("management connection closed: %s", mistake)
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        """Tell that nothing more comes."""
        if self._idle is not None:
            self._idle.cancel()
        self._family.discard(self)
        self._strangers.remove(self)
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
        self._strangers = Strangers(reactor)
        self.port = 0

    def start(self) -> int:
        """Listen and return the port. Twisted's CannotListenError, or OSError when the file cannot be written."""
        factory = protocol.Factory.forProtocol(
            lambda: ManagementConnection(self._reactor, self._hearer, self._connections, self._strangers)
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
        self._strangers.stop()
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
