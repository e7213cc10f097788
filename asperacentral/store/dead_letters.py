"""Dead letters as SQL: deliveries that were given up, listed, taken up again, forgotten.

A chosen one is named by its observer, by its id, or by both; naming neither chooses all.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, delete, exists, func, select, update

from asperacentral.central.model import DeadLetter, DeadLetters
from asperacentral.store.schema import deliveries, events

_CHUNK = 500
"""Values in one condition."""


def find(connection: Connection, observer: str | None, after: int, limit: int) -> DeadLetters:
    """See `central.ports.Store.dead_letters`."""
    conditions = [*_chosen(observer), deliveries.c.id > after]
    wanted = (
        select(
            deliveries.c.id,
            deliveries.c.lane,
            deliveries.c.event_id,
            events.c.kind,
            events.c.topic,
            events.c.subject,
            events.c.at,
            deliveries.c.attempts,
            deliveries.c.dead,
        )
        .join(events, events.c.id == deliveries.c.event_id)
        .where(*conditions)
        .order_by(deliveries.c.id)
        .limit(limit)
    )
    found = tuple(DeadLetter(*row) for row in connection.execute(wanted))
    count = connection.execute(select(func.count()).select_from(deliveries).where(*conditions)).scalar_one()
    return DeadLetters(found, int(count) - len(found))


def replay(connection: Connection, observer: str | None, ids: Sequence[int], now: float) -> int:
    """Let them wait to be told, as if they had just happened; returns how many there were."""
    count = 0
    for condition in _choices(observer, ids):
        pending = update(deliveries).where(*condition).values(dead=None, attempts=0, next_at=0.0, created=now)
        count += connection.execute(pending).rowcount
    return count


def drop(connection: Connection, observer: str | None, ids: Sequence[int]) -> int:
    """Forget them, and the events that only they were to tell of; returns how many there were."""
    return sum(_delete(connection, condition) for condition in _choices(observer, ids))


def purge(connection: Connection, before: float) -> int:
    """Forget those made before `before` (seconds since the epoch); returns how many there were."""
    return _delete(connection, [*_chosen(None), deliveries.c.created < before])


def _delete(connection: Connection, conditions: list[ColumnElement[bool]]) -> int:
    gone = delete(deliveries).where(*conditions).returning(deliveries.c.event_id)
    event_ids = list(connection.execute(gone).scalars())
    untold = ~exists().where(deliveries.c.event_id == events.c.id)
    for at in range(0, len(event_ids), _CHUNK):
        connection.execute(delete(events).where(events.c.id.in_(event_ids[at : at + _CHUNK]), untold))
    return len(event_ids)


def _choices(observer: str | None, ids: Sequence[int]) -> list[list[ColumnElement[bool]]]:
    chosen = _chosen(observer)
    if not ids:
        return [chosen]
    chunks = [ids[at : at + _CHUNK] for at in range(0, len(ids), _CHUNK)]
    return [[*chosen, deliveries.c.id.in_(some)] for some in chunks]


def _chosen(observer: str | None) -> list[ColumnElement[bool]]:
    dead: list[ColumnElement[bool]] = [deliveries.c.dead.is_not(None)]
    return dead if observer is None else [deliveries.c.lane == observer, *dead]
