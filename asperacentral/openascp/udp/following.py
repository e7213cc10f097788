"""How the answerer follows a caller whose address changes: an address translation has forgotten it, or was restarted.

What comes from another address than the caller's is looked at here. If it is authentic and newer than all that has
arrived, the caller may be there now, or somebody who copies its datagrams. So it is challenged: a cookie is sent to
that address, in fewer bytes than came from it, and only who can read it and seal a CONFIRM that names it is followed.

Pure: what is returned is to be sent; time is seconds of a clock that does not go back.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from asperacentral.openascp.udp.boxes import Inbox, Outbox
from asperacentral.openascp.udp.packets import Kind

AGAIN_SECONDS = 0.1
"""Between challenges to one address."""

MOST_ADDRESSES = 16
"""Challenged at a time."""

FORGOTTEN_SECONDS = 5.0
"""After this time without an answer an address makes room for others."""


@dataclass(slots=True)
class _Challenge:
    """What was sent to an address, when first and when last."""

    cookie: int
    since: float
    sent: float


class Following:
    """The answerer's eye on other addresses. `inbox` and `outbox` are those of the session."""

    def __init__(
        self, inbox: Inbox, outbox: Outbox, cookies: Callable[[int], int] = secrets.randbits
    ) -> None:
        self._inbox = inbox
        self._outbox = outbox
        self._new_cookie = cookies
        self._challenged: dict[Hashable, _Challenge] = {}

    def take_in(self, datagram: bytes | memoryview, address: Hashable, now: float) -> bytes | None:
        """A datagram arrived from an address that is not the caller's; what to send there, no more bytes than came."""
        if not self._inbox.newer(datagram):
            return None
        known = self._challenged.get(address)
        if known is not None and now < known.sent + AGAIN_SECONDS:
            return None
        if known is None:
            self._forget(now)
            if len(self._challenged) >= MOST_ADDRESSES:
                return None
            known = self._challenged[address] = _Challenge(self._new_cookie(64), now, now)
        known.sent = now
        return self._outbox.seal(Kind.CHALLENGE, known.cookie)

    def confirms(self, datagram: bytes | memoryview, address: Hashable, now: float) -> bool:
        """Whether a datagram proves that the caller is at this address now; then it is to be followed there."""
        known = self._challenged.get(address)
        if known is None or datagram[:1] != bytes([Kind.CONFIRM]):
            return False
        packet = self._inbox.open(datagram, now)
        if packet is None or packet[2] != known.cookie:
            return False
        self._challenged.clear()
        return True

    def _forget(self, now: float) -> None:
        old = [address for address, each in self._challenged.items() if now > each.since + FORGOTTEN_SECONDS]
        for address in old:
            del self._challenged[address]
