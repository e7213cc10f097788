"""One transfer over an emulated path by the fast plane alone, and what it took."""

from __future__ import annotations

import itertools
import json
import secrets
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from bench.wan.path import Path

_ports = itertools.cycle(range(33001, 33091))
"""A transfer's port may not be free again when the next one starts."""


@dataclass(frozen=True)
class Result:
    """Mbit/s of the bytes that matter, and shares of datagrams."""

    goodput: float
    meeting: float = 0.0
    lost: float = 0.0
    twice: float = 0.0
    cpu_per_gb: float = 0.0
    queue_ms: float = 0.0
    marks: tuple[tuple[float, int], ...] = ()
    """Seconds of the machine's monotonic clock, and bytes that had arrived by then."""
    began: float = 0.0
    """When the first datagram was sent, by the same clock."""


class PlaneTransfer:
    """The fast plane from a to b, memory to memory; starts at once."""

    def __init__(
        self,
        path: Path,
        *,
        rate: int,
        policy: str = "fixed",
        size: int = 0,
        seconds: float = 0,
        changes: str = "",
    ) -> None:
        secret = secrets.token_hex(32)
        self._size = size
        port = str(next(_ports))
        words = [sys.executable, "-m", "bench.wan.peer"]
        ends = [path.addresses["b"], port, secret]
        self._receiver = path.start("b", [*words, "receive", *ends], stdout=subprocess.PIPE)
        assert self._receiver.stdout is not None
        self._receiver.stdout.readline()
        amount = ["--seconds", str(seconds), "--size", str(1 << 60)] if seconds else ["--size", str(size)]
        pace = ["--rate", str(rate), "--policy", policy, "--changes", changes]
        self._sender = path.start("a", [*words, "send", *ends, *amount, *pace], stdout=subprocess.PIPE)

    @property
    def running(self) -> bool:
        """Whether the sender is at it."""
        return self._sender.poll() is None

    def result(self) -> Result:
        """Wait for the end. RuntimeError when not all arrived."""
        sent, got = _told(self._sender), _told(self._receiver)
        if self._size and not (got["whole"] and got["size"] == self._size):
            raise RuntimeError("not all arrived")
        seconds = got["ended"] - sent["began"]
        return Result(
            goodput=got["size"] * 8e-6 / seconds,
            meeting=sent["meeting"],
            lost=sent["lost"] / sent["datagrams"],
            twice=got["duplicates"] / sent["datagrams"],
            cpu_per_gb=(sent["cpu"] + got["cpu"]) / (got["size"] / 1e9),
            marks=tuple((at, size) for at, size in got["marks"]),
            began=sent["began"],
        )


def _told(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, _ = process.communicate()
    if process.returncode:
        raise RuntimeError("one end of the transfer failed")
    told: dict[str, Any] = json.loads(out.splitlines()[-1])
    return told
