"""Whether a connection may speak for a session: any process of this machine can reach the management port.

A process of ours proves itself in the first message of a connection (`proof`) and is answered with a proof. Another
program must hold the other end of the connection itself (`ownership`), as far as the system tells. Who may speak once
may go on. Sessions that the manager neither started nor adopted are not meant here.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Protocol

from asperacentral.fasp import keyfile, ownership, proof
from asperacentral.fasp.management import Message, MessageType
from asperacentral.fasp.processes import Process
from asperacentral.fasp.proof import Ends

log = logging.getLogger(__name__)


class Claimant(Protocol):
    """A management connection as it is seen here."""

    @property
    def ends(self) -> Ends:
        """Its two ports."""

    @property
    def socket(self) -> int | None:
        """The inode of the other end's socket, as `ownership.socket_of` told it."""

    def send(self, message: Message) -> None:
        """Write a message."""


class Claimed(Protocol):
    """A session as it is seen here."""

    @property
    def user_str(self) -> str:
        """Its name."""

    @property
    def process(self) -> Process:
        """What was started for it."""

    @property
    def heard_any(self) -> bool:
        """Whether any message of it was taken."""


class ByProof:
    """For processes of ours: they got a key with their environment."""

    def __init__(self, key_file: Path) -> None:
        self._key_file = key_file
        self._key = b""

    def start(self) -> None:
        """Read the key, or make it. OSError when that is not possible."""
        self._key = keyfile.read_or_make(self._key_file)

    def environment(self, user_str: str) -> dict[str, str]:
        """What the process of a session is to get."""
        return {proof.KEY_VARIABLE: proof.session_key(self._key, user_str)}

    def admits(self, session: Claimed, message: Message, connection: Claimant) -> bool:
        """Whether the message proves that the session's process sent it; if so, the proof is answered."""
        key = proof.session_key(self._key, session.user_str)
        if not proof.proves(message, proof.of_process(key, session.user_str, connection.ends)):
            return False
        answer = proof.of_manager(key, session.user_str, connection.ends)
        connection.send(proof.with_proof(Message(MessageType.NOP), answer))
        return True


class ByOwnership:
    """For other programs: the socket must be theirs."""

    def start(self) -> None:
        """Nothing is needed."""

    def environment(self, _user_str: str) -> dict[str, str]:
        """Nothing."""
        return {}

    def admits(self, session: Claimed, message: Message, connection: Claimant) -> bool | None:
        """Whether the session's process holds the connection; yes where this cannot be seen.

        A process that said what it had to say and is gone already is believed if nobody spoke for it before. While
        it is still going the answer is None: ask again when it has gone.
        """
        inode, pid = connection.socket, session.process.pid
        if inode is None or pid is None:
            log.debug("session %s: whose connection it is cannot be seen", session.user_str)
            return True
        if inode == ownership.ORPHAN:
            if session.heard_any:
                return False
            return True if session.process.poll() is not None else None
        return ownership.holds(pid, inode) is not False


Admission = ByProof | ByOwnership
