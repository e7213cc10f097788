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


@pytest.mark.parametrize(
    ("rtt", "loss"), [(0.005, 0.0), (0.02, 0.01), (0.05, 0.0), (0.1, 0.01), (0.16, 0.0), (0.2, 0.0)]
)
def test_fair_alone_fills_the_link_and_keeps_the_queue_short(rtt: float, loss: float) -> None:
    simulation = link(delay=rtt / 2, loss=loss)
    flow = simulation.add(target=80 * KBPS, policy=Policy.FAIR)
    simulation.run(4.0)
    assert simulation.there.longest_queue < 0.035
    simulation.there.longest_queue = 0.0
    [rate] = goodput(simulation, [flow], 10.0)
    assert rate > 0.88 * 40 * (1 - loss)
    assert simulation.there.longest_queue < 0.030
    assert simulation.there.dropped == 0


def test_start_up_takes_few_round_trips() -> None:
    simulation = link(rate=200, delay=0.05)
    flow = simulation.add(target=400 * KBPS, policy=Policy.FAIR)
    simulation.run(1.0)
    assert flow.sender.control.rate > 0.75 * 200 * KBPS * 125
    assert simulation.there.longest_queue < 0.030
    assert simulation.there.dropped == 0


def test_random_loss_does_not_slow_fair_down() -> None:
    rates = []
    for loss in (0.0, 0.05):
        simulation = link(loss=loss)
        flow = simulation.add(target=80 * KBPS, policy=Policy.FAIR)
        simulation.run(3.0)
        rates += goodput(simulation, [flow], 4.0)
    assert rates[1] > 0.9 * rates[0] * 0.95


@pytest.mark.parametrize(
    ("policy", "rtt", "late", "least", "most"),
    [
        (Policy.FAIR, 0.01, 0.0, 0.9, 1.1),
        (Policy.FAIR, 0.05, 5.0, 0.75, 1.25),
        (Policy.FAIR, 0.2, 0.0, 0.9, 1.1),
        (Policy.HIGH, 0.01, 4.0, 1.7, 2.3),
        (Policy.HIGH, 0.05, 4.0, 1.7, 2.3),
        (Policy.LOW, 0.05, 4.0, 0.0, 0.3),
    ],
)
def test_a_second_session_gets_the_share_of_its_policy(
    policy: Policy, rtt: float, late: float, least: float, most: float
) -> None:
    """Who comes late has an equal share after some seconds; who gets more in the next few is chance."""
    simulation = link(delay=rtt / 2, loss=0.005)
    first = simulation.add(target=80 * KBPS, policy=Policy.FAIR)
    second = simulation.add(target=80 * KBPS, policy=policy, start=late)
    simulation.run(13.0 + late)
    rates = goodput(simulation, [first, second], 8.0)
    assert sum(rates) > 0.88 * 40
    assert least < rates[1] / rates[0] < most


def test_low_leaves_tcp_what_it_has_alone_and_takes_the_rest_when_it_goes() -> None:
    alone = link()
    tcp = alone.add_tcp()
    alone.add(target=0)
    alone.run(4.0)
    before = tcp.received
    alone.run(8.0)
    usual = tcp.received - before

    simulation = link()
    tcp = simulation.add_tcp()
    low = simulation.add(target=80 * KBPS, policy=Policy.LOW)
    simulation.run(4.0)
    before = tcp.received
    simulation.run(8.0)
    assert tcp.received - before > 0.9 * usual
    simulation.rivals.clear()
    simulation.run(8.0)
    [rate] = goodput(simulation, [low], 2.0)
    assert rate > 0.6 * 40


@pytest.mark.large
@pytest.mark.parametrize("first", ["fair", "TCP"])
def test_fair_and_tcp_leave_each_other_a_share(first: str) -> None:
    simulation = link()
    if first == "TCP":
        tcp = simulation.add_tcp()
    else:
        flow = simulation.add(target=80 * KBPS, policy=Policy.FAIR)
    simulation.run(5.0)
    if first == "TCP":
        flow = simulation.add(target=80 * KBPS, policy=Policy.FAIR)
    else:
        tcp = simulation.add_tcp()
    simulation.run(14.0)
    before = tcp.received
    [rate] = goodput(simulation, [flow], 8.0)
    assert rate > 0.2 * 40
    assert (tcp.received - before) * 8e-6 / 8 > 0.2 * 40


@pytest.mark.large
def test_the_queue_is_short_again_when_tcp_has_gone() -> None:
    simulation = link()
    flow = simulation.add(target=80 * KBPS, policy=Policy.FAIR)
    simulation.add_tcp()
    simulation.run(10.0)
    simulation.rivals.clear()
    simulation.run(2.0)
    simulation.there.longest_queue = 0.0
    [rate] = goodput(simulation, [flow], 6.0)
    assert simulation.there.longest_queue < 0.030
    assert rate > 0.85 * 40


@pytest.mark.large
def test_over_a_long_way_a_late_session_gets_its_share_in_half_a_minute() -> None:
    simulation = link(rate=20, delay=0.08)
    flows = [simulation.add(target=40 * KBPS, policy=Policy.FAIR, start=start) for start in (0.0, 4.0)]
    simulation.run(30.0)
    first, late = goodput(simulation, flows, 8.0)
    assert 0.8 < late / first < 1.2


@pytest.mark.large
@pytest.mark.parametrize("loss", [0.0, 0.02])
def test_a_queue_too_short_to_see_is_known_by_its_losses(loss: float) -> None:
    simulation = link(queue=0.005, loss=loss)
    flow = simulation.add(target=80 * KBPS, policy=Policy.FAIR)
    simulation.run(4.0)
    before = simulation.there.dropped, flow.sender.sent.datagrams
    [rate] = goodput(simulation, [flow], 9.0)
    assert rate > 0.85 * 40 * (1 - loss)
    assert (simulation.there.dropped - before[0]) < 0.01 * (flow.sender.sent.datagrams - before[1])


@pytest.mark.parametrize(
    ("policy", "targets"), [(Policy.FIXED, (10, 60, 20)), (Policy.FAIR, (20, 10))], ids=str
)
def test_another_target_is_on_the_wire_within_two_round_trips(
    policy: Policy, targets: tuple[int, ...]
) -> None:
    simulation = link(rate=200, delay=0.05)
    flow = simulation.add(target=40 * KBPS, policy=policy)
    simulation.run(2.0)
    for target in targets:
        flow.sender.control.set_rates(target * KBPS, 0)
        simulation.run(0.2)
        assert throughput(simulation, 0.5) == pytest.approx(target, rel=0.1)


def test_where_the_target_was_the_limit_a_higher_one_is_reached_in_few_round_trips() -> None:
    simulation = link(rate=200, delay=0.05)
    flow = simulation.add(target=20 * KBPS, policy=Policy.FAIR)
    simulation.run(3.0)
    flow.sender.control.set_rates(100 * KBPS, 0)
    simulation.run(0.2)
    assert throughput(simulation, 0.1) > 25
    simulation.run(0.3)
    assert throughput(simulation, 0.3) > 80
    assert simulation.there.dropped == 0


def throughput(simulation: Simulation, seconds: float) -> float:
    """Mbit/s on the wire behind the link over the next seconds."""
    before = simulation.there.passed
    simulation.run(seconds)
    return (simulation.there.passed - before) * 1500 * 8e-6 / seconds


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
