"""Who is logged in: visits by their token, which the browser keeps in a cookie. A restart ends them. Pure."""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

IDLE = 8 * 3600.0
"""Seconds without a sign of life after which a visit is over."""

LONGEST = 24 * 3600.0
"""Seconds after which a visit is over in any case."""

MOST = 1000
"""Visits at a time; beyond it the one that was quiet for longest is over."""


@dataclass(slots=True)
class Visit:
    """One login. `proof` is what the page shows with every request that changes something."""

    token: str
    user: str
    proof: str
    began: float
    seen: float

    def proven(self, shown: str) -> bool:
        """Whether a request shows the proof: it comes from our page, which alone can know it."""
        return hmac.compare_digest(self.proof.encode(), shown.encode("utf-8", "surrogatepass"))


class Visits:
    """The visits that are not over; `seconds` is a clock that never goes back."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._visits: OrderedDict[str, Visit] = OrderedDict()

    def begin(self, user: str) -> Visit:
        """A user has logged in."""
        now = self._seconds()
        visit = Visit(secrets.token_urlsafe(32), user, secrets.token_urlsafe(32), now, now)
        self._visits[visit.token] = visit
        if len(self._visits) > MOST:
            self._visits.popitem(last=False)
        return visit

    def find(self, token: str) -> Visit | None:
        """The visit with this token, which shows a sign of life; None if it is over."""
        visit = self._visits.get(token)
        if visit is None:
            return None
        now = self._seconds()
        if now - visit.seen > IDLE or now - visit.began > LONGEST:
            del self._visits[token]
            return None
        visit.seen = now
        self._visits.move_to_end(token)
        return visit

    def end(self, token: str) -> None:
        """The user has logged out."""
        self._visits.pop(token, None)
