"""The reliable query as SQL: filters of `central.query` to conditions (contract §7.3), and how they are met."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, func, select

from asperacentral.central.model import FileRecord, SessionRecord
from asperacentral.central.ports import Found
from asperacentral.central.query import FileTransferFilter, SessionFilter
from asperacentral.store import paging
from asperacentral.store.paging import Stretch, few, full, gather, loose, place, walk
from asperacentral.store.rows import file_of, session_of
from asperacentral.store.schema import files, sessions

# Criterion of the filter -> column, those met by few first; several values mean any of them.
_SESSION_VALUES = {
    "session_uuid": sessions.c.id,
    "job_id": sessions.c.job_id,
    "cookie": sessions.c.cookie,
    "server_address": sessions.c.server_address,
    "private_key": sessions.c.private_key,
    "user": sessions.c.user,
    "session_status": sessions.c.status,
    "client_address": sessions.c.client_address,
}
_FILE_VALUES = {
    "transfer_id": files.c.local_id,
    "transfer_status": files.c.status,
    "filepath": files.c.path,
}
_SESSION_DATES = {"session_start_date": sessions.c.start_date, "session_end_date": sessions.c.end_date}
_FILE_DATES = {"transfer_start_date": files.c.start_date, "transfer_end_date": files.c.end_date}

_Column = Callable[[ColumnElement[Any]], ColumnElement[Any]]


def find_sessions(
    connection: Connection, wanted: SessionFilter, after: int, upto: int, limit: int, without: Sequence[str]
) -> Found[SessionRecord]:
    """See `central.ports.Store.sessions`."""
    stretch = Stretch(after, upto, limit).since(wanted.min_session_start_date)
    stretch = stretch.since(wanted.min_session_end_date)
    conditions = _session_conditions(wanted, loose)
    if without:
        conditions.append(loose(sessions.c.id).not_in(without))
    patterns = _session_patterns(wanted)
    for candidate in _session_candidates(wanted):
        keys = few(connection, sessions.c.id, candidate)
        if keys is not None:
            every = [*conditions, *patterns]
            return _sessions(gather(connection, sessions, sessions.c.id.in_(keys), every, stretch))
    dearly = bool(wanted.last_session_only)
    return _sessions(walk(connection, sessions, (), conditions, patterns, stretch, dearly=dearly))


def find_files(
    connection: Connection, wanted: FileTransferFilter, after: int, upto: int, limit: int
) -> Found[FileRecord]:
    """See `central.ports.Store.files`."""
    stretch = Stretch(after, upto, limit).since(wanted.min_transfer_start_date)
    stretch = stretch.since(wanted.min_transfer_end_date).since(wanted.min_session_start_date)
    criteria = _session_conditions(wanted, loose)
    owners = _owners(connection, wanted, criteria) if criteria else None
    if owners == []:
        return Found((), 0, upto)
    conditions = [*_values(wanted, _FILE_VALUES, loose), *_dates(wanted, _FILE_DATES, loose)]
    patterns = [_owned([pattern]) for pattern in _session_patterns(wanted)]
    if wanted.filename_filter is not None:
        patterns.append(func.matches(wanted.filename_filter, files.c.path))
    owned = [_owned(criteria)] if criteria else []
    if owners is not None:
        owned = [loose(files.c.session_id).in_(owners)]
    for candidate in _file_candidates(wanted, owners):
        keys = few(connection, files.c.local_id, candidate)
        if keys is not None:
            every = [*conditions, *owned, *patterns]
            return _files(gather(connection, files, files.c.local_id.in_(keys), every, stretch))
    if owners and len(owners) == 1:
        along = [files.c.session_id == owners[0]]
        return _files(walk(connection, files, along, conditions, patterns, stretch))
    if owned and not patterns:
        of_these = criteria if owners is None else [sessions.c.id.in_(owners)]
        some = owners is not None
        return _files(_of_sessions(connection, of_these, conditions, owned, stretch, some=some))
    along = [files.c.status == wanted.transfer_status[0]] if len(wanted.transfer_status) == 1 else []
    return _files(walk(connection, files, along, [*conditions, *owned], patterns, stretch))


def _owners(
    connection: Connection, wanted: SessionFilter, criteria: Sequence[ColumnElement[bool]]
) -> list[str] | None:
    """The sessions that meet `criteria`, which are those of the filter, or None if there are many."""
    for candidate in _session_candidates(wanted):
        keys = few(connection, sessions.c.id, candidate, most=paging.FEW_OWNERS)
        if keys is not None:
            meeting = select(sessions.c.id).where(sessions.c.id.in_(keys), *criteria)
            return list(connection.execute(meeting).scalars())
    return few(
        connection, sessions.c.id, and_(*criteria), most=paging.FEW_OWNERS, along=sessions.c.start_date
    )


def _of_sessions(
    connection: Connection,
    criteria: Sequence[ColumnElement[bool]],
    conditions: Sequence[ColumnElement[bool]],
    owned: Sequence[ColumnElement[bool]],
    stretch: Stretch,
    *,
    some: bool,
) -> paging.Found:
    """A page of the files of many sessions: along the stream where that fills it soon, else by session, since
    one session of a million files may lie between. `some`: it is known that the sessions are few."""
    every = [*conditions, *owned]
    counted = paging.COUNTED_DEARLY
    if not some:
        near = Stretch(stretch.after, place(connection, files, (), stretch, counted), stretch.limit)
        found = walk(connection, files, (), every, (), near, dearly=True)
        if near.upto == stretch.upto:
            return found
        if len(found.rows) == stretch.limit:
            return full(connection, files, (), every, found.rows, stretch, stretch.upto, counted)
    rows = _by_session(connection, criteria, conditions, stretch)
    if len(rows) < stretch.limit:
        return paging.Found(rows, 0, stretch.upto)
    return full(connection, files, (), every, rows, stretch, stretch.upto, counted)


def _by_session(
    connection: Connection,
    criteria: Sequence[ColumnElement[bool]],
    conditions: Sequence[ColumnElement[bool]],
    stretch: Stretch,
) -> Sequence[Any]:
    """The first rows of the stretch among the files of the sessions that meet `criteria`: they are files of those
    sessions whose own first ones come first."""
    change = files.c.change
    own = [files.c.session_id == sessions.c.id, change > stretch.after, *conditions]
    firsts = _first_files(connection, criteria, own, stretch)
    end = firsts[-1][0] if len(firsts) == stretch.limit else stretch.upto
    keys = select(files.c.local_id).where(*own, change <= end).order_by(change).limit(stretch.limit)
    page = files.alias()
    found = (
        select(page)
        .select_from(sessions.join(page, page.c.local_id.in_(keys.correlate(sessions))))
        .where(sessions.c.id.in_([key for _, key in firsts]))
    )
    return connection.execute(found.order_by(page.c.change).limit(stretch.limit)).all()


def _first_files(
    connection: Connection,
    criteria: Sequence[ColumnElement[bool]],
    own: Sequence[ColumnElement[bool]],
    stretch: Stretch,
) -> list[tuple[int, str]]:
    """The change of the first file that meets `own`, and the session, of those sessions where it comes first.

    Some sessions that started early tell how far to look: what a session has comes after its start.
    """
    change, start = files.c.change, sessions.c.start_date

    def firsts(upto: int, order: Any, *where: ColumnElement[bool]) -> list[tuple[int, str]]:
        nearest = select(change).where(*own, change <= upto).order_by(change).limit(1)
        first = nearest.correlate(sessions).scalar_subquery().label("first")
        wanted = select(first, sessions.c.id).where(*criteria, *where, first.is_not(None))
        return [(row[0], row[1]) for row in connection.execute(wanted.order_by(order).limit(stretch.limit))]

    early = sorted(firsts(stretch.upto, start))
    if len(early) < stretch.limit:
        return early
    end = early[-1][0]
    return firsts(end, "first", start <= end / 1e6)


def _sessions(found: paging.Found) -> Found[SessionRecord]:
    return Found([session_of(row) for row in found.rows], found.more, found.reached)


def _files(found: paging.Found) -> Found[FileRecord]:
    return Found([file_of(row) for row in found.rows], found.more, found.reached)


def _session_candidates(wanted: SessionFilter) -> list[ColumnElement[bool]]:
    """Conditions on the columns that have an index of their own, those that leave the fewest first."""
    candidates = _values(wanted, _SESSION_VALUES, _plain)
    return candidates + _ranges(wanted, _SESSION_DATES)


def _file_candidates(wanted: FileTransferFilter, owners: Sequence[str] | None) -> list[ColumnElement[bool]]:
    """As for sessions; `owners` are the sessions that meet the session criteria, if they are few."""
    values = {name: _FILE_VALUES[name] for name in ("transfer_id", "filepath")}
    candidates = _values(wanted, values, _plain)
    if owners is not None:
        candidates.append(files.c.session_id.in_(owners))
    candidates += _values(wanted, {"transfer_status": files.c.status}, _plain)
    return candidates + _ranges(wanted, _FILE_DATES)


def _ranges(wanted: SessionFilter, columns: dict[str, Any]) -> list[ColumnElement[bool]]:
    """The least and the greatest date together, for each of the columns."""
    ranges = (_dates(wanted, {name: column}, _plain) for name, column in columns.items())
    return [and_(*both) for both in ranges if both]


def _owned(conditions: Sequence[ColumnElement[bool]]) -> ColumnElement[bool]:
    """That a file's session meets conditions: looked up file by file, which few need where many sessions do."""
    return exists().where(sessions.c.id == files.c.session_id, *conditions)


def _session_patterns(wanted: SessionFilter) -> list[ColumnElement[bool]]:
    if wanted.cookie_filter is None:
        return []
    return [func.matches(wanted.cookie_filter, sessions.c.cookie)]


def _session_conditions(wanted: SessionFilter, column: _Column) -> list[ColumnElement[bool]]:
    """All session criteria but regular expressions."""
    conditions = [*_values(wanted, _SESSION_VALUES, column), *_dates(wanted, _SESSION_DATES, column)]
    if wanted.direction is not None:
        conditions.append(column(sessions.c.direction) == wanted.direction)
    if wanted.last_session_only:
        later = sessions.alias()
        newer = and_(
            later.c.job_id == sessions.c.job_id, later.c.job_retry_count > sessions.c.job_retry_count
        )
        conditions.append(~exists().where(newer))
    return conditions


def _values(wanted: SessionFilter, columns: dict[str, Any], column: _Column) -> list[ColumnElement[bool]]:
    given = ((getattr(wanted, name), each) for name, each in columns.items())
    return [column(each).in_(values) for values, each in given if values]


def _dates(wanted: SessionFilter, columns: dict[str, Any], column: _Column) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    for name, each in columns.items():
        low, high = getattr(wanted, f"min_{name}"), getattr(wanted, f"max_{name}")
        if low is not None:
            conditions.append(column(each) >= low)
        if high is not None:
            conditions.append(column(each) <= high)
    return conditions


def _plain(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return column
