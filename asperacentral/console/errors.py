"""Errors as the console's page reads them: a status and a line for people."""

from __future__ import annotations

import json

from asperacentral.central.errors import (
    CentralError,
    FilterChanged,
    JobNotFound,
    SessionNotFound,
    Unavailable,
)


class ConsoleError(Exception):
    """A request that is refused; `str(error)` is fit to be shown."""

    def __init__(self, status: int, text: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(text)
        self.status = status
        self.headers = headers

    def body(self) -> bytes:
        """The answer."""
        return json.dumps({"error": {"code": self.status, "message": str(self)}}).encode()


def error_of(error: CentralError) -> ConsoleError:
    """What the service says was wrong."""
    if isinstance(error, (JobNotFound, SessionNotFound)):
        return ConsoleError(404, f"{error}, or it has ended")
    if isinstance(error, FilterChanged):
        return ConsoleError(409, str(error))
    return ConsoleError(503 if isinstance(error, Unavailable) else 400, str(error))
