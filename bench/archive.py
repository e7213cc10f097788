"""Fills a store with what years of work leave behind: very many ended sessions and their file transfers.

The rows are those of the store's own schema, written in its order of changes; the indexes are made afterwards, which
makes it a matter of a minute or two. One session has a fifth of the files, ten have a fiftieth each, the
others share the rest.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy.dialects.sqlite import dialect
from sqlalchemy.schema import CreateIndex

from asperacentral.central.model import FileRecord, SessionRecord
from asperacentral.store import rows, schema

BEGAN = 1_790_000_000.0
"""When the oldest session started, in seconds since the epoch."""

SPACING = 20.0
"""Seconds from one session's start to the next one's."""

FILE_SPACING = 10e-6
"""Seconds from the end of one file of a session to the next one's."""

_CHUNK = 50_000


def fill(path: Path, *, sessions: int, files: int) -> None:
    """Put rows into the empty tables of the store at `path`, which no daemon may have open."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA cache_size=-1000000")
        tables = (schema.sessions, schema.files)
        indexes = [index for table in tables for index in table.indexes]
        for index in indexes:
            connection.execute(f"DROP INDEX {index.name}")
        _insert(connection, schema.sessions, _session_rows(sessions), sessions)
        _insert(connection, schema.files, _file_rows(sessions, files), files)
        for done, index in enumerate(indexes):
            _tell(f"index {index.name}", done, len(indexes))
            connection.execute(str(CreateIndex(index).compile(dialect=dialect())))
        _tell("indexes", len(indexes), len(indexes))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()


def session(number: int) -> SessionRecord:
    """The session of this number: one in fifty ended in an error."""
    start = BEGAN + number * SPACING
    failed = number % 50 == 49
    record = SessionRecord(
        id=str(uuid.UUID(int=number + (1 << 96))),
        job_id=str(uuid.UUID(int=number // 2 + (2 << 96))),
        start_date=start,
        end_date=start + SPACING / 2,
        status="error" if failed else "completed",
        error_code=37 if failed else 0,
        error_description="the other end refused the session" if failed else "",
        cookie=f"project-{number % 1000:03}/reel-{number}",
        private_key=f"/home/user-{number % 100}/.ssh/id_ed25519",
        direction="incoming" if number % 2 else "outgoing",
        server_address=f"10.0.{number // 250 % 250}.{number % 250}",
        client_address="10.1.0.1",
        user=f"user-{number % 100}",
        files_complete=50,
        file_count=50,
        bytes_transferred=number * 1000,
        job_retry_count=number % 2,
        source_path=f"/data/reel-{number}",
        destination_path="/incoming",
    )
    record.change = int((record.end_date or 0) * 1e6)
    return record


def owner(number: int, sessions: int, files: int) -> int:
    """The session that owns the file of this number; a session's files follow each other, the large ones' in the
    middle of all."""
    fiftieth = files // 50
    large = 20 * fiftieth
    small, half = files - large, (files - large) // 2
    if number < half:
        return number * sessions // small
    number -= half
    if number < 10 * fiftieth:
        return sessions // 2
    if number < large:
        return sessions // 2 + 1 + (number - 10 * fiftieth) // fiftieth
    return (number - large + half) * sessions // small


def file_path(number: int) -> str:
    """The path of a file."""
    return f"/data/folder-{number // 1000:05}/file-{number:07}.dat"


def _session_rows(count: int) -> Iterator[tuple[Any, ...]]:
    for number in range(count):
        row = rows.session_row(session(number))
        row["rest"] = json.dumps(row["rest"])
        yield tuple(row[column.name] for column in schema.sessions.columns)


def _file_rows(sessions: int, files: int) -> Iterator[tuple[Any, ...]]:
    """One in a thousand failed. Each ends while its session runs."""
    owners: dict[int, str] = {}
    seen: Counter[int] = Counter()
    for number in range(files):
        own = owner(number, sessions, files)
        digits = hashlib.sha1(str(number).encode(), usedforsecurity=False).hexdigest()
        if own not in owners:
            owners[own] = session(own).id
        seen[own] += 1
        end = BEGAN + own * SPACING + seen[own] * FILE_SPACING
        failed = number % 1000 == 999
        record = FileRecord(
            session_id=owners[own],
            path=file_path(number),
            local_id=number + 1,
            id="-".join(digits[at : at + 8] for at in range(0, 40, 8)),
            start_date=end - FILE_SPACING / 2,
            end_date=end,
            status="error" if failed else "completed",
            error_code=43 if failed else 0,
            size=1_000_000,
            bytes_written=1_000_000,
            bytes_contiguous=1_000_000,
            elapsed=100_000,
            file_type="file",
            change=int(end * 1e6),
        )
        yield rows.file_values(record)


def _insert(
    connection: sqlite3.Connection, table: Any, source: Iterator[tuple[Any, ...]], count: int
) -> None:
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    places = ", ".join("?" * len(table.columns))
    statement = f'INSERT INTO "{table.name}" ({names}) VALUES ({places})'
    for done in range(0, count, _CHUNK):
        _tell(table.name, done, count)
        connection.execute("BEGIN")
        some = (next(source) for _ in range(min(_CHUNK, count - done)))
        connection.executemany(statement, some)
        connection.execute("COMMIT")
    _tell(table.name, count, count)


def _tell(what: str, done: int, count: int) -> None:
    bar = "#" * (40 * done // count)
    end = "\n" if done == count else ""
    print(f"\r{what:24} [{bar:40}] {done:,} of {count:,}", end=end, file=sys.stderr, flush=True)
