"""From the document of PUT /files to what a validator reports (contract §15)."""

from __future__ import annotations

from typing import Any

from asperacentral.central.validation import MAX_REPORTS, REPORTED, Report
from asperacentral.rest.criteria import text, whole_number
from asperacentral.rest.documents import kind_of, shown
from asperacentral.rest.errors import BadRequest

MAX_DESCRIPTION = 4096
"""Characters of an error's description."""

_CODE = whole_number(-(2**31), 2**31 - 1)
_BYTES = whole_number(0, 2**63 - 1)

# What may be said of a file besides which one and its state: (key, state it belongs to, reader).
_DETAILS = {
    "error_code": ("error", _CODE),
    "error_description": ("error", text),
    "bytes_processed": ("validating", _BYTES),
}


def read_reports(files: Any) -> list[Report]:
    """The reports in the member `files`. Raises BadRequest."""
    if not isinstance(files, list):
        raise BadRequest(f"files: is {kind_of(files)}, expected an array")
    if len(files) > MAX_REPORTS:
        raise BadRequest(f"files: has {len(files)} of them, {MAX_REPORTS} at most")
    return [_report(f"files[{at}]", each) for at, each in enumerate(files)]


def _report(place: str, members: Any) -> Report:
    if not isinstance(members, dict):
        raise BadRequest(f"{place}: is {kind_of(members)}, expected an object")
    given = {name: value for name, value in members.items() if value is not None}
    session, file, status = (
        text(f"{place}.{name}", given.pop(name, None)) for name in ("session_uuid", "file_id", "status")
    )
    if status.lower() not in REPORTED:
        raise BadRequest(f"{place}.status: is none of: {', '.join(REPORTED)}")
    details: dict[str, Any] = {}
    for name, value in given.items():
        if name not in _DETAILS:
            raise BadRequest(f"{place}: has no member {shown(name)}")
        belongs_to, read = _DETAILS[name]
        said = read(f"{place}.{name}", value)
        if status.lower() == belongs_to:  # What belongs to another state says nothing about this one.
            details[name] = said
    if len(details.get("error_description", "")) > MAX_DESCRIPTION:
        raise BadRequest(f"{place}.error_description: is longer than {MAX_DESCRIPTION} characters")
    return Report(session, file, status.lower(), **details)
