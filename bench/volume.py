"""One session of very many files: how fast they come into the store, and how soon SOAP answers meanwhile.

A real daemon starts a real process for a real order; the process moves nothing, it speaks FASPMGR as fast as the daemon
listens (`bench.talker`). A file counts when another process can read its row. ListTypes is asked at a steady pace over
one connection, in turns before and during the flood; the pace is kept when an answer is late.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from asperacentral.commands.local import LocalDaemon
from bench import load, orders, processes, report
from bench.processes import MIB
from bench.report import Report, Table
from bench.soap import QUIET
from tests.openascp.sshd import free_port

_TIMEOUT = 1800.0
_ASCP = """#!/bin/sh
cd '{root}' && exec '{python}' -m bench.talker {count} '{began}' "$@"
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--files", type=int, default=1_000_000, help="of the session")
    parser.add_argument("--pace", type=float, default=0.05, help="seconds between two ListTypes")


def run(args: argparse.Namespace) -> Report:
    with tempfile.TemporaryDirectory(prefix="bench-volume-") as name, report.conditions() as told:
        folder = Path(name)
        began = folder / "began"
        ascp = folder / "ascp"
        root = Path(__file__).resolve().parents[1]
        ascp.write_text(_ASCP.format(root=root, python=sys.executable, count=args.files, began=began))
        ascp.chmod(0o755)
        more = f"  <asperacentral>\n    <ascp_path>{ascp}</ascp_path>\n  </asperacentral>\n"
        with LocalDaemon(folder / "central", verbosity=QUIET, more=more) as daemon:
            time.sleep(1)
            with _asking(daemon, args.pace) as idle:
                time.sleep(3)
            before, cpu = processes.memory(daemon.pid).rss, processes.cpu_seconds([daemon.pid])
            with _asking(daemon, args.pace) as busy:
                order = orders.order(folder / "any", port=free_port(), destination="/in")
                load.post(daemon.url + orders.SUBMIT, orders.submit(order))
                seconds, peak = _wait(daemon, began, args.files)
            cpu = processes.cpu_seconds([daemon.pid]) - cpu
            after = processes.memory(daemon.pid).rss
        speed = Table(
            f"A session of {args.files:,} files at full speed",
            ["files/s into the store", "seconds", "daemon's CPU s", "store MiB"],
            [[args.files / seconds, seconds, cpu, _store_size(daemon) / MIB]],
            note="From the first file's START to the last file's row on disk. Once only.",
        )
        answers = Table(
            f"ListTypes each {1000 * args.pace:g} ms",
            ["daemon", "requests", "p50 ms", "p99 ms", "most ms"],
            [["idle", *idle.figures()], ["while the files come in", *busy.figures()]],
        )
        memory = Table(
            "Memory of the daemon, RSS MiB",
            ["before", "most", "after"],
            [[before / MIB, peak / MIB, after / MIB]],
        )
        return Report("volume", told(), [speed, answers, memory])


class _Asker(threading.Thread):
    """Asks ListTypes at a steady pace."""

    def __init__(self, url: str, pace: float) -> None:
        super().__init__(daemon=True)
        self._url = url
        self._pace = pace
        self._ended = threading.Event()
        self._times: list[float] = []

    def run(self) -> None:
        with load.Client(self._url, orders.LIST_TYPES) as client:
            due = time.perf_counter()
            while not self._ended.wait(max(0.0, due - time.perf_counter())):
                client.ask()
                # From when it was due: a late answer delays the next ones, as it would other clients.
                self._times.append(time.perf_counter() - due)
                due += self._pace

    def stop(self) -> None:
        self._ended.set()
        self.join()

    def figures(self) -> list[float | int]:
        """Requests, p50, p99 and the longest, in milliseconds."""
        times = sorted(1000 * each for each in self._times)
        return [len(times), times[len(times) // 2], times[int(len(times) * 0.99)], times[-1]]


@contextmanager
def _asking(daemon: LocalDaemon, pace: float) -> Iterator[_Asker]:
    asker = _Asker(daemon.url + orders.JOB, pace)
    asker.start()
    yield asker
    asker.stop()


def _wait(daemon: LocalDaemon, began: Path, count: int) -> tuple[float, int]:
    """Seconds until all files are in the store, and the most memory meanwhile."""
    peak = 0
    deadline = time.monotonic() + _TIMEOUT
    with _reading(daemon) as store:
        # Local ids count up, so this looks at one row.
        while (store.execute("select max(local_id) from files").fetchone()[0] or 0) < count:
            if time.monotonic() > deadline:
                raise TimeoutError("the files did not come into the store")
            peak = max(peak, processes.memory(daemon.pid).rss)
            time.sleep(0.1)
        seconds = time.monotonic() - float(began.read_text())
        found = store.execute("select count(*), count(distinct change) from files").fetchone()
        if found != (count, count):
            raise RuntimeError(f"{found} rows and changes for {count} files")
    return seconds, peak


@contextmanager
def _reading(daemon: LocalDaemon) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(f"file:{_store(daemon)}?mode=ro", uri=True, timeout=30)
    try:
        yield connection
    finally:
        connection.close()


def _store(daemon: LocalDaemon) -> Path:
    return next(daemon.prefix.rglob("*.db"))


def _store_size(daemon: LocalDaemon) -> int:
    return sum(path.stat().st_size for path in _store(daemon).parent.glob(_store(daemon).name + "*"))


if __name__ == "__main__":
    report.main(run, __doc__, add_arguments)
