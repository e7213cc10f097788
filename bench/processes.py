"""What processes cost: memory while they run, CPU time and peaks when they have ended."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20


@dataclass(frozen=True)
class Memory:
    """Bytes in memory: `rss` with all that is shared, `pss` with each process's share of it, `own` without it."""

    rss: int = 0
    pss: int = 0
    own: int = 0


def memory(pid: int) -> Memory:
    """A process's memory now; nothing if it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return Memory()
    sizes = {words[0]: int(words[1]) << 10 for words in map(str.split, lines) if words[-1] == "kB"}
    own = sizes.get("Private_Clean:", 0) + sizes.get("Private_Dirty:", 0)
    return Memory(sizes.get("Rss:", 0), sizes.get("Pss:", 0), own)


def descendants(pid: int) -> list[int]:
    """The processes below one, children before grandchildren."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        children = []
        for thread in Path(f"/proc/{waiting[0]}/task").glob("*"):  # each knows the children it made
            with contextlib.suppress(OSError):
                children += [int(word) for word in (thread / "children").read_text().split()]
        waiting = waiting[1:] + children
        found += children
    return found


@dataclass(frozen=True)
class Cost:
    """What one run of a program took: seconds, CPU seconds (both with its children), peaks in bytes."""

    seconds: float
    cpu: float
    peak_rss: int
    peak_pss: int


def run(command: Sequence[str | Path], folder: Path) -> Cost:
    """Run a program to its end. RuntimeError with what it said unless it exits with 0."""
    said = folder / "said"
    with said.open("wb") as output:
        began = time.monotonic()
        process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        watch = _Watch(process.pid)
        watch.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
        watch.stop()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command[0]} failed: {said.read_text(errors='replace')[-1000:]}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, watch.rss, watch.pss)


class _Watch(threading.Thread):
    """Looks ten times a second at what a process and its children take together."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._ended = threading.Event()
        self.rss = 0
        self.pss = 0

    def run(self) -> None:
        while not self._ended.wait(0.1):
            taken = [memory(pid) for pid in (self._pid, *descendants(self._pid))]
            self.rss = max(self.rss, sum(each.rss for each in taken))
            self.pss = max(self.pss, sum(each.pss for each in taken))

    def stop(self) -> None:
        self._ended.set()
        self.join()


def cpu_seconds(pids: Sequence[int]) -> float:
    """CPU seconds that processes, and those they have waited for, have taken so far."""
    total = 0
    for pid in pids:
        try:
            words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(int(word) for word in words[11:15])
    return total / os.sysconf("SC_CLK_TCK")
