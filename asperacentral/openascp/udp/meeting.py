"""The handshake on real sockets: makes a `Link`, or says that UDP does not get through.

Calls wait; they belong in a thread.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from asperacentral.openascp.udp.boxes import Inbox, Outbox
from asperacentral.openascp.udp.ear import Ear
from asperacentral.openascp.udp.following import Following
from asperacentral.openascp.udp.handshake import (
    LARGEST_LIMIT,
    SMALLEST_LIMIT,
    Answerer,
    Caller,
    patience,
    sizes_up_to,
)
from asperacentral.openascp.udp.keys import Cipher, Direction, DirectionKeys
from asperacentral.openascp.udp.sockets import TooLargeError, UdpSocket

MOST_BUFFER = 64 << 20
"""Bytes of a peer's socket that we believe in: so much may be under way, and wait in our memory, without an answer."""

_LOOK_SECONDS = 0.1

log = logging.getLogger(__name__)


class PlaneLostError(Exception):
    """The stream cannot go on; the text says why."""


class BlockedError(Exception):
    """Nothing came back in time, or who wanted to meet gave up."""


@dataclass
class Link:
    """Two ends that have met."""

    socket: UdpSocket
    inbox: Inbox
    outbox: Outbox
    size: int
    """Bytes of the largest datagram that fits the path."""
    peer_buffer: int
    """Bytes the other socket holds."""
    rtt: float
    """Seconds; what is known of it."""
    confirm: Callable[[int | None], list[bytes]] | None
    """For the caller: what to repeat until the answerer says something, or what to say to a challenge of its."""
    ear: Ear | None = None
    """For the answerer: where it hears that the caller has another address."""


def call(
    opened: UdpSocket,
    address: Any,
    secret: bytes,
    cipher: Cipher,
    largest: int | None = None,
    given_up: Callable[[], bool] = lambda: False,
    seconds: float | None = None,
) -> Link:
    """Meet the answerer at `address`; `largest` limits the bytes of a datagram, `seconds` the wait for an answer (see
    `patience`). BlockedError, OSError, ValueError for a limit that makes no sense.
    """
    inbox = Inbox(DirectionKeys(secret, cipher, Direction.FROM_ANSWERER))
    outbox = Outbox(DirectionKeys(secret, cipher, Direction.FROM_CALLER))
    opened.connect(address)
    began = time.monotonic()
    until = began + (patience(0.0) if seconds is None else seconds)
    caller = Caller(inbox, outbox, opened.room, began, sizes_up_to(largest))
    while not caller.ready(now := time.monotonic()):
        if now > until or given_up():
            raise BlockedError
        for hello in caller.hellos(now):
            try:
                opened.send(hello)
            except TooLargeError:
                caller.refused(len(hello))
        opened.wait(min(caller.wait(time.monotonic()), _LOOK_SECONDS))
        for datagram in opened.receive():
            caller.take_in(datagram, time.monotonic())
    for confirmation in caller.confirm():
        opened.send(confirmation)
    size, buffer = _believed(caller.size, caller.peer_buffer)
    return Link(opened, inbox, outbox, size, buffer, caller.rtt or _LOOK_SECONDS, caller.confirm)


def answer(
    opened: UdpSocket, secret: bytes, cipher: Cipher, seconds: float, given_up: Callable[[], bool]
) -> Link:
    """Wait for the caller, `seconds` at most. BlockedError, OSError."""
    inbox = Inbox(DirectionKeys(secret, cipher, Direction.FROM_CALLER))
    outbox = Outbox(DirectionKeys(secret, cipher, Direction.FROM_ANSWERER))
    answerer = Answerer(inbox, outbox, opened.room)
    until = time.monotonic() + seconds
    answered = time.monotonic()
    while answerer.caller is None:
        opened.wait(_LOOK_SECONDS)
        if time.monotonic() > until or given_up():
            raise BlockedError
        while answerer.caller is None and (arrived := opened.receive_from()) is not None:
            datagram, address = arrived
            reply = answerer.take_in(datagram, address, time.monotonic())
            if reply is not None:
                answered = time.monotonic()
                _reply(opened, reply, address)
    opened.connect(answerer.caller)
    confirmed = answerer.confirmed
    assert confirmed is not None  # noqa: S101 - set together with the caller
    rtt = time.monotonic() - answered
    size, buffer = _believed(confirmed.size, confirmed.buffer)
    return Link(opened, inbox, outbox, size, buffer, rtt, None, _ear(opened, inbox, outbox))


def _ear(opened: UdpSocket, inbox: Inbox, outbox: Outbox) -> Ear | None:
    try:
        return Ear(opened, Following(inbox, outbox))
    except OSError as error:
        log.debug("a caller that changes its address is not followed: %s", error)
        return None


def _believed(size: int, buffer: int) -> tuple[int, int]:
    """What the other end says of itself, kept to what can be. BlockedError when that is nothing."""
    if not SMALLEST_LIMIT <= size <= LARGEST_LIMIT:
        raise BlockedError(f"the other end wants datagrams of {size} bytes")
    return size, min(buffer, MOST_BUFFER)


def _reply(opened: UdpSocket, reply: bytes, address: Any) -> None:
    try:
        opened.send(reply, address)
    except TooLargeError:
        return
