"""What one transaction writes: many callers' values gathered, the last version of each winning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, bindparam, delete, exists, func, insert, select, update

from asperacentral.central.transfer import TO_BE_VALIDATED
from asperacentral.store import schema
from asperacentral.store.bulk import Kept, replace_many
from asperacentral.store.rows import Row

T = TypeVar("T")

_VALIDATED = Kept(
    ("status", "error_code", "error_description"),
    f"excluded.status = '{TO_BE_VALIDATED}'",
)
"""A process that tells an end again does not undo what a validator has done since."""


@dataclass(slots=True)
class Batch:
    """Rows by table. `subscriptions` maps an id to its row, or to None where it is to be removed.

    `expiries` maps a subscription's id to when it expires or has ended.
    """

    jobs: dict[str, Row] = field(default_factory=dict)
    sessions: dict[str, Row] = field(default_factory=dict)
    files: list[tuple[Any, ...]] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    deliveries: list[Row] = field(default_factory=list)
    subscriptions: dict[str, Row | None] = field(default_factory=dict)
    expiries: dict[str, float] = field(default_factory=dict)
    delivered: list[int] = field(default_factory=list)
    postponed: list[tuple[int, float]] = field(default_factory=list)
    dead: list[tuple[int, str]] = field(default_factory=list)

    def add(self, other: Batch) -> None:
        """Take in what is to be written after this."""
        self.jobs.update(other.jobs)
        self.sessions.update(other.sessions)
        self.files += other.files
        self.events += other.events
        self.deliveries += other.deliveries
        self.subscriptions.update(other.subscriptions)
        self.expiries.update(other.expiries)
        self.delivered += other.delivered
        self.postponed += other.postponed
        self.dead += other.dead

    def execute(self, connection: Connection) -> None:
        """Write everything, in the caller's transaction."""
        replace_rows(connection, schema.jobs, list(self.jobs.values()))
        replace_rows(connection, schema.sessions, list(self.sessions.values()))
        replace_many(connection, schema.files, self.files, ("session_id", "id"), _VALIDATED)
        if self.events:
            connection.execute(insert(schema.events), self.events)
        if self.deliveries:
            connection.execute(insert(schema.deliveries), self.deliveries)
        self._move_expiries(connection)
        replace_rows(connection, schema.subscriptions, [row for row in self.subscriptions.values() if row])
        for subscription_id, row in self.subscriptions.items():
            if row is None:
                gone = schema.subscriptions.c.id == subscription_id
                connection.execute(delete(schema.subscriptions).where(gone))
        self._settle(connection)

    def _move_expiries(self, connection: Connection) -> None:
        """Let waiting deliveries know when their subscription ends, where that has changed since."""
        table, known = schema.deliveries, schema.subscriptions
        for some in _chunks(list(self.expiries), 500):
            for before in connection.execute(select(known.c.value).where(known.c.id.in_(some))).scalars():
                expires = self.expiries[before["id"]]
                if expires == before["expires"]:
                    continue
                observers = (before["observer"], before["subscription_observer"])
                waiting = (
                    table.c.lane.in_([observer["address"] for observer in observers if observer]),
                    table.c.dead.is_(None),
                    table.c.subscription["id"].as_string() == before["id"],
                )
                moved = func.json_set(table.c.subscription, "$.expires", expires)
                connection.execute(update(table).where(*waiting).values(subscription=moved))

    def _settle(self, connection: Connection) -> None:
        table = schema.deliveries
        if self.postponed:
            later = update(table).where(table.c.id == bindparam("the_id"))
            later = later.values(next_at=bindparam("at"), attempts=table.c.attempts + 1)
            connection.execute(later, [{"the_id": key, "at": at} for key, at in self.postponed])
        if self.dead:
            buried = update(table).where(table.c.id == bindparam("the_id")).values(dead=bindparam("why"))
            connection.execute(buried, [{"the_id": key, "why": why} for key, why in self.dead])
        for some in _chunks(self.delivered, 500):
            told = select(table.c.event_id).where(table.c.id.in_(some))
            event_ids = list(connection.execute(told).scalars())
            connection.execute(delete(table).where(table.c.id.in_(some)))
            untold = ~exists().where(table.c.event_id == schema.events.c.id)
            connection.execute(delete(schema.events).where(schema.events.c.id.in_(event_ids), untold))


def replace_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows, or replace those with the same id."""
    if not rows:
        return
    statement = _upsert(connection.dialect.name)(table)
    values = {column.name: statement.excluded[column.name] for column in table.c if column.name != "id"}
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values), rows)


def _upsert(dialect: str) -> Any:
    """The dialect's own INSERT; only the one in use is imported, as each takes a while."""
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as postgresql_insert

        return postgresql_insert
    from sqlalchemy.dialects.sqlite import insert as sqlite_insert

    return sqlite_insert


def _chunks(values: Sequence[T], size: int) -> list[Sequence[T]]:
    return [values[at : at + size] for at in range(0, len(values), size)]
