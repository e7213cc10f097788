"""How soon an order moves bytes, and what a session's process takes in memory: a real daemon and a real node.

The time runs from sending Submit to the first byte in the file on the far side's disk: reading and storing the order,
the transfer process, its SSH login with a password, and the first block. It is looked for every half millisecond.

For memory, slow sessions run at once, each in its own process; each is looked at when it is moving bytes.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from asperacentral.commands.local import LocalDaemon, LocalNode
from bench import load, orders, processes, report
from bench.processes import MIB, memory
from bench.report import Report, Table, median
from bench.soap import QUIET

_TIMEOUT = 120.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=10, help="orders whose first byte is waited for")
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 10, 50], help="sessions at once")
    parser.add_argument("--rate", type=int, default=200, help="Kbps of each slow session")


def run(args: argparse.Namespace) -> Report:
    with tempfile.TemporaryDirectory(prefix="bench-first-byte-") as name, report.conditions() as told:
        folder = Path(name)
        times, tables = [], []
        with _Site(folder / "times") as site:
            for number in range(args.rounds + 1):
                times.append(1000 * site.first_byte(number))
        first, *rest = times
        tables.append(
            Table(
                f"Submit to the first byte on the far side's disk, {args.rounds} orders",
                ["median ms", "least ms", "most ms", "first order after the start ms"],
                [[median(rest), min(rest), max(rest), first]],
            )
        )
        table = Table(
            "Memory of session processes, MiB",
            ["sessions", "PSS each", "RSS each", "PSS of all", "PSS of their parent", "PSS of the daemon"],
            note="Medians for *each*. PSS counts memory that several processes share once, in parts; RSS counts it in "
            "every one of them. The parent is the process that sessions are forked from.",
        )
        for count in args.sessions:
            with _Site(folder / f"memory-{count}") as site:
                table.rows.append(site.memory(count, args.rate))
        tables.append(table)
        return Report("first_byte", told(), tables)


class _Site:
    """A node and a daemon in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._far = folder / "far"
        self._far.mkdir(parents=True)
        self._password = secrets.token_urlsafe(12)
        self._node = LocalNode(folder, self._far, "bench", self._password)
        self._daemon = LocalDaemon(folder / "central", verbosity=QUIET)
        self._running = contextlib.ExitStack()

    def __enter__(self) -> _Site:
        self._running.enter_context(self._node)
        self._running.enter_context(self._daemon)
        return self

    def __exit__(self, *_: object) -> None:
        left = processes.descendants(self._daemon.pid)
        self._running.close()
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)

    def first_byte(self, number: int) -> float:
        """Seconds until an order's first byte is there; it is waited for until it has ended, too."""
        source = self._source(f"{number}.dat", 1 << 20)
        envelope = self._order(source, f"/{number}", 10_000_000)
        destination = self._far / str(number)
        began = time.perf_counter()
        job = orders.job_id(load.post(self._daemon.url + orders.SUBMIT, envelope))
        _until(lambda: _bytes_in(destination) > 0, 0.0005)
        took = time.perf_counter() - began
        _until(lambda: job in self._sessions("completed"), 0.05)
        return took

    def memory(self, count: int, rate: int) -> list[float | int | str]:
        """Start `count` sessions; what they take once all of them move bytes."""
        source = self._source("slow.dat", 64 * MIB)
        for number in range(count):
            envelope = self._order(source, f"/{number}", rate)
            load.post(self._daemon.url + orders.SUBMIT, envelope)
        _until(lambda: all(_bytes_in(self._far / str(number)) for number in range(count)), 0.1)
        _until(lambda: len(self._sessions("running")) == count, 0.1)
        below = processes.descendants(self._daemon.pid)
        parents = [pid for pid in below if processes.descendants(pid)]
        taken = [memory(pid) for pid in below if pid not in parents]
        if len(taken) != count:
            raise RuntimeError(f"{len(taken)} processes for {count} sessions")
        return [
            count,
            median([each.pss / MIB for each in taken]),
            median([each.rss / MIB for each in taken]),
            sum(each.pss for each in taken) / MIB,
            sum(memory(pid).pss for pid in parents) / MIB,
            memory(self._daemon.pid).pss / MIB,
        ]

    def _source(self, name: str, size: int) -> Path:
        path = self._folder / name
        path.write_bytes(os.urandom(size))
        return path

    def _order(self, source: Path, destination: str, rate: int) -> bytes:
        return orders.submit(
            orders.order(
                source,
                port=self._node.port,
                destination=destination,
                user="bench",
                password=self._password,
                rate=rate,
            )
        )

    def _sessions(self, status: str) -> dict[str, str]:
        request = orders.get_session_info(1000, status=status)
        return orders.sessions_by_job(load.post(self._daemon.url + orders.QUERY, request))


def _bytes_in(path: Path) -> int:
    """Bytes of a file, or of the files in a folder; 0 if it is not there."""
    try:
        found = list(path.iterdir()) if path.is_dir() else [path]
        return sum(each.stat().st_size for each in found)
    except FileNotFoundError:
        return 0


def _until(reached: Callable[[], bool], interval: float) -> None:
    deadline = time.monotonic() + _TIMEOUT
    while not reached():
        if time.monotonic() > deadline:
            raise TimeoutError("it did not come to pass")
        time.sleep(interval)


if __name__ == "__main__":
    report.main(run, __doc__, add_arguments)
