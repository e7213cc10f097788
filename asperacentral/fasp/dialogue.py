"""The order of messages over one session's life, as the manager sees it: states and one table.

A process that lost its manager and dials again repeats INIT and SESSION, so both are in order at any time before
the end. More than one closing message may come; the last decides. Sessions are regular, not persistent ones:
the commands that feed a persistent session are out of order. Nothing here knows sockets, processes or time.
"""

from __future__ import annotations

from enum import StrEnum

from asperacentral.fasp.management import LocalProtocolError, Message, MessageType, RemoteProtocolError


class SessionState(StrEnum):
    """Where a session stands."""

    __hash__ = str.__hash__  # As in MessageType.

    SUBMITTED = "Submitted"
    CONNECTING = "Connecting"
    STARTED = "Started"
    TRANSFERRING = "Transferring"
    FINISHED = "Finished"
    FAILED = "Failed"


S = SessionState
T = MessageType

ACTIVE = (S.CONNECTING, S.STARTED, S.TRANSFERRING)
"""States in which the process listens to commands."""
CLOSED = (S.FINISHED, S.FAILED)

_ABOUT_FILES = (T.START, T.STATS, T.STOP, T.SKIP, T.FILEERROR, T.ARGSTOP)
_KNOWN = frozenset[str](MessageType)
_BY_THE_WAY = (T.NOP, T.NOTIFICATION, T.QUERY, T.VLINK)

HEARD: dict[tuple[SessionState, str], SessionState] = {
    (S.SUBMITTED, T.INIT): S.CONNECTING,
    **{(state, T.INIT): state for state in ACTIVE},
    (S.CONNECTING, T.SESSION): S.STARTED,
    (S.STARTED, T.SESSION): S.STARTED,
    (S.TRANSFERRING, T.SESSION): S.TRANSFERRING,
    **{(state, kind): S.TRANSFERRING for state in ACTIVE for kind in _ABOUT_FILES},
    **{(state, kind): state for state in ACTIVE for kind in _BY_THE_WAY},
    **{(state, T.DONE): S.FINISHED for state in ACTIVE + CLOSED},
    **{(state, T.ERROR): S.FAILED for state in ACTIVE + CLOSED},
}
"""State and type of the process's message -> state after it. What is not in it is out of order."""

COMMANDS = frozenset({T.RATE, T.CANCEL, T.QUERYRSP, T.VLINK, T.NOP})
"""What a manager may send while the session is active."""


class SessionDialogue:
    """Follows one session's dialogue. `state` is where it stands."""

    def __init__(self) -> None:
        self.state = S.SUBMITTED

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
        if not self.active or command.type not in COMMANDS:
            raise LocalProtocolError(f"{command.type} must not be sent in state {self.state}")
