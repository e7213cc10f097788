"""Sessions without a job, told by a recorded dialogue of a server half."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asperacentral.central.model import ALL, Endpoint, RateChange, SessionRecord
from asperacentral.central.query import FileTransferFilter
from asperacentral.fasp.management import Decoder, Message, MessageType
from asperacentral.fasp.session import SessionEnding
from tests.central.world import LANE, World

SESSION = "11111111-2222-4333-8444-555555555555"
RECORDED = (Path(__file__).parent / "server_half.fasp").read_bytes()
"""What a server half says of a session in which a client sends it a file."""


def recorded() -> list[Message]:
    return list(Decoder().feed(RECORDED))


def ending(**how: Any) -> SessionEnding:
    usual = {"exit_status": None, "signal": None, "said_done": False, "said_error": False}
    return SessionEnding(**{**usual, "never_connected": False, **how})


def tell(world: World, *said: Message, name: str = SESSION) -> None:
    for message in said:
        world.central.runner.foreign.message(name, message)
        world.settle()


def end(world: World, name: str = SESSION, **how: Any) -> None:
    world.central.runner.foreign.ended(name, ending(**how))
    world.settle()


def record_of(world: World, name: str = SESSION) -> SessionRecord:
    return world.result(world.central.query_session(name))


def test_a_session_begun_by_others_is_recorded_with_both_ends_and_without_a_job(world: World) -> None:
    tell(world, *recorded())
    assert world.central.list_sessions() == (SESSION,)
    end(world, said_done=True)
    record = record_of(world)
    assert (record.id, record.job_id, record.status) == (SESSION, None, "completed")
    assert (record.direction, record.server_endpoint, record.client_endpoint) == (
        "incoming",
        "Local",
        "Remote",
    )
    assert (record.server_address, record.client_address) == ("192.0.2.1", "192.0.2.77")
    assert (record.user, record.cookie, record.server_ssh_port) == ("xfer", "from far away", 22)
    assert (record.bytes_transferred, record.files_complete) == (1000, 1)
    assert (record.target_rate, record.bandwidth_cap, record.rate_policy) == (5000, 100000, "fair")
    (file,) = world.result(world.central.query_files(FileTransferFilter())).items
    assert (file.path, file.size, file.status) == ("in/report.txt", 1000, "completed")


def test_observers_of_all_sessions_hear_of_it(world: World) -> None:
    world.result(world.central.subscribe("session", ALL, Endpoint(LANE), None, (), 3600))
    tell(world, *recorded())
    end(world, said_done=True)
    assert world.topics(LANE)[0] == "session Started"
    assert world.topics(LANE)[-1] == "session Stopped"


def test_it_is_steered_and_cancelled_like_others(world: World) -> None:
    tell(world, *recorded()[:2])
    world.result(world.central.change_rate(SESSION, RateChange(target_rate=77)))
    assert world.transfers.commands == [(SESSION, {"target_rate": 77})]
    world.result(world.central.cancel_session(SESSION))
    assert world.transfers.cancelled == [SESSION]


def test_a_process_that_vanishes_leaves_a_session_in_error_and_nothing_follows(world: World) -> None:
    tell(world, *recorded()[:2])
    end(world)
    record = record_of(world)
    assert (record.status, record.error_code) == ("error", 16)
    assert world.transfers.launched == []


def test_a_failure_it_tells_is_recorded(world: World) -> None:
    tell(world, *recorded()[:2], Message("ERROR", {"Code": "41", "Description": "out"}))
    end(world, said_error=True)
    assert (record_of(world).status, record_of(world).error_code) == ("error", 41)


def test_after_a_restart_it_is_waited_for_and_followed_again(world: World) -> None:
    tell(world, *recorded()[:2])
    world.restart()
    assert world.central.list_sessions() == (SESSION,)
    tell(world, *recorded())
    world.advance(3600)
    assert record_of(world).status == "running"
    end(world, said_done=True)
    assert record_of(world).status == "completed"


def test_one_that_does_not_come_back_is_orphaned(world: World) -> None:
    tell(world, *recorded()[:2])
    world.restart()
    world.advance(3600)
    assert record_of(world).status == "orphaned"


@pytest.mark.parametrize("forgotten", [False, True], ids=["in memory", "in the store only"])
def test_an_ended_session_is_not_written_over_by_who_takes_its_name(tmp_path: Path, forgotten: bool) -> None:
    world = World(tmp_path)
    world.submit()
    name = world.session_id
    world.says(MessageType.SESSION, User="u")
    world.completes()
    if forgotten:
        table: Any = world.central.runner._table
        table._ended.clear()
    before = world.result(world.store.session(name))
    tell(world, *recorded(), name=name)
    end(world, name, said_error=True)
    assert world.central.list_sessions() == ()
    assert world.result(world.store.session(name)) == before
    tell(world, *recorded(), name=name)
    assert world.result(world.store.session(name)) == before
    world.close()


def test_foreign_sessions_take_no_room_from_jobs(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.central.runner._max_sessions = 1
    tell(world, *recorded()[:2])
    world.submit()
    assert len(world.transfers.launched) == 1
    world.submit()
    assert len(world.transfers.launched) == 1
    world.close()


def test_an_end_that_comes_while_the_store_is_asked_is_not_missed(world: World) -> None:
    foreign = world.central.runner.foreign
    for message in recorded():
        foreign.message(SESSION, message)
    foreign.ended(SESSION, ending(said_done=True))
    world.settle()
    assert record_of(world).status == "completed"
