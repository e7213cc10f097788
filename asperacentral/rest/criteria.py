"""From a filter's members to a filter of the reliable query: one table of names and kinds of values.

Names are the contract's in snake case, which are those of `central.query`; `max_result` is taken for `max_results`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from asperacentral.central.query import FileTransferFilter, SessionFilter
from asperacentral.rest.documents import kind_of, shown
from asperacentral.rest.errors import BadRequest

Filter = TypeVar("Filter", bound=SessionFilter)

Read = Callable[[str, Any], Any]
"""From a key, for errors, and a JSON value to the value meant. Raises BadRequest."""

ALIASES = {"max_result": "max_results"}


def text(key: str, value: Any) -> str:
    """A string that is text: half a surrogate pair is none."""
    if value is None:
        raise BadRequest(f"{key}: is missing")
    if not isinstance(value, str):
        raise BadRequest(f"{key}: is {kind_of(value)}, expected a string")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BadRequest(f"{key}: has half a surrogate pair, which is no text") from None
    return value


def whole_number(least: int, most: int) -> Read:
    """A reader of whole numbers between two bounds."""

    def read(key: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise BadRequest(f"{key}: is {kind_of(value)}, expected a whole number")
        if not least <= value <= most:
            raise BadRequest(f"{key}: must be from {least} to {most}")
        return value

    return read


def _truth(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadRequest(f"{key}: is {kind_of(value)}, expected true or false")
    return value


def _date(key: str, value: Any) -> float:
    try:
        moment = datetime.fromisoformat(text(key, value))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise BadRequest(f"{key}: is not a date such as 2026-11-21T12:00:00Z") from None


def _any_of(read: Read) -> Read:
    """Several values in an array, or one alone."""

    def several(key: str, value: Any) -> tuple[Any, ...]:
        values = value if isinstance(value, list) else [value]
        return tuple(read(key, each) for each in values)

    return several


_TEXTS = _any_of(text)

SESSION_CRITERIA: Mapping[str, Read] = {
    "iteration_token": text,
    "max_results": whole_number(1, 2**63 - 1),
    "session_uuid": _TEXTS,
    "session_status": _TEXTS,
    "server_address": _TEXTS,
    "client_address": _TEXTS,
    "cookie": _TEXTS,
    "cookie_filter": text,
    "job_id": _TEXTS,
    "direction": text,
    "min_session_start_date": _date,
    "max_session_start_date": _date,
    "min_session_end_date": _date,
    "max_session_end_date": _date,
    "private_key": _TEXTS,
    "last_session_only": _truth,
    "user": _TEXTS,
}

FILE_CRITERIA: Mapping[str, Read] = {
    **SESSION_CRITERIA,
    "transfer_id": _any_of(whole_number(-(2**63), 2**63 - 1)),
    "transfer_status": _TEXTS,
    "filepath": _TEXTS,
    "filename_filter": text,
    "min_transfer_start_date": _date,
    "max_transfer_start_date": _date,
    "min_transfer_end_date": _date,
    "max_transfer_end_date": _date,
}


def session_filter(place: str, members: Mapping[str, Any]) -> SessionFilter:
    """The filter that the object at the key `place` describes. Raises BadRequest."""
    return SessionFilter(**_values(place, members, SESSION_CRITERIA))


def file_filter(place: str, members: Mapping[str, Any]) -> FileTransferFilter:
    """The filter that the object at the key `place` describes. Raises BadRequest."""
    return FileTransferFilter(**_values(place, members, FILE_CRITERIA))


def _values(place: str, members: Mapping[str, Any], criteria: Mapping[str, Read]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in members.items():
        name = ALIASES.get(key, key)
        read = criteria.get(name)
        if read is None:
            raise BadRequest(f"{place}: has no criterion {shown(key)}")
        if name in values:
            raise BadRequest(f"{place}.{key}: is given by another name too")
        if value is not None:
            values[name] = read(f"{place}.{key}", value)
    return values
