"""What survives a crash of the daemon, and what the store keeps of secrets."""

from __future__ import annotations

import sqlite3

import pytest

from asperacentral.central.errors import (
    JobSubmissionError,
)
from asperacentral.fasp.management import MessageType as M
from tests.central.world import LANE, World, order, subscribe


def test_an_accepted_job_survives_a_crash_with_its_secrets(world: World) -> None:
    job_id = world.submit()
    world.fails()
    world.restart()
    assert world.central.list_jobs() == (job_id,)
    assert world.transfers.launched == []
    world.advance(10)
    assert world.transfers.launched[0].password == "geheim"


def test_sessions_of_a_crashed_daemon_are_adopted(world: World) -> None:
    subscribe(world, "session")
    world.submit()
    session_id = world.session_id
    world.central.runner.session_launched(session_id, 4711)
    world.says(M.SESSION)
    order_of_it = world.transfers.launched[0]
    world.restart()
    assert world.transfers.adopted == [(session_id, 4711)]
    world.transfers.launched.append(order_of_it)
    world.says(M.SESSION)
    world.completes()
    assert world.result(world.central.query_session(session_id)).status == "completed"
    assert world.topics(LANE) == ["session Started", "session Stopped"]


def test_a_session_whose_process_is_gone_is_orphaned_and_its_job_goes_on_at_once(world: World) -> None:
    job_id = world.submit(retries=0)
    session_id = world.session_id
    order_of_it = world.transfers.launched[0]
    world.restart()
    world.transfers.launched.append(order_of_it)
    world.ends(never_connected=True)
    assert world.result(world.central.query_session(session_id)).status == "orphaned"
    assert world.session_id != session_id
    assert world.central.list_jobs() == (job_id,)


def test_a_job_cancelled_before_a_crash_stays_cancelled(world: World) -> None:
    job_id = world.submit()
    world.result(world.central.cancel_job(job_id))
    order_of_it = world.transfers.launched[0]
    world.restart()
    world.transfers.launched.append(order_of_it)
    assert world.transfers.cancelled == [world.session_id]
    world.ends(never_connected=True)
    assert world.central.list_jobs() == ()


def test_subscriptions_and_undelivered_events_survive_a_crash(world: World) -> None:
    subscribe(world, "job")
    world.submit()
    before = world.topics(LANE)
    world.restart()
    assert world.topics(LANE) == before
    world.submit()
    assert len(world.topics(LANE)) == 2 * len(before)


def test_no_secret_is_readable_in_the_store(world: World) -> None:
    subscribe(world, "job")
    world.submit()
    world.store.close()
    everything = b"".join(path.read_bytes() for path in world.folder.glob("store.db*"))
    assert b"127.0.0.1" in everything
    assert b"geheim" not in everything
    world.restart()
    world.transfers.launched = []


def test_an_ended_jobs_secrets_leave_the_store(world: World) -> None:
    world.submit()
    sealed = "select sealed from jobs"
    connection = sqlite3.connect(world.folder / "store.db")
    assert connection.execute(sealed).fetchone()[0]
    world.completes()
    assert connection.execute(sealed).fetchone()[0] is None
    connection.close()


def test_an_order_that_cannot_be_written_is_refused_and_forgotten(world: World) -> None:
    blocker = sqlite3.connect(world.folder / "store.db", isolation_level=None)
    blocker.execute("drop table jobs")
    with pytest.raises(JobSubmissionError):
        world.result(world.central.submit("Aspera.IScpTransfer", order()))
    assert world.central.list_jobs() == ()
    blocker.close()
