"""Finding each other: sizes, cookies, and what attackers get out of it (nothing)."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from asperacentral.openascp.udp.boxes import Inbox, Outbox
from asperacentral.openascp.udp.handshake import SIZES, Answerer, Caller, patience, sizes_up_to
from asperacentral.openascp.udp.keys import Cipher, Direction, DirectionKeys

SECRET = bytes(range(32))


def keys(direction: Direction) -> DirectionKeys:
    return DirectionKeys(SECRET, Cipher.AES128, direction)


def ends(sizes: tuple[int, ...] = SIZES) -> tuple[Caller, Answerer]:
    there, back = Direction.FROM_CALLER, Direction.FROM_ANSWERER
    caller = Caller(Inbox(keys(back)), Outbox(keys(there)), buffer=111, now=0.0, sizes=sizes)
    return caller, Answerer(Inbox(keys(there)), Outbox(keys(back)), buffer=222)


def exchange(caller: Caller, answerer: Answerer, path: int, now: float = 0.0) -> None:
    """One round over a path that takes datagrams of `path` bytes."""
    for hello in caller.hellos(now):
        if len(hello) <= path:
            answer = answerer.take_in(hello, "home", now)
            if answer is not None:
                caller.take_in(answer, now)


@pytest.mark.parametrize("path", [1232, 1460, 1472, 9000, 65_507])
def test_the_largest_size_that_fits_both_ways_is_found_in_one_round_trip(path: int) -> None:
    caller, answerer = ends()
    exchange(caller, answerer, path)
    assert caller.ready(1.0)
    assert caller.size == max(size for size in SIZES if size <= path)
    for datagram in caller.confirm():
        assert answerer.take_in(datagram, "home", 0.1) is None
    assert answerer.caller == "home"
    assert answerer.confirmed is not None
    assert (answerer.confirmed.size, answerer.confirmed.buffer) == (caller.size, 111)
    assert caller.peer_buffer == 222


def test_an_answer_to_less_than_the_largest_is_waited_for_a_moment() -> None:
    caller, answerer = ends()
    exchange(caller, answerer, 1300, now=0.0)
    assert not caller.ready(0.001)
    assert caller.ready(0.0 + caller.wait(0.0))


def test_hellos_are_repeated_less_and_less_often_until_one_is_answered() -> None:
    caller, answerer = ends()
    now, sent = 0.0, []
    while now < 3.0:
        if caller.hellos(now):
            sent.append(now)
        now += max(caller.wait(now), 0.0001)
    gaps = [after - before for before, after in pairwise(sent)]
    assert 15 <= len(sent) <= 22
    assert gaps == sorted(gaps)
    exchange(caller, answerer, 9000, now=3.5)
    assert caller.hellos(4.0) == []


@pytest.mark.parametrize("rtt", [0.0, 0.1, 0.4])
def test_at_usual_distances_a_blocked_path_is_known_soon(rtt: float) -> None:
    assert patience(rtt) == 2.5


@pytest.mark.parametrize("sizes", [(500,), SIZES])
@pytest.mark.parametrize("rtt", [0.1, 0.4, 1.0, 2.0])
def test_with_loss_of_30_per_cent_both_ways_hardly_a_meeting_fails(
    rtt: float, sizes: tuple[int, ...]
) -> None:
    caller, _ = ends(sizes)
    now, tries = 0.0, 0
    while now + rtt < patience(rtt):
        tries += sum(len(hello) <= 1472 for hello in caller.hellos(now))
        now += max(caller.wait(now), 0.0001)
    assert (1 - 0.7 * 0.7) ** tries < 1 / 10_000


def test_a_lossy_meeting_over_a_second_of_distance_succeeds_in_time() -> None:
    for seed in range(100):
        luck = random.Random(seed)
        caller, answerer = ends()
        now, rtt = 0.0, 1.0
        under_way: list[tuple[float, bytes]] = []
        while not caller.ready(now):
            assert now < patience(rtt), seed
            for hello in caller.hellos(now):
                if len(hello) <= 1472 and luck.random() > 0.3:
                    answer = answerer.take_in(hello, "home", now)
                    if answer is not None and luck.random() > 0.3:
                        under_way.append((now + rtt, answer))
            now += 0.01
            for _, answer in (each for each in under_way if each[0] <= now):
                caller.take_in(answer, now)
            under_way = [each for each in under_way if each[0] > now]


def test_an_order_can_limit_the_size() -> None:
    assert sizes_up_to(1400)[-1] == 1400
    assert sizes_up_to(None) == SIZES
    assert sizes_up_to(500) == (500,)
    with pytest.raises(ValueError, match="between 200"):
        sizes_up_to(100)


def test_sizes_the_own_interface_refuses_are_not_tried_again() -> None:
    caller, _ = ends()
    caller.refused(8952)
    assert sorted(len(hello) for hello in caller.hellos(0.0)) == [size for size in SIZES if size < 8952]


def test_nobody_gets_more_bytes_than_he_sent() -> None:
    caller, answerer = ends()
    for hello in caller.hellos(0.0):
        answer = answerer.take_in(hello, "home", 0.0)
        assert answer is not None
        assert len(answer) <= len(hello)


def test_who_does_not_know_the_keys_gets_no_answer() -> None:
    _, answerer = ends()
    stranger = Outbox(DirectionKeys(bytes(32), Cipher.AES128, Direction.FROM_CALLER))
    other = Caller(Inbox(keys(Direction.FROM_ANSWERER)), stranger, 1, 0.0)
    for hello in other.hellos(0.0):
        assert answerer.take_in(hello, "stranger", 0.0) is None
    assert answerer.take_in(b"x" * 1200, "stranger", 0.0) is None


def test_a_hello_replayed_from_another_address_draws_no_stream_there() -> None:
    caller, answerer = ends()
    hellos = caller.hellos(0.0)
    stolen = hellos.pop()
    for hello in hellos:
        answer = answerer.take_in(hello, "home", 0.0)
        assert answer is not None
        caller.take_in(answer, 0.0)
    assert answerer.take_in(stolen, "victim", 0.0) is not None
    assert answerer.take_in(stolen, "victim", 0.0) is None
    confirmations = caller.confirm()
    answerer.take_in(confirmations[0], "victim", 0.1)
    assert answerer.caller is None
    answerer.take_in(confirmations[1], "home", 0.1)
    assert answerer.caller == "home"


def test_data_that_overtakes_the_confirmation_is_left_to_be_sent_again() -> None:
    sent, arriving = Outbox(keys(Direction.FROM_CALLER)), Inbox(keys(Direction.FROM_CALLER))
    answerer = Answerer(arriving, Outbox(keys(Direction.FROM_ANSWERER)), buffer=222)
    overtaking = b"".join(sent.data(0, b"bytes", 5))
    assert answerer.take_in(overtaking, "home", 0.0) is None
    assert 0 not in arriving.arrived
