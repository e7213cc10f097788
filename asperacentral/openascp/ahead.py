"""Starts the far side's program together with the login: what the client has to say first travels in one flight.

SSH asks and waits: may I come in, may there be a channel, may a program run on it, may I send to it. A server takes
what comes in its order, so who is sure to be let in can say all of it at once; three round trips are saved, and the
program starts while the answers travel. asyncssh goes its usual way: what it sends is held back where it has been sent,
and the answers wait until it has asked.

That is done where it is known to work: with OpenSSH, which numbers the first channel 0, gives it its window with the
program, and does not mind what comes from those it does not let in; and with a key as the only way to log in, so that
nothing else is tried after it. The server's host key is verified before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from asyncssh.packet import Boolean, String, UInt32

PROGRAM = "openascp"
WINDOW = 8 * 1024 * 1024
PACKET = 256 * 1024
"""What the channel may bring at a time, bytes."""
MOST_WORDS = 16 * 1024
"""Bytes that are sent ahead; the window of a program's channel is far larger."""

_OPEN, _DATA, _REQUEST = 90, 94, 98
_LET_IN, _CONFIRMED = 52, 91
"""SSH_MSG_USERAUTH_SUCCESS, SSH_MSG_CHANNEL_OPEN_CONFIRMATION and others (RFC 4252, 4254)."""
_CHANNEL = 0
_KNOWN = ("_auth_complete", "_next_recv_chan", "process_packet", "send_packet")


def command(program: str) -> str:
    """What starts the far side; `program` is its name there, empty for the usual one."""
    return f"{program or PROGRAM} --server"


class Opening:
    """What is said first: the program's command line, and the words on its input, if they are known by then; they may
    depend on what the connection is.
    """

    def __init__(self, command: str, words: Callable[[Any], bytes] | None = None) -> None:
        self.command = command
        self.words = words


def applies(connection: Any) -> bool:
    """Whether server and library are those that this is known to work with."""
    version = str(connection.get_extra_info("server_version", ""))
    return version.startswith("SSH-2.0-OpenSSH_") and all(hasattr(connection, name) for name in _KNOWN)


def go_ahead(connection: Any, opening: Opening) -> None:
    """The request to be let in was just sent: send all that follows it."""
    words = opening.words(connection) if opening.words is not None else b""
    if len(words) > MOST_WORDS:
        words = b""
    packets = [
        (_OPEN, String(b"session") + UInt32(connection._next_recv_chan) + UInt32(WINDOW) + UInt32(PACKET)),
        (_REQUEST, UInt32(_CHANNEL) + String(b"exec") + Boolean(True) + String(opening.command)),
    ]
    send = connection.send_packet
    connection._auth_complete = True  # for as long as it takes to send, which asyncssh would put off
    try:
        for kind, payload in packets:
            send(kind, payload)
        if words:
            send(_DATA, UInt32(_CHANNEL) + String(words))
    finally:
        connection._auth_complete = False
    _hold_back(connection, packets, words)


def _hold_back(connection: Any, packets: list[tuple[int, bytes]], words: bytes) -> None:
    """Hold back what was sent when asyncssh sends it, and each answer until then."""
    send, process = connection.send_packet, connection.process_packet
    asked = {kind: asyncio.Event() for kind, _ in packets}
    left = words

    def send_packet(kind: int, *fields: bytes, **options: Any) -> None:
        nonlocal left
        if kind in asked and not asked[kind].is_set():
            if (kind, b"".join(fields)) not in packets:
                raise ConnectionError("the session does not begin as it was said to")
            asked[kind].set()
        elif kind == _DATA and left:
            said = b"".join(fields)[8:]
            if not left.startswith(said):
                raise ConnectionError("the session does not begin as it was said to")
            left = left[len(said) :]
        else:
            send(kind, *fields, **options)

    async def answered(result: Any, kind: int) -> None:
        if asyncio.iscoroutine(result):
            await result
        await asked[kind].wait()

    def process_packet(kind: int, number: int, packet: Any) -> bool | Awaitable[None]:
        result = process(kind, number, packet)
        if kind == _LET_IN:
            return answered(result, _OPEN)
        if kind == _CONFIRMED and not asked[_REQUEST].is_set():
            return answered(result, _REQUEST)
        return result  # type: ignore[no-any-return]

    connection.send_packet, connection.process_packet = send_packet, process_packet
