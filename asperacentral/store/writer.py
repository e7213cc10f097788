"""The writer thread: takes what is to be written in the order it comes, and commits as much as there is at once.

A caller's future completes after the commit that holds its rows. Where a commit fails for a reason that may go
away (a full disk, a lock), what must not be lost waits and is tried again; what may fail, fails at once.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from asperacentral.central.errors import Unavailable
from asperacentral.store.batch import Batch

log = logging.getLogger(__name__)

MAX_BATCH = 2_000
RETRY_INTERVAL = 0.5
"""Seconds until a failed commit is tried again."""

WRITES = "asperacentral_writes"
"""The option of a connection whose transaction is to take the lock for writing when it begins."""

FromThread = Callable[..., object]

Measure = Callable[[float, bool], None]
"""Is told, in the writer's thread, the seconds of each commit and whether it went well."""


@dataclass(slots=True)
class Item:
    """One caller's rows. `durable`: synced to disk when done. `give_up`: fails rather than waits.

    `batch` is None for a barrier, which only wants to know that everything before it has been tried. `work` is done
    after it, with everything before written, in the same transaction; more than once if a commit fails.
    """

    batch: Batch | None
    durable: bool
    give_up: bool
    done: Future[None]
    work: Callable[[Connection], None] | None = None


class Writer:
    """Writes items to `engine` in its own thread; futures are completed through `call_from_thread`.

    So is `on_failure` called, when a commit fails after one that did not.
    """

    def __init__(
        self,
        engine: Engine,
        call_from_thread: FromThread,
        set_durable: Callable[[object, bool], None],
        *,
        on_failure: Callable[[], None] | None = None,
        measure: Measure | None = None,
        retry_interval: float = RETRY_INTERVAL,
    ) -> None:
        self._engine = engine
        self._call_from_thread = call_from_thread
        self._set_durable = set_durable
        self._on_failure = on_failure
        self._measure = measure
        self._retry_interval = retry_interval
        self._queue: queue.Queue[Item | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._closing = False
        self._failing = False

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, item: Item) -> None:
        """Write this after everything put before."""
        self._queue.put(item)

    @property
    def failing(self) -> bool:
        """Whether the latest commit failed for a reason that may go away."""
        return self._failing

    def waiting(self) -> int:
        """How many items wait for the thread."""
        return self._queue.qsize()

    def close(self, timeout: float) -> bool:
        """Write what is queued and end the thread, within `timeout` seconds; False if that was too short."""
        self._closing = True
        self._queue.put(None)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        open_still = True
        while open_still:
            items: list[Item] = []
            first = self._queue.get()
            while first is not None:
                items.append(first)
                if len(items) >= MAX_BATCH:
                    break
                try:
                    first = self._queue.get_nowait()
                except queue.Empty:
                    break
            else:
                open_still = False
            self._write(items)

    def _write(self, items: list[Item]) -> None:
        while items:
            try:
                self._commit(items)
            except OperationalError as error:
                items = self._failed(items, error)
            except Exception as error:  # A row that can never be written must not hold up the others.
                if len(items) == 1:
                    log.error("a write was lost: %s", _short(error))
                    self._fail(items[0], "the store refused the values")
                    return
                for item in items:
                    self._write([item])
                return
            else:
                if self._failing:
                    self._failing = False
                    log.info("the store can be written again")
                for item in items:
                    self._call_from_thread(_complete, item.done)
                return

    def _commit(self, items: list[Item]) -> None:
        began, well = time.perf_counter(), False
        try:
            self._transact(items)
            well = True
        finally:
            if self._measure is not None:
                self._measure(time.perf_counter() - began, well)

    def _transact(self, items: list[Item]) -> None:
        with self._engine.connect() as connection:
            connection.execution_options(**{WRITES: any(item.work is not None for item in items)})
            self._set_durable(connection, any(item.durable for item in items))
            with connection.begin():
                batch = Batch()
                for item in items:
                    if item.batch is not None:
                        batch.add(item.batch)
                    if item.work is not None:
                        batch.execute(connection)
                        batch = Batch()
                        item.work(connection)
                batch.execute(connection)

    def _failed(self, items: list[Item], error: OperationalError) -> list[Item]:
        """Tell who would rather know than wait; the others are what is left to write, after a pause."""
        if not self._failing:
            self._failing = True
            log.error("the store cannot be written, trying again: %s", _short(error))
            if self._on_failure is not None:
                self._call_from_thread(self._on_failure)
        left = []
        for item in items:
            if item.batch is None and item.work is None:
                self._call_from_thread(_complete, item.done)
            elif item.give_up:
                self._fail(item, f"the store cannot be written: {_short(error)}")
            else:
                left.append(item)
        if self._closing:
            log.error("%d writes are lost with the end of the daemon", len(left))
            return []
        time.sleep(self._retry_interval)
        while True:  # Newcomers that may fail must not wait behind what cannot be written now.
            try:
                newcomer = self._queue.get_nowait()
            except queue.Empty:
                return left
            if newcomer is None:
                self._queue.put(None)
                return left
            left.append(newcomer)

    def _fail(self, item: Item, reason: str) -> None:
        self._call_from_thread(_refuse, item.done, Unavailable(reason))


def _complete(future: Future[None]) -> None:
    future.set_result(None)


def _refuse(future: Future[None], error: Exception) -> None:
    future.set_exception(error)


def _short(error: Exception) -> str:
    """The database's own words, without statement and values: those may hold what is nobody's business."""
    original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return f"{type(original).__name__}: {str(original).splitlines()[0] if str(original) else ''}"[:300]
