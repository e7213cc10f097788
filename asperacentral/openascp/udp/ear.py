"""A second socket at the answerer's port: it gets what comes from elsewhere than the caller, which may have moved.

The session's own socket is connected to the caller, so the kernel keeps everybody else's datagrams from it; who floods
the port only fills this one, of which a few datagrams are looked at now and then.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from asperacentral.openascp.udp.following import Following
from asperacentral.openascp.udp.sockets import UdpSocket

LOOK_SECONDS = 0.05
"""Between looks."""

_AT_A_TIME = 32
_LARGEST = 65_535


class Ear:
    """Listens beside `opened`, which is connected, and connects it to where the caller has gone. OSError."""

    def __init__(self, opened: UdpSocket, following: Following) -> None:
        self._opened = opened
        self._following = following
        self._socket = opened.beside()
        self._looked_at = 0.0

    def listen(self, now: float) -> None:
        """Look at what has come, unless that was done a moment ago."""
        if now < self._looked_at + LOOK_SECONDS:
            return
        self._looked_at = now
        for _ in range(_AT_A_TIME):
            try:
                datagram, address = self._socket.recvfrom(_LARGEST)
            except OSError:  # there is nothing, or it is an error that anybody could have sent
                return
            self._take_in(datagram, address, now)

    def _take_in(self, datagram: bytes, address: Any, now: float) -> None:
        if self._following.confirms(datagram, address, now):
            with suppress(OSError):
                self._opened.connect(address)
            return
        challenge = self._following.take_in(datagram, address, now)
        if challenge is not None:
            with suppress(OSError):
                self._socket.sendto(challenge, address)
