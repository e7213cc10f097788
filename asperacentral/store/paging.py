"""One page of the stream of changes, found in a time that does not grow with the store.

What an index says to be rare is gathered by that index and sorted; all else is looked for along the stream of
changes until the page is full. A regular expression is tried on so many rows for one page, no more, and what remains
is counted over so many rows. Knows tables and conditions, no filters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, func, select
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.sql.operators import custom_op

FEW = 2_000
"""Candidates up to which gathering and sorting them costs less than looking along the stream."""

FEW_OWNERS = 500
"""Sessions up to which their files are looked for session by session at once."""

MATCHED = 10_000
"""Rows on which a regular expression is tried for one page: less than 0.1 s also on a busy machine."""

COUNTED = 20_000
"""Rows looked at to count what remains after a page."""

COUNTED_DEARLY = 2_000
"""The same where a look costs more: a regular expression, or another row to be found for each."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is asked for of the stream: after < change <= upto, at most `limit` items."""

    after: int
    upto: int
    limit: int

    def since(self, date: float | None) -> Stretch:
        """Without what changed before `date` (seconds since the epoch): a change number is never below the
        microseconds of its time (`central.stamps`), so that nothing has a later date than its change."""
        return self if date is None else Stretch(max(self.after, int(date * 1e6) - 1), self.upto, self.limit)


@dataclass(frozen=True, slots=True)
class Found:
    """Rows by change; `more` is how many are known to follow, `reached` the place up to which all are here."""

    rows: Sequence[Any]
    more: int
    reached: int


def loose(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The column's value such that no index is used for it: SQLite cannot know how many rows a value has, and takes
    an index on a column where all are the same for the best there is."""
    return UnaryExpression(column, operator=custom_op("+", is_comparison=False), type_=column.type)


def few(
    connection: Connection,
    key: ColumnElement[Any],
    condition: ColumnElement[bool],
    *,
    most: int | None = None,
    along: ColumnElement[Any] | None = None,
) -> list[Any] | None:
    """The keys of the rows that meet a condition on an indexed column, or None if they are more than `most` (FEW). A
    condition on several columns is looked for `along` an index that has them all, which begins with that column."""
    most = FEW if most is None else most
    keys = connection.execute(select(key).where(condition).order_by(along).limit(most + 1)).scalars().all()
    return list(keys) if len(keys) <= most else None


def gather(
    connection: Connection,
    table: Table,
    chosen: ColumnElement[bool],
    conditions: Sequence[ColumnElement[bool]],
    stretch: Stretch,
) -> Found:
    """A page of those rows, chosen by their keys, that meet all conditions."""
    change, key = loose(table.c.change), next(iter(table.primary_key))
    wanted = select(table.c.change, key).where(
        chosen, change > stretch.after, change <= stretch.upto, *conditions
    )
    places = sorted((row[0], row[1]) for row in connection.execute(wanted))
    page, more = places[: stretch.limit], max(0, len(places) - stretch.limit)
    whole = select(table).where(key.in_([own for _, own in page]))
    rows = sorted(connection.execute(whole).all(), key=lambda row: row.change)
    return Found(rows, more, page[-1][0] if more else stretch.upto)


def walk(
    connection: Connection,
    table: Table,
    along: Sequence[ColumnElement[bool]],
    conditions: Sequence[ColumnElement[bool]],
    patterns: Sequence[ColumnElement[bool]],
    stretch: Stretch,
    *,
    dearly: bool = False,
) -> Found:
    """A page looked for along the index of `along` (equalities, in an index before `change`) and changes. `dearly`:
    another row must be found for each that is looked at.

    Where regular expressions do not come to the end of the stretch, the page ends earlier, and may be empty though
    there are more.
    """
    change = table.c.change
    end = place(connection, table, along, stretch, MATCHED) if patterns else stretch.upto
    every = [*along, *conditions, *patterns]
    wanted = select(table).where(change > stretch.after, change <= end, *every)
    rows = connection.execute(wanted.order_by(change).limit(stretch.limit)).all()
    if len(rows) < stretch.limit:
        return Found(rows, int(end < stretch.upto), end)
    matched = Stretch(stretch.after, end, stretch.limit)
    counted = COUNTED_DEARLY if patterns or dearly else COUNTED
    return full(connection, table, along, every, rows, matched, stretch.upto, counted)


def full(
    connection: Connection,
    table: Table,
    along: Sequence[ColumnElement[bool]],
    every: Sequence[ColumnElement[bool]],
    rows: Sequence[Any],
    stretch: Stretch,
    upto: int,
    count: int,
) -> Found:
    """A page of as many rows as there may be, with what is known to follow it up to `upto`: so many rows are looked
    at."""
    change, last = table.c.change, rows[-1].change
    counted = place(connection, table, along, Stretch(last, stretch.upto, 0), count)
    left = select(func.count()).select_from(table).where(change > last, change <= counted, *every)
    more = int(connection.execute(left).scalar_one()) + int(counted < upto)
    return Found(rows, more, last if more else upto)


def place(
    connection: Connection,
    table: Table,
    along: Sequence[ColumnElement[bool]],
    stretch: Stretch,
    count: int,
) -> int:
    """The change of the row that is `count` rows into the stretch; its end when there are fewer."""
    change = table.c.change
    wanted = select(change).where(*along, change > stretch.after, change <= stretch.upto)
    found = connection.execute(wanted.order_by(change).offset(count - 1).limit(1)).scalar()
    return stretch.upto if found is None else int(found)
