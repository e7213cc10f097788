"""How often an address may guess wrong. Pure: time is given; knows neither users nor passwords."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict, deque
from collections.abc import Callable

_MOST_ADDRESSES = 10_000
"""Addresses remembered; beyond it the one that was quiet for longest is forgotten."""


class FailureThrottle:
    """Counts wrong guesses by address (an IPv6 client is its /64): at most `limit` in `window` seconds.

    A guess counts from its beginning, so guessing in parallel wins nothing; a right one is taken back.
    """

    def __init__(self, limit: int, window: float, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._window = window
        self._clock = clock
        self._guesses: OrderedDict[str, deque[float]] = OrderedDict()

    def begin(self, address: str) -> bool:
        """Note a guess; False if it must not be looked at, since there were too many."""
        subject = _subject(address)
        now = self._clock()
        guesses = self._guesses.setdefault(subject, deque())
        self._guesses.move_to_end(subject)
        while guesses and guesses[0] <= now - self._window:
            guesses.popleft()
        if len(self._guesses) > _MOST_ADDRESSES:
            self._guesses.popitem(last=False)
        if len(guesses) >= self._limit:
            return False
        guesses.append(now)
        return True

    def succeeded(self, address: str) -> None:
        """Take back the latest guess: it was right."""
        guesses = self._guesses.get(_subject(address))
        if guesses:
            guesses.pop()


def _subject(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
