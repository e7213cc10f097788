"""One session under the manager's care: from its launch to its end, which is told exactly once.

Theory of operation. A session ends when its process is gone *and* its management connections are closed, so that
every message is delivered before the end. What happens (`hear`, `lose`, `look`) comes from outside; `look` is called
every fraction of a second and keeps the patience:

- a process that has not spoken in time, or has fallen silent, is killed;
- one that ignores CANCEL is terminated, then killed;
- a process whose id is unknown cannot be killed: the session is given up, its connections are closed;
- after the process's end, messages still on their way are waited for, but not for ever.

A command that finds no connection is kept until there is one; sources of a persistent session that are not done
with are told again to a process that dials again. Frames decide which session is meant: a
process may use one connection for all of them, one for each, or a new one after it lost the first.

There are no sockets and no clock here: times are given in seconds of any steady clock.
"""

from __future__ import annotations

import logging
import signal
from dataclasses import dataclass
from typing import Protocol

from asperacentral.fasp import messages
from asperacentral.fasp.dialogue import CLOSED, FEEDING, SessionDialogue, SessionState
from asperacentral.fasp.management import Message, MessageType, RemoteProtocolError
from asperacentral.fasp.processes import Process, ProcessEnd

CONNECT_PATIENCE = 60.0
"""Seconds from the launch to the first message."""
SILENCE = 30.0
"""Seconds between two messages of a process that works: it speaks each second."""
CANCEL_PATIENCE = 10.0
"""Seconds from CANCEL to SIGTERM."""
KILL_PATIENCE = 5.0
"""Seconds from SIGTERM to SIGKILL."""
SETTLE = 3
"""Looks after a process has ended until its last connections must have been noticed: the reactor reads between."""
LINGER = 5.0
"""Seconds a connection may stay open after its process has ended."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SessionEnding:
    """How a session ended: by exit status or signal (both None if nobody saw it), and what its process said last.

    `never_connected` tells that no message of it was ever heard.
    """

    exit_status: int | None
    signal: int | None
    said_done: bool
    said_error: bool
    never_connected: bool


class SessionListener(Protocol):
    """Who is told about sessions. All calls come in the reactor's thread, never from within a call to the manager."""

    def session_launched(self, user_str: str, pid: int) -> None:
        """The session's process runs; its first message may be told before this. Not told for adopted ones."""

    def session_message(self, user_str: str, message: Message) -> None:
        """The session's process said `message`; only messages in order are told."""

    def session_ended(self, user_str: str, ending: SessionEnding) -> None:
        """The session is over. Told once, after everything else."""

    def foreign_message(self, name: str, message: Message) -> None:
        """A process that this manager did not start or adopt said `message`, INIT first. `name` is its session's
        id, or one made of it when a session of the manager's own has that id."""

    def foreign_ended(self, name: str, ending: SessionEnding) -> None:
        """The foreign session's connection is closed. Told once, after everything else."""


class Connection(Protocol):
    """A management connection."""

    def send(self, message: Message) -> None:
        """Write a message."""

    def abort(self) -> None:
        """Close it at once."""


@dataclass(frozen=True, slots=True)
class _Control:
    """A change of rates or policy; None leaves a value as it is."""

    target_rate: int | None = None
    minimum_rate: int | None = None
    policy: str | None = None

    def then(self, later: _Control) -> _Control:
        """Both changes in one."""
        return _Control(
            self.target_rate if later.target_rate is None else later.target_rate,
            self.minimum_rate if later.minimum_rate is None else later.minimum_rate,
            self.policy if later.policy is None else later.policy,
        )

    def command(self) -> Message:
        """The message that says so."""
        return messages.rate(self.target_rate, self.minimum_rate, self.policy)


_NO_CHANGE = _Control()


class ManagedSession:
    """The rules for one session. `patience` is the time for its first message."""

    def __init__(
        self,
        user_str: str,
        process: Process,
        now: float,
        patience: float = CONNECT_PATIENCE,
        *,
        persistent: bool = False,
    ) -> None:
        self.user_str = user_str
        self.process = process
        self.session_id: str | None = None
        self.ending: SessionEnding | None = None
        self._dialogue = SessionDialogue(persistent=persistent)
        self._patience = patience
        self._heard_at = now
        self.heard_any = False
        self._connections: list[Connection] = []
        self._told = _NO_CHANGE  # all that was ever asked for
        self._due = _NO_CHANGE  # what has not been written yet
        self._sources: list[
            Message
        ] = []  # a persistent session's sources and its end, until they are done with
        self._commands_due: list[Message] = []
        self._cancel_due = False
        self._cancelled_at: float | None = None
        self._signalled: int | None = None
        self._gone: ProcessEnd | None = None
        self._gone_at = 0.0
        self._looks = 0  # since it is gone

    def hear(self, message: Message, connection: Connection, now: float) -> bool:
        """Take a message of the process. False if it is out of order, which is logged, and not to be told."""
        self._heard_at = now
        if connection not in self._connections:
            self._connections.append(connection)
        if message.type == MessageType.INIT and self.heard_any:
            self._repeat_commands()
        self.heard_any = True
        if session_id := message.text("SessionId"):
            self.session_id = session_id
        try:
            self._dialogue.hear(message)
        except RemoteProtocolError as error:
            log.warning("session %s: %s", self.user_str, error)
            return False
        if message.type == MessageType.ARGSTOP:
            self._forget_source(message)
        self._flush()
        return True

    def lose(self, connection: Connection) -> None:
        """A connection was closed."""
        if connection in self._connections:
            self._connections.remove(connection)

    def control(self, target_rate: int | None, minimum_rate: int | None, policy: str | None) -> bool:
        """Change what is given, now or when the process connects. False if it is too late."""
        if self._over:
            return False
        change = _Control(target_rate, minimum_rate, policy)
        change.command()  # a change that cannot be said is the caller's mistake, and told at once
        self._told = self._told.then(change)
        self._due = self._due.then(change)
        self._flush()
        return True

    def command(self, command: Message) -> bool:
        """Have a command sent in its turn, now or when the process connects. False if it is too late.

        LocalProtocolError for one that a session of this kind never takes.
        """
        if self._over:
            return False
        self._dialogue.expect(command)
        if command.type in FEEDING:
            self._sources.append(command)
        self._commands_due.append(command)
        self._flush()
        return True

    def cancel(self, now: float) -> bool:
        """Ask the process to end, now or when it connects. False if it is too late."""
        if self._over:
            return False
        if self._cancelled_at is None:
            self._cancelled_at = now
            self._cancel_due = True
            self._flush()
        return True

    def excuse(self, seconds: float) -> None:
        """Shift the patience: for so long the manager itself did not run and could hear nothing."""
        self._heard_at += seconds
        if self._cancelled_at is not None:
            self._cancelled_at += seconds

    def look(self, now: float) -> SessionEnding | None:
        """Keep the patience; the ending once the session is over."""
        if self._gone is None:
            self._gone = self.process.poll() or self._enforce(now) or self._presume()
            self._gone_at = now
        if self._gone is not None and self.ending is None:
            self._settle(self._gone, now)
        return self.ending

    @property
    def _over(self) -> bool:
        return self._gone is not None or self._dialogue.state in CLOSED

    def _enforce(self, now: float) -> ProcessEnd | None:
        """Kill what has used up the patience. A `ProcessEnd` when the process has to be given up instead."""
        if now - self._heard_at >= (SILENCE if self.heard_any else self._patience):
            return self._signal(signal.SIGKILL, "is silent" if self.heard_any else "never connected")
        if self._cancelled_at is None:
            return None
        waited = now - self._cancelled_at
        if waited >= CANCEL_PATIENCE + KILL_PATIENCE:
            return self._signal(signal.SIGKILL, "ignores SIGTERM")
        if waited >= CANCEL_PATIENCE:
            return self._signal(signal.SIGTERM, "ignores CANCEL")
        return None

    def _presume(self) -> ProcessEnd | None:
        """A process whose end nobody will see counts as gone when it has said its last word and hung up."""
        hung_up = self._dialogue.state in CLOSED and not self._connections
        return ProcessEnd() if hung_up and not self.process.watched else None

    def _signal(self, number: signal.Signals, why: str) -> ProcessEnd | None:
        if self._signalled == number:
            return None
        reached = self.process.signal(number)
        if reached:
            self._signalled = number
            log.error("session %s: process %s %s; sent %s", self.user_str, self.process.pid, why, number.name)
            return None
        if number is not signal.SIGKILL:
            return None
        log.error("session %s: its process, of unknown id, %s; given up", self.user_str, why)
        self._abort_connections()
        return ProcessEnd()

    def _settle(self, gone: ProcessEnd, now: float) -> None:
        self._looks += 1
        if self._connections and now - self._gone_at >= LINGER:
            log.warning("session %s: connection still open after its process ended; closed", self.user_str)
            self._abort_connections()
        if self._connections or (self._looks <= SETTLE and self._dialogue.state not in CLOSED):
            return
        self.ending = SessionEnding(
            exit_status=gone.exit_status,
            signal=gone.signal,
            said_done=self._dialogue.state is SessionState.FINISHED,
            said_error=self._dialogue.state is SessionState.FAILED,
            never_connected=not self.heard_any,
        )

    def _abort_connections(self) -> None:
        for connection in self._connections:
            connection.abort()
        self._connections.clear()

    def _repeat_commands(self) -> None:
        """The process dials again: what was written to the lost connection may never have reached it."""
        self._due = self._told
        self._commands_due = list(self._sources)
        self._cancel_due = self._cancelled_at is not None

    def _forget_source(self, ended: Message) -> None:
        for command in self._sources:
            if command.type == MessageType.START and command.text("Source") == ended.text("Source"):
                self._sources.remove(command)
                return

    def _flush(self) -> None:
        if not self._connections or not self._dialogue.active:
            return
        connection = self._connections[-1]
        if self._due != _NO_CHANGE:
            connection.send(self._due.command())
            self._due = _NO_CHANGE
        while self._commands_due:
            connection.send(self._commands_due.pop(0))
        if self._cancel_due:
            connection.send(messages.shut_down() if self._dialogue.persistent else messages.cancel())
            self._cancel_due = False
