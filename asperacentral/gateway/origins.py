"""Which pages may use the gateway, and the headers by which browsers are told (CORS). Pure.

Whoever wants to move anything needs a token or a password, and no cookie stands in for them; so pages of any origin
may ask unless the configuration names some.
"""

from __future__ import annotations

from collections.abc import Collection

EXPOSED = "X-Request-Id, Content-Disposition, Content-Length"
"""What pages may read of an answer's headers."""
METHODS = "GET, POST, OPTIONS"
ASKED = "Content-Type, Authorization, X-Aspera-AccessKey, X-Aspera-Spec, X-Request-Id, Accept"
"""Headers that pages may send."""
_DAY = "86400"


class Origins:
    """The rule of one gateway; `allowed` is in lower case, none means any."""

    def __init__(self, allowed: Collection[str]) -> None:
        self._allowed = frozenset(allowed)

    def permits(self, origin: str, own: str) -> bool:
        """Whether a page of `origin` may; programs name none. `own` is the gateway's, whose pages may always."""
        return (
            not origin
            or not self._allowed
            or origin.lower() in self._allowed
            or origin.lower() == own.lower()
        )

    def headers(self, origin: str, own: str) -> dict[str, str]:
        """For every answer."""
        if not self._allowed:
            return {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": EXPOSED}
        if not origin or not self.permits(origin, own):
            return {"Vary": "Origin"}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": EXPOSED,
            "Vary": "Origin",
        }

    def preflight(self) -> dict[str, str]:
        """For the answer to OPTIONS, besides."""
        return {
            "Access-Control-Allow-Methods": METHODS,
            "Access-Control-Allow-Headers": ASKED,
            "Access-Control-Max-Age": _DAY,
        }
