"""Finding pages in a large store: the same answers by every way of finding them, and none of them reads it all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, event

from asperacentral.central.model import FileRecord, SessionRecord
from asperacentral.central.ports import Found
from asperacentral.central.query import FileTransferFilter, SessionFilter, matches_file, session_matcher
from asperacentral.store import paging, queries, schema
from tests.store.test_store import Open

WORDS = ("a", "b", "c")
EVER = 2**62


def _changes(count: int, spacing: int) -> list[int]:
    return [(1 + number) * spacing * 1_000_000 for number in range(count)]


@st.composite
def stores(draw: st.DrawFn) -> tuple[list[SessionRecord], list[FileRecord]]:
    """A few sessions and their files, as dense in every criterion as to make all ways of finding them likely."""
    word = st.sampled_from(WORDS)
    sessions = [
        SessionRecord(
            id=f"s{number}",
            job_id=f"j{number // 2}",
            job_retry_count=number % 2,
            start_date=change / 1e6 - draw(st.integers(0, 3)),
            end_date=change / 1e6,
            status=draw(word),
            cookie=draw(word),
            user=draw(word),
            direction=draw(st.sampled_from(["incoming", "outgoing"])),
            change=change,
        )
        for number, change in enumerate(_changes(draw(st.integers(0, 8)), 3))
    ]
    files = []
    for number, change in enumerate(_changes(draw(st.integers(0, 25)), 1)):
        start = change / 1e6 - draw(st.integers(0, 3))
        owners = [record.id for record in sessions if record.start_date <= start]
        files.append(
            FileRecord(
                session_id=draw(st.sampled_from(owners or ["gone"])),
                path=f"/{draw(word)}",
                local_id=number + 1,
                id=f"{number:08x}",
                start_date=start,
                end_date=change / 1e6,
                status=draw(word),
                change=change,
            )
        )
    return sessions, files


def some(values: tuple[Any, ...]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.just(()) | st.lists(st.sampled_from(values), max_size=2, unique=True).map(tuple)


dates = st.none() | st.integers(0, 30).map(float)
session_criteria: dict[str, st.SearchStrategy[Any]] = {
    "session_uuid": some(("s0", "s1", "s2", "nobody's")),
    "session_status": some(WORDS),
    "cookie": some(WORDS),
    "cookie_filter": st.none() | st.sampled_from(["a|b", "z"]),
    "job_id": some(("j0", "j1", "j9")),
    "direction": st.none() | st.just("incoming"),
    "min_session_start_date": dates,
    "min_session_end_date": dates,
    "max_session_end_date": dates,
    "user": some(WORDS),
}
file_criteria = {
    **session_criteria,
    "transfer_id": some((1, 2, 99)),
    "transfer_status": some(WORDS),
    "filepath": some(("/a", "/b", "/z")),
    "filename_filter": st.none() | st.sampled_from(["a|b", "z"]),
    "min_transfer_end_date": dates,
    "max_transfer_start_date": dates,
}


def few_of(criteria: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """At most three criteria at a time: more would hardly ever leave anything to find."""
    names = st.lists(st.sampled_from(sorted(criteria)), max_size=3, unique=True)
    return names.flatmap(lambda chosen: st.fixed_dictionaries({name: criteria[name] for name in chosen}))


@pytest.fixture(scope="module")
def reused(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    made = Open(tmp_path_factory.mktemp("paging"), in_memory=True)
    yield made
    made.store.close()


def refill(opened: Open, sessions: list[SessionRecord], files: list[FileRecord]) -> None:
    with opened.store._engine.begin() as connection:
        for table in (schema.sessions, schema.files):
            connection.execute(table.delete())
    opened.write(sessions=tuple(sessions), files=tuple(files))


def all_pages(ask: Callable[[int], Found[Any]]) -> list[Any]:
    """Everything, page by page; each page says truly whether there is more, and where to go on."""
    found: list[Any] = []
    after = 0
    while True:
        page = ask(after)
        found += page.items
        assert page.reached > after
        after = page.reached
        if not page.more:
            assert after == EVER
            return found


@settings(max_examples=150, deadline=None)
@given(stores(), few_of(file_criteria), st.integers(1, 4), st.sampled_from([0, 2, 100]))
def test_every_way_of_finding_gives_what_the_filter_says(
    reused: Open,
    kept: tuple[list[SessionRecord], list[FileRecord]],
    criteria: dict[str, Any],
    limit: int,
    few: int,
) -> None:
    sessions, files = kept
    wanted = FileTransferFilter(**criteria)
    matches = session_matcher(wanted)
    owned = {record.id for record in sessions if matches(record)}
    only_files = all(criteria.get(name) in (None, ()) for name in session_criteria)
    expected = [
        file for file in files if (only_files or file.session_id in owned) and matches_file(wanted, file)
    ]
    of_sessions = {name: value for name, value in criteria.items() if name in session_criteria}
    refill(reused, sessions, files)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (
            ("FEW", few),
            ("FEW_OWNERS", few),
            ("MATCHED", 5),
            ("COUNTED", 3),
            ("COUNTED_DEARLY", 2),
        ):
            patch.setattr(paging, name, value)
        read = reused.store
        assert all_pages(lambda after: reused.wait(read.files(wanted, after, EVER, limit))) == expected
        asked = SessionFilter(**of_sessions)
        found = all_pages(lambda after: reused.wait(read.sessions(asked, after, EVER, limit, ("s1",))))
        assert found == [record for record in sessions if record.id in owned and record.id != "s1"]


def test_what_follows_a_page_is_counted_while_it_is_little(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "COUNTED", 10)
    files = tuple(
        FileRecord("s", "/a", number, f"{number:08x}", 1.0, change=number) for number in range(1, 31)
    )
    opened.write(files=files)

    def more(after: int) -> int:
        return opened.wait(opened.store.files(FileTransferFilter(), after, EVER, 5)).more

    assert [more(after) for after in (0, 15, 20, 25)] == [11, 11, 5, 0]


HOT: dict[str, FileTransferFilter] = {
    "all": FileTransferFilter(),
    "of a session": FileTransferFilter(session_uuid=("s",)),
    "of a job": FileTransferFilter(job_id=("j",)),
    "by status": FileTransferFilter(transfer_status=("completed",)),
    "by path": FileTransferFilter(filepath=("/a", "/b")),
    "by number": FileTransferFilter(transfer_id=(1,)),
    "by date": FileTransferFilter(min_transfer_end_date=1.0, max_transfer_end_date=2.0),
    "by the session's status": FileTransferFilter(session_status=("completed",)),
    "by name": FileTransferFilter(filename_filter="x"),
}


@pytest.mark.parametrize("name", HOT)
@pytest.mark.parametrize("few", [0, 100])
def test_no_question_reads_or_sorts_the_whole_table_of_files(
    opened: Open, name: str, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "FEW", few)
    monkeypatch.setattr(paging, "FEW_OWNERS", few)
    opened.write(
        sessions=tuple(
            SessionRecord(f"s{number}", 1.0, job_id="j", status="completed") for number in range(3)
        ),
        files=tuple(
            FileRecord(
                "s1", "/a", number, f"{number:08x}", 1.0, "completed", end_date=1.5, change=2_000_000 + number
            )
            for number in range(1, 300)
        ),
    )
    with opened.store._engine.connect() as connection:
        plans = _plans(connection, lambda: queries.find_files(connection, HOT[name], 0, EVER, 10))
    assert plans
    for plan in plans:
        assert not any(step == "SCAN files" or step.startswith("SCAN files USING") for step in plan), plan
        # What is sorted are the few rows that were gathered, and the sessions.
        if any("files_change" in step for step in plan):
            assert "USE TEMP B-TREE FOR ORDER BY" not in plan, plan


def _plans(connection: Connection, ask: Callable[[], object]) -> list[list[str]]:
    """How SQLite carries out each statement of a question."""
    asked: list[tuple[str, Any]] = []

    def remember(_c: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        asked.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", remember)
    ask()
    event.remove(connection, "before_cursor_execute", remember)
    return [
        [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
        for statement, parameters in asked
    ]
