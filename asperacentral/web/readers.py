"""Who may read what is not for everybody: programs on this machine, or who has name and password (HTTP Basic).

Knows requests and logins, not what is read.
"""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import base64
import binascii
import ipaddress
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred, fail, succeed

from asperacentral.waiting import deferred
from asperacentral.web.origin import is_of_this_machine

if TYPE_CHECKING:
    from asperacentral.credentials.login import Login

REALM = "asperacentral"

_FORWARDED = (b"x-forwarded-for", b"forwarded", b"x-real-ip", b"via")
"""What a proxy adds: behind one everybody seems to be on this machine."""


class Refused(Exception):
    """Not for this client; `str(error)` says why, `headers` go with the answer."""

    def __init__(self, status: int, text: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(text)
        self.status = status
        self.headers = headers


class Readers(Protocol):
    """A rule of who may read."""

    def check(self, request: Any) -> Deferred[None]:
        """Done if the request's client may; fails with Refused."""


class OnThisMachine:
    """Programs on this machine, which ask it by its own name or address.

    Not through a proxy, and not through a browser on this machine whose page came from elsewhere by a name that now
    leads here.
    """

    def check(self, request: Any) -> Deferred[None]:
        """See `Readers`."""
        if not _is_loopback(request.getClientAddress().host):
            return fail(Refused(403, "only for programs on this machine"))
        if any(request.getHeader(name) is not None for name in _FORWARDED):
            return fail(Refused(403, "not through a proxy"))
        host = (request.getHeader(b"host") or b"localhost").decode("latin-1")
        if not is_of_this_machine(host):
            return fail(Refused(403, "not by this name"))
        return succeed(None)


class WithPassword:
    """Who has a name and password of the users file."""

    def __init__(self, login: Login) -> None:
        self._login = login

    def check(self, request: Any) -> Deferred[None]:
        """See `Readers`."""
        from asperacentral.credentials.login import TooMany

        asked = _basic((request.getHeader(b"authorization") or b"").decode("latin-1"))
        if asked is None:
            return fail(_unknown())
        host = request.getClientAddress().host

        def judge(user: object) -> None:
            if user is None:
                raise _unknown()

        def busy(failure: Any) -> Any:
            failure.trap(TooMany)
            raise Refused(429, str(failure.value), (("retry-after", "60"),))

        return deferred(self._login.check(*asked, host)).addCallbacks(judge, busy)


def _unknown() -> Refused:
    return Refused(401, "name and password, please", (("www-authenticate", f'Basic realm="{REALM}"'),))


def _basic(header: str) -> tuple[str, str] | None:
    """Name and password of an Authorization header."""
    scheme, _, words = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(words.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return (name, password) if colon else None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
