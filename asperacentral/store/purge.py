"""Forgetting what ended long ago: sessions with their files, jobs, dead letters.

In many short transactions, so that the writer is never held up for long; what an end of the daemon leaves over is for
the next time.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, select

from asperacentral.store import dead_letters, validation
from asperacentral.store.schema import files, jobs, sessions

FILES = 5_000
"""File transfers deleted in one transaction."""

SESSIONS = 500
"""Sessions whose files are looked for at a time: to look through all for each transaction would take ever longer."""


def purge(connection: Connection, before: float) -> int:
    """Delete what ended before `before` (seconds since the epoch); returns how many sessions went."""
    gone = 0
    ended = select(sessions.c.id).where(sessions.c.end_date < before).order_by(sessions.c.end_date)
    while True:
        with connection.begin():
            some = connection.execute(ended.limit(SESSIONS)).scalars().all()
        if not some:
            break
        with connection.begin():
            validation.purge(connection, some)
        _delete_files(connection, some)
        with connection.begin():
            gone += connection.execute(delete(sessions).where(sessions.c.id.in_(some))).rowcount
    with connection.begin():
        connection.execute(delete(jobs).where(jobs.c.ended < before))
        dead_letters.purge(connection, before)
    return gone


def _delete_files(connection: Connection, owners: Sequence[str]) -> None:
    some = select(files.c.local_id).where(files.c.session_id.in_(owners)).limit(FILES)
    deleted = FILES
    while deleted == FILES:
        with connection.begin():
            deleted = connection.execute(delete(files).where(files.c.local_id.in_(some))).rowcount
