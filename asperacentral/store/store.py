"""The store as the rules and the observers see it: `central.ports.Store` and `observers.outbox.Outbox`.

Writes go to the writer thread; reads run in a small pool of reader threads. Futures are completed through
`call_from_thread`, so that callers never see another thread.
"""

from __future__ import annotations

import logging
import sqlite3
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    LABEL_STYLE_TABLENAME_PLUS_COL,
    Connection,
    Engine,
    and_,
    create_engine,
    event,
    func,
    inspect,
    select,
)
from sqlalchemy.exc import SQLAlchemyError

from asperacentral.central import patterns
from asperacentral.central.errors import Unavailable
from asperacentral.central.futures import chain, failed, then
from asperacentral.central.job import Job
from asperacentral.central.model import DeadLetters, FileRecord, SessionRecord, Subscription
from asperacentral.central.ports import Claim, Found, Write
from asperacentral.central.query import FileTransferFilter, SessionFilter
from asperacentral.central.validation import Refusal, Report
from asperacentral.observers.outbox import Delivery
from asperacentral.store import dead_letters, queries, rows, schema, validation
from asperacentral.store.batch import Batch
from asperacentral.store.buffer import Buffer
from asperacentral.store.purge import purge
from asperacentral.store.seal import Seal, SealBroken
from asperacentral.store.writer import WRITES, FromThread, Item, Measure, Writer

log = logging.getLogger(__name__)

T = TypeVar("T")

CLOSE_TIMEOUT = 10.0
"""Seconds that a stop may take to write what is queued."""

WORTH_COMPACTING = 0.1
"""The unused share of the store's file above which a start makes it smaller."""

CACHE_KIB = 16 * 1024
"""Memory for pages of one connection: the ids of files come in no order, so their index is written all over."""


class StoreError(Exception):
    """The store cannot be opened; `str(error)` says why in one line."""


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """How SQLite is run. `synchronous` holds for what is not durable; what is acknowledged is always synced.

    Of what is expendable, `buffer_capacity` rows may wait; then it waits all the same, or with `drop_overrun` is lost.
    """

    journal: str = "wal"
    synchronous: str = "off"
    compact: bool = False
    buffer_capacity: int = 1000
    drop_overrun: bool = False


class Store:
    """The store in the SQLite file `path`, its secrets sealed with the key file `key_path`.

    Without a path it is in memory: it starts empty, is gone at the end and leaves nothing on any disk.

    `on_failure` is called, through `call_from_thread`, when the store cannot be written any more; `measure`
    is told of each commit.
    """

    def __init__(
        self,
        path: Path | None,
        key_path: Path,
        call_from_thread: FromThread,
        options: StoreOptions | None = None,
        *,
        on_failure: Callable[[], None] | None = None,
        measure: Measure | None = None,
    ) -> None:
        self._options = options or StoreOptions()
        self._call_from_thread = call_from_thread
        self._buffer = Buffer(self._options.buffer_capacity, drop=self._options.drop_overrun)
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._seal = Seal(key_path if path else None)
            self._engine = _engine(path, self._options)
            self._prepare(path)
        except (OSError, SQLAlchemyError, ValueError) as error:
            reason = str(getattr(error, "orig", None) or error).splitlines()[0]
            raise StoreError(f"the store {path or 'in memory'} cannot be opened: {reason}") from None
        self._writer = Writer(
            self._engine, call_from_thread, self._set_durable, on_failure=on_failure, measure=measure
        )
        self._writer.start()
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="store-reader")

    def close(self) -> None:
        """Write what is queued and close."""
        self._buffer.tell()
        if not self._writer.close(CLOSE_TIMEOUT):
            log.error("the store did not take everything within %d s", CLOSE_TIMEOUT)
        self._readers.shutdown(wait=True, cancel_futures=True)
        self._engine.dispose()

    @property
    def failing(self) -> bool:
        """Whether it cannot be written now."""
        return self._writer.failing

    def waiting_writes(self) -> int:
        """How many writes wait."""
        return self._writer.waiting()

    def outbox_depth(self) -> Future[tuple[int, int]]:
        """How many deliveries wait, and how many are dead. Fails with Unavailable."""
        table = schema.deliveries
        wanted = select(func.count(), func.count(table.c.dead))

        def count(connection: Connection) -> tuple[int, int]:
            every, dead = connection.execute(wanted.select_from(table)).one()
            return every - dead, dead

        return self._read(count)

    # -- writing -----------------------------------------------------------------------------------------------

    def write(self, write: Write, *, durable: bool, give_up: bool) -> Future[None]:
        """See `central.ports.Store`."""
        if not write.expendable:
            return self._put(self._batch(write), durable=durable, give_up=give_up)
        count = len(write.sessions) + len(write.files)
        if not self._buffer.admit(count):
            return failed(Unavailable("too much waits for the store"))
        written = self._put(self._batch(write), durable=durable, give_up=give_up)
        written.add_done_callback(lambda _: self._buffer.release(count))
        return written

    def _batch(self, write: Write) -> Batch:
        batch = Batch(
            jobs={job.id: rows.job_row(job, self._sealed(job)) for job in write.jobs},
            sessions={record.id: rows.session_row(record) for record in write.sessions},
            files=[rows.file_values(record) for record in write.files],
            subscriptions={
                **{
                    subscription.id: {"id": subscription.id, "value": rows.subscription_value(subscription)}
                    for subscription in write.subscriptions
                },
                **dict.fromkeys(write.ended_subscriptions),
            },
            expiries={subscription.id: subscription.expires for subscription in write.subscriptions},
        )
        for happened, hearers in write.events:
            batch.events.append(rows.event_row(happened))
            batch.deliveries += [
                {
                    "event_id": happened.id,
                    "lane": subscription.observer.address,
                    "subscription": rows.subscription_value(subscription),
                    "created": happened.at,
                    "attempts": 0,
                    "next_at": 0.0,
                }
                for subscription in hearers
            ]
        return batch

    def _sealed(self, job: Job) -> bytes | None:
        """An ended job needs its secrets no more: they leave the store with it."""
        return None if job.over else self._seal.close(job.order.secrets())

    # -- validation --------------------------------------------------------------------------------------------

    def claim_files(
        self, wanted: FileTransferFilter, after: int, limit: int, claim: Claim
    ) -> Future[Found[FileRecord]]:
        """See `central.ports.Store`."""
        return self._work(lambda connection: validation.claim(connection, wanted, after, limit, claim))

    def report_files(self, reports: Sequence[Report], claim: Claim) -> Future[Sequence[Refusal]]:
        """See `central.ports.Store`."""
        return self._work(lambda connection: validation.report(connection, reports, claim))

    def release_files(self, now: float, limit: int, first_change: int) -> Future[tuple[int, float | None]]:
        """See `central.ports.Store`."""
        return self._work(lambda connection: validation.release(connection, now, limit, first_change))

    def sessions_in_validation(self, validator: str) -> Future[Sequence[str]]:
        """See `central.ports.Store`."""
        return chain(self.barrier(), lambda _: self._read(lambda c: validation.sessions(c, validator)))

    def _work(self, function: Callable[[Connection], T]) -> Future[T]:
        """Have the writer do this, durably, after everything written before."""
        results: list[T] = []
        done: Future[None] = Future()
        self._writer.put(
            Item(None, True, True, done, work=lambda connection: results.append(function(connection)))
        )
        return then(done, lambda _: results[-1])

    def barrier(self) -> Future[None]:
        """See `central.ports.Store`."""
        return self._put(None, durable=False, give_up=True)

    def _put(self, batch: Batch | None, *, durable: bool, give_up: bool) -> Future[None]:
        done: Future[None] = Future()
        self._writer.put(Item(batch, durable, give_up, done))
        return done

    # -- reading at the start ----------------------------------------------------------------------------------

    def open_jobs(self) -> Sequence[Job]:
        """See `central.ports.Store`."""
        wanted = select(schema.jobs).where(schema.jobs.c.ended.is_(None)).order_by(schema.jobs.c.created)
        with self._engine.connect() as connection:
            found = connection.execute(wanted).all()
        jobs = []
        for row in found:
            try:
                secrets = self._seal.open(row.sealed)
            except SealBroken as error:
                log.error("job %s goes on without its secrets: %s", row.id, error)
                secrets = {}
            jobs.append(rows.job_of(row, secrets))
        return jobs

    def recent_sessions(self, limit: int) -> tuple[Sequence[SessionRecord], int]:
        """See `central.ports.Store`. Sessions that have not ended are always among them."""
        table = schema.sessions
        with self._engine.connect() as connection:
            newest = connection.execute(select(table).order_by(table.c.change.desc()).limit(limit + 1)).all()
            watermark = newest[limit].change if len(newest) > limit else 0
            going = connection.execute(
                select(table).where(table.c.end_date.is_(None), table.c.change <= watermark)
            ).all()
        return [rows.session_of(row) for row in (*newest[:limit], *going)], watermark

    def subscriptions(self) -> Sequence[Subscription]:
        """See `central.ports.Store`."""
        with self._engine.connect() as connection:
            found = connection.execute(select(schema.subscriptions.c.value)).scalars().all()
        return [rows.subscription_of(value) for value in found]

    def high_marks(self) -> tuple[int, int]:
        """See `central.ports.Store`."""
        with self._engine.connect() as connection:
            of_sessions = connection.execute(select(func.max(schema.sessions.c.change))).scalar() or 0
            of_files = connection.execute(select(func.max(schema.files.c.change))).scalar() or 0
            local_id = connection.execute(select(func.max(schema.files.c.local_id))).scalar() or 0
        return max(of_sessions, of_files), local_id

    # -- reading -----------------------------------------------------------------------------------------------

    def job(self, job_id: str) -> Future[Job | None]:
        """See `central.ports.Store`."""

        def find(connection: Connection) -> Job | None:
            row = connection.execute(select(schema.jobs).where(schema.jobs.c.id == job_id)).one_or_none()
            return rows.job_of(row, {}) if row else None

        return self._read(find)

    def session(self, session_id: str) -> Future[SessionRecord | None]:
        """See `central.ports.Store`."""

        def find(connection: Connection) -> SessionRecord | None:
            wanted = select(schema.sessions).where(schema.sessions.c.id == session_id)
            row = connection.execute(wanted).one_or_none()
            return rows.session_of(row) if row else None

        return self._read(find)

    def sessions(
        self, wanted: SessionFilter, after: int, upto: int, limit: int, without: Sequence[str]
    ) -> Future[Found[SessionRecord]]:
        """See `central.ports.Store`."""
        return self._read(lambda c: queries.find_sessions(c, wanted, after, upto, limit, without))

    def files(
        self, wanted: FileTransferFilter, after: int, upto: int, limit: int
    ) -> Future[Found[FileRecord]]:
        """See `central.ports.Store`."""
        return self._read(lambda c: queries.find_files(c, wanted, after, upto, limit))

    def _read(self, function: Callable[[Connection], T]) -> Future[T]:
        result: Future[T] = Future()

        def work() -> None:
            try:
                with self._engine.connect() as connection:
                    found = function(connection)
            except SQLAlchemyError as error:
                log.error("the store cannot be read: %s", getattr(error, "orig", error))
                self._call_from_thread(result.set_exception, Unavailable("the store cannot be read"))
            except Exception as error:
                self._call_from_thread(result.set_exception, error)
            else:
                self._call_from_thread(result.set_result, found)

        self._readers.submit(work)
        return result

    # -- the outbox --------------------------------------------------------------------------------------------

    def lanes_due(self, now: float) -> Future[Sequence[str]]:
        """See `observers.outbox.Outbox`."""
        table = schema.deliveries
        heads = select(func.min(table.c.id)).where(table.c.dead.is_(None)).group_by(table.c.lane)
        wanted = select(table.c.lane).where(table.c.id.in_(heads), table.c.next_at <= now)
        return self._read(lambda connection: connection.execute(wanted).scalars().all())

    def due(self, lane: str, now: float, limit: int) -> Future[Sequence[Delivery]]:
        """See `observers.outbox.Outbox`."""
        table = schema.deliveries
        wanted = (
            select(table, schema.events)
            .join(schema.events, schema.events.c.id == table.c.event_id)
            .where(and_(table.c.lane == lane, table.c.dead.is_(None)))
            .order_by(table.c.id)
            .limit(limit)
            .set_label_style(LABEL_STYLE_TABLENAME_PLUS_COL)
        )

        def find(connection: Connection) -> Sequence[Delivery]:
            found = connection.execute(wanted).all()
            if not found or found[0].deliveries_next_at > now:
                return ()
            return [_delivery(row) for row in found]

        return self._read(find)

    def settle(
        self, delivered: Sequence[int], retry: Sequence[tuple[int, float]], dead: Sequence[tuple[int, str]]
    ) -> Future[None]:
        """See `observers.outbox.Outbox`."""
        batch = Batch(delivered=list(delivered), postponed=list(retry), dead=list(dead))
        return self._put(batch, durable=False, give_up=False)

    def dead_letters(self, observer: str | None, after: int, limit: int) -> Future[DeadLetters]:
        """See `central.ports.Store`."""
        return self._read(lambda connection: dead_letters.find(connection, observer, after, limit))

    def replay_dead_letters(self, observer: str | None, ids: Sequence[int], now: float) -> Future[int]:
        """See `central.ports.Store`."""
        return self._change(lambda connection: dead_letters.replay(connection, observer, ids, now))

    def drop_dead_letters(self, observer: str | None, ids: Sequence[int]) -> Future[int]:
        """See `central.ports.Store`."""
        return self._change(lambda connection: dead_letters.drop(connection, observer, ids))

    def _change(self, function: Callable[[Connection], T]) -> Future[T]:
        """A rare change on a reader's connection: what it counts cannot be asked of the writer."""

        def work(connection: Connection) -> T:
            with connection.begin():
                return function(connection)

        return self._read(work)

    # -- upkeep ------------------------------------------------------------------------------------------------

    def purge(self, before: float) -> Future[int]:
        """See `central.ports.Store`."""
        return self._read(lambda connection: purge(connection, before))

    def _prepare(self, path: Path | None) -> None:
        tables = inspect(self._engine).get_table_names()
        if tables and schema.meta.name not in tables:
            raise ValueError("it is the database of another program; move it away, or name another path")
        schema.metadata.create_all(self._engine)
        for table in schema.metadata.tables.values():
            for index in table.indexes:  # A store of an earlier version may lack some.
                index.create(self._engine, checkfirst=True)
        with self._engine.begin() as connection:
            value = connection.execute(
                select(schema.meta.c.value).where(schema.meta.c.name == "version")
            ).scalar()
            if value is None:
                connection.execute(schema.meta.insert().values(name="version", value=str(schema.VERSION)))
            elif value != str(schema.VERSION):
                raise ValueError(f"it has version {value}, this program knows version {schema.VERSION}")
        if path is None:
            return
        path.chmod(0o600)
        if self._options.compact:
            with self._engine.connect() as connection:
                _compact(_raw(connection))

    def _set_durable(self, connection: object, durable: bool) -> None:
        assert isinstance(connection, Connection)  # noqa: S101 - for the type checker
        level = "FULL" if durable else self._options.synchronous
        _raw(connection).execute(f"PRAGMA synchronous={level}")


def _compact(raw: sqlite3.Connection) -> None:
    """Give unused space back, where that is enough to be worth writing the whole file anew."""
    (unused,), (pages,) = (
        raw.execute(f"PRAGMA {name}").fetchone() for name in ("freelist_count", "page_count")
    )
    if unused > pages * WORTH_COMPACTING:
        raw.execute("VACUUM")


def _raw(connection: Connection) -> sqlite3.Connection:
    """The driver's connection, for what must not be inside a transaction."""
    raw = connection.connection.dbapi_connection
    assert isinstance(raw, sqlite3.Connection)  # noqa: S101 - for the type checker
    return raw


def _engine(path: Path | None, options: StoreOptions) -> Engine:
    # A name below / in SQLite's memdb is shared by all connections of this process, locks and all.
    place = path or f"file:/{uuid.uuid4()}?vfs=memdb&uri=true"
    engine = create_engine(f"sqlite:///{place}", connect_args={"timeout": 10.0})

    @event.listens_for(engine, "connect")
    def connected(raw: sqlite3.Connection, _record: object) -> None:
        raw.isolation_level = None  # Transactions begin where we say, not where the driver guesses.
        raw.execute(f"PRAGMA journal_mode={options.journal}")
        raw.execute(f"PRAGMA synchronous={options.synchronous}")
        raw.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
        raw.create_function("matches", 2, patterns.matches, deterministic=True)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # Who reads first and then writes must be the only writer from the start.
        writes = connection.get_execution_options().get(WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


class _Prefixed:
    """The columns of one table in a joined row."""

    def __init__(self, row: Any, prefix: str) -> None:
        self._row, self._prefix = row, prefix

    def __getattr__(self, name: str) -> Any:
        return getattr(self._row, self._prefix + name)


def _delivery(row: Any) -> Delivery:
    return Delivery(
        id=row.deliveries_id,
        lane=row.deliveries_lane,
        subscription=rows.subscription_of(row.deliveries_subscription),
        event=rows.event_of(_Prefixed(row, "events_")),
        attempts=row.deliveries_attempts,
        created=row.deliveries_created,
    )
