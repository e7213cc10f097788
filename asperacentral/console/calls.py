"""The calls of the console's page: for each path what is asked and how it is answered.

Reading is REST's: the same criteria, the same members. What acts goes to the same service as SOAP's calls.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from asperacentral.central.api import CentralService
from asperacentral.central.futures import done, then
from asperacentral.central.model import FileRecord, RateChange
from asperacentral.central.query import Page
from asperacentral.console.errors import ConsoleError
from asperacentral.console.feed import Marks
from asperacentral.console.history import RateHistory
from asperacentral.fasp.errors import FaspCode
from asperacentral.rest.answers import result
from asperacentral.rest.criteria import file_filter, text, whole_number
from asperacentral.rest.documents import shown

log = logging.getLogger(__name__)

Document = Mapping[str, Any]

_MOST_KBPS = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Asked:
    """What calls work with."""

    service: CentralService
    history: RateHistory
    marks: Marks


Call = Callable[[Asked, Document], Future[bytes]]


def _files(asked: Asked, document: Document) -> Future[bytes]:
    """Files of sessions, as REST's: `{"file_transfer_filter": {...}}`."""
    _only(document, "file_transfer_filter")
    members = document.get("file_transfer_filter") or {}
    if not isinstance(members, dict):
        raise ConsoleError(400, "file_transfer_filter: is no object")

    def answer(page: Page[FileRecord]) -> bytes:
        return b"".join(
            result(
                "file_transfer_info_result",
                files=page.items,
                remaining=page.remaining,
                iteration_token=page.iteration_token,
            )
        )

    return then(asked.service.query_files(file_filter("file_transfer_filter", members)), answer)


def _history(asked: Asked, document: Document) -> Future[bytes]:
    """The points of one session (`session`), or of all together."""
    _only(document, "session")
    session = document.get("session")
    if session is None:
        return done(json.dumps({"total": asked.history.total()}).encode())
    return done(json.dumps({"points": asked.history.session(text("session", session))}).encode())


def _codes(_asked: Asked, document: Document) -> Future[bytes]:
    """The error codes: name, meaning, whether a retry follows."""
    _only(document)
    rows = {
        int(row): {"name": row.name, "meaning": row.meaning, "retryable": row.retryable} for row in FaspCode
    }
    return done(json.dumps(rows).encode())


def _act(asked: Asked, document: Document) -> Future[bytes]:
    """`{"kind": "job" or "session", "id": ..., "action": ..., "rate": {...}}`."""
    _only(document, "kind", "id", "action", "rate")
    kind, subject = text("kind", document.get("kind")), text("id", document.get("id"))
    action = text("action", document.get("action"))
    service = asked.service
    known: dict[tuple[str, str], Callable[[str], Future[None]]] = {
        ("job", "pause"): service.pause_job,
        ("job", "resume"): service.resume_job,
        ("job", "cancel"): service.cancel_job,
        ("session", "pause"): service.pause_session,
        ("session", "resume"): service.resume_session,
        ("session", "cancel"): service.cancel_session,
        ("session", "rate"): lambda session: service.change_rate(session, _rate(document.get("rate"))),
    }
    act = known.get((kind, action))
    if act is None:
        raise ConsoleError(400, f"a {shown(kind)} has no action {shown(action)}")

    def answer(_: None) -> bytes:
        asked.marks.mark(kind, subject)
        return b"{}"

    return then(act(subject), answer)


def _rate(value: object) -> RateChange:
    """Rates in Kbps, as whole numbers; what is not given stays."""
    if not isinstance(value, dict) or not value:
        raise ConsoleError(400, "rate: must be an object with at least one value")
    read = whole_number(0, _MOST_KBPS)
    numbers = ("target_rate", "minimum_rate", "bandwidth_cap")
    _only(value, "policy", *numbers)
    given: dict[str, Any] = {name: read(f"rate.{name}", value[name]) for name in numbers if name in value}
    if "policy" in value:
        given["policy"] = text("rate.policy", value["policy"])
    return RateChange(**given)


READING: Mapping[str, Call] = {"files": _files, "history": _history, "codes": _codes}
"""Calls for everyone who is logged in."""

ACTING: Mapping[str, Call] = {"act": _act}
"""Calls for those who have the right to change what is under way."""


def _only(document: Document, *names: str) -> None:
    for name in document:
        if name not in names:
            raise ConsoleError(400, f"unknown member {shown(name)}")
