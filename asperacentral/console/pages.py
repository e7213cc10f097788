"""The files of the page: served as they are, with headers that let nothing run but them."""

# Its classes are only partly typed.
# ruff: noqa: N815
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.web.resource import Resource

from asperacentral.web.resources import PlainStatus, send

FOLDER = Path(__file__).parent / "static"
INDEX = "index.html"

TYPES = {
    ".html": b"text/html; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".svg": b"image/svg+xml",
}

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)
"""No inline script or style, nothing from elsewhere, in no frame, and no text is ever taken for markup."""

HEADERS: Mapping[str, str] = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class PageFile(Resource):
    """One file of the page."""

    isLeaf = True

    def __init__(self, content_type: bytes, content: bytes) -> None:
        super().__init__()
        self._type = content_type
        self._content = content
        self._tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'.encode()

    def render(self, request: Any) -> bytes:
        """GET and HEAD."""
        if request.postpath:
            return PlainStatus(404, "nothing here").render(request)
        if request.method not in {b"GET", b"HEAD"}:
            return PlainStatus(405, "only GET", {"allow": "GET, HEAD"}).render(request)
        for name, value in HEADERS.items():
            request.setHeader(name, value)
        request.setHeader("cache-control", "no-cache")
        if request.setETag(self._tag):
            return b""
        return send(request, self._type, self._content)


def page_files() -> dict[str, PageFile]:
    """The files by name."""
    return {
        file.name: PageFile(TYPES[file.suffix], file.read_bytes())
        for file in sorted(FOLDER.iterdir())
        if file.suffix in TYPES
    }
