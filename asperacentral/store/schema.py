"""Tables of the store. Columns bear the names of the values they keep (`central.model`).

Dates are seconds since the epoch; rates Kbps; `change` is the place in the stream of changes.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

VERSION = 1
"""Raised whenever the tables change; `store.migrations` knows how to get from one to the next."""

metadata = MetaData()

# SQLite numbers rows itself only for a plain INTEGER primary key.
_Id = BigInteger().with_variant(Integer, "sqlite")

meta = Table("meta", metadata, Column("name", Text, primary_key=True), Column("value", Text, nullable=False))

jobs = Table(
    "jobs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("created", Float, nullable=False),
    Column("state", Text, nullable=False),
    Column("due", Float, nullable=False),
    Column("failed_attempts", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("session_id", Text, nullable=False),
    Column("paused", Integer, nullable=False),
    Column("cancelled", Integer, nullable=False),
    Column("ended", Float),
    Column("order", JSON, nullable=False),
    Column("sealed", LargeBinary),
    Index("jobs_ended", "ended"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("change", BigInteger, nullable=False),
    Column("job_id", Text),
    Column("status", Text, nullable=False),
    Column("start_date", Float, nullable=False),
    Column("end_date", Float),
    Column("cookie", Text),
    Column("private_key", Text),
    Column("direction", Text, nullable=False),
    Column("server_address", Text),
    Column("client_address", Text),
    Column("user", Text, nullable=False),
    Column("job_retry_count", Integer, nullable=False),
    # What nobody searches by: counters, rates, the current file.
    Column("rest", JSON, nullable=False),
    # All that is searched by, so that what does not match is passed over without a look at its row.
    Index(
        "sessions_search",
        *("change", "status", "start_date", "end_date", "direction", "job_retry_count", "job_id", "id"),
        *("cookie", "private_key", "server_address", "client_address", "user"),
    ),
    # The same by start, since the files of a session come after its start.
    Index(
        "sessions_start",
        *("start_date", "end_date", "status", "direction", "job_retry_count", "job_id", "id"),
        *("cookie", "private_key", "server_address", "client_address", "user"),
    ),
    # Criteria that may be met by few: these find them, and tell at once that they are many.
    Index("sessions_attempt", "job_id", "job_retry_count", "id"),
    Index("sessions_end", "end_date", "id"),
    Index("sessions_status", "status", "id"),
    Index("sessions_user", "user", "id"),
    Index("sessions_cookie", "cookie", "id"),
    Index("sessions_private_key", "private_key", "id"),
    Index("sessions_server", "server_address", "id"),
    Index("sessions_client", "client_address", "id"),
)

files = Table(
    "files",
    metadata,
    Column("local_id", _Id, primary_key=True, autoincrement=False),
    Column("session_id", Text, nullable=False),
    Column("change", BigInteger, nullable=False),
    Column("id", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("start_date", Float, nullable=False),
    Column("end_date", Float),
    Column("error_code", Integer, nullable=False),
    Column("error_description", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("start_offset", BigInteger, nullable=False),
    Column("bytes_written", BigInteger, nullable=False),
    Column("bytes_contiguous", BigInteger, nullable=False),
    Column("bytes_lost", BigInteger, nullable=False),
    Column("elapsed", BigInteger, nullable=False),
    Column("checksum", Text),
    Column("checksum_type", Text),
    Column("file_type", Text),
    Column("action", Text),
    Column("content_protection", Text),
    Index("files_change", "change"),
    Index("files_session", "session_id", "change"),
    Index("files_status", "status", "change"),
    Index("files_path", "path"),
    Index("files_start", "start_date"),
    Index("files_end", "end_date"),
    # A process that tells an end again after a restart tells of the same file.
    Index("files_id", "session_id", "id", unique=True),
)

validations = Table(
    "validations",
    metadata,
    # A file that was claimed; the row stays when it has been validated, so that a report may be said again.
    Column("local_id", _Id, primary_key=True, autoincrement=False),
    Column("validator", Text, nullable=False),
    # When the claim ends unless the validator reports; null once the file has been validated.
    Column("due", Float),
    Index("validations_due", "due"),
    Index("validations_validator", "validator", "due"),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("value", JSON, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("at", Float, nullable=False),
    Column("snapshot", JSON, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("event_id", Text, ForeignKey("events.id"), nullable=False),
    Column("lane", Text, nullable=False),
    # As it was when the event happened: it may be changed or ended before the event is delivered.
    Column("subscription", JSON, nullable=False),
    Column("created", Float, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", Float, nullable=False),
    Column("dead", Text),
    Index("deliveries_lane", "lane", "dead", "id"),
    Index("deliveries_event", "event_id"),
    sqlite_autoincrement=True,
)
