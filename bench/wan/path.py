"""A path of any rate, distance and loss between two network namespaces of this machine.

    with Path() as path:
        path.set(rate=500, rtt=100, loss=1)
        path.run("a", ["ping", "-c", "3", path.addresses["b"]])

Needs root, a C compiler, iproute2 and /dev/net/tun. The namespaces have no other way out, so nothing leaves the
machine, and they go when the path is closed.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path as File
from types import TracebackType
from typing import Any, ClassVar

_SOURCE = File(__file__).with_name("link.c")
_NUMBERS = itertools.count()


class Path:
    """Side a is the nearer one: `there` is from a to b. Losses are per cent, rates Mbit/s, times milliseconds."""

    addresses: ClassVar[dict[str, str]] = {"a": "10.77.0.1", "b": "10.77.0.2"}

    def __init__(self, *, tcp_control: str | None = None, tcp_buffer_mb: int = 64) -> None:
        number = next(_NUMBERS)
        self._spaces = {side: f"wan{os.getpid()}{side}{number}" for side in "ab"}
        self._tcp_control = tcp_control
        self._tcp_buffer_mb = tcp_buffer_mb
        self._link: subprocess.Popen[str] | None = None

    def __enter__(self) -> Path:
        try:
            self._make()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def set(
        self,
        *,
        rate: float = 0,
        rtt: float = 0,
        loss: float = 0,
        loss_back: float = 0,
        burst: float = 1,
        queue: float = 50,
    ) -> None:
        """What the path is like from now on."""
        for way, share in (("there", loss), ("back", loss_back)):
            self._say(f"{way} loss {share / 100}")
        for name, number in (("rate", rate), ("delay", rtt / 2), ("burst", burst), ("queue", queue)):
            self._say(f"both {name} {number}")

    def counters(self) -> dict[str, Any]:
        """What went through since the last time, both ways: `packets` came and `took` were sent on by the link,
        `waited_ms` together and `queue_ms` at most; `bytes` got through, of those `tcp`."""
        assert self._link is not None and self._link.stdout is not None
        self._say("count")
        counted: dict[str, Any] = json.loads(self._link.stdout.readline())
        self._say("zero")
        return counted

    def command(self, side: str, words: Sequence[str | File]) -> list[str]:
        """A command that runs in the namespace of a side."""
        return ["ip", "netns", "exec", self._spaces[side], *(str(word) for word in words)]

    def run(self, side: str, words: Sequence[str | File]) -> str:
        """Run a program on a side, and return what it says."""
        return subprocess.run(self.command(side, words), check=True, capture_output=True, text=True).stdout

    def start(self, side: str, words: Sequence[str | File], **options: Any) -> subprocess.Popen[str]:
        """Start a program on a side."""
        return subprocess.Popen(self.command(side, words), text=True, **options)

    def close(self) -> None:
        """Remove all that was made."""
        if self._link is not None:
            assert self._link.stdin is not None
            self._link.stdin.close()
            self._link.wait()
            self._link = None
        for space in self._spaces.values():
            subprocess.run(["ip", "netns", "del", space], check=False, stderr=subprocess.DEVNULL)

    def _make(self) -> None:
        for space in self._spaces.values():
            subprocess.run(["ip", "netns", "add", space], check=True)
        command = [str(_compiled()), self._spaces["a"], self._spaces["b"]]
        pipe = subprocess.PIPE
        self._link = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, bufsize=1)
        assert self._link.stdout is not None
        if self._link.stdout.readline() != "ready\n":
            raise RuntimeError("the emulated link did not start")
        for side, other in ("ab", "ba"):
            own = ["ip", "-n", self._spaces[side]]
            peer = [self.addresses[side], "peer", self.addresses[other]]
            for step in (
                [*own, "link", "set", "lo", "up"],
                [*own, "addr", "add", *peer, "dev", "wan"],
                [*own, "link", "set", "wan", "mtu", "1500", "txqueuelen", "20000", "up"],
            ):
                subprocess.run(step, check=True)
            self._tune(side, other)

    def _tune(self, side: str, other: str) -> None:
        most = self._tcp_buffer_mb << 20
        for each in (f"net.ipv4.tcp_rmem=4096 131072 {most}", f"net.ipv4.tcp_wmem=4096 65536 {most}"):
            subprocess.run(self.command(side, ["sysctl", "-qw", each]), check=True)
        if self._tcp_control is not None:
            # By the route: a namespace may make the default only what the whole machine allows to everybody.
            route = [self.addresses[other], "dev", "wan", "src", self.addresses[side]]
            words = ["ip", "-n", self._spaces[side], "route", "replace", *route, "congctl", self._tcp_control]
            subprocess.run(words, check=True)

    def _say(self, line: str) -> None:
        assert self._link is not None and self._link.stdin is not None
        self._link.stdin.write(line + "\n")
        self._link.stdin.flush()


class Loopback:
    """This machine as both sides."""

    addresses: ClassVar[dict[str, str]] = {"a": "127.0.0.1", "b": "127.0.0.1"}

    def __enter__(self) -> Loopback:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def set(self, **what: float) -> None:
        """It is as it is."""
        raise ValueError(f"the loopback interface has no {', '.join(what)}")

    def start(self, side: str, words: Sequence[str | File], **options: Any) -> subprocess.Popen[str]:
        """Start a program."""
        return subprocess.Popen([str(word) for word in words], text=True, **options)


def _compiled() -> File:
    """The emulator, compiled once for each version of its source."""
    name = hashlib.sha256(_SOURCE.read_bytes()).hexdigest()[:16]
    program = File(tempfile.gettempdir()) / f"wan-link-{os.getuid()}-{name}"
    if not program.exists():
        made = program.with_suffix(f".{os.getpid()}")
        subprocess.run(["cc", "-O2", "-o", str(made), str(_SOURCE)], check=True)
        made.rename(program)
    return program
