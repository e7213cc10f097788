"""A caller whose address changes is followed; who copies its datagrams is not, and draws fewer bytes than he sends."""

from __future__ import annotations

import os
import select
import socket
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asperacentral.openascp.udp.boxes import Inbox, Outbox
from asperacentral.openascp.udp.engine import Receiving, Sending
from asperacentral.openascp.udp.following import AGAIN_SECONDS, FORGOTTEN_SECONDS, MOST_ADDRESSES, Following
from asperacentral.openascp.udp.keys import Cipher, Direction, DirectionKeys, new_secret
from asperacentral.openascp.udp.meeting import answer, call
from asperacentral.openascp.udp.packets import Confirm, Kind
from asperacentral.openascp.udp.rates import Policy, RateControl
from asperacentral.openascp.udp.receiving import ReceivingEnd
from asperacentral.openascp.udp.sending import SendingEnd
from asperacentral.openascp.udp.setting import Setting
from asperacentral.openascp.udp.sockets import UdpSocket
from bench.wan.simulator import HEADERS, whole
from tests.openascp.udp.streams import Sink, Source

LOCAL = "127.0.0.1"
SECRET = bytes(range(32))
CALLER, ANSWERER = Direction.FROM_CALLER, Direction.FROM_ANSWERER
CONFIRMATION = Confirm(1472, 1 << 20).encode()


def keys(direction: Direction, cipher: Cipher = Cipher.AES128) -> DirectionKeys:
    return DirectionKeys(SECRET, cipher, direction)


class Story:
    """The answerer's eye, with a caller who seals and a reader of what is sent to addresses."""

    def __init__(self, cipher: Cipher = Cipher.AES128) -> None:
        self.caller = Outbox(keys(CALLER, cipher))
        self.inbox = Inbox(keys(CALLER, cipher))
        self.following = Following(self.inbox, Outbox(keys(ANSWERER, cipher)))
        self._reader = Inbox(keys(ANSWERER, cipher))

    def probe(self) -> bytes:
        return self.caller.seal(Kind.PROBE, 0, bytes(9))

    def challenged(self, datagram: bytes, address: str, now: float = 0.0) -> int | None:
        """The cookie that is sent to this address for the datagram; None when nothing is."""
        reply = self.following.take_in(datagram, address, now)
        if reply is None:
            return None
        assert len(reply) <= len(datagram)
        packet = self._reader.open(reply, now)
        assert packet is not None
        assert packet[0] == Kind.CHALLENGE
        return packet[2]

    def confirm(self, cookie: int) -> bytes:
        return self.caller.seal(Kind.CONFIRM, cookie, CONFIRMATION)


@pytest.mark.parametrize("cipher", list(Cipher))
def test_who_confirms_the_cookie_from_where_it_was_sent_to_is_followed(cipher: Cipher) -> None:
    story = Story(cipher)
    cookie = story.challenged(story.probe(), "new")
    assert cookie is not None
    assert story.following.confirms(story.confirm(cookie), "new", 0.1)


def test_what_was_looked_at_can_still_be_opened() -> None:
    story = Story()
    probe = story.probe()
    assert story.challenged(probe, "new") is not None
    assert story.inbox.open(probe, 0.0) is not None


def test_what_is_old_forged_or_from_nowhere_draws_nothing() -> None:
    story = Story()
    first, second = story.probe(), story.probe()
    assert story.inbox.open(second, 0.0) is not None
    stranger = Outbox(DirectionKeys(bytes(32), Cipher.AES128, CALLER))
    forged = second[:-1] + bytes([second[-1] ^ 1])
    for datagram in (first, second, forged, stranger.seal(Kind.PROBE, 0, bytes(9)), b"", b"x" * 2000):
        assert story.challenged(datagram, "new") is None


def test_a_cookie_counts_only_from_the_address_it_was_sent_to_and_only_sealed() -> None:
    story = Story()
    probe = story.probe()
    mine, thiefs = story.challenged(probe, "mine"), story.challenged(probe, "thief")
    assert mine is not None
    assert thiefs not in (None, mine)
    follows = story.following.confirms
    assert not follows(story.confirm(mine), "thief", 0.1)
    assert not follows(story.confirm(mine), "elsewhere", 0.1)
    stranger = Outbox(DirectionKeys(bytes(32), Cipher.AES128, CALLER), first=50)
    assert not follows(stranger.seal(Kind.CONFIRM, mine, CONFIRMATION), "mine", 0.1)
    confirmation = story.confirm(mine)
    assert follows(confirmation, "mine", 0.1)
    assert not follows(confirmation, "mine", 0.1)


def test_an_address_is_challenged_now_and_then_and_few_are_at_a_time() -> None:
    story = Story()
    assert story.challenged(story.probe(), "a", 0.0) is not None
    assert story.challenged(story.probe(), "a", AGAIN_SECONDS / 2) is None
    assert story.challenged(story.probe(), "a", 1.5 * AGAIN_SECONDS) is not None
    others = [story.challenged(story.probe(), f"b{number}", 1.0) for number in range(MOST_ADDRESSES)]
    assert others.count(None) == 1
    assert story.challenged(story.probe(), "late", 2.0) is None
    assert story.challenged(story.probe(), "late", 1.1 + FORGOTTEN_SECONDS) is not None


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.binary(max_size=100)), max_size=30))
def test_whatever_comes_from_anywhere_nobody_without_the_keys_is_answered(
    arrivals: list[tuple[str, bytes]],
) -> None:
    story = Story()
    tag = story.probe()[1:4]
    for number, (address, text) in enumerate(arrivals):
        for datagram in (text, text[:1] + tag + text[1:]):
            assert story.challenged(datagram, address, number) is None
            assert not story.following.confirms(datagram, address, number)
    assert story.inbox.arrived.end == 0


class Journey:
    """Both ends on a path of 20 ms whose caller changes its address: steps of a millisecond, nothing else is real."""

    DELAY, STEP, LENGTH = 0.02, 0.001, 6_000_000

    def __init__(self, *, caller_sends: bool) -> None:
        boxes = {
            way: (Outbox(keys(way)), Inbox(keys(way))) for way in (CALLER, ANSWERER)
        }  # what is sealed at one end, and opened at the other
        near = boxes[ANSWERER][1], boxes[CALLER][0]
        far = boxes[CALLER][1], boxes[ANSWERER][0]
        self.now = 0.0
        self._caller_outbox = near[1]
        control = RateControl(Policy.FIXED, 20_000, 0, 0.0)
        sender, receiver = (near, far) if caller_sends else (far, near)
        self.sender = SendingEnd(
            *sender, control, size=1472, headers=HEADERS, buffer=1 << 20, now=0.0, rtt=0.04
        )
        self.receiver = ReceivingEnd(*receiver, room=64 << 20, early=512 << 10, now=0.0)
        self.following = Following(*far)
        self.caller_end = self.sender if caller_sends else self.receiver
        self.address = self.known = "first"
        self._caller_sends = caller_sends
        self._under_way: deque[tuple[float, bool, str, bytes]] = deque()
        self._fed = 0

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until and not self.sender.complete:
            self.now += self.STEP
            self._step()

    def _step(self) -> None:
        sender, now = self.sender, self.now
        while sender.hungry:
            more = min(100_000, self.LENGTH - self._fed)
            sender.feed(bytes(more) if more else None)
            self._fed += more
        for volley in sender.burst(now):
            for datagram in whole(volley):
                self._send(datagram, there=self._caller_sends)
        for report in self.receiver.reports(now):
            self._send(report, there=not self._caller_sends)
        if self.caller_end.challenge is not None:
            self._send(
                self._caller_outbox.seal(Kind.CONFIRM, self.caller_end.challenge, CONFIRMATION), there=True
            )
            self.caller_end.challenge = None
        while self._under_way and self._under_way[0][0] <= now:
            self._arrive(*self._under_way.popleft()[1:])

    def _send(self, datagram: bytes, *, there: bool, to: str = "") -> None:
        place = self.address if there else to or self.known
        self._under_way.append((self.now + self.DELAY, there, place, datagram))

    def _arrive(self, there: bool, place: str, datagram: bytes) -> None:
        if there and place != self.known:
            if self.following.confirms(datagram, place, self.now):
                self.known = place
            elif (challenge := self.following.take_in(datagram, place, self.now)) is not None:
                self._send(challenge, there=False, to=place)
        elif there or place == self.address:
            if there is self._caller_sends:
                self.receiver.take([datagram], self.now)
            else:
                self.sender.take_in([datagram], self.now)


@pytest.mark.parametrize("caller_sends", [True, False])
def test_a_stream_goes_on_from_the_new_address_within_a_second(caller_sends: bool) -> None:
    journey = Journey(caller_sends=caller_sends)
    for address in ("second", "third"):
        journey.run(0.25)
        journey.address = address
        before = journey.receiver.received
        journey.run(0.7)
        assert journey.known == address
        assert journey.receiver.received > before + 100_000
    journey.run(10)
    assert journey.receiver.complete
    assert journey.sender.complete


@pytest.mark.parametrize("caller_sends", [True, False])
def test_a_paused_session_is_heard_each_second_and_found_at_its_new_address(caller_sends: bool) -> None:
    """So often that no address translation forgets it meanwhile."""
    journey = Journey(caller_sends=caller_sends)
    journey.run(0.2)
    journey.sender.control.set_rates(0, 0)
    journey.run(1)
    caller = journey._caller_outbox
    for _ in range(60):
        before = caller.next
        journey.run(1.0)
        assert caller.next > before
    journey.address = "second"
    journey.run(1.5)
    assert journey.known == "second"


class Translation:
    """Stands for an address translation: the answerer sees its outer address, which `forget` changes."""

    def __init__(self, far: int) -> None:
        self._near = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._near.bind((LOCAL, 0))
        self._far_port = far
        self._outer = [self._new()]
        self.address = (LOCAL, self._near.getsockname()[1])
        self._caller: tuple[str, int] | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def forget(self) -> None:
        """From now on the caller has another address; what comes for the former one is dropped."""
        self._outer.append(self._new())

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        for each in (self._near, *self._outer):
            each.close()

    def _new(self) -> socket.socket:
        outer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        outer.connect((LOCAL, self._far_port))
        return outer

    def _run(self) -> None:
        while not self._over.is_set():
            outer = self._outer[-1]
            ready, _, _ = select.select([self._near, outer], [], [], 0.02)
            for each in ready:
                try:
                    if each is self._near:
                        datagram, self._caller = self._near.recvfrom(65_536)
                        outer.send(datagram)
                    elif self._caller is not None:
                        self._near.sendto(outer.recv(65_536), self._caller)
                except OSError:
                    continue


@pytest.mark.parametrize("caller_sends", [True, False])
def test_on_real_sockets_a_stream_arrives_whole_though_the_translation_forgets_twice(
    caller_sends: bool,
) -> None:
    data, secret = os.urandom(3_000_000), new_secret()
    sink = Sink(len(data))
    listening, calling = UdpSocket(socket.AF_INET, LOCAL), UdpSocket(socket.AF_INET, LOCAL)
    translation = Translation(listening.port)
    try:
        with ThreadPoolExecutor(3) as pool:
            answered = pool.submit(answer, listening, secret, Cipher.AES128, 60.0, lambda: False)
            near = call(calling, translation.address, secret, Cipher.AES128, 1400, seconds=60.0)
            far = answered.result(60)
            if far.ear is None:
                pytest.skip("no second socket at a port on this system")
            sending = Sending(
                near if caller_sends else far, Source(data), Setting(16_000, policy=Policy.FIXED)
            )
            receiving = Receiving(far if caller_sends else near, sink)
            sent, received = pool.submit(sending.run), pool.submit(receiving.run)
            for share in (0.2, 0.6):
                assert sink.reaches(int(share * len(data)))
                translation.forget()
            assert (sent.result(60), received.result(60)) == (True, True)
    finally:
        translation.close()
        listening.close()
        calling.close()
    assert sink.data == data
    assert sink.count == len(data)


def test_nobody_else_gets_the_port_of_a_session() -> None:
    secret = new_secret()
    listening, calling = UdpSocket(socket.AF_INET, LOCAL), UdpSocket(socket.AF_INET, LOCAL)
    with ThreadPoolExecutor(1) as pool:
        answered = pool.submit(answer, listening, secret, Cipher.AES128, 60.0, lambda: False)
        call(calling, (LOCAL, listening.port), secret, Cipher.AES128, seconds=60.0)
        answered.result(60)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="in use"):
            thief.bind((LOCAL, listening.port))
    listening.close()
    calling.close()
