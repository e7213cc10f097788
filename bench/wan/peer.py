"""One end of a measured transfer on the fast plane, without SSH and files' names: memory to memory or file to file.

    python -m bench.wan.peer receive|send ADDRESS PORT SECRET --size BYTES ...

The receiver answers, the sender calls. Each prints a line of JSON when it is done.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import socket
import threading
import time
from pathlib import Path

from asperacentral.openascp.udp.engine import Receiving, Sending
from asperacentral.openascp.udp.keys import Cipher
from asperacentral.openascp.udp.meeting import answer, call
from asperacentral.openascp.udp.rates import Policy
from asperacentral.openascp.udp.setting import Setting
from asperacentral.openascp.udp.sockets import UdpSocket


class MemorySource:
    """So many bytes that depend on their place."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._block = os.urandom(1 << 20)
        self.digest = hashlib.blake2b(digest_size=16)
        self.began = 0.0

    def read(self, size: int) -> bytes | None:
        self.began = self.began or time.monotonic()
        if not self._left:
            return None
        data = self._block[: min(size, self._left)]
        self._left -= len(data)
        return data


class MemorySink:
    """Counts."""

    def __init__(self) -> None:
        self.size = 0
        self.ended = 0.0
        self.marks: list[tuple[float, int]] = []

    def write(self, offset: int, data: bytes) -> None:
        self.size += len(data)
        self.ended = time.monotonic()
        if not self.marks or self.ended - self.marks[-1][0] >= 0.1:
            self.marks.append((self.ended, self.size))

    @property
    def backlog(self) -> int:
        return 0


class FileSource:
    """A file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")

    def read(self, size: int) -> bytes | None:
        return self._file.read(size) or None


class FileSink(MemorySink):
    """A file, written by a thread."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        self._waiting: list[tuple[int, bytes]] = []
        self._backlog = 0
        self._changed = threading.Condition()
        self._over = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def write(self, offset: int, data: bytes) -> None:
        super().write(offset, data)
        with self._changed:
            self._waiting.append((offset, data))
            self._backlog += len(data)
            self._changed.notify()

    @property
    def backlog(self) -> int:
        return self._backlog

    def close(self) -> None:
        with self._changed:
            self._over = True
            self._changed.notify()
        self._thread.join()
        os.close(self._descriptor)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._over:
                    self._changed.wait()
                work, self._waiting = self._waiting, []
                if not work:
                    return
            for offset, data in work:
                os.pwrite(self._descriptor, data, offset)
                self._backlog -= len(data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("role", choices=("send", "receive"))
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("secret", type=bytes.fromhex)
    parser.add_argument("--size", type=int, default=0)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--rate", type=int, default=10_000_000, help="Kbps")
    parser.add_argument("--changes", default="", help="SECONDS:KBPS,... of the target rate")
    parser.add_argument("--policy", type=Policy, default=Policy.FIXED, choices=list(Policy))
    parser.add_argument("--cipher", type=Cipher, default=Cipher.AES128, choices=list(Cipher))
    parser.add_argument("--seconds", type=float, default=0.0, help="send for so long instead")
    parser.add_argument("--datagram", type=int, help="largest datagram")
    options = parser.parse_args()
    family = socket.AF_INET6 if ":" in options.address else socket.AF_INET
    print(json.dumps((_send if options.role == "send" else _receive)(options, family)), flush=True)


def _send(options: argparse.Namespace, family: int) -> dict[str, object]:
    began = time.monotonic()
    link = call(
        UdpSocket(family), (options.address, options.port), options.secret, options.cipher, options.datagram
    )
    met = time.monotonic()
    source = FileSource(options.file) if options.file else MemorySource(options.size)
    sending = Sending(link, source, Setting(options.rate, 0, options.policy))
    for change in filter(None, options.changes.split(",")):
        at, rate = change.split(":")
        setting = Setting(int(rate), 0, options.policy)
        threading.Timer(float(at), sending.set, [setting]).start()
    if options.seconds:
        threading.Timer(options.seconds, sending.stop).start()
    sending.run()
    sent = sending.end.sent
    return {
        "meeting": met - began,
        "seconds": time.monotonic() - met,
        "began": met,
        "datagram": link.size,
        "datagrams": sent.datagrams,
        "wire": sent.wire,
        "again": sent.again,
        "lost": sent.lost,
        "rtt": sending.end.rtt,
        "cpu": _cpu(),
    }


def _receive(options: argparse.Namespace, family: int) -> dict[str, object]:
    opened = UdpSocket(family, options.address, [options.port])
    print("ready", flush=True)
    link = answer(opened, options.secret, options.cipher, 30.0, lambda: False)
    sink = FileSink(options.file) if options.file else MemorySink()
    receiving = Receiving(link, sink)
    try:
        whole = receiving.run()
    except ConnectionError:
        whole = False
    except Exception as error:
        whole = False
        print(f"{error}", flush=True) if not options.seconds else None
    if isinstance(sink, FileSink):
        sink.close()
    return {
        "whole": whole,
        "size": sink.size,
        "ended": sink.ended,
        "duplicates": receiving.end.duplicates,
        "overrun": receiving.end.overrun,
        "rejected": receiving.end.inbox.rejected.total,
        "marks": sink.marks,
        "cpu": _cpu(),
    }


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
