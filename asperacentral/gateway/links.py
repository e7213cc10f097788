"""Links to downloads that were permitted: good without further credentials, for a while, and once. Pure.

What is to be downloaded stays here, found by an unguessable id, so that a link tells nothing of the transfer spec and
bears no token. The address is signed besides (HMAC-SHA256 over method, host, id and expiry): one that was forged, moved
to another host or had its expiry changed is refused without a look at what is kept. The key lives as long as the
process, as does what the links lead to.
"""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

MOST = 20_000
"""Links kept; beyond it the oldest is forgotten."""
REMEMBERED = 3600.0
"""Seconds for which an expired or used link is told from one that never was."""

T = TypeVar("T")


class LinkError(Exception):
    """The link leads nowhere (any more). `str(error)` is one line for the client; `gone` when it once was good."""

    def __init__(self, reason: str, *, gone: bool = False) -> None:
        super().__init__(reason)
        self.gone = gone


@dataclass(slots=True)
class _Kept(Generic[T]):
    what: T | None
    expires: float
    used: bool = False


class Links(Generic[T]):
    """The links of one gateway. `clock` gives seconds since the epoch, `lifetime` is in seconds."""

    def __init__(self, clock: Callable[[], float], lifetime: float, *, reusable: bool = False) -> None:
        self._clock = clock
        self._lifetime = lifetime
        self._reusable = reusable
        self._key = secrets.token_bytes(32)
        self._kept: OrderedDict[str, _Kept[T]] = OrderedDict()

    def keep(self, what: T) -> str:
        """The id by which `take` finds it until it expires."""
        now = self._clock()
        self._forget(now)
        name = secrets.token_urlsafe(24)
        self._kept[name] = _Kept(what, now + self._lifetime)
        return name

    def take(self, name: str) -> T:
        """What was kept; unless links are reusable, for the first who asks only. LinkError."""
        kept = self._kept.get(name)
        if kept is None:
            raise LinkError("there is no such download")
        if kept.expires <= self._clock():
            kept.what = None
            raise LinkError("the link to this download has expired", gone=True)
        if kept.used or kept.what is None:
            raise LinkError("the link to this download was used before", gone=True)
        what = kept.what
        if not self._reusable:
            kept.used, kept.what = True, None
        return what

    def query(self, name: str, method: str, host: str) -> dict[str, str]:
        """What the address of a kept download must say: `id`, `expires` and `signature`."""
        expires = str(int(self._kept[name].expires))
        return {"id": name, "expires": expires, "signature": self._signature(method, host, name, expires)}

    def check(self, query: dict[str, str], method: str, host: str) -> str:
        """The id in an address that was made by `query` for this method and host. LinkError."""
        name, expires = query.get("id", ""), query.get("expires", "")
        expected = self._signature(method, host, name, expires)
        if not hmac.compare_digest(expected, query.get("signature", "").encode("ascii", "replace").decode()):
            raise LinkError("this is not a link that was given out here")
        return name

    def _signature(self, method: str, host: str, name: str, expires: str) -> str:
        said = "\n".join((method, host.lower(), name, expires)).encode("utf-8", "replace")
        return hmac.new(self._key, said, "sha256").hexdigest()

    def _forget(self, now: float) -> None:
        """All have the same lifetime, so the oldest come first."""
        while self._kept:
            oldest = next(iter(self._kept.values()))
            if len(self._kept) < MOST and oldest.expires + REMEMBERED > now:
                return
            self._kept.popitem(last=False)
