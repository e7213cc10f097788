"""The parts of docs/rest.md that are made from the product: exchanges with the face, names of members and criteria."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from asperacentral.rest import criteria
from asperacentral.rest.answers import FILE_MEMBERS, SESSION_MEMBERS
from asperacentral.rest.criteria import FILE_CRITERIA, SESSION_CRITERIA
from asperacentral.rest.errors import BadRequest
from asperacentral.soap.models import faspsession200911 as soap
from tests.rest.caller import BASE, Caller
from tests.soap.memory_central import SESSION, MemoryCentral

FILE = "00000001-00000002-00000003-00000004-00000006"
V = "checker-1"
REPORT = {"session_uuid": SESSION, "file_id": FILE}

EXAMPLES: dict[str, tuple[str, str, Any]] = {
    "sessions": ("POST", "sessions", {"session_filter": {"session_status": ["running"], "max_result": 20}}),
    "files": ("POST", "files", {"file_transfer_filter": {"filepath": "/out/a.bin"}}),
    "info": ("POST", "info", {"file_transfer_filter": {"iteration_token": "CURRENT_POSITION"}}),
    "mistake": ("POST", "files", {"file_transfer_filter": {"sesion_uuid": "x"}}),
    "claim": (
        "POST",
        "files",
        {"file_transfer_filter": {"max_result": 20}, "validation": {"validator_id": V}},
    ),
    "progress": (
        "PUT",
        "files",
        {"validator_id": V, "files": [REPORT | {"status": "validating", "bytes_processed": 1_000_000}]},
    ),
    "verdict": (
        "PUT",
        "files",
        {
            "validator_id": V,
            "files": [REPORT | {"status": "error", "error_code": 7, "error_description": "a virus"}],
        },
    ),
    "refused": ("PUT", "files", {"validator_id": "checker-2", "files": [REPORT | {"status": "completed"}]}),
}
"""Name -> method, path and document of an exchange that the page shows."""

_KINDS = {
    criteria.text: "text",
    criteria._TEXTS: "text, or an array of texts",
    criteria._date: "ISO 8601; without a zone it is UTC",
    criteria._truth: "true or false",
}


class ValidatedCentral(MemoryCentral):
    """A central in the middle of validation: one file to be claimed, or claimed by `claimed_by`."""

    def __init__(self, claimed_by: str | None) -> None:
        super().__init__()
        self.files[1].path = "/out/b.bin"
        self.files[1].status = "validating" if claimed_by else "to_be_validated"
        if claimed_by:
            self.claimed[SESSION, FILE] = claimed_by

    def query_info(self, wanted: Any) -> Any:
        """Nothing has changed since just now."""
        self.sessions, self.files = [], []
        return super().query_info(wanted)


def exchange(_: str, name: str) -> str:
    """The request of an example and what the face answers now."""
    method, path, document = EXAMPLES[name]
    central = ValidatedCentral(V if method == "PUT" else None)
    answer = Caller(central).call(path, document, method=method)
    shown = f":\n\n{_json(answer.document)}" if answer.body else ".\n"
    return f"Request (`{method} {BASE}/{path}`):\n\n{_json(document)}\nAnswer (HTTP {answer.status}){shown}"


def _json(document: Any) -> str:
    return f"```json\n{json.dumps(document, indent=2)}\n```\n"


def member_rows(what: str) -> Iterator[Sequence[str]]:
    """Members of a session or a file, and the elements of the reliable query they are."""
    model, members = {
        "session": (soap.SessionInfo, SESSION_MEMBERS),
        "file": (soap.FileTransferInfo, FILE_MEMBERS),
    }[what]
    elements = {kind.Attributes.field: name for name, kind in model.get_flat_type_info(model).items()}
    return ((f"`{name}`", f"`{elements[field]}`") for name, field in members.items())


def criterion_rows() -> Iterator[Sequence[str]]:
    """Criteria, where they may stand, and what values they take."""
    for name, read in FILE_CRITERIA.items():
        where = "both" if name in SESSION_CRITERIA else "files, info"
        yield f"`{name}`", where, _KINDS.get(read) or _number(read)


def _number(read: Any) -> str:
    try:
        read("k", 2**64)
    except BadRequest as refusal:
        least = re.search(r"from (-?\d+)", str(refusal))
        assert least
        return "whole number above 0" if least[1] == "1" else "whole number, or an array of them"
    raise AssertionError("a number without bounds")
