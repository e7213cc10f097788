"""The fast plane on real sockets of the loopback interface: both ends in threads of this process."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from asperacentral.openascp.udp import sockets
from asperacentral.openascp.udp.boxes import Outbox
from asperacentral.openascp.udp.engine import Receiving, Sending
from asperacentral.openascp.udp.keys import Cipher, Direction, DirectionKeys, new_secret
from asperacentral.openascp.udp.meeting import BlockedError, Link, PlaneLostError, answer, call
from asperacentral.openascp.udp.packets import Kind
from asperacentral.openascp.udp.rates import Policy
from asperacentral.openascp.udp.setting import Setting
from asperacentral.openascp.udp.sockets import UdpSocket
from tests.openascp.udp.streams import Sink, Source

MB = 1_000_000
FAST = Setting(2_000_000, policy=Policy.FIXED)


@contextmanager
def met(
    host: str = "127.0.0.1", cipher: Cipher = Cipher.AES128, largest: int | None = None
) -> Iterator[tuple[Link, Link]]:
    """The caller's link and the answerer's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    secret = new_secret()
    listening, calling = UdpSocket(family, host), UdpSocket(family, host)
    with ThreadPoolExecutor(1) as pool:
        answered = pool.submit(answer, listening, secret, cipher, 30.0, lambda: False)
        link = call(calling, (host, listening.port), secret, cipher, largest, seconds=30.0)
        yield link, answered.result(30)
    listening.close()
    calling.close()


def transfer(sending: Sending, receiving: Receiving) -> tuple[bool, bool]:
    with ThreadPoolExecutor(1) as pool:
        received = pool.submit(receiving.run)
        return sending.run(), received.result(60)


@pytest.mark.parametrize("caller_sends", [True, False])
@pytest.mark.parametrize("cipher", list(Cipher))
def test_a_stream_arrives_whole_whoever_called(caller_sends: bool, cipher: Cipher) -> None:
    data = os.urandom(3 * MB + 17)
    sink = Sink(len(data))
    with met(cipher=cipher) as links:
        sender, receiver = links if caller_sends else reversed(links)
        assert transfer(Sending(sender, Source(data, 3), FAST), Receiving(receiver, sink)) == (True, True)
    assert sink.data == data
    assert sink.count == len(data)


@pytest.mark.parametrize(
    ("host", "largest", "size"), [("127.0.0.1", None, 61_000), ("::1", 1472, 1472), ("127.0.0.1", 300, 300)]
)
def test_datagrams_are_as_large_as_the_path_and_the_order_allow(
    host: str, largest: int | None, size: int
) -> None:
    data = os.urandom(MB)
    sink = Sink(len(data))
    with met(host, largest=largest) as (caller, answerer):
        assert (caller.size, answerer.size) == (size, size)
        assert transfer(Sending(caller, Source(data), FAST), Receiving(answerer, sink)) == (True, True)
    assert sink.data == data


def test_an_empty_stream_ends() -> None:
    with met() as (caller, answerer):
        assert transfer(Sending(caller, Source(b""), FAST), Receiving(answerer, Sink(0))) == (True, True)


class _NoOffload(socket.socket):
    """A socket of a machine whose network device cannot split datagrams."""

    def sendmsg(self, buffers: list[bytes], *rest: object) -> int:  # type: ignore[override]
        if len(buffers) > 2:
            raise OSError(5, "Input/output error")
        return super().sendmsg(buffers)


def test_where_the_kernel_cannot_split_they_go_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", _NoOffload)
    data = os.urandom(2 * MB)
    sink = Sink(len(data))
    with met(largest=1472) as (caller, answerer):
        assert transfer(Sending(caller, Source(data), FAST), Receiving(answerer, sink)) == (True, True)
    assert sink.data == data


def test_without_joined_reads_it_works_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(UdpSocket, "_try_gro", lambda self: False)
    data = os.urandom(2 * MB)
    sink = Sink(len(data))
    with met(largest=1472) as (caller, answerer):
        assert transfer(Sending(caller, Source(data), FAST), Receiving(answerer, sink)) == (True, True)
    assert sink.data == data


def test_a_path_that_shrinks_under_way_gets_smaller_datagrams(monkeypatch: pytest.MonkeyPatch) -> None:
    data = os.urandom(2 * MB)
    sink = Sink(len(data))
    with met() as (caller, answerer):
        plain = UdpSocket.send_all

        def narrow(self: UdpSocket, volleys: list[list[bytes]], size: int) -> None:
            if size > 1500:
                raise sockets.TooLargeError
            plain(self, volleys, size)

        monkeypatch.setattr(UdpSocket, "send_all", narrow)
        assert transfer(Sending(caller, Source(data), FAST), Receiving(answerer, sink)) == (True, True)
    assert sink.data == data


def test_a_blocked_port_is_found_out() -> None:
    deaf = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    deaf.bind(("127.0.0.1", 0))
    opened = UdpSocket(socket.AF_INET, "127.0.0.1")
    with pytest.raises(BlockedError):
        call(opened, deaf.getsockname(), new_secret(), Cipher.AES128, seconds=0.2)
    with pytest.raises(BlockedError):
        answer(opened, new_secret(), Cipher.AES128, 0.2, lambda: False)
    opened.close()
    deaf.close()


def test_a_port_where_nobody_listens_is_found_out() -> None:
    opened = UdpSocket(socket.AF_INET, "127.0.0.1")
    gone = UdpSocket(socket.AF_INET, "127.0.0.1")
    port = gone.port
    gone.close()
    with pytest.raises(BlockedError):
        call(opened, ("127.0.0.1", port), new_secret(), Cipher.AES128, seconds=0.2)
    opened.close()


def test_the_first_free_port_is_taken() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            UdpSocket(socket.AF_INET, "127.0.0.1", [port])
        opened = UdpSocket(socket.AF_INET, "127.0.0.1", [port, 0])
        assert opened.port != port
        opened.close()


def test_stopping_the_sender_ends_the_receiver() -> None:
    sink = Sink(200 * MB)
    with met() as (caller, answerer), ThreadPoolExecutor(2) as pool:
        sending = Sending(caller, Source(bytes(200 * MB)), Setting(8_000, policy=Policy.FIXED))
        receiving = Receiving(answerer, sink)
        received = pool.submit(receiving.run)
        sent = pool.submit(sending.run)
        sending.stop()
        assert sent.result(60) is False
        with pytest.raises(PlaneLostError, match="given up"):
            received.result(60)


def test_stopping_the_receiver_ends_the_sender() -> None:
    sink = Sink(200 * MB)
    with met() as (caller, answerer), ThreadPoolExecutor(1) as pool:
        receiving = Receiving(answerer, sink)
        received = pool.submit(receiving.run)
        receiving.stop()
        with pytest.raises(PlaneLostError, match="given up"):
            Sending(caller, Source(bytes(200 * MB)), Setting(8_000, policy=Policy.FIXED)).run()
        assert received.result(60) is False


def test_an_end_that_falls_silent_is_given_up() -> None:
    with met() as (caller, answerer):
        with pytest.raises(PlaneLostError, match="nothing was heard of the receiver"):
            Sending(caller, Source(bytes(MB)), FAST, silence=0.3).run()
        answerer.socket.receive()
        with pytest.raises(PlaneLostError, match="nothing was heard of the sender"):
            Receiving(answerer, Sink(MB), silence=0.3).run()


def test_what_the_source_raises_ends_the_session() -> None:
    source = Source(bytes(MB))
    source.broken = OSError(5, "the disk is broken")
    with met() as (caller, answerer), ThreadPoolExecutor(1) as pool:
        received = pool.submit(Receiving(answerer, Sink(MB)).run)
        with pytest.raises(OSError, match="disk"):
            Sending(caller, source, FAST).run()
        with pytest.raises(PlaneLostError):
            received.result(60)


def test_a_pause_holds_and_a_rate_sets_it_going_again() -> None:
    data = os.urandom(MB)
    sink = Sink(len(data))
    with met() as (caller, answerer), ThreadPoolExecutor(2) as pool:
        sending = Sending(caller, Source(data), Setting(0, policy=Policy.FIXED))
        receiving = Receiving(answerer, sink)
        received, sent = pool.submit(receiving.run), pool.submit(sending.run)
        time.sleep(0.3)
        assert sink.count == 0
        sending.set(FAST)
        assert (sent.result(60), received.result(60)) == (True, True)
    assert sink.data == data


def test_a_lone_large_datagram_is_not_cut_to_a_former_size() -> None:
    near, far = UdpSocket(socket.AF_INET, "127.0.0.1"), UdpSocket(socket.AF_INET, "127.0.0.1")
    near.connect(("127.0.0.1", far.port))
    near.send_all([[b"h" * 10, b"b" * 990] * 3], 1000)
    near.send_all([[b"H" * 10, b"B" * 29_990]], 30_000)
    arrived: list[int] = []
    for _ in range(30):
        far.wait(1)
        arrived += [len(datagram) for datagram in far.receive()]
        if sum(arrived) == 33_000:
            break
    assert arrived == [1000, 1000, 1000, 30_000]
    near.close()
    far.close()


def test_a_source_that_has_nothing_for_a_while_is_waited_for() -> None:
    data = os.urandom(300_000)
    source, sink = Source(data), Sink(len(data))
    source.held.clear()
    with met() as (caller, answerer), ThreadPoolExecutor(2) as pool:
        sent = pool.submit(Sending(caller, source, FAST).run)
        received = pool.submit(Receiving(answerer, sink).run)
        time.sleep(0.2)
        source.held.set()
        assert (sent.result(60), received.result(60)) == (True, True)
    assert sink.data == data


def test_a_receiver_whose_disk_is_behind_is_waited_for() -> None:
    data = os.urandom(3 * MB)
    sink = Sink(len(data))
    sink.waiting = 10 * MB
    with met() as (caller, answerer), ThreadPoolExecutor(2) as pool:
        sending, receiving = Sending(caller, Source(data), FAST), Receiving(answerer, sink, room=MB)
        received, sent = pool.submit(receiving.run), pool.submit(sending.run)
        time.sleep(0.3)
        assert sink.count == 0
        sink.waiting = 0
        assert (sent.result(60), received.result(60)) == (True, True)
    assert sink.data == data


def test_a_flood_at_the_port_changes_nothing_but_counters() -> None:
    data = os.urandom(2 * MB)
    sink = Sink(len(data))
    secret = new_secret()
    listening, calling = UdpSocket(socket.AF_INET, "127.0.0.1"), UdpSocket(socket.AF_INET, "127.0.0.1")
    flooding = threading.Event()
    tag = DirectionKeys(secret, Cipher.AES128, Direction.FROM_CALLER).word(Kind.DATA).to_bytes(4, "big")
    stranger = Outbox(DirectionKeys(new_secret(), Cipher.AES128, Direction.FROM_CALLER))

    def flood() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            for number in range(3000):
                out.sendto(os.urandom(40), ("127.0.0.1", listening.port))
                out.sendto(tag + number.to_bytes(4, "big") + bytes(200), ("127.0.0.1", listening.port))
                out.sendto(stranger.seal(Kind.HELLO, 1232, b"", 1232), ("127.0.0.1", listening.port))
                flooding.set()

    with ThreadPoolExecutor(2) as pool:
        answered = pool.submit(answer, listening, secret, Cipher.AES128, 60.0, lambda: False)
        attack = pool.submit(flood)
        flooding.wait(30)
        caller = call(calling, ("127.0.0.1", listening.port), secret, Cipher.AES128, seconds=60.0)
        receiving = Receiving(answered.result(60), sink)
        received = pool.submit(receiving.run)
        assert Sending(caller, Source(data), FAST).run()
        assert received.result(60)
        attack.result(60)
    assert sink.data == data
    assert receiving.end.duplicates == 0
    assert receiving.end.inbox.rejected.total > 0
    listening.close()
    calling.close()


def test_facts_tell_what_the_wire_saw() -> None:
    data = os.urandom(MB)
    with met(largest=1472) as (caller, answerer):
        sending = Sending(caller, Source(data), Setting(100_000, policy=Policy.FIXED))
        assert transfer(sending, Receiving(answerer, Sink(len(data)))) == (True, True)
        facts = sending.facts()
    assert facts.sent > 1.03 * MB
    assert facts.rate == 100_000
    assert facts.rtt is not None
    assert sending.end.sent.acknowledged == MB
