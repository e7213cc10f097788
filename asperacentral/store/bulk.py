"""Very many rows in few statements.

A statement per row would let the writer's thread give up and take back the interpreter's lock for each of them,
and when the other threads are busy each time takes milliseconds. A statement of hundreds of rows is worked off by
SQLite while they go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Table

SIZES = (256, 64, 16, 4, 1)
"""Rows in one statement: few different ones, so that each is compiled once. SQLite takes 32,766 values at most."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Columns that are not replaced where `condition` (SQL; `excluded` is the new row) holds."""

    columns: tuple[str, ...]
    condition: str


def replace_many(
    connection: Connection,
    table: Table,
    rows: Sequence[tuple[Any, ...]],
    unique: tuple[str, ...],
    kept: Kept | None = None,
) -> None:
    """Insert rows, each with a value for every column of `table` in its order, or replace those with the same
    values of `unique`; a primary key of theirs stays, and what `kept` says."""
    at = 0
    for size in SIZES:
        while len(rows) - at >= size:
            some = tuple(chain.from_iterable(rows[at : at + size]))
            connection.exec_driver_sql(_statement(table, unique, size, kept), some)
            at += size


@cache
def _statement(table: Table, unique: tuple[str, ...], count: int, kept: Kept | None) -> str:
    names = [f'"{column.name}"' for column in table.columns]
    fixed = {f'"{name}"' for name in (*unique, *table.primary_key.columns.keys())}
    row = f"({', '.join('?' * len(names))})"
    values = {name: f"excluded.{name}" for name in names if name not in fixed}
    if kept is not None:
        for name in (f'"{column}"' for column in kept.columns):
            values[name] = f'CASE WHEN {kept.condition} THEN "{table.name}".{name} ELSE excluded.{name} END'
    changed = ", ".join(f"{name} = {value}" for name, value in values.items())
    return (
        f'INSERT INTO "{table.name}" ({", ".join(names)}) VALUES {", ".join([row] * count)} '  # noqa: S608
        f"ON CONFLICT ({', '.join(unique)}) DO UPDATE SET {changed}"
    )
