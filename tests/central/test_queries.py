"""The reliable query: filters, pages, and a position in the stream of changes that misses and repeats nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asperacentral.central import sessions as sessions_room
from asperacentral.central.errors import FilterChanged, InvalidValue
from asperacentral.central.query import CURRENT_POSITION, FileTransferFilter, SessionFilter
from asperacentral.fasp.management import MessageType as M
from tests.central.world import World
from tests.promptness import prompt


def ids(world: World, **criteria: object) -> list[str]:
    page = world.result(world.central.query_sessions(SessionFilter(**criteria)))  # type: ignore[arg-type]
    return [record.id for record in page.items]


def test_an_empty_filter_matches_everything_in_the_order_of_change(world: World) -> None:
    world.submit()
    first = world.session_id
    world.submit()
    second = world.session_id
    assert ids(world) == [first, second]
    world.central.runner.session_launched(first, 1)
    world.transfers.launched.reverse()
    world.says(M.STATS, TransferBytes=1)
    assert ids(world) == [second, first]


def test_values_of_a_criterion_are_alternatives_and_criteria_add_up(world: World) -> None:
    jobs = [world.submit(cookie=f"c{n % 2}") for n in range(4)]
    sessions = [launched.user_str for launched in world.transfers.launched]
    assert ids(world, job_id=(jobs[0], jobs[3])) == [sessions[0], sessions[3]]
    assert ids(world, cookie=("c1",)) == [sessions[1], sessions[3]]
    assert ids(world, cookie=("c1",), job_id=(jobs[0],)) == []
    assert ids(world, session_uuid=(sessions[2],)) == [sessions[2]]
    assert ids(world, session_status=("RUNNING",), direction="Outgoing") == sessions
    assert ids(world, session_status=("completed", "error")) == []
    assert ids(world, max_session_start_date=1.0) == []


def test_only_the_last_session_of_each_job_when_asked(world: World) -> None:
    world.submit()
    world.fails()
    world.advance(10)
    assert len(ids(world)) == 2
    assert ids(world, last_session_only=True) == [world.session_id]


def test_pages_follow_each_other_and_later_give_what_changed(world: World) -> None:
    for _ in range(5):
        world.submit()
    sessions = [launched.user_str for launched in world.transfers.launched]
    seen: list[str] = []
    token, remaining = None, [3, 1, 0]
    for left in remaining:
        page = world.result(world.central.query_sessions(SessionFilter(token, 2)))
        assert page.remaining == left
        seen += [record.id for record in page.items]
        token = page.iteration_token
    assert seen == sessions
    assert ids(world, iteration_token=token) == []
    world.completes()
    assert ids(world, iteration_token=token) == [world.session_id]
    assert ids(world, iteration_token=CURRENT_POSITION) == []


def test_a_token_belongs_to_its_filter(world: World) -> None:
    world.submit()
    token = world.result(world.central.query_sessions(SessionFilter(cookie=("c",)))).iteration_token
    assert ids(world, iteration_token=token, cookie=("c",), max_results=3) == []
    with pytest.raises(FilterChanged):
        ids(world, iteration_token=token, cookie=("d",))
    for broken in ("x", "AAAA", "é", token[:-8]):
        with pytest.raises((InvalidValue, FilterChanged)):
            ids(world, iteration_token=broken, cookie=("c",))


@pytest.mark.parametrize("in_memory", [True, False], ids=["in memory", "in the store"])
def test_cookies_and_file_names_are_found_by_regular_expression(world: World, in_memory: bool) -> None:
    if not in_memory:
        world.central._table._recent = 0
    world.submit(cookie="reel-007")
    world.says(M.FILEERROR, File="/data/a.mov", Code=4)
    world.says(M.FILEERROR, File="/data/b.wav", Code=4)
    world.completes()
    session = world.session_id
    assert ids(world, cookie_filter=r"^reel-\d{3}$") == [session]
    assert ids(world, cookie_filter="el-0") == [session]
    assert ids(world, cookie_filter="^el-0") == []
    page = world.result(
        world.central.query_files(FileTransferFilter(filename_filter=r"\.mov$", cookie_filter="reel"))
    )
    assert [file.path for file in page.items] == ["/data/a.mov"]


def test_a_pattern_that_would_hang_other_engines_is_matched_at_once(world: World) -> None:
    world.submit(cookie="a" * 5000)
    assert prompt(lambda: ids(world, cookie_filter="(a+)+$|(a|aa)+b|(.*)*x"), 0.5) == [world.session_id]


@pytest.mark.parametrize("pattern", ["(", "a{99999}", "(?P<x>a)(?P=x)", "x" * 1001])
def test_a_pattern_that_cannot_be_used_is_refused_with_its_reason(world: World, pattern: str) -> None:
    with pytest.raises(InvalidValue, match="CookieFilter: "):
        ids(world, cookie_filter=pattern)
    with pytest.raises(InvalidValue, match="FilenameFilter: "):
        world.result(world.central.query_files(FileTransferFilter(filename_filter=pattern)))


def test_files_in_flight_and_ended_ones_are_one_list(world: World) -> None:
    job_id = world.submit()
    world.says(M.SESSION)
    world.says(M.START, File="/data/a", Size=10)
    world.says(M.STOP, File="/data/a", Size=10, Written=10)
    world.says(M.START, File="/data/b", Size=7)
    page = world.result(world.central.query_files(FileTransferFilter(job_id=(job_id,))))
    assert [(file.path, file.status, file.size) for file in page.items] == [
        ("/data/a", "completed", 10),
        ("/data/b", "running", 7),
    ]
    done = world.result(world.central.query_files(FileTransferFilter(transfer_status=("completed",))))
    assert [file.path for file in done.items] == ["/data/a"]
    assert world.result(world.central.query_files(FileTransferFilter(job_id=("none",)))).items == ()


def test_info_gives_sessions_and_files_and_sessions_without_files_too(world: World) -> None:
    job_id = world.submit()
    info = world.result(world.central.query_info(FileTransferFilter(job_id=(job_id,))))
    assert ([s.id for s in info.sessions], info.files) == ([world.session_id], ())
    world.says(M.START, File="/data/a", Size=10)
    info = world.result(world.central.query_info(FileTransferFilter(job_id=(job_id,))))
    assert (len(info.sessions), [file.path for file in info.files]) == (1, ["/data/a"])
    by_file = world.result(world.central.query_info(FileTransferFilter(filepath=("/data/a",))))
    assert ([s.id for s in by_file.sessions], len(by_file.files)) == ([world.session_id], 1)
    none = world.result(world.central.query_info(FileTransferFilter(filepath=("/data/z",))))
    assert (none.sessions, none.files) == ((), ())


def test_a_session_whose_latest_change_was_lost_in_a_crash_is_seen_again(world: World) -> None:
    world.submit()
    first = world.session_id
    world.submit()
    second = world.session_id
    world.transfers.launched.reverse()
    world.says(M.STATS, TransferBytes=1)
    page = world.result(world.central.query_sessions(SessionFilter(None, 1)))
    assert [record.id for record in page.items] == [second]
    world.restart()
    assert first in ids(world, iteration_token=page.iteration_token)


steps = st.lists(
    st.sampled_from(["submit", "stats", "complete", "fail", "page", "page", "restart", "wait"]), max_size=25
)


@settings(max_examples=25, deadline=None)
@given(steps, st.integers(1, 3))
def test_whoever_pages_while_sessions_change_ends_up_with_the_truth(done: list[str], page_size: int) -> None:
    """A client that pages on and on has, after the last page, the latest state of every session."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        # Few recent sessions in memory, so that most pages come from the store.
        patch.setattr(sessions_room, "RECENT", 2)
        world = World(Path(folder))
        world.central._table._recent = 2
        try:
            known: dict[str, str] = {}
            token: str | None = None

            def page() -> int:
                nonlocal token
                got = world.result(world.central.query_sessions(SessionFilter(token, page_size)))
                known.update({record.id: record.status for record in got.items})
                token = got.iteration_token
                return got.remaining

            for step in done:
                running = {launched.user_str: launched for launched in world.transfers.launched}
                live = [key for key in world.central.runner.sessions if key in running]
                if step == "submit":
                    world.submit(retries=1)
                elif step == "page":
                    page()
                elif step == "wait":
                    world.advance(20)
                elif step == "restart":
                    before = world.transfers.launched
                    world.restart()
                    world.central._table._recent = 2
                    world.transfers.launched = before
                elif live:
                    world.transfers.launched.append(running[live[0]])
                    {
                        "stats": lambda: world.says(M.STATS, TransferBytes=1),
                        "complete": world.completes,
                        "fail": world.fails,
                    }[step]()
            while page():
                pass
            everything = {launched.user_str for launched in world.transfers.launched}
            truth = {key: world.result(world.central.query_session(key)).status for key in everything}
            assert {key: known.get(key) for key in truth} == truth
        finally:
            world.close()


@pytest.mark.parametrize("in_memory", [True, False], ids=["from memory", "from the store"])
def test_every_criterion_means_the_same_in_memory_and_in_the_store(world: World, in_memory: bool) -> None:
    if not in_memory:
        world.central._table._recent = 0
    world.submit(cookie="one")
    world.says(M.SESSION, LocalIP="127.0.0.5", User="anna")
    world.completes()
    first, begun = world.session_id, world.clock.seconds()
    world.advance(100)
    world.submit(cookie="two", retries=0)
    world.fails(19)
    second = world.session_id
    assert (world.central._table.watermark > 0) is not in_memory
    for criteria, expected in (
        ({}, [first, second]),
        ({"client_address": ("127.0.0.5",)}, [first]),
        ({"server_address": ("localhost",)}, []),
        ({"user": ("anna", "bert")}, [first]),
        ({"session_status": ("error",)}, [second]),
        ({"min_session_start_date": begun + 50}, [second]),
        ({"max_session_start_date": begun + 50}, [first]),
        ({"min_session_end_date": begun - 1, "max_session_end_date": begun + 1}, [first]),
        ({"direction": "incoming"}, []),
        ({"direction": "outgoing", "cookie": ("two",)}, [second]),
        ({"last_session_only": True}, [first, second]),
        ({"max_results": 1}, [first]),
    ):
        assert ids(world, **criteria) == expected, criteria


def test_file_criteria_are_looked_up_in_the_store(world: World) -> None:
    world.submit()
    world.says(M.START, File="/data/a", Size=10)
    world.says(M.STOP, File="/data/a", Size=10, Written=10)
    now = world.clock.seconds()
    world.advance(10)
    world.says(M.FILEERROR, File="/data/b", Code=4, Description="none")
    for criteria, expected in (
        ({"transfer_id": (1,)}, ["/data/a"]),
        ({"filepath": ("/data/b", "/data/c")}, ["/data/b"]),
        ({"transfer_status": ("Error",)}, ["/data/b"]),
        ({"max_transfer_end_date": now}, ["/data/a"]),
        ({"min_transfer_start_date": now + 1}, ["/data/b"]),
        ({"direction": "incoming"}, []),
        ({"max_results": 1}, ["/data/a"]),
    ):
        page = world.result(world.central.query_files(FileTransferFilter(**criteria)))
        assert [file.path for file in page.items] == expected, criteria


def test_the_version_grows_with_everything_that_a_query_could_show(world: World) -> None:
    version = world.central.version()

    def grows(happening: object) -> None:
        nonlocal version
        assert world.central.version() > version, happening
        version = world.central.version()

    world.submit()
    grows("a session")
    for message in (M.SESSION, M.NOTIFICATION, M.STATS, M.START, M.STOP, M.FILEERROR, M.DONE):
        world.says(message, File="/data/a")
        grows(message)
    world.ends(exit_status=0)
    grows("an end")
    world.advance(100)
    assert world.central.version() == version
    world.result(world.central.purge(50))
    grows("a purge")
