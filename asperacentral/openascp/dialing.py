"""A TCP connection that is made in a thread while the program is still loading what it is to talk with.

Whoever does not get one makes it anew, and says what is wrong.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from itertools import pairwise

_HOST = "--host="
_OTHERWISE = ("-M", "-6")
_USUAL_PORT = 22


class Dialing:
    """Connects to a host at once; with `ipv6` by IPv6 only. `answered` is the socket, None when it does not work."""

    def __init__(self, host: str, port: int, *, ipv6: bool = False) -> None:
        self._host = host
        self._port = port
        self._place = (host, port, ipv6)
        self._family = socket.AF_INET6 if ipv6 else socket.AF_UNSPEC
        self.answered: Future[socket.socket | None] = Future()
        threading.Thread(target=self._dial, name="dialing", daemon=True).start()

    def is_to(self, host: str, port: int, *, ipv6: bool = False) -> bool:
        """Whether it goes there."""
        return self._place == (host, port, ipv6)

    def _dial(self) -> None:
        made = None
        with contextlib.suppress(OSError, UnicodeError, OverflowError):  # as names and ports may be
            made = self._first()
        self.answered.set_result(made)

    def _first(self) -> socket.socket | None:
        """The first of the host's addresses that answers."""
        for family, kind, protocol, _, address in socket.getaddrinfo(
            self._host, self._port, self._family, socket.SOCK_STREAM
        ):
            made = socket.socket(family, kind, protocol)
            try:
                made.connect(address)
            except OSError:
                made.close()
                continue
            return made
        return None


def foreseen(arguments: Sequence[str]) -> Dialing | None:
    """Dial where a command line says in so many words that it wants to go, before it is read as it should be.

    None for one that has a manager, which comes first, or that says it in another way.
    """
    hosts = [each[len(_HOST) :] for each in arguments if each.startswith(_HOST)]
    ports = [port for option, port in pairwise(arguments) if option == "-P"]
    if len(hosts) != 1 or len(ports) > 1 or any(each.startswith(_OTHERWISE) for each in arguments):
        return None
    port = ports[0] if ports else str(_USUAL_PORT)
    return Dialing(hosts[0], int(port)) if hosts[0] and port.isdecimal() else None
