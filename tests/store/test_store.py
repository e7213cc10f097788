"""The store: what is acknowledged is there, a full disk is an error and no corruption, secrets are sealed."""

from __future__ import annotations

import os
import queue
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.central.errors import Unavailable
from asperacentral.central.job import Job
from asperacentral.central.model import Endpoint, Event, FileRecord, JobView, SessionRecord, Subscription
from asperacentral.central.order import Order, Secret
from asperacentral.central.order_reader import read_order
from asperacentral.central.ports import Write
from asperacentral.store import rows
from asperacentral.store.seal import Seal, SealBroken
from asperacentral.store.store import Store, StoreError, StoreOptions
from tests.central.world import order

T = TypeVar("T")


class Open:
    """A store whose futures are completed when the test waits for one."""

    def __init__(self, folder: Path, *, in_memory: bool = False, options: StoreOptions | None = None) -> None:
        self.folder = folder
        self.calls: queue.Queue[tuple[Callable[..., object], tuple[Any, ...]]] = queue.Queue()
        self.store = Store(
            None if in_memory else folder / "s.db",
            folder / "key",
            lambda f, *a: self.calls.put((f, a)),
            options,
        )

    def wait(self, future: Future[T]) -> T:
        while not future.done():
            function, args = self.calls.get(timeout=10)
            function(*args)
        return future.result()

    def write(self, *, give_up: bool = False, **what: Any) -> None:
        self.wait(self.store.write(Write(**what), durable=True, give_up=give_up))


def a_job(name: str = "j") -> Job:
    return Job(name, read_order(order()).order, 1.0)


def a_session(name: str = "s", change: int = 1, **values: Any) -> SessionRecord:
    return SessionRecord(id=name, start_date=1.0, change=change, **values)


def a_file(number: int, path: str = "/a", *, local_id: int = 0) -> FileRecord:
    return FileRecord("s", path, local_id or number, f"{number:08x}", 1.0, change=number)


def a_subscription(name: str = "sub", address: str = "http://o/") -> Subscription:
    return Subscription(name, "job", "0", Endpoint(address, "act"), Endpoint("http://n/"), ("Started",), 99.0)


def test_values_come_back_as_they_were(opened: Open) -> None:
    job = a_job()
    session = a_session(cookie="c", bytes_written=2**60, current_file=SessionRecord("x", 0.0).current_file)
    opened.write(jobs=(job,), sessions=(session,), subscriptions=(a_subscription(),))
    assert opened.store.open_jobs() == [job]
    assert opened.wait(opened.store.session("s")) == session
    assert opened.store.subscriptions() == [a_subscription()]
    opened.write(ended_subscriptions=("sub",), sessions=(a_session(change=7),), files=(a_file(3),))
    assert opened.store.subscriptions() == []
    assert opened.store.high_marks() == (7, 3)


def test_the_last_of_several_writes_wins(opened: Open) -> None:
    for status in ("running", "paused", "completed"):
        last = opened.store.write(Write(sessions=(a_session(status=status),)), durable=False, give_up=False)
    opened.wait(last)
    found = opened.wait(opened.store.session("s"))
    assert found is not None
    assert found.status == "completed"


def test_file_names_that_are_no_text_are_kept_readable(opened: Open) -> None:
    name = os.fsdecode(b"/a/\xff\xfe.bin")
    opened.write(files=(a_file(1, name), a_file(2, "/b\n\x01")))
    from asperacentral.central.query import FileTransferFilter

    found = opened.wait(opened.store.files(FileTransferFilter(), 0, 9, 10))
    assert ([file.path for file in found.items], found.more) == (["/a/\\xff\\xfe.bin", "/b\n\x01"], 0)


def test_a_file_that_is_told_again_stays_one_file(opened: Open) -> None:
    from asperacentral.central.query import FileTransferFilter

    opened.write(files=(a_file(1),))
    opened.write(files=(a_file(1, "/a", local_id=9),))
    found = opened.wait(opened.store.files(FileTransferFilter(), 0, 99, 10)).items
    assert [file.local_id for file in found] == [1]


def test_deliveries_wait_in_order_and_leave_with_their_event(opened: Open) -> None:
    view = JobView("j", Order("Push"), "s", 0)
    one, two = a_subscription("one", "http://1/"), a_subscription("two", "http://2/")
    for number in range(3):
        event = Event(f"e{number}", "job", "Started", "j", 5.0, view)
        opened.write(events=((event, (one, two)),))
    lanes = opened.wait(opened.store.lanes_due(10.0))
    assert sorted(lanes) == ["http://1/", "http://2/"]
    due = opened.wait(opened.store.due("http://1/", 10.0, 2))
    assert [(d.event.id, d.event.snapshot, d.subscription, d.attempts) for d in due] == [
        ("e0", view, one, 0),
        ("e1", view, one, 0),
    ]
    opened.wait(opened.store.settle([due[0].id], [(due[1].id, 50.0)], []))
    assert opened.wait(opened.store.lanes_due(10.0)) == ["http://2/"]
    assert opened.wait(opened.store.due("http://1/", 10.0, 2)) == ()
    later = opened.wait(opened.store.due("http://1/", 60.0, 2))
    assert [(d.event.id, d.attempts) for d in later] == [("e1", 1), ("e2", 0)]
    opened.wait(opened.store.settle([d.id for d in later], [], []))
    of_two = opened.wait(opened.store.due("http://2/", 10.0, 9))
    assert [d.event.id for d in of_two] == ["e0", "e1", "e2"]
    opened.wait(opened.store.settle([of_two[0].id], [], [(of_two[1].id, "too old")]))
    assert [d.event.id for d in opened.wait(opened.store.due("http://2/", 10.0, 9))] == ["e2"]
    raw = sqlite3.connect(opened.folder / "s.db")
    assert raw.execute("select id from events order by id").fetchall() == [("e1",), ("e2",)]
    assert raw.execute("select dead from deliveries where dead is not null").fetchall() == [("too old",)]
    raw.close()


def fill(opened: Open) -> Callable[[], None]:
    """Make the disk full for the writer, as SQLite sees it; returns how to make room again."""
    limits: list[str] = []

    def limit(connection: object, durable: bool) -> None:
        plain(connection, durable)
        raw = connection.connection.dbapi_connection  # type: ignore[attr-defined]
        raw.execute(f"PRAGMA max_page_count={1 if not limits else 2**30}")

    plain = opened.store._writer._set_durable
    opened.store._writer._set_durable = limit
    opened.store._writer._retry_interval = 0.01
    return lambda: limits.append("room")


def test_with_a_full_disk_an_order_is_refused_and_the_rest_waits_for_room(opened: Open) -> None:
    make_room = fill(opened)
    files = tuple(a_file(number, "/" + "x" * 3000) for number in range(50))
    waiting = opened.store.write(Write(files=files), durable=False, give_up=False)
    with pytest.raises(Unavailable, match="full"):
        opened.write(jobs=tuple(a_job(f"j{n}") for n in range(50)), give_up=True)
    assert not waiting.done()
    opened.wait(opened.store.barrier())
    make_room()
    opened.wait(waiting)
    assert opened.store.high_marks() == (49, 49)
    assert opened.store.open_jobs() == []
    raw = sqlite3.connect(opened.folder / "s.db")
    assert raw.execute("pragma integrity_check").fetchone() == ("ok",)
    raw.close()


def test_a_value_that_can_never_be_written_does_not_hold_up_the_others(opened: Open) -> None:
    bad = opened.store.write(Write(files=(a_file(1), a_file(2, local_id=1))), durable=False, give_up=False)
    good = opened.store.write(Write(sessions=(a_session(),)), durable=False, give_up=False)
    opened.wait(good)
    with pytest.raises(Unavailable):
        opened.wait(bad)
    assert opened.wait(opened.store.session("s")) is not None


def test_sealed_secrets_open_only_with_their_key(tmp_path: Path) -> None:
    seal = Seal(tmp_path / "one")
    assert (tmp_path / "one").stat().st_mode & 0o777 == 0o600
    sealed = seal.close({"password": "geheim"})
    assert sealed is not None
    assert b"geheim" not in sealed
    assert Seal(tmp_path / "one").open(sealed) == {"password": "geheim"}
    assert (seal.close({}), seal.open(None)) == (None, {})
    with pytest.raises(SealBroken):
        Seal(tmp_path / "two").open(sealed)


def test_a_store_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    (tmp_path / "s.db").write_bytes(b"this is no database, but it is long enough to look like one" * 50)
    with pytest.raises(StoreError, match="not a database"):
        Store(tmp_path / "s.db", tmp_path / "key", print)
    foreign = sqlite3.connect(tmp_path / "theirs.db")
    foreign.execute("create table sessions (id integer)")
    foreign.commit()
    foreign.close()
    with pytest.raises(StoreError, match="another program"):
        Store(tmp_path / "theirs.db", tmp_path / "key", print)
    made = Open(tmp_path / "other")
    made.store.close()
    raw = sqlite3.connect(tmp_path / "other" / "s.db")
    raw.execute("update meta set value = '99'")
    raw.commit()
    raw.close()
    with pytest.raises(StoreError, match="version 99"):
        Open(tmp_path / "other")


def test_a_store_in_memory_works_as_one_in_a_file_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made, other = (Open(tmp_path / name, in_memory=True) for name in ("a", "b"))
    writes = [
        made.store.write(Write(sessions=(a_session(f"s{n}", n + 1),)), durable=True, give_up=False)
        for n in range(200)
    ]
    reads = [made.store.session(f"s{n}") for n in range(200)]
    made.write(jobs=(a_job(),))
    assert all(made.wait(written) is None for written in writes)
    assert {found.id for found in map(made.wait, reads) if found} <= {f"s{n}" for n in range(200)}
    assert made.store.open_jobs() == [a_job()]
    assert made.store.high_marks() == (200, 0)
    assert other.store.open_jobs() == []
    made.store.close()
    other.store.close()
    assert list(tmp_path.iterdir()) == []


def test_the_store_is_for_its_owner_alone(opened: Open) -> None:
    assert (opened.folder / "s.db").stat().st_mode & 0o777 == 0o600


WRITES_UNTIL_KILLED = """
    import sys
    from pathlib import Path
    from tests.store.test_store import Open, a_job
    opened = Open(Path(sys.argv[1]))
    number = 0
    while True:
        opened.write(jobs=(a_job(f"j{number}"),), give_up=True)
        print(number, flush=True)
        number += 1
"""


def test_what_was_acknowledged_is_there_after_a_kill(tmp_path: Path) -> None:
    for round_ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WRITES_UNTIL_KILLED), str(tmp_path / str(round_))],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(0.05 * round_)
        writer.send_signal(signal.SIGKILL)
        acknowledged = [0, *map(int, writer.stdout.read().split())]
        writer.wait()
        again = Open(tmp_path / str(round_))
        assert {f"j{number}" for number in acknowledged} <= {job.id for job in again.store.open_jobs()}
        again.store.close()


texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20)


@given(texts, texts, st.lists(texts, max_size=3), st.integers(0, 2**32))
def test_an_order_without_its_secrets_survives_being_stored(
    agent: str, secret: str, paths: list[str], rate: int
) -> None:
    plain = Order("Pull", agent=agent, token=Secret(secret))
    local = type(plain.local)(paths=tuple(paths))
    stored = Order(
        "Pull", agent=agent, local=local, rate=type(plain.rate)(target_rate=rate), token=Secret(secret)
    )
    assert rows.order_of(rows.order_value(stored)) == stored.without_secrets()
