"""Raw options of an order: on their way to the transfer process, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from asperacentral.central.errors import JobFormatInvalid, JobSubmissionError
from asperacentral.fasp.order import JobOrder
from tests.central.world import World, order

TEXT = order(base=10, retries=1).replace(
    "</Order>", "<RawOptions><Option>-k</Option><Option> 3 </Option></RawOptions></Order>"
)


def submit(world: World) -> None:
    world.result(world.central.submit("Aspera.IScpTransfer", TEXT))
    world.settle()


def test_they_are_refused_unless_they_are_allowed(world: World) -> None:
    with pytest.raises(JobSubmissionError, match=r"^RawOptions: <raw_options> of aspera.conf"):
        submit(world)
    assert world.central.list_jobs() == ()


def test_the_rule_sees_the_session_s_order_and_may_refuse_it(tmp_path: Path) -> None:
    asked: list[JobOrder] = []

    def rule(order: JobOrder) -> str:
        asked.append(order)
        return "not these"

    world = World(tmp_path, raw_options=rule)
    with pytest.raises(JobFormatInvalid, match=r"^RawOptions/Option: not these$"):
        submit(world)
    assert [(order.raw_options, order.sources) for order in asked] == [(("-k", "3"), ("/data/a",))]
    assert world.central.list_jobs() == ()
    world.close()


def test_they_reach_every_session_of_the_job_also_after_a_restart(tmp_path: Path) -> None:
    world = World(tmp_path, raw_options=lambda _: None)
    submit(world)
    assert world.transfers.launched[-1].raw_options == ("-k", "3")
    world.fails()
    world.restart()
    world.advance(11)
    assert world.transfers.launched[-1].raw_options == ("-k", "3")
    world.close()
