"""Who asks: a page of some origin, or a program of the user. Pure.

Browsers name the origin of a page in each request to another one; what bears no mark of a browser comes from a program.
An origin without a scheme is no browser's either: programs that talk to Connect send their name there.
A request must have been sent to this machine by one of its loopback names: any other name in Host means that somebody
leads a name of theirs here (DNS rebinding).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_ORIGIN = re.compile(
    r"(https?|chrome-extension|moz-extension)://[a-z0-9.\-_]{1,253}(:[0-9]{1,5})?|https?://\[[0-9a-f:.]+\](:[0-9]{1,5})?"
)
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
_MARKS = ("referer", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest")
"""Headers of which, beside Origin, a browser's request to another origin has at least one."""
_PROGRAM = re.compile(r"(?!null$)[A-Za-z0-9 ._()/;+-]{1,200}")
"""What a program calls itself in Origin: browsers say `null`, or a scheme and a host with a colon between them."""


class NotAdmitted(Exception):
    """The request is refused before it is read; `str(error)` says why in one line."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A page's origin (`https://site.example`), or none for a program that runs as the user."""

    origin: str = ""

    @property
    def is_page(self) -> bool:
        """Whether it is a web page, which sees and names only what it was given."""
        return bool(self.origin)

    def __str__(self) -> str:
        """For people."""
        return self.origin or "a program on this machine"


def read_origin(text: str) -> str:
    """An origin as its header or a user gives it, in its one form. ValueError."""
    origin = text.strip().rstrip("/").lower()
    if not _ORIGIN.fullmatch(origin):
        raise ValueError(f"{text.strip()[:100]!r} is no origin of a web page, like https://site.example")
    return origin


def caller(header: Callable[[str], str | None]) -> Caller:
    """Who sent a request with these headers (names in lower case). NotAdmitted."""
    host = (header("host") or "").lower()
    name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
    if name not in _LOOPBACK:
        raise NotAdmitted(f"this is not the host {host[:100]!r}")
    origin = header("origin")
    if origin is None or _PROGRAM.fullmatch(origin):
        if any(header(mark) is not None for mark in _MARKS):
            raise NotAdmitted("a browser's request without an origin")
        return Caller()
    try:
        return Caller(read_origin(origin))
    except ValueError as problem:
        raise NotAdmitted(str(problem)) from None
