"""An order that names a job changes that job: at once where it can, else with the next session."""

from __future__ import annotations

import sqlite3

import pytest

from asperacentral.central.errors import JobFormatInvalid, JobSubmissionError
from asperacentral.central.order_reader import read_order
from asperacentral.fasp.management import MessageType as M
from tests.central.world import World, order

NAMESPACE = "urn:asperacentral:Order"


def resubmission(job_id: str, text: str | None = None, **changes: str) -> str:
    """The order again, for the job; `changes` replace the text of elements by name."""
    text = text or order()
    for name, value in changes.items():
        before, opening, rest = text.partition(f"<{name}>")
        assert opening, name
        text = f"{before}{opening}{value}</{name}>{rest.partition(f'</{name}>')[2]}"
    return text.replace("<Order>", f'<Order xmlns:x="{NAMESPACE}" x:JobId="{job_id}">', 1)


def resubmit(world: World, text: str) -> str:
    answer = world.result(world.central.submit("Aspera.IScpTransfer", text))
    world.settle()
    return answer.id


def with_rates(text: str, rates: str) -> str:
    return text.replace("<TargetRate>5000</TargetRate>", rates)


RATES = "<Policy>Low</Policy><TargetRate>900</TargetRate><MinimumRate>70</MinimumRate>"


@pytest.mark.parametrize(
    "attribute", [f'xmlns:x="{NAMESPACE}" x:JobId="j"', 'JobId="j"', f'xmlns="{NAMESPACE}" JobId=" j "']
)
def test_the_job_is_named_by_an_attribute_with_or_without_namespace(attribute: str) -> None:
    assert read_order(order().replace("<Order>", f"<Order {attribute}>", 1)).job_id == "j"


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [('JobId=" "', "JobId: is empty"), ('xmlns:x="u" JobId="a" x:JobId="b"', "JobId: given more than once")],
)
def test_an_attribute_that_names_no_job_is_refused(attributes: str, reason: str) -> None:
    with pytest.raises(JobFormatInvalid, match=reason):
        read_order(order().replace("<Order>", f"<Order {attributes}>", 1))


def test_rates_and_policy_steer_the_running_session_at_once(world: World) -> None:
    job = world.submit()
    world.says(M.SESSION, Rate=5000)
    assert resubmit(world, with_rates(resubmission(job), RATES)) == job
    assert world.transfers.commands == [
        (world.session_id, {"target_rate": 900, "minimum_rate": 70, "policy": "low"})
    ]
    assert world.central.list_jobs() == (job,)
    assert len(world.transfers.launched) == 1


def test_a_bandwidth_cap_bounds_the_rate_and_is_shown(world: World) -> None:
    job = world.submit()
    capped = "<TargetRate>5000</TargetRate><BandwidthCap>800</BandwidthCap>"
    resubmit(world, with_rates(resubmission(job), capped))
    assert world.transfers.commands[-1][1]["target_rate"] == 800
    assert world.result(world.central.query_session(world.session_id)).bandwidth_cap == 800


def test_all_else_is_for_the_next_session(world: World) -> None:
    job = world.submit(cookie="first", retries=0)
    first = world.session_id
    resubmit(world, resubmission(job, order(cookie="second", retries=3, base=5), Password="neues"))
    assert world.result(world.central.query_session(first)).cookie == "first"
    world.fails()
    world.advance(5.1)
    launched = world.transfers.launched[-1]
    assert launched.user_str != first
    assert (launched.cookie, launched.password) == ("second", "neues")
    record = world.result(world.central.query_session(launched.user_str))
    assert (record.cookie, record.job_max_retries, record.job_retry_count) == ("second", 3, 1)


def test_what_is_answered_survives_a_crash(world: World) -> None:
    job = world.submit(retries=1, base=10)
    world.fails()
    resubmit(world, with_rates(resubmission(job, Password="neues"), RATES))
    world.restart()
    world.advance(11)
    launched = world.transfers.launched[-1]
    assert (launched.target_rate, launched.policy, launched.password) == (900, "low", "neues")


def test_a_pause_stays_one_and_ends_with_the_new_rate(world: World) -> None:
    job = world.submit()
    world.says(M.SESSION, Rate=5000)
    world.result(world.central.pause_job(job))
    world.says(M.NOTIFICATION, Rate=0)
    resubmit(world, with_rates(resubmission(job), RATES))
    assert [command for _, command in world.transfers.commands] == [
        {"target_rate": 0},
        {"minimum_rate": 70, "policy": "low"},
    ]
    world.result(world.central.resume_job(job))
    assert world.transfers.commands[-1][1] == {"target_rate": 900}


@pytest.mark.parametrize(
    ("changes", "element"),
    [
        ({"Operation": "Pull"}, "Operation"),
        ({"Address": "127.0.0.2"}, "RemoteLocation/System/Address"),
        ({"Port": "22"}, "RemoteLocation/System/Port"),
        ({"UserName": "v"}, "RemoteLocation/System/UserName"),
        ({"Path": "/else"}, "RemoteLocation/Files/Path"),
        ({"LocalLocation": "<Files><Path>/data/b</Path></Files>"}, "LocalLocation/Files/Path"),
        (
            {"LocalLocation": "<Files><RootPath>/r</RootPath><Path>/data/a</Path></Files>"},
            "LocalLocation/Files/RootPath",
        ),
    ],
)
def test_what_is_moved_and_where_cannot_change(world: World, changes: dict[str, str], element: str) -> None:
    job = world.submit()
    with pytest.raises(JobFormatInvalid, match=f"^{element}: "):
        resubmit(world, resubmission(job, **changes))
    assert world.transfers.commands == []


@pytest.mark.parametrize(
    ("lock", "rates", "element"),
    [
        ("LockTargetRate", "<TargetRate>900</TargetRate>", "TargetRate"),
        ("LockPolicy", "<Policy>Low</Policy><TargetRate>5000</TargetRate>", "Policy"),
        ("LockMinimumRate", "<MinimumRate>1</MinimumRate><TargetRate>5000</TargetRate>", "MinimumRate"),
    ],
)
def test_what_the_order_has_locked_stays(world: World, lock: str, rates: str, element: str) -> None:
    locked = with_rates(order(), f"<TargetRate>5000</TargetRate><{lock}>true</{lock}>")
    job = world.result(world.central.submit("Aspera.IScpTransfer", locked)).id
    world.settle()
    with pytest.raises(JobFormatInvalid, match=f"RateParameters/{element}: is locked"):
        resubmit(world, with_rates(resubmission(job), rates))
    resubmit(world, resubmission(job, locked))


def test_a_job_that_nobody_knows_is_refused(world: World) -> None:
    with pytest.raises(JobSubmissionError, match="there is no job 'none'"):
        resubmit(world, resubmission("none"))
    assert world.central.list_jobs() == ()


def test_a_job_that_has_ended_or_is_being_cancelled_is_refused(world: World) -> None:
    ended = world.submit()
    world.completes()
    with pytest.raises(JobSubmissionError, match=f"job {ended} has ended"):
        resubmit(world, resubmission(ended))
    leaving = world.submit()
    world.result(world.central.cancel_job(leaving))
    with pytest.raises(JobSubmissionError, match=f"job {leaving} has ended"):
        resubmit(world, resubmission(leaving))


def test_an_order_that_cannot_be_written_leaves_the_job_as_it_was(world: World) -> None:
    job = world.submit(cookie="first", retries=1, base=0)
    with sqlite3.connect(world.folder / "store.db") as other:
        other.execute("alter table jobs rename to away")
    with pytest.raises(JobSubmissionError, match="store"):
        resubmit(world, resubmission(job, order(cookie="second")))
    with sqlite3.connect(world.folder / "store.db") as other:
        other.execute("alter table away rename to jobs")
    other.close()
    assert world.transfers.commands == []
    assert world.result(world.central.query_job(job)).order.cookie == "first"
