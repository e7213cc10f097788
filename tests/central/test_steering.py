"""Jobs and sessions that are cancelled, paused, slowed, and what is refused."""

from __future__ import annotations

import pytest

from asperacentral.central.errors import (
    InvalidValue,
    JobSubmissionError,
    SessionNotFound,
)
from asperacentral.central.model import RateChange
from asperacentral.fasp.management import MessageType as M
from tests.central.world import LANE, World, order, subscribe


def test_cancelling_a_running_job_ends_its_session_and_it_is_not_retried(world: World) -> None:
    job_id = world.submit(retries=5)
    world.result(world.central.cancel_job(job_id))
    assert world.transfers.cancelled == [world.session_id]
    world.fails(28, "cancelled by the user")
    assert world.result(world.central.query_session(world.session_id)).status == "cancelled"
    world.advance(1000)
    assert len(world.transfers.launched) == 1
    world.result(world.central.cancel_job(job_id))


def test_cancelling_a_job_that_waits_for_a_retry_ends_it_at_once(world: World) -> None:
    subscribe(world, "job", topics=("Cancelled",))
    job_id = world.submit()
    world.fails()
    world.result(world.central.cancel_job(job_id))
    assert world.central.list_jobs() == ()
    world.advance(1000)
    assert len(world.transfers.launched) == 1
    assert world.topics(LANE) == ["job Cancelled"]


def test_cancelling_a_session_cancels_its_job(world: World) -> None:
    world.submit()
    world.result(world.central.cancel_session(world.session_id))
    world.ends(signal=15)
    assert world.result(world.central.query_session(world.session_id)).status == "cancelled"
    assert world.central.list_jobs() == ()
    with pytest.raises(SessionNotFound):
        world.result(world.central.cancel_session(world.session_id))


def test_a_paused_job_shows_it_and_goes_on_at_its_former_rate(world: World) -> None:
    job_id = world.submit()
    world.says(M.SESSION, Rate=5000)
    world.result(world.central.pause_job(job_id))
    world.says(M.NOTIFICATION, Rate=0)
    assert world.result(world.central.query_session(world.session_id)).status == "paused"
    world.result(world.central.resume_job(job_id))
    world.says(M.NOTIFICATION, Rate=5000)
    assert world.result(world.central.query_session(world.session_id)).status == "running"
    assert world.transfers.commands == [
        (world.session_id, {"target_rate": 0}),
        (world.session_id, {"target_rate": 5000}),
    ]


def test_a_job_paused_while_it_waits_starts_no_session_until_it_is_resumed(world: World) -> None:
    job_id = world.submit()
    world.fails()
    world.result(world.central.pause_job(job_id))
    world.advance(1000)
    assert len(world.transfers.launched) == 1
    world.result(world.central.resume_job(job_id))
    world.settle()
    assert len(world.transfers.launched) == 2


def test_rates_are_changed_in_the_running_session_within_cap_and_locks(world: World) -> None:
    world.submit()
    session = world.session_id
    world.result(world.central.change_rate(session, RateChange("Trickle", 800, 10)))
    world.result(world.central.change_rate(session, RateChange(bandwidth_cap=500)))
    world.result(world.central.change_rate(session, RateChange(target_rate=9000)))
    assert world.transfers.commands == [
        (session, {"target_rate": 800, "minimum_rate": 10, "policy": "low"}),
        (session, {"target_rate": 500}),
        (session, {}),
        (session, {"target_rate": 500}),
    ]
    with pytest.raises(InvalidValue, match="Policy"):
        world.result(world.central.change_rate(session, RateChange("sprint")))
    with pytest.raises(SessionNotFound):
        world.result(world.central.change_rate("none", RateChange()))


def test_locked_rates_stay(world: World) -> None:
    locked = order().replace("<TargetRate>", "<LockTargetRate>true</LockTargetRate><TargetRate>")
    world.result(world.central.submit("Aspera.IScpTransfer", locked))
    world.settle()
    with pytest.raises(InvalidValue, match="locked"):
        world.result(world.central.change_rate(world.session_id, RateChange(target_rate=1)))


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("FileParameters/PreserveCreationTime", "<PreserveCreationTime>Yes</PreserveCreationTime>"),
        ("FileParameters/Protection", "<Protection>Decrypt</Protection><Passphrase>word</Passphrase>"),
        ("FileParameters/Passphrase", "<Protection>Encrypt</Protection>"),
    ],
)
def test_what_cannot_be_done_is_refused(world: World, path: str, inside: str) -> None:
    asked = order().replace("</Order>", f"<FileParameters>{inside}</FileParameters></Order>")
    with pytest.raises(JobSubmissionError, match=path):
        world.result(world.central.submit("Aspera.IScpTransfer", asked))
    assert world.central.list_jobs() == ()
