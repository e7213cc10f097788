"""Datagrams of others at both ports of a session: it goes on, its file arrives whole, its memory stays small."""

from __future__ import annotations

import os
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.openascp.conftest import Run

LOCAL = "127.0.0.1"
SIZE = 8_000_000
MOST_MEMORY = 300 << 20
MOST_SEEN = 100
ETHERNET, IP, UDP = 14, 20, 8


def may_listen() -> bool:
    """Containers may keep even root from it."""
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()
    except OSError:
        return False
    return True


pytestmark = [
    pytest.mark.sshd,
    pytest.mark.skipif(not may_listen(), reason="no raw sockets: needs root, or CAP_NET_RAW"),
]


class Attacker:
    """On the path of two ports: sees every datagram, sends what he likes in the name of either and in his own."""

    def __init__(self, ports: tuple[int, int]) -> None:
        self._ports = ports
        self._dice = random.Random(3)
        self._seen: list[tuple[int, int, bytes]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.sent = 0
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        self._watch()
        self._attack()

    def _watch(self) -> None:
        """Until there is enough to replay; later he would see what he sends himself."""
        everything = 0x0003
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(everything)) as sniffer:
            sniffer.bind(("lo", 0))
            sniffer.settimeout(0.1)
            while not self._over.is_set() and len(self._seen) < MOST_SEEN:
                with suppress(TimeoutError):
                    packet = sniffer.recv(65_535)[ETHERNET:]
                    if packet[9] != socket.IPPROTO_UDP:
                        continue
                    source, target = struct.unpack_from(">HH", packet, IP)
                    if (source, target) in (self._ports, self._ports[::-1]):
                        self._seen.append((source, target, packet[IP + UDP :]))

    def _attack(self) -> None:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as raw,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own,
        ):
            while not self._over.is_set():
                for source, target, datagram in self._evil():
                    header = struct.pack(">HHHH", source, target, UDP + len(datagram), 0)
                    with suppress(OSError):
                        raw.sendto(header + datagram, (LOCAL, 0))
                        own.sendto(datagram, (LOCAL, target))
                        self.sent += 2
                time.sleep(0.001)

    def _evil(self) -> Iterator[tuple[int, int, bytes]]:
        dice = self._dice
        for source, target in (self._ports, self._ports[::-1]):
            yield source, target, dice.randbytes(dice.randrange(1, 1400))
        for source, target, seen in dice.sample(self._seen, min(len(self._seen), 5)):
            datagram = seen[:1400]
            place = dice.randrange(len(datagram))
            yield source, target, datagram  # replayed, or cut off if it was longer
            yield source, target, datagram[:place]
            yield source, target, datagram[:place] + bytes([datagram[place] ^ 1]) + datagram[place + 1 :]
            yield source, target, datagram[:4] + dice.randbytes(len(datagram) - 4)


@contextmanager
def attacked(ports: tuple[int, int]) -> Iterator[Attacker]:
    attacker = Attacker(ports)
    try:
        yield attacker
    finally:
        attacker.close()


def ends(port: int) -> list[tuple[int, int]]:
    """Port and process of both ends of the session whose server has this port."""
    sockets: dict[tuple[int, int], str] = {}
    for table in ("/proc/net/udp", "/proc/net/udp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            words = line.split()
            mine, other = (int(words[place].rpartition(":")[2], 16) for place in (1, 2))
            sockets[mine, other] = words[9]
    [client] = [other for mine, other in sockets if mine == port and other]
    return [(port, holder(sockets[port, client])), (client, holder(sockets[client, port]))]


def holder(inode: str) -> int:
    """The process that has the socket."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            for descriptor in (process / "fd").iterdir():
                if str(descriptor.readlink()) == f"socket:[{inode}]":
                    return int(process.name)
    raise AssertionError("nobody has the socket")


def most_memory(process: int) -> int:
    [line] = [
        line for line in Path(f"/proc/{process}/status").read_text().splitlines() if line.startswith("VmHWM")
    ]
    return int(line.split()[1]) * 1024


@pytest.mark.parametrize(("mode", "cipher"), [("send", "aes128"), ("recv", "none")])
def test_a_flood_of_forged_replayed_and_truncated_datagrams_changes_nothing(
    run: Run, tmp_path: Path, mode: str, cipher: str
) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(SIZE))
    options = ("--transport=udp", "--policy=fixed", "-l", "20m", "-c", cipher)
    process = run(mode, [source], tmp_path / "copy", *options)
    port = int(process.listener.wait_for("SESSION").text("Port"))
    process.listener.wait_for(lambda message: int(message.text("TransferBytes") or 0) > 0)
    (first, one), (second, other) = ends(port)
    with attacked((first, second)) as attacker:
        process.listener.wait_for(lambda message: int(message.text("TransferBytes") or 0) > 0.8 * SIZE)
        memory = [most_memory(each) for each in (one, other)]
    process.done()
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()
    assert attacker.sent > 500
    assert max(memory) < MOST_MEMORY
    assert [message.text("Transport") for message in process.listener.of_type("SESSION")] == ["udp"]
