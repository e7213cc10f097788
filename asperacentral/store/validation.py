"""Claims of validators on file transfers, as SQL in the writer's thread, so that each file has one validator at most.

A file's state is in its row; who has claimed it, or has validated it, is in `validations`. What a report may change
is decided by `central.validation`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count

from sqlalchemy import (
    Connection,
    bindparam,
    delete,
    func,
    insert,
    select,
    union,
    update,
)

from asperacentral.central import transfer
from asperacentral.central.model import FileRecord
from asperacentral.central.ports import Claim, Found
from asperacentral.central.query import FileTransferFilter
from asperacentral.central.validation import REPORTED, Refusal, Report, Standing, changes, refusal
from asperacentral.store import queries
from asperacentral.store.schema import files, validations

MAX_SESSIONS = 10_000
"""Sessions in validation that are told of."""

EVER = 2**63 - 1
"""Beyond every place in the stream of changes."""

_MOVE = (
    update(files)
    .where(files.c.local_id == bindparam("the_id"))
    .values(
        status=bindparam("to"),
        change=bindparam("at"),
        error_code=bindparam("code"),
        error_description=bindparam("text"),
    )
)


def claim(
    connection: Connection, wanted: FileTransferFilter, after: int, limit: int, by: Claim
) -> Found[FileRecord]:
    """See `central.ports.Store.claim_files`."""
    if wanted.transfer_status and transfer.TO_BE_VALIDATED not in wanted.transfer_status:
        return Found((), 0, EVER)
    waiting = replace(wanted, transfer_status=(transfer.TO_BE_VALIDATED,))
    found = queries.find_files(connection, waiting, after, EVER, limit)
    status = transfer.TABLE[transfer.TO_BE_VALIDATED, transfer.CLAIM]
    claimed = [
        replace(file, status=status, change=change, fragments={})
        for file, change in zip(found.items, count(by.first_change))
    ]
    if claimed:
        _move(connection, [(file.local_id, status, file.change, 0, "") for file in claimed])
        rows = [{"local_id": file.local_id, "validator": by.validator, "due": by.due} for file in claimed]
        connection.execute(insert(validations), rows)
    return Found(claimed, found.more, found.reached)


def report(connection: Connection, reports: Sequence[Report], by: Claim) -> list[Refusal]:
    """See `central.ports.Store.report_files`."""
    known = _standings(connection, reports)
    refusals: list[Refusal] = []
    moves: list[tuple[int, str, int, int, str]] = []
    due: dict[int, float | None] = {}
    for each, change in zip(reports, count(by.first_change)):
        place = (each.session_id, each.file_id)
        local_id, standing = known.get(place, (0, None))
        reason = refusal(standing, by.validator, each.status)
        if reason is not None or standing is None:
            refusals.append(Refusal(*place, reason or ""))
        elif changes(standing, each.status):
            status = transfer.TABLE[standing.status, REPORTED[each.status]]
            known[place] = (local_id, Standing(status, by.validator))
            moves.append((local_id, status, change, each.error_code, each.error_description))
            due[local_id] = by.due if status == transfer.VALIDATING else None
    if moves:
        _move(connection, moves)
        renewed = update(validations).where(validations.c.local_id == bindparam("the_id"))
        connection.execute(
            renewed.values(due=bindparam("until")),
            [{"the_id": local_id, "until": until} for local_id, until in due.items()],
        )
    return refusals


def release(connection: Connection, now: float, limit: int, first_change: int) -> tuple[int, float | None]:
    """See `central.ports.Store.release_files`."""
    silent = select(validations.c.local_id).where(validations.c.due <= now)
    ids = list(connection.execute(silent.order_by(validations.c.due).limit(limit)).scalars())
    if ids:
        status = transfer.TABLE[transfer.VALIDATING, transfer.RELEASE]
        moves = [(local_id, status, change, 0, "") for local_id, change in zip(ids, count(first_change))]
        _move(connection, moves)
        gone = delete(validations).where(validations.c.local_id == bindparam("the_id"))
        connection.execute(gone, [{"the_id": local_id} for local_id in ids])
    return len(ids), connection.execute(select(func.min(validations.c.due))).scalar()


def sessions(connection: Connection, validator: str) -> list[str]:
    """See `central.ports.Store.sessions_in_validation`."""
    claimed = (
        select(files.c.session_id)
        .join(validations, validations.c.local_id == files.c.local_id)
        .where(validations.c.validator == validator, validations.c.due.is_not(None))
    )
    both = union(select(files.c.session_id).where(files.c.status == transfer.TO_BE_VALIDATED), claimed)
    return list(connection.execute(both.limit(MAX_SESSIONS)).scalars())


def purge(connection: Connection, owners: Sequence[str]) -> None:
    """Forget the claims on files of these sessions; the files are about to go."""
    gone = select(files.c.local_id).where(files.c.session_id.in_(owners))
    connection.execute(delete(validations).where(validations.c.local_id.in_(gone)))


def _standings(
    connection: Connection, reports: Sequence[Report]
) -> dict[tuple[str, str], tuple[int, Standing | None]]:
    wanted = select(
        files.c.session_id, files.c.id, files.c.local_id, files.c.status, validations.c.validator
    ).outerjoin(validations, validations.c.local_id == files.c.local_id)
    by_session: dict[str, list[str]] = {}
    for each in reports:
        by_session.setdefault(each.session_id, []).append(each.file_id)
    known: dict[tuple[str, str], tuple[int, Standing | None]] = {}
    # By session: SQLite looks up pairs in a list by a look at every row.
    for session, ids in by_session.items():
        of_these = wanted.where(files.c.session_id == session, files.c.id.in_(ids))
        for row in connection.execute(of_these):
            known[session, row.id] = (row.local_id, Standing(row.status, row.validator))
    return known


def _move(connection: Connection, moves: Sequence[tuple[int, str, int, int, str]]) -> None:
    """Move files on: number, state, place in the stream of changes, error code and description."""
    names = ("the_id", "to", "at", "code", "text")
    connection.execute(_MOVE, [dict(zip(names, move, strict=True)) for move in moves])
