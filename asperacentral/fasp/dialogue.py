"""The order of messages over one session's life, as the manager sees it: states and one table.

A process that lost its manager and dials again repeats INIT and SESSION, so both are in order at any time before
the end. More than one closing message may come; the last decides. Only a persistent session takes the commands that
feed it (START, STOP, DONE), and none of them but STOP and DONE after it was told to linger. A session that asks for
something (QUERY) before it is started is authenticating. Nothing here knows sockets, processes or time.
"""

from __future__ import annotations

from enum import StrEnum

from asperacentral.fasp.management import LocalProtocolError, Message, MessageType, RemoteProtocolError


class SessionState(StrEnum):
    """Where a session stands."""

    __hash__ = str.__hash__  # As in MessageType.

    SUBMITTED = "Submitted"
    AUTHENTICATING = "Authenticating"
    CONNECTING = "Connecting"
    STARTED = "Started"
    TRANSFERRING = "Transferring"
    FINISHED = "Finished"
    FAILED = "Failed"


S = SessionState
T = MessageType

ACTIVE = (S.CONNECTING, S.AUTHENTICATING, S.STARTED, S.TRANSFERRING)
"""States in which the process listens to commands."""
CLOSED = (S.FINISHED, S.FAILED)

_ABOUT_FILES = (T.START, T.STATS, T.STOP, T.SKIP, T.FILEERROR, T.ARGSTOP)
_KNOWN = frozenset[str](MessageType)
_BY_THE_WAY = (T.NOP, T.NOTIFICATION, T.VLINK)

HEARD: dict[tuple[SessionState, str], SessionState] = {
    (S.SUBMITTED, T.INIT): S.CONNECTING,
    **{(state, T.INIT): state for state in ACTIVE},
    **{(state, T.QUERY): state for state in ACTIVE},
    (S.CONNECTING, T.QUERY): S.AUTHENTICATING,
    (S.CONNECTING, T.SESSION): S.STARTED,
    (S.AUTHENTICATING, T.SESSION): S.STARTED,
    (S.STARTED, T.SESSION): S.STARTED,
    (S.TRANSFERRING, T.SESSION): S.TRANSFERRING,
    **{(state, kind): S.TRANSFERRING for state in ACTIVE for kind in _ABOUT_FILES},
    **{(state, kind): state for state in ACTIVE for kind in _BY_THE_WAY},
    **{(state, T.DONE): S.FINISHED for state in ACTIVE + CLOSED},
    **{(state, T.ERROR): S.FAILED for state in ACTIVE + CLOSED},
}
"""State and type of the process's message -> state after it. What is not in it is out of order."""

COMMANDS = frozenset({T.RATE, T.CANCEL, T.QUERYRSP, T.VLINK, T.NOP})
"""What a manager may send to any session while it is active."""
FEEDING = frozenset({T.START, T.STOP, T.DONE})
"""What it may send to a persistent one besides."""


class SessionDialogue:
    """Follows one session's dialogue. `state` is where it stands; `persistent` sessions are fed by commands."""

    def __init__(self, *, persistent: bool = False) -> None:
        self.state = S.SUBMITTED
        self.persistent = persistent
        self.lingering = False

    @property
    def active(self) -> bool:
        """Whether the process listens to commands."""
        return self.state in ACTIVE

    def hear(self, message: Message) -> SessionState:
        """Take a message of the process and return the state after it.

        A type nobody knows changes nothing while the session is active. RemoteProtocolError when the message
        is out of order; the state stays.
        """
        after = HEARD.get((self.state, message.type))
        if after is None and self.active and message.type not in _KNOWN:
            after = self.state
        if after is None:
            raise RemoteProtocolError(f"{message.type} is out of order in state {self.state}")
        self.state = after
        return after

    def check(self, command: Message) -> None:
        """Raise LocalProtocolError unless the manager may send `command` now."""
        if not self.active or not self._takes(command.type):
            raise LocalProtocolError(f"{command.type} must not be sent in state {self.state}")

    def expect(self, command: Message) -> None:
        """Take note of a command that is to be sent, at the latest when the session is active.

        LocalProtocolError for one that this session never takes, or takes no more.
        """
        if not self._takes(command.type):
            raise LocalProtocolError(f"this session takes no {command.type}")
        if command.type == T.DONE:
            self.lingering = True

    def _takes(self, kind: str) -> bool:
        if kind in COMMANDS:
            return True
        return self.persistent and kind in FEEDING and not (self.lingering and kind == T.START)
