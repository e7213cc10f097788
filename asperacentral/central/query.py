"""The reliable query: filters and pages (contract §7). Pure values; the store and the service evaluate them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from asperacentral.central import patterns
from asperacentral.central.errors import FilterChanged, InvalidValue
from asperacentral.central.model import FileRecord, SessionRecord

DEFAULT_RESULTS = 100
MAX_RESULTS = 1000
"""Documented upper bound of MaxResults; larger requests are capped without an error (§7.3)."""

Item = TypeVar("Item")
Filter = TypeVar("Filter", bound="SessionFilter")


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """Session criteria, in wire order (contract §4.4). Values of one criterion are OR-ed, criteria are AND-ed.

    Dates are seconds since the epoch. An empty tuple or None means the criterion is absent.
    """

    iteration_token: str | None = None
    max_results: int | None = None
    session_uuid: tuple[str, ...] = ()
    session_status: tuple[str, ...] = ()
    server_address: tuple[str, ...] = ()
    client_address: tuple[str, ...] = ()
    cookie: tuple[str, ...] = ()
    cookie_filter: str | None = None
    job_id: tuple[str, ...] = ()
    direction: str | None = None
    min_session_start_date: float | None = None
    max_session_start_date: float | None = None
    min_session_end_date: float | None = None
    max_session_end_date: float | None = None
    private_key: tuple[str, ...] = ()
    last_session_only: bool | None = None
    user: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileTransferFilter(SessionFilter):
    """Session criteria and then file criteria, in wire order (contract §4.4)."""

    transfer_id: tuple[int, ...] = ()
    transfer_status: tuple[str, ...] = ()
    filepath: tuple[str, ...] = ()
    filename_filter: str | None = None
    min_transfer_start_date: float | None = None
    max_transfer_start_date: float | None = None
    min_transfer_end_date: float | None = None
    max_transfer_end_date: float | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One batch of a query: its items, how many more match, and the opaque position after it (contract §7.4)."""

    items: tuple[Item, ...]
    remaining: int
    iteration_token: str


@dataclass(frozen=True, slots=True)
class InfoPage:
    """A batch of GetInfo or GetStatistics: sessions, then files (contract §4.4 InfoResult, StatisticsResult)."""

    sessions: tuple[SessionRecord, ...]
    files: tuple[FileRecord, ...]
    remaining: int
    iteration_token: str


# Criterion of the filter -> what it is compared with; several values mean any of them.
_SESSION_VALUES: tuple[tuple[str, Callable[[SessionRecord], str | None]], ...] = (
    ("session_uuid", lambda record: record.id),
    ("session_status", lambda record: record.status),
    ("server_address", lambda record: record.server_address),
    ("client_address", lambda record: record.client_address),
    ("cookie", lambda record: record.cookie),
    ("job_id", lambda record: record.job_id),
    ("private_key", lambda record: record.private_key),
    ("user", lambda record: record.user),
)


def session_matcher(wanted: SessionFilter) -> Callable[[SessionRecord], bool]:
    """Tells whether a session meets all session criteria, save `last_session_only`, which needs the others.

    Only what the filter gives is looked at: a poll asks this of every session in memory.
    """
    tests: list[Callable[[SessionRecord], bool]] = []
    for name, value_of in _SESSION_VALUES:
        accepted = frozenset(getattr(wanted, name))
        if accepted:
            tests.append(lambda record, accepted=accepted, value_of=value_of: value_of(record) in accepted)  # type: ignore[misc]
    pattern, direction = wanted.cookie_filter, wanted.direction
    if pattern is not None:
        tests.append(lambda record: patterns.matches(pattern, record.cookie))
    if direction is not None:
        tests.append(lambda record: record.direction == direction)
    starts = (wanted.min_session_start_date, wanted.max_session_start_date)
    if starts != (None, None):
        tests.append(lambda record: _between(record.start_date, *starts))
    ends = (wanted.min_session_end_date, wanted.max_session_end_date)
    if ends != (None, None):
        tests.append(lambda record: _between(record.end_date, *ends))
    if len(tests) == 1:
        return tests[0]
    return lambda record: all(test(record) for test in tests)


def matches_file(wanted: FileTransferFilter, record: FileRecord) -> bool:
    """Whether a file transfer meets the file criteria; its session's criteria are looked at apart."""
    return (
        (not wanted.transfer_id or record.local_id in wanted.transfer_id)
        and _among(record.status, wanted.transfer_status)
        and _among(record.path, wanted.filepath)
        and (wanted.filename_filter is None or patterns.matches(wanted.filename_filter, record.path))
        and _between(record.start_date, wanted.min_transfer_start_date, wanted.max_transfer_start_date)
        and _between(record.end_date, wanted.min_transfer_end_date, wanted.max_transfer_end_date)
    )


def only_sessions(wanted: FileTransferFilter) -> bool:
    """Whether the filter has no file criteria: then sessions without files are part of a mixed answer (§7.2)."""
    return not (
        wanted.transfer_id
        or wanted.transfer_status
        or wanted.filepath
        or wanted.filename_filter
        or wanted.min_transfer_start_date is not None
        or wanted.max_transfer_start_date is not None
        or wanted.min_transfer_end_date is not None
        or wanted.max_transfer_end_date is not None
    )


def _among(value: str | None, accepted: tuple[str, ...]) -> bool:
    return not accepted or value in accepted


def _between(value: float | None, low: float | None, high: float | None) -> bool:
    if low is None and high is None:
        return True
    return value is not None and (low is None or value >= low) and (high is None or value <= high)


CURRENT_POSITION = "CURRENT_POSITION"
"""As an iteration token: nothing old, only what changes from now on (§7.4)."""


def normalized(wanted: Filter) -> Filter:
    """The filter as it is compared and evaluated: states and direction in lower case (contract §16, point 6).

    Raises InvalidValue for a regular expression that cannot be used.
    """
    _check_pattern("CookieFilter", wanted.cookie_filter)
    lowered = replace(
        wanted,
        session_status=tuple(status.lower() for status in wanted.session_status),
        direction=wanted.direction.lower() if wanted.direction else None,
    )
    if isinstance(lowered, FileTransferFilter):
        _check_pattern("FilenameFilter", lowered.filename_filter)
        status = tuple(status.lower() for status in lowered.transfer_status)
        return replace(lowered, transfer_status=status)
    return lowered


def _check_pattern(name: str, pattern: str | None) -> None:
    try:
        if pattern is not None:
            patterns.check(pattern)
    except patterns.PatternError as error:
        raise InvalidValue(f"{name}: {error}") from None


def encode_token(position: int, call: str, wanted: SessionFilter) -> str:
    """The opaque token that says: after `position` of the stream of changes, with this call and filter."""
    return base64.urlsafe_b64encode(f"1:{position}:{_digest(call, wanted)}".encode()).decode()


def decode_token(token: str, call: str, wanted: SessionFilter) -> int:
    """The position in a token. Raises FilterChanged for another filter's token, InvalidValue for a broken one."""
    try:
        version, position, digest = base64.urlsafe_b64decode(token.encode()).decode().split(":")
        place = int(position)
    except ValueError:
        raise InvalidValue("IterationToken: is not one that was given out here") from None
    if version != "1" or place < 0:
        raise InvalidValue("IterationToken: is not one that was given out here")
    if digest != _digest(call, wanted):
        raise FilterChanged
    return place


def _digest(call: str, wanted: SessionFilter) -> str:
    criteria = replace(wanted, iteration_token=None, max_results=None)
    return hashlib.sha256(f"{call}{criteria!r}".encode()).hexdigest()[:16]


def limit_of(wanted: SessionFilter) -> int:
    """How many items an answer may have: MaxResults, capped, else the default."""
    return min(wanted.max_results or DEFAULT_RESULTS, MAX_RESULTS)
