"""The two ends over every kind of path: what goes in comes out, once, and only what was lost is sent again.

The simulator compares each byte and raises when one is wrong or comes twice.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asperacentral.openascp.udp.keys import PACKETS_PER_KEY, Cipher
from asperacentral.openascp.udp.receiving import REPORT_SECONDS
from bench.wan.simulator import Conditions, Simulation, whole

KBPS = 1000
MB = 1_000_000

SHARE = st.floats(0, 0.3)

CONDITIONS = st.builds(
    Conditions,
    rate=st.sampled_from([0.0, 5.0, 50.0]),
    delay=st.sampled_from([0.0001, 0.005, 0.05, 0.3]),
    queue=st.sampled_from([0.003, 0.05, 0.5]),
    loss=SHARE,
    burst=st.sampled_from([1.0, 5.0, 50.0]),
    reorder=SHARE,
    late=st.sampled_from([0.001, 0.02, 0.2]),
    duplicate=SHARE,
    corrupt=st.floats(0, 0.1),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    there=CONDITIONS,
    back=CONDITIONS,
    length=st.sampled_from([0, 1, 1439, 1440, 1441, 50_000, 400_000]),
    target=st.sampled_from([500, 8_000, 60_000]),
    cipher=st.sampled_from(list(Cipher)),
    chunk=st.sampled_from([100, 5_000, 1 << 20]),
    seed=st.integers(0, 1000),
)
def test_the_stream_arrives_whole_over_any_path(
    there: Conditions, back: Conditions, length: int, target: int, cipher: Cipher, chunk: int, seed: int
) -> None:
    simulation = Simulation(there, back, seed)
    simulation.add(target=target, length=length, cipher=cipher, chunk=chunk)
    assert simulation.run(600)


@pytest.mark.parametrize("stays_open", [False, True])
def test_what_is_lost_last_costs_few_round_trips_also_while_the_stream_may_go_on(stays_open: bool) -> None:
    loss, delay, length = 0.3, 0.5, 20 * MB
    simulation = Simulation(Conditions(rate=30, delay=delay, loss=loss), Conditions(delay=delay))
    began = simulation.now
    simulation.add(target=29_850, length=length, stays_open=stays_open)
    assert simulation.run(60)
    sending = length * 8e-6 / 30 / 0.95 / (1 - loss)
    assert simulation.now - began < sending + 4 * 2 * delay  # one copy each: more than five round trips


@pytest.mark.parametrize(
    ("rate", "delay", "loss"), [(100, 0.01, 0.0), (100, 0.05, 0.01), (100, 0.05, 0.1), (50, 0.5, 0.05)]
)
def test_neither_distance_nor_loss_slow_it_down(rate: int, delay: float, loss: float) -> None:
    simulation = Simulation(Conditions(rate=rate, delay=delay, loss=loss))
    began = simulation.now
    flow = simulation.add(target=rate * 995, length=5 * MB)
    assert simulation.run(60)
    sending = 5 * MB * 8e-6 / rate / 0.95 / (1 - loss)
    assert simulation.now - began < sending + 2 * delay * (3 + 20 * loss) + 0.05
    assert flow.receiver.duplicates < 0.01 * flow.sender.sent.datagrams + 5000 * loss * loss


def test_without_loss_nothing_is_sent_twice() -> None:
    simulation = Simulation(Conditions(rate=200, delay=0.02))
    flow = simulation.add(target=190 * KBPS, length=5 * MB)
    assert simulation.run(20)
    assert flow.sender.sent.again == 0
    assert flow.receiver.duplicates == 0


def test_while_it_runs_only_what_was_lost_is_sent_again() -> None:
    simulation = Simulation(Conditions(rate=200, delay=0.02, loss=0.05))
    flow = simulation.add(target=190 * KBPS)
    simulation.run(1.0)
    assert flow.sender.sent.lost > 500
    assert flow.receiver.duplicates == 0


def test_a_network_that_reorders_is_learned() -> None:
    simulation = Simulation(Conditions(rate=100, delay=0.02, reorder=0.1, late=0.02))
    flow = simulation.add(target=95 * KBPS)
    simulation.run(1.0)
    early = flow.receiver.duplicates
    simulation.run(2.0)
    assert flow.receiver.inbox.patience > 0.015
    assert flow.receiver.duplicates - early < 0.002 * flow.sender.sent.datagrams


def test_a_long_silence_of_the_way_back_loses_no_knowledge() -> None:
    simulation = Simulation(Conditions(rate=50, delay=0.02, loss=0.02))
    flow = simulation.add(target=45 * KBPS, length=4 * MB)
    simulation.run(0.2)
    simulation.back.conditions = Conditions(delay=0.02, loss=1.0)
    simulation.run(0.3)
    simulation.back.conditions = Conditions(delay=0.02)
    assert simulation.run(20)
    assert flow.receiver.duplicates < 100


def test_a_cut_of_both_ways_is_survived() -> None:
    simulation = Simulation(Conditions(rate=50, delay=0.02))
    simulation.add(target=45 * KBPS, length=4 * MB)
    simulation.run(0.2)
    alive = simulation.there.conditions, simulation.back.conditions
    simulation.there.conditions = simulation.back.conditions = Conditions(delay=0.02, loss=1.0)
    simulation.run(5.0)
    simulation.there.conditions, simulation.back.conditions = alive
    assert simulation.run(20)


@pytest.mark.parametrize("jump", [-300.0, 3.0, 100_000.0])
def test_clocks_that_jump_do_no_harm(jump: float) -> None:
    simulation = Simulation(Conditions(rate=50, delay=0.02, loss=0.01))
    simulation.add(target=45 * KBPS, length=3 * MB, skew=lambda now: now + jump * (now > 1000.3) + 5000)
    assert simulation.run(400)


def test_the_key_changes_under_way() -> None:
    simulation = Simulation(Conditions(rate=100, delay=0.02, loss=0.02, reorder=0.05))
    flow = simulation.add(target=90 * KBPS, length=3 * MB, first=PACKETS_PER_KEY - 1000)
    assert simulation.run(20)
    assert flow.receiver.inbox.arrived.end > PACKETS_PER_KEY


def test_a_disk_slower_than_the_link_makes_the_sender_wait() -> None:
    simulation = Simulation(Conditions(rate=200, delay=0.02))
    flow = simulation.add(target=190 * KBPS, drain=5 * MB, room=2 * MB, length=10 * MB)
    assert simulation.run(20)
    assert flow.most_backlog < 2.5 * MB
    assert flow.receiver.overrun < 0.05 * flow.sender.sent.datagrams


def test_a_sender_that_waits_for_a_disk_hears_of_room_though_it_sends_nothing() -> None:
    simulation = Simulation(Conditions(rate=200, delay=0.02))
    flow = simulation.add(target=190 * KBPS, drain=0, room=4 * MB, length=2 * MB)
    assert simulation.run(5)
    receiver, later = flow.receiver, flow.skew(simulation.now) + 1
    assert receiver.reports(later, 2 * MB)
    assert receiver.wait(later) <= REPORT_SECONDS
    assert receiver.reports(later + 1, 0)
    assert receiver.wait(later + 1) > REPORT_SECONDS


def test_a_pause_stops_and_a_new_rate_goes_on_within_a_report() -> None:
    simulation = Simulation(Conditions(rate=0, delay=0.01))
    flow = simulation.add(target=50 * KBPS)
    simulation.run(0.5)
    flow.sender.control.set_rates(0, 0)
    simulation.run(0.1)
    paused = flow.receiver.received
    simulation.run(2.0)
    assert flow.receiver.received == paused
    flow.sender.control.set_rates(80 * KBPS, 0)
    simulation.run(0.1)
    assert flow.receiver.received - paused > 0.7 * 80 * KBPS * 125 * 0.09


def test_a_slow_session_speeds_up_at_once() -> None:
    simulation = Simulation(Conditions(delay=0.01))
    flow = simulation.add(target=10)
    simulation.run(2.0)
    flow.sender.control.set_rates(50 * KBPS, 0)
    simulation.run(0.1)
    assert flow.receiver.received > 200_000


def test_a_path_that_stops_taking_large_datagrams_gets_smaller_ones() -> None:
    simulation = Simulation(Conditions(rate=50, delay=0.02, loss=0.05))
    flow = simulation.add(target=45 * KBPS, length=3 * MB, size=1472)
    simulation.run(0.2)
    flow.sender.resize(1232)
    assert simulation.run(20)


def test_a_flood_of_forged_and_replayed_datagrams_changes_nothing_but_counters() -> None:
    simulation = Simulation(Conditions(rate=50, delay=0.01))
    flow = simulation.add(target=45 * KBPS, length=2 * MB)
    simulation.run(0.1)
    seen = [each for volley in flow.sender.burst(simulation.now) for each in whole(volley)]
    inbox = flow.receiver.inbox
    tag = seen[0][:4] if seen else bytes(4)
    before = (flow.receiver.received, inbox.arrived.end)
    flow.receiver.take([tag + bytes([each % 256]) * 100 for each in range(2000)], simulation.now)
    assert (flow.receiver.received, inbox.arrived.end) == before
    assert inbox.rejected.total >= 2000
    for datagram in seen:
        simulation.there.send(0, datagram, simulation.now)
        simulation.there.send(0, datagram, simulation.now)
    assert simulation.run(20)
    assert flow.receiver.duplicates == 0
