"""How a transfer process and its manager prove to each other who they are, over a port that anyone here can reach.

Theory of operation. The manager has a key, kept in a file of its own. Each session's key is derived from it and the
session's UserStr, so that a manager that was restarted knows it again without having stored it; the process gets it
through its environment. INIT carries the process's proof, and the manager answers with a NOP that carries its own;
only then does the process say more, or obey. A proof is bound to the connection by the two TCP ports, so one that was
overheard or tricked out of its owner is worth nothing on another connection.

Other programs, a licensed ascp among them, know nothing of this; see `ownership`. Pure: no I/O here.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from asperacentral.fasp.management import Message

FIELD = "MgmtProof"
KEY_VARIABLE = "OPENASCP_MGMT_KEY"
"""The environment variable that brings a process its session's key."""
KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Ends:
    """The two TCP ports of a management connection."""

    process: int
    manager: int


def session_key(manager_key: bytes, user_str: str) -> str:
    """The key of one session, as hexadecimal text."""
    return _digest(manager_key, b"session", user_str)


def of_process(key: str, user_str: str, ends: Ends) -> str:
    """What a process shows in INIT."""
    return _proof(key, "process", user_str, ends)


def of_manager(key: str, user_str: str, ends: Ends) -> str:
    """What a manager answers with."""
    return _proof(key, "manager", user_str, ends)


def proves(message: Message, expected: str) -> bool:
    """Whether a message carries the proof; takes equally long for every wrong one."""
    shown = message.text(FIELD).encode("utf-8", "surrogateescape")
    return hmac.compare_digest(shown, expected.encode("ascii"))


def with_proof(message: Message, proof: str) -> Message:
    """The message with the proof."""
    return Message(message.type, {**message.fields, FIELD: proof})


def _proof(key: str, side: str, user_str: str, ends: Ends) -> str:
    said = f"{side}\n{ends.process}\n{ends.manager}".encode("ascii")
    return _digest(key.encode("utf-8", "surrogateescape"), said, user_str)


def _digest(key: bytes, what: bytes, user_str: str) -> str:
    said = what + b"\n" + user_str.encode("utf-8", "surrogateescape")
    return hmac.new(key, said, hashlib.sha256).hexdigest()
