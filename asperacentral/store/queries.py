"""The reliable query as SQL: filters of `central.query` to conditions (contract §7.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, select

from asperacentral.central.model import FileRecord, SessionRecord
from asperacentral.central.query import FileTransferFilter, SessionFilter
from asperacentral.store.rows import file_of, session_of
from asperacentral.store.schema import files, sessions

# Criterion of the filter -> column; several values mean any of them.
_SESSION_VALUES = {
    "session_uuid": sessions.c.id,
    "session_status": sessions.c.status,
    "server_address": sessions.c.server_address,
    "client_address": sessions.c.client_address,
    "cookie": sessions.c.cookie,
    "job_id": sessions.c.job_id,
    "private_key": sessions.c.private_key,
    "user": sessions.c.user,
}
_FILE_VALUES = {
    "transfer_id": files.c.local_id,
    "transfer_status": files.c.status,
    "filepath": files.c.path,
}
_SESSION_DATES = {"session_start_date": sessions.c.start_date, "session_end_date": sessions.c.end_date}
_FILE_DATES = {"transfer_start_date": files.c.start_date, "transfer_end_date": files.c.end_date}


def find_sessions(
    connection: Connection, wanted: SessionFilter, after: int, upto: int, limit: int, without: Sequence[str]
) -> tuple[list[SessionRecord], int]:
    """See `central.ports.Store.sessions`."""
    conditions = [sessions.c.change > after, sessions.c.change <= upto, *_session_conditions(wanted)]
    if without:
        conditions.append(sessions.c.id.not_in(without))
    query = select(sessions).where(and_(*conditions))
    rows, more = _page(connection, query, sessions.c.change, limit)
    return [session_of(row) for row in rows], more


def find_files(
    connection: Connection,
    wanted: FileTransferFilter,
    after: int,
    upto: int | None,
    limit: int,
    *besides: ColumnElement[bool],
) -> tuple[list[FileRecord], int]:
    """See `central.ports.Store.files`; `upto` None is no bound, `besides` are further conditions."""
    conditions = [files.c.change > after, *besides, *_values(wanted, _FILE_VALUES)]
    if upto is not None:
        conditions.append(files.c.change <= upto)
    conditions += _dates(wanted, _FILE_DATES)
    if wanted.filename_filter is not None:
        conditions.append(func.matches(wanted.filename_filter, files.c.path))
    of_session = _session_conditions(wanted)
    if of_session:
        conditions.append(files.c.session_id.in_(select(sessions.c.id).where(and_(*of_session))))
    query = select(files).where(and_(*conditions))
    rows, more = _page(connection, query, files.c.change, limit)
    return [file_of(row) for row in rows], more


def _page(
    connection: Connection, query: Select[Any], order: ColumnElement[Any], limit: int
) -> tuple[Sequence[Any], int]:
    rows = connection.execute(query.order_by(order).limit(limit)).all()
    if len(rows) < limit:
        return rows, 0
    count = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    return rows, int(count) - len(rows)


def _session_conditions(wanted: SessionFilter) -> list[ColumnElement[bool]]:
    conditions = [*_values(wanted, _SESSION_VALUES), *_dates(wanted, _SESSION_DATES)]
    if wanted.direction is not None:
        conditions.append(sessions.c.direction == wanted.direction)
    if wanted.cookie_filter is not None:
        conditions.append(func.matches(wanted.cookie_filter, sessions.c.cookie))
    if wanted.last_session_only:
        later = sessions.alias()
        newer = and_(
            later.c.job_id == sessions.c.job_id, later.c.job_retry_count > sessions.c.job_retry_count
        )
        conditions.append(~exists().where(newer))
    return conditions


def _values(wanted: SessionFilter, columns: dict[str, Any]) -> list[ColumnElement[bool]]:
    given = ((getattr(wanted, name), column) for name, column in columns.items())
    return [column.in_(values) for values, column in given if values]


def _dates(wanted: SessionFilter, columns: dict[str, Any]) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    for name, column in columns.items():
        low, high = getattr(wanted, f"min_{name}"), getattr(wanted, f"max_{name}")
        if low is not None:
            conditions.append(column >= low)
        if high is not None:
            conditions.append(column <= high)
    return conditions
