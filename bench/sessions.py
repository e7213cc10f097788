"""What a session costs: how soon its process speaks, and what many at once take in memory and do to punctuality.

The FASP Manager as a library starts openascp against one node on loopback. The start is the time from the call to INIT,
one job after the other. Then paced sessions run at once, and when all of them move bytes each process is looked at;
over the following seconds the times between a session's STATS are taken, which should be a second.
"""

from __future__ import annotations

import argparse
import os
import secrets
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from asperacentral.commands.local import LocalNode
from asperacentral.fasp import EventKind, FaspManager, JobOrder, Location, TransferEvent, TransferParameters
from bench import processes, report
from bench.processes import MIB, memory
from bench.report import Report, Table, median

_TIMEOUT = 600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--starts", type=int, default=50, help="sessions whose start is timed")
    parser.add_argument("--sessions", type=int, default=200, help="sessions at once")
    parser.add_argument("--rate", type=int, default=50, help="Kbps of each")
    parser.add_argument("--seconds", type=int, default=20, help="how long STATS are watched")


def run(args: argparse.Namespace) -> Report:
    with tempfile.TemporaryDirectory(prefix="bench-sessions-") as name, report.conditions() as told:
        folder = Path(name)
        far = folder / "far"
        far.mkdir()
        password = secrets.token_urlsafe(12)
        with (
            LocalNode(folder, far, "bench", password) as node,
            FaspManager(known_hosts=folder / "known_hosts") as manager,
        ):
            site = _Site(manager, node, folder, password)
            tables = [site.starts(args.starts), *site.many(args.sessions, args.rate, args.seconds)]
        return Report("sessions", told(), tables)


class _Site:
    """A manager, and what it may push to."""

    def __init__(self, manager: FaspManager, node: LocalNode, folder: Path, password: str) -> None:
        self._manager = manager
        self._node = node
        self._password = password
        self._source = folder / "source.dat"
        self._source.write_bytes(os.urandom(16 * MIB))
        self._small = folder / "small.dat"
        self._small.write_bytes(b"x")
        self._heard: dict[str, list[float]] = defaultdict(list)
        self._moving: set[str] = set()
        self._news = threading.Condition()

    def starts(self, count: int) -> Table:
        """From the call to INIT."""
        times = []
        for number in range(count + 1):
            first = threading.Event()
            began = time.perf_counter()
            job = self._manager.launch_job(self._order(self._small, f"/s{number}", 1000), _until(first))
            if not first.wait(_TIMEOUT):
                raise TimeoutError("no INIT")
            times.append(1000 * (time.perf_counter() - began))
            self._manager.wait(job, _TIMEOUT)
        _, *times = times
        row = [median(times), min(times), sorted(times)[int(0.9 * len(times))], max(times)]
        title = f"From launch_job to the process's INIT, {count} sessions"
        return Table(title, ["median ms", "least ms", "p90 ms", "most ms"], [row])

    def many(self, count: int, rate: int, seconds: int) -> list[Table]:
        """Memory and STATS of `count` sessions at once."""
        began = time.monotonic()
        jobs = [
            self._manager.launch_job(self._order(self._source, f"/m{number}", rate), self._hear)
            for number in range(count)
        ]
        with self._news:
            if not self._news.wait_for(lambda: len(self._moving) == count, _TIMEOUT):
                raise TimeoutError(f"only {len(self._moving)} of {count} sessions move")
        took = time.monotonic() - began
        parent = _fork_server()
        taken = [memory(pid) for pid in processes.descendants(parent)]
        self._heard.clear()
        time.sleep(seconds)
        gaps = [
            later - earlier
            for job in jobs
            for earlier, later in zip(self._heard[job], self._heard[job][1:], strict=False)
        ]
        for job in jobs:
            self._manager.cancel_job(job)
        for job in jobs:
            self._manager.wait(job, _TIMEOUT)
        memories = Table(
            f"Memory of {count} sessions at once, each paced at {rate} Kbps, MiB",
            ["own each", "PSS each", "RSS each", "PSS of all", "PSS of their parent", "s until all moved"],
            note="Medians for *each*. *Own* is memory that is not shared with any other process.",
        )
        memories.rows.append(
            [
                median([each.own / MIB for each in taken]),
                median([each.pss / MIB for each in taken]),
                median([each.rss / MIB for each in taken]),
                sum(each.pss for each in taken) / MIB,
                memory(parent).pss / MIB,
                took,
            ]
        )
        punctual = Table(
            f"Seconds between two STATS of a session, {count} sessions, {seconds} s",
            ["median", "p99", "most", "STATS heard", "STATS due"],
            [
                [
                    median(gaps),
                    sorted(gaps)[int(0.99 * len(gaps))],
                    max(gaps),
                    len(gaps) + count,
                    count * seconds,
                ]
            ],
        )
        return [memories, punctual]

    def _hear(self, event: TransferEvent) -> None:
        if event.kind is EventKind.PROGRESS:
            self._heard[event.job_id].append(time.monotonic())
        if event.statistics.transferred_bytes and event.job_id not in self._moving:
            with self._news:
                self._moving.add(event.job_id)
                self._news.notify_all()

    def _order(self, source: Path, destination: str, rate: int) -> JobOrder:
        far = Location.remote(
            "127.0.0.1", destination, user="bench", password=self._password, port=self._node.port
        )
        return JobOrder(Location.local(source), far, TransferParameters(target_rate=rate))


def _fork_server() -> int:
    """The process that sessions are forked from; the node has children, too, one far side for each session."""
    for pid in processes.descendants(os.getpid()):
        if b"asperacentral.fasp.spawner" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return pid
    raise RuntimeError("there is no fork server")


def _until(first: threading.Event) -> Callable[[TransferEvent], None]:
    return lambda _event: first.set()


if __name__ == "__main__":
    report.main(run, __doc__, add_arguments)
