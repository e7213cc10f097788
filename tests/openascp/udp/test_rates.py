"""Rate policies on simulated links: the link is filled, its queue kept short, and shared as the policies say."""

from __future__ import annotations

import pytest

from asperacentral.openascp.udp.rates import Policy, RateControl
from bench.wan.simulator import Conditions, Flow, Simulation

KBPS = 1000


def link(rate: float = 40, delay: float = 0.02, loss: float = 0.0, queue: float = 0.05) -> Simulation:
    return Simulation(Conditions(rate=rate, delay=delay, loss=loss, queue=queue), Conditions(delay=delay))


def goodput(simulation: Simulation, flows: list[Flow], seconds: float) -> list[float]:
    """Mbit/s of each flow over the next seconds."""
    before = [flow.receiver.received for flow in flows]
    simulation.run(seconds)
    return [
        (flow.receiver.received - then) * 8e-6 / seconds for flow, then in zip(flows, before, strict=True)
    ]


@pytest.mark.parametrize(("delay", "loss"), [(0.002, 0.0), (0.02, 0.01), (0.05, 0.03)])
def test_fair_alone_fills_the_link_and_keeps_the_queue_short(delay: float, loss: float) -> None:
    simulation = link(delay=delay, loss=loss)
    flow = simulation.add(target=80 * KBPS, policy=Policy.FAIR)
    simulation.run(3.0)
    simulation.there.longest_queue = 0.0
    dropped = simulation.there.dropped
    [rate] = goodput(simulation, [flow], 6.0)
    assert rate > 0.86 * 40 * (1 - loss)
    assert simulation.there.longest_queue < 0.049
    assert simulation.there.dropped == dropped


def test_random_loss_does_not_slow_fair_down() -> None:
    rates = []
    for loss in (0.0, 0.05):
        simulation = link(loss=loss)
        flow = simulation.add(target=80 * KBPS, policy=Policy.FAIR)
        simulation.run(3.0)
        rates += goodput(simulation, [flow], 4.0)
    assert rates[1] > 0.9 * rates[0] * 0.95


@pytest.mark.parametrize(
    ("policy", "least", "most"), [(Policy.FAIR, 0.75, 1.35), (Policy.HIGH, 1.4, 2.9), (Policy.LOW, 0.0, 0.45)]
)
def test_a_second_session_gets_the_share_of_its_policy(policy: Policy, least: float, most: float) -> None:
    simulation = link()
    first = simulation.add(target=80 * KBPS, policy=Policy.FAIR)
    second = simulation.add(target=80 * KBPS, policy=policy, start=2.0)
    simulation.run(12.0)
    rates = goodput(simulation, [first, second], 8.0)
    assert sum(rates) > 0.82 * 40
    assert least < rates[1] / rates[0] < most


def test_a_queue_too_short_to_see_is_known_by_its_losses() -> None:
    simulation = link(queue=0.004, loss=0.01)
    flow = simulation.add(target=80 * KBPS, policy=Policy.FAIR)
    simulation.run(3.0)
    before = simulation.there.dropped, flow.sender.sent.datagrams
    [rate] = goodput(simulation, [flow], 6.0)
    assert rate > 0.8 * 40
    assert (simulation.there.dropped - before[0]) < 0.06 * (flow.sender.sent.datagrams - before[1])


def test_the_rate_follows_the_link() -> None:
    simulation = link()
    flow = simulation.add(target=80 * KBPS, policy=Policy.FAIR)
    simulation.run(3.0)
    simulation.there.conditions = Conditions(rate=15, delay=0.02)
    simulation.run(3.0)
    [slow] = goodput(simulation, [flow], 3.0)
    simulation.there.conditions = Conditions(rate=40, delay=0.02)
    simulation.run(4.0)
    [fast] = goodput(simulation, [flow], 3.0)
    assert 12 < slow < 15
    assert fast > 33


def test_fixed_sends_at_the_target_whatever_happens() -> None:
    simulation = link(loss=0.2)
    flow = simulation.add(target=30 * KBPS, policy=Policy.FIXED)
    simulation.run(1.0)
    before = flow.sender.sent.wire
    simulation.run(2.0)
    assert (flow.sender.sent.wire - before) * 8e-6 / 2 == pytest.approx(30, rel=0.03)


def test_no_policy_exceeds_the_target_or_goes_below_the_minimum() -> None:
    simulation = link()
    slow = simulation.add(target=5 * KBPS, policy=Policy.FAIR)
    stubborn = simulation.add(target=60 * KBPS, minimum=39 * KBPS, policy=Policy.LOW)
    simulation.run(4.0)
    assert slow.sender.control.rate <= 5 * KBPS * 125
    assert stubborn.sender.control.rate >= 39 * KBPS * 125


def test_a_policy_can_change_while_running() -> None:
    simulation = link()
    flow = simulation.add(target=30 * KBPS, policy=Policy.FIXED)
    simulation.run(1.0)
    flow.sender.control.set_policy(Policy.FAIR)
    [rate] = goodput(simulation, [flow], 2.0)
    assert rate > 24
    flow.sender.control.set_policy(Policy.FIXED)
    assert flow.sender.control.rate == 30 * KBPS * 125


@pytest.mark.parametrize("rates", [(-1, 0), (1, -1)])
def test_negative_rates_are_refused(rates: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="negative"):
        RateControl(Policy.FAIR, *rates, 0.0)
