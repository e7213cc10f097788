"""Sessions that somebody else started: server halves above all, which find the management port by its port file.

Any process of this machine may come so. What it says is told under a name of its own and reaches nobody else's
session: a connection speaks for one session, from its INIT on, and nobody else for the same while it is open. The
session is over when the connection is. There are no sockets and no clock here.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from typing import Protocol

from asperacentral.fasp import messages
from asperacentral.fasp.dialogue import SessionDialogue, SessionState
from asperacentral.fasp.management import Message, MessageType, RemoteProtocolError
from asperacentral.fasp.session import SessionEnding

MOST = 500
"""Foreign sessions at a time; more are not heard, which does not hold them up."""

log = logging.getLogger(__name__)


class Connection(Protocol):
    """A management connection; it is told apart from others by identity."""

    def send(self, message: Message) -> None:
        """Write a message."""


class _Foreign:
    """One session: its name here, the session id it gave itself, and where its dialogue stands."""

    def __init__(self, name: str, session_id: str) -> None:
        self.name = name
        self.session_id = session_id
        self.dialogue = SessionDialogue()


class ForeignSessions:
    """The foreign sessions that are under way. `taken` tells whether a name is that of a session of our own."""

    def __init__(self, taken: Callable[[str], bool], most: int = MOST) -> None:
        self._taken = taken
        self._most = most
        self._by_connection: dict[Connection, _Foreign] = {}
        self._by_name: dict[str, Connection] = {}

    def __contains__(self, connection: Connection) -> bool:
        return connection in self._by_connection

    def hear(self, message: Message, connection: Connection) -> str | None:
        """Take a message; the name of the session if it is to be told, else None, which the log explains."""
        foreign = self._by_connection.get(connection) or self._begin(message, connection)
        if foreign is None:
            return None
        try:
            if message.text("SessionId", foreign.session_id).lower() != foreign.session_id:
                raise RemoteProtocolError("the connection speaks for another session")
            foreign.dialogue.hear(message)
        except RemoteProtocolError as error:
            log.warning("foreign session %s: %s", foreign.name, error)
            return None
        return foreign.name

    def lose(self, connection: Connection) -> tuple[str, SessionEnding] | None:
        """The connection is closed; the name and the end of the session it spoke for, if there was one."""
        foreign = self._by_connection.pop(connection, None)
        if foreign is None:
            return None
        del self._by_name[foreign.name]
        state = foreign.dialogue.state
        return foreign.name, SessionEnding(
            exit_status=None,
            signal=None,
            said_done=state is SessionState.FINISHED,
            said_error=state is SessionState.FAILED,
            never_connected=False,
        )

    def control(self, name: str, rate: Message) -> bool:
        """Send a change of rates. False if there is no such session, or it has said its last word."""
        return self._send(name, rate)

    def cancel(self, name: str) -> bool:
        """Ask the session to end. False as above."""
        return self._send(name, messages.cancel())

    def _send(self, name: str, command: Message) -> bool:
        connection = self._by_name.get(name)
        if connection is None or not self._by_connection[connection].dialogue.active:
            return False
        connection.send(command)
        return True

    def _begin(self, message: Message, connection: Connection) -> _Foreign | None:
        if message.type != MessageType.INIT:
            log.debug("%s of a session that nobody introduced; ignored", message.type)
            return None
        try:
            session_id = str(uuid.UUID(message.text("SessionId")))
        except ValueError:
            log.warning("a foreign session without a session id; ignored")
            return None
        name = self._name(session_id)
        if name in self._by_name:
            log.warning("foreign session %s: somebody else speaks for it already; ignored", name)
            return None
        if len(self._by_connection) >= self._most:
            log.warning("more than %d foreign sessions; session %s is not followed", self._most, session_id)
            return None
        foreign = _Foreign(name, session_id)
        self._by_connection[connection] = foreign
        self._by_name[name] = connection
        return foreign

    def _name(self, session_id: str) -> str:
        """The session id; another one made of it when one of our own has it: both ends are on this machine."""
        if not self._taken(session_id):
            return session_id
        return str(uuid.uuid5(uuid.UUID(session_id), "the other end"))
