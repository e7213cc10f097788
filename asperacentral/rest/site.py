"""The REST face, put together: `rest_face` gives what it serves."""

from __future__ import annotations

from asperacentral.central.api import CentralService
from asperacentral.rest.errors import render_error
from asperacentral.rest.resources import HINT, JSON, RestResource
from asperacentral.web.site import Face

_STATUSES = {"Content Too Large": 413, "Request Header Fields Too Large": 431}


def rest_face(service: CentralService) -> Face:
    """What the REST face serves. The service is called, and its Futures must complete, in the reactor's thread."""
    return Face({"services/rest": RestResource(service)}, _refusal, HINT)


def _refusal(reason: str) -> tuple[bytes, bytes]:
    status = _STATUSES.get(reason, 400)
    return JSON, render_error(status, f"the request was refused: {reason}")
