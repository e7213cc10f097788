"""The calls of this face: for each path and method what is asked of the service, and how the answer is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from typing import Any

from asperacentral.central.api import CentralService
from asperacentral.central.futures import then
from asperacentral.central.model import FileRecord, SessionRecord
from asperacentral.central.query import InfoPage, Page
from asperacentral.central.validation import Refusal
from asperacentral.rest.answers import refused, result
from asperacentral.rest.criteria import file_filter, session_filter, text
from asperacentral.rest.documents import kind_of, shown
from asperacentral.rest.errors import BadRequest, RestError, render_error
from asperacentral.rest.reports import read_reports

Pieces = Iterator[bytes]
"""An answer's body in pieces, so that a long one can be made in several turns; no piece: nothing to say (204)."""

Call = Callable[[CentralService, Mapping[str, Any]], Future[Pieces]]


class SomeRefused(RestError):
    """Some reports were not taken; the others were."""

    def __init__(self, refusals: tuple[Refusal, ...]) -> None:
        super().__init__(409, f"{len(refusals)} files were not updated")
        self.refusals = refusals

    def body(self) -> bytes:
        """The answer."""
        return render_error(self.status, str(self), files=refused(self.refusals))


def _sessions(service: CentralService, document: Mapping[str, Any]) -> Future[Pieces]:
    _only(document, "session_filter", "validation")
    wanted = session_filter("session_filter", _object(document, "session_filter"))
    validator = _validator(document)

    def answer(page: Page[SessionRecord]) -> Pieces:
        return result(
            "session_info_result",
            sessions=page.items,
            remaining=page.remaining,
            iteration_token=page.iteration_token,
        )

    if validator is not None:
        return then(service.query_sessions_in_validation(validator, wanted), answer)
    return then(service.query_sessions(wanted), answer)


def _files(service: CentralService, document: Mapping[str, Any]) -> Future[Pieces]:
    _only(document, "file_transfer_filter", "validation")
    wanted = file_filter("file_transfer_filter", _object(document, "file_transfer_filter"))
    validator = _validator(document)

    def answer(page: Page[FileRecord]) -> Pieces:
        return result(
            "file_transfer_info_result",
            files=page.items,
            remaining=page.remaining,
            iteration_token=page.iteration_token,
        )

    if validator is not None:
        return then(service.claim_files(validator, wanted), answer)
    return then(service.query_files(wanted), answer)


def _info(service: CentralService, document: Mapping[str, Any]) -> Future[Pieces]:
    _only(document, "file_transfer_filter", "validation")
    wanted = file_filter("file_transfer_filter", _object(document, "file_transfer_filter"))
    validator = _validator(document)

    def answer(page: InfoPage) -> Pieces:
        return result(
            "info_result",
            sessions=page.sessions,
            files=page.files,
            remaining=page.remaining,
            iteration_token=page.iteration_token,
        )

    if validator is not None:
        return then(service.claim_info(validator, wanted), answer)
    return then(service.query_info(wanted), answer)


def _report(service: CentralService, document: Mapping[str, Any]) -> Future[Pieces]:
    _only(document, "validator_id", "files")
    validator = text("validator_id", document.get("validator_id"))
    reports = read_reports(document.get("files"))

    def answer(refusals: tuple[Refusal, ...]) -> Pieces:
        if refusals:
            raise SomeRefused(refusals)
        return iter(())

    return then(service.report_validation(validator, reports), answer)


CALLS: Mapping[str, Mapping[str, Call]] = {
    "sessions": {"POST": _sessions},
    "files": {"POST": _files, "PUT": _report},
    "info": {"POST": _info},
}
"""Last part of the path -> method -> call."""


def _only(document: Mapping[str, Any], *names: str) -> None:
    for name in document:
        if name not in names:
            raise BadRequest(f"the body has a member {shown(name)}, expected: {', '.join(names)}")


def _object(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = document.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadRequest(f"{name}: is {kind_of(value)}, expected an object")
    return value


def _validator(document: Mapping[str, Any]) -> str | None:
    """Who asks for files to validate; None when nobody does."""
    members = _object(document, "validation")
    if document.get("validation") is None:
        return None
    for name in members:
        if name != "validator_id":
            raise BadRequest(f"validation: has no member {shown(name)}")
    return text("validation.validator_id", members.get("validator_id"))
