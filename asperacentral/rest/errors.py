"""Errors as this face tells them: one JSON shape, with the HTTP status as its code."""

from __future__ import annotations

import json
import re

from asperacentral.central.errors import CentralError, FilterChanged, InvalidValue, Unavailable

_SOAP_NAME = re.compile(r"[A-Z][A-Za-z]+(?=:)")

REASONS = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    431: "headers_too_large",
    500: "internal_error",
    503: "unavailable",
}
"""HTTP statuses of errors, and the word for each."""


class RestError(Exception):
    """A request that is refused; `str(error)` names the key and the reason, fit to be shown."""

    def __init__(self, status: int, text: str, *, allow: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.allow = allow


class BadRequest(RestError):
    """The document is not what is asked for."""

    def __init__(self, text: str) -> None:
        super().__init__(400, text)


def error_of(error: CentralError) -> RestError:
    """What the service says was wrong, with this face's names of criteria."""
    if isinstance(error, FilterChanged):
        return RestError(409, str(error))
    if isinstance(error, Unavailable):
        return RestError(503, str(error))
    if isinstance(error, InvalidValue):
        return BadRequest(_SOAP_NAME.sub(lambda name: _snake(name[0]), str(error), count=1))
    return BadRequest(str(error))


def render_error(status: int, text: str, **more: object) -> bytes:
    """The body of an error, with further members beside it."""
    error = {"code": status, "reason": REASONS[status], "user_message": text}
    return json.dumps({"error": error, **more}).encode()


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
