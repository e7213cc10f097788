"""The console, put together: `console_face` gives what is served below `/console`."""

# Its classes are only partly typed.
# ruff: noqa: N802
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from twisted.web.resource import Resource

from asperacentral.console.api import JSON, Api, Desk
from asperacentral.console.calls import Asked
from asperacentral.console.errors import ConsoleError
from asperacentral.console.feed import Marks
from asperacentral.console.history import RateHistory
from asperacentral.console.pages import INDEX, page_files
from asperacentral.console.visits import Visits
from asperacentral.web.resources import PlainStatus
from asperacentral.web.site import Face

if TYPE_CHECKING:
    from collections.abc import Callable

    from asperacentral.central.service import Central
    from asperacentral.credentials.login import Login

HINT = "the console is at /console/"

_STATUSES = {"Content Too Large": 413, "Request Header Fields Too Large": 431}


def console_face(
    central: Central,
    login: Login,
    clock: Any,
    monotonic: Callable[[], float] = time.monotonic,
) -> Face:
    """What the console serves. It follows the topics of `central` from now on; `clock` tells the time of day."""
    history, marks = RateHistory(clock.seconds), Marks()
    central.watchers.add(history)
    central.watchers.add(marks)
    desk = Desk(Asked(central, history, marks), central.runner.jobs, login, Visits(monotonic), Counter())
    return Face({"console": Front(Api(desk))}, _refusal, HINT)


class Front(Resource):
    """The page's files, and the API beside them."""

    def __init__(self, api: Resource) -> None:
        super().__init__()
        files = page_files()
        below: dict[str, Any] = {**files, "": files[INDEX], "api": api}
        for name, resource in below.items():
            self.putChild(name.encode(), resource)

    def getChild(self, path: bytes, request: Any) -> Resource:
        """What is not there."""
        return PlainStatus(404, f"nothing here; {HINT}")

    def render(self, request: Any) -> bytes:
        """Without the slash at the end the page would not find its files."""
        return PlainStatus(308, HINT, {"location": "/console/"}).render(request)


def _refusal(reason: str) -> tuple[bytes, bytes]:
    return JSON, ConsoleError(_STATUSES.get(reason, 400), f"the request was refused: {reason}").body()
