"""Resources that any face can use: folders that lead to others, refusals in a line of text."""

# Method names are twisted's, and its classes are only partly typed.
# ruff: noqa: N802, N815
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from twisted.web.resource import Resource

_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")


class PlainStatus(Resource):
    """A refusal in one line of text, for every method and every path below."""

    isLeaf = True

    def __init__(self, code: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._code, self._text, self._headers = code, text, headers or {}

    def render(self, request: Any) -> bytes:
        """Send it."""
        request.setResponseCode(self._code)
        for name, value in self._headers.items():
            request.setHeader(name, value)
        return send(request, b"text/plain; charset=utf-8", f"{self._text}\n".encode())


class Directory(Resource):
    """A path that only leads to others; `hint` tells who looks for something else where to look."""

    def __init__(self, children: Mapping[str, Any], hint: str) -> None:
        super().__init__()
        self._missing = PlainStatus(404, f"nothing here; {hint}")
        for name, child in children.items():
            self.putChild(name.encode(), child)

    def getChild(self, path: bytes, request: Any) -> Resource:
        """What is not there."""
        return self._missing

    def render(self, request: Any) -> bytes:
        """The directory itself is not there either."""
        return self._missing.render(request)


def send(request: Any, content_type: bytes, body: bytes) -> bytes:
    """Set the headers of an answer; gives its body."""
    request.setHeader(b"server", b"asperacentral")
    request.setHeader(b"content-type", content_type)
    request.setHeader(b"content-length", str(len(body)).encode())
    return body


def printable(text: str) -> str:
    """At most 200 characters, fit for a line of the log."""
    return _UNPRINTABLE.sub("?", text[:200])
