"""Somebody between the ends who copies, changes, cuts and invents datagrams both ways: counters notice, nobody else."""

from __future__ import annotations

import os
import random
import select
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from asperacentral.openascp.udp.engine import Receiving, Sending
from asperacentral.openascp.udp.keys import Cipher, new_secret
from asperacentral.openascp.udp.meeting import answer, call
from asperacentral.openascp.udp.rates import Policy
from asperacentral.openascp.udp.setting import Setting
from asperacentral.openascp.udp.sockets import UdpSocket
from tests.openascp.udp.streams import Sink, Source

SIZE = 1_500_000
LOCAL = "127.0.0.1"


class Meddler:
    """Passes everything on, and much besides: `address` is where the caller is to go instead of to `far`."""

    def __init__(self, far: int) -> None:
        self._near, self._far = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self._near.bind((LOCAL, 0))
        self._far.connect((LOCAL, far))
        self.address = (LOCAL, self._near.getsockname()[1])
        self._caller: tuple[str, int] | None = None
        self._dice = random.Random(5)
        self._kept: dict[bool, list[bytes]] = {True: [], False: []}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self._near.close()
        self._far.close()

    def _run(self) -> None:
        while not self._over.is_set():
            ready, _, _ = select.select([self._near, self._far], [], [], 0.05)
            if self._near in ready:
                datagram, self._caller = self._near.recvfrom(65_536)
                self._pass_on(datagram, there=True)
            if self._far in ready:
                try:
                    self._pass_on(self._far.recv(65_536), there=False)
                except ConnectionRefusedError:
                    continue

    def _pass_on(self, datagram: bytes, *, there: bool) -> None:
        for each in (*self._evil(datagram, self._kept[there]), datagram):
            try:
                if there:
                    self._far.send(each)
                elif self._caller is not None:
                    self._near.sendto(each, self._caller)
            except OSError:
                continue

    def _evil(self, datagram: bytes, kept: list[bytes]) -> Iterator[bytes]:
        dice = self._dice
        yield datagram[: dice.randrange(len(datagram))]
        yield datagram[:12]
        place = dice.randrange(len(datagram))
        yield datagram[:place] + bytes([datagram[place] ^ 1 << dice.randrange(8)]) + datagram[place + 1 :]
        yield datagram[:4] + dice.randbytes(len(datagram) - 4)
        yield dice.randbytes(dice.randrange(1, 1500))
        if kept:
            yield dice.choice(kept)
        kept.append(datagram)


@pytest.mark.parametrize("cipher", [Cipher.AES128, Cipher.NONE])
@pytest.mark.parametrize("caller_sends", [True, False])
def test_forged_replayed_and_truncated_datagrams_change_nothing_but_counters(
    caller_sends: bool, cipher: Cipher
) -> None:
    data, secret, sink = os.urandom(SIZE), new_secret(), Sink(SIZE)
    listening, calling = UdpSocket(socket.AF_INET, LOCAL), UdpSocket(socket.AF_INET, LOCAL)
    meddler = Meddler(listening.port)
    try:
        with ThreadPoolExecutor(2) as pool:
            answered = pool.submit(answer, listening, secret, cipher, 60.0, lambda: False)
            caller = call(calling, meddler.address, secret, cipher, 1400, seconds=60.0)
            links = (caller, answered.result(60))
            near, far = links if caller_sends else reversed(links)
            sending = Sending(near, Source(data), Setting(40_000, policy=Policy.FIXED))
            receiving = Receiving(far, sink)
            received = pool.submit(receiving.run)
            assert sending.run()
            assert received.result(60)
    finally:
        meddler.close()
        listening.close()
        calling.close()
    assert bytes(sink.data) == data
    assert sink.count == len(data)
    for end in (sending.end, receiving.end):
        rejected = end.inbox.rejected
        assert min(rejected.truncated, rejected.replayed, rejected.forged, rejected.foreign) > 0
