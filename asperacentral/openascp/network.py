"""What is known of the connection under a session: how its data is encrypted, and how long a round trip takes.

Asked of asyncssh and of the system's TCP; nothing is sent for it.
"""

from __future__ import annotations

import re
import socket
import struct
from typing import Protocol

_RTT_AT = 8 + 15 * 4
"""Where Linux's struct tcp_info has tcpi_rtt, the smoothed round-trip time in microseconds."""


class Connection(Protocol):
    """What is asked of an SSH connection."""

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Something about the connection by its name in asyncssh."""


def cipher(connection: Connection, *, sending: bool) -> str:
    """The cipher of the data's direction, in the words of FASP (`aes-128`) where it has one, else in those of SSH."""
    name = str(connection.get_extra_info("send_cipher" if sending else "recv_cipher", "") or "")
    found = re.match(r"aes(\d+)", name)
    return f"aes-{found[1]}" if found else name.partition("@")[0]


def round_trip(connection: Connection) -> int:
    """Milliseconds that a round trip takes as TCP measures it; 0 when the system does not tell."""
    own = connection.get_extra_info("socket")
    try:
        told = own.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)  # type: ignore[attr-defined]
        microseconds: int = struct.unpack_from("=I", told, _RTT_AT)[0]
    except (AttributeError, OSError, struct.error):
        return 0
    return round(microseconds / 1000)
