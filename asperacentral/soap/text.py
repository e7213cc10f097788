"""How values become XML text: escaping, numbers within their type's bounds, dates. Pure; knows no messages."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

_SPECIAL = re.compile("[&<>\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}


def escape(text: str | None) -> str:
    """`text` as element content; None is empty. Characters XML cannot hold become U+FFFD."""
    if not text:
        return ""
    if _SPECIAL.search(text) is None:
        return text
    return _SPECIAL.sub(lambda found: _ESCAPES.get(found.group(), "\ufffd"), text)


def bounded(low: int, high: int) -> Callable[[int | None], int]:
    """What keeps integers within an XSD type's bounds; None is 0 (or the nearest bound)."""

    def write(number: int | None) -> int:
        if number is None:
            number = 0
        if low <= number <= high:
            return number
        return low if number < low else high

    return write


def decimal(number: float | None) -> str:
    """An xsd:float; None is 0."""
    return repr(float(number or 0))


def boolean(value: bool | None) -> str:
    """An xsd:boolean; None is false."""
    return "true" if value else "false"


def date_time(seconds: float | None) -> str:
    """An xsd:dateTime in UTC with milliseconds, from seconds since the epoch; None is the epoch itself."""
    moment = datetime.fromtimestamp(seconds or 0, UTC)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
