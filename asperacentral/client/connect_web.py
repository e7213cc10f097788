"""Connect's API on its port: requests handed to `connect`, replies in JSON."""

# Method names are twisted's, and its classes are only partly typed.
# ruff: noqa: N802
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from typing import Any

from asperacentral.client.connect import ConnectFace
from asperacentral.client.origins import Caller
from asperacentral.client.web import Guarded, later


class ConnectResource(Guarded):
    """The root of the port: it takes any path, and the face knows which there are."""

    def __init__(self, face: ConnectFace) -> None:
        super().__init__()
        self._face = face

    def getChild(self, path: bytes, request: Any) -> ConnectResource:
        """All paths are answered here."""
        return self

    def handle(self, request: Any, who: Caller) -> Any:
        """Ask the face."""
        path = request.path.decode("latin-1")
        return later(request, self._face.answer(who, request.method.decode(), path, request.content.read()))
