"""Feeds: whoever follows one knows, after each step, what the filter finds now. Real rules, real store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asperacentral.central.errors import InvalidValue
from asperacentral.central.query import SessionFilter
from asperacentral.console import feed
from asperacentral.console.feed import Feed, JobFeed, Marks, SessionFeed
from asperacentral.fasp.management import MessageType as M
from tests.central.world import World


def events(data: bytes) -> Iterator[tuple[str, Any]]:
    for block in data.decode().split("\n\n")[:-1]:
        name, _, value = block.partition("\ndata: ")
        yield name.removeprefix("event: "), json.loads(value)


class Follower:
    """What a page knows: records by id."""

    def __init__(self, world: World, followed: Feed, name: str, key: str) -> None:
        self.world, self.feed, self.name, self.key = world, followed, name, key
        self.known: dict[str, Any] = {}
        self.whole = False
        self.steps = 0

    def follow(self) -> dict[str, Any]:
        more = True
        while more:
            step = self.world.result(self.feed.step())
            self.steps += 1
            more = step.more
            for name, data in events(step.events):
                if name == self.name:
                    self.known.update({each[self.key]: each for each in data})
                elif name == "left":
                    for each in data:
                        self.known.pop(each, None)
                else:
                    assert name == "whole"
                    assert not self.whole
                    self.whole = True
        return self.known


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


@pytest.fixture
def marks(world: World) -> Marks:
    marks = Marks()
    world.central.watchers.add(marks)
    return marks


def sessions(world: World, marks: Marks, **wanted: Any) -> Follower:
    return Follower(
        world, SessionFeed(world.central, SessionFilter(**wanted), marks), "sessions", "session_uuid"
    )


def start(world: World, **options: Any) -> str:
    world.submit(**options)
    world.says(M.SESSION, User="u", LocalIP="127.0.0.1", Rate=5000)
    return world.session_id


def test_what_there_is_comes_in_pages_and_then_what_changes(
    world: World, marks: Marks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "PAGE", 3)
    for number in range(8):
        start(world, cookie=f"c{number}", retries=0)
        world.completes()
    follower = sessions(world, marks)
    assert len(follower.follow()) == 8
    assert (follower.whole, follower.steps) == (True, 3)
    session = start(world, cookie="new")
    assert follower.follow()[session]["cookie"] == "new"
    world.says(M.STATS, TransferBytes=777)
    assert follower.follow()[session]["bytes_transferred"] == 777
    before = follower.feed.step()
    assert world.result(before).events == b"", "nothing has changed"


def test_a_session_that_leaves_the_filter_is_told_to_have_left(world: World, marks: Marks) -> None:
    running = sessions(world, marks, session_status=("running",))
    paused = sessions(world, marks, session_status=("paused",))
    session = start(world)
    assert set(running.follow()) == {session}
    assert set(paused.follow()) == set()
    world.says(M.NOTIFICATION, Rate=0)
    assert set(running.follow()) == set()
    assert set(paused.follow()) == {session}
    world.says(M.NOTIFICATION, Rate=100)
    assert set(running.follow()) == {session}
    world.completes()
    assert set(running.follow()) == set()
    assert set(paused.follow()) == set()


def test_one_that_leaves_between_two_pages_is_told_too(
    world: World, marks: Marks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "PAGE", 1)
    first = start(world)
    start(world)
    follower = sessions(world, marks, session_status=("running",))
    step = world.result(follower.feed.step())
    assert step.more
    told = dict(events(step.events))
    assert [each["session_uuid"] for each in told["sessions"]] == [first]
    follower.known[first] = {}
    world.central.runner.session_message(first, feed_message(Rate="0"))
    world.settle()
    assert first not in follower.follow()


def feed_message(**fields: str) -> Any:
    from asperacentral.fasp.management import Message

    return Message(M.NOTIFICATION, fields)


def test_a_filter_that_is_wrong_is_an_error(world: World, marks: Marks) -> None:
    with pytest.raises(InvalidValue):
        sessions(world, marks, cookie_filter="(").follow()


def test_jobs_are_told_as_they_come_wait_and_end(world: World, marks: Marks) -> None:
    job = world.submit(cookie="kuchen", retries=3)
    follower = Follower(world, JobFeed(world.central.runner.jobs, marks, world.clock.seconds), "jobs", "id")
    assert follower.follow()[job]["state"] == "connecting"
    assert "geheim" not in json.dumps(follower.known)
    world.says(M.SESSION, User="u", LocalIP="127.0.0.1", Rate=5000)
    assert follower.follow()[job]["state"] == "running"
    world.fails()
    shown = follower.follow()[job]
    assert (shown["state"], shown["attempts"], shown["failed_attempts"], shown["retries"]) == (
        "retrying",
        1,
        1,
        3,
    )
    world.result(world.central.cancel_job(job))
    assert follower.follow() == {}


def test_what_has_no_topic_is_found_in_a_while(world: World, marks: Marks) -> None:
    job = world.submit(retries=3, base=60)
    world.says(M.SESSION, User="u", LocalIP="127.0.0.1", Rate=5000)
    world.fails()
    follower = Follower(world, JobFeed(world.central.runner.jobs, marks, world.clock.seconds), "jobs", "id")
    assert follower.follow()[job]["paused"] is False
    world.result(world.central.pause_job(job))
    assert follower.follow()[job]["paused"] is False
    world.advance(10)
    assert follower.follow()[job]["paused"] is True


def test_many_jobs_come_in_pages(world: World, marks: Marks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "PAGE", 2)
    for _ in range(5):
        world.submit()
    follower = Follower(world, JobFeed(world.central.runner.jobs, marks, world.clock.seconds), "jobs", "id")
    assert len(follower.follow()) == 5
    assert (follower.steps, follower.whole) == (3, True)


def test_a_feed_that_is_closed_is_kept_no_more(world: World, marks: Marks) -> None:
    follower = sessions(world, marks)
    follower.feed.close()
    start(world)
    assert marks._wishes == {}
