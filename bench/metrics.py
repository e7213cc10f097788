"""Scrapes of `/metrics`: how long one takes with 100,000 sessions in the store, at rest and while clients poll lists.

The store is filled by `bench.archive`. What is asked of the store in a scrape is kept for ten seconds, so scrapes come
in turns that wait for that: the first of each asks, those that follow do not.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from asperacentral.commands.local import LocalDaemon
from asperacentral.metrics.gauges import OUTBOX_AGE
from bench import archive, load, orders, report
from bench.report import Cell, Report, Table, median
from bench.soap import QUIET


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sessions", type=int, default=100_000, help="in the store")
    parser.add_argument("--files", type=int, default=200_000, help="in the store")
    parser.add_argument("--turns", type=int, default=3, help="scrapes that ask the store")
    parser.add_argument("--times", type=int, default=20, help="scrapes after each of them")


def run(args: argparse.Namespace) -> Report:
    with tempfile.TemporaryDirectory(prefix="bench-metrics-") as name, report.conditions() as told:
        daemon = LocalDaemon(Path(name), verbosity=QUIET, options={"persistent_store_max_age": str(10**9)})
        with daemon:  # Makes the store's file with its tables.
            pass
        archive.fill(next(daemon.prefix.rglob("*.db")), sessions=args.sessions, files=args.files)
        table = Table(
            f"GET /metrics with {args.sessions:,} sessions in the store",
            ["daemon", "bytes", "first of a turn ms", "p50 ms", "most ms"],
        )
        with daemon:
            table.rows.append(["at rest", *_scrapes(daemon, args)])
            with _polled(daemon):
                table.rows.append(["while a client polls pages of 1,000 sessions", *_scrapes(daemon, args)])
        return Report("metrics", told(), [table])


def _scrapes(daemon: LocalDaemon, args: argparse.Namespace) -> list[Cell]:
    """Bytes of an answer; milliseconds: median of the scrapes that ask the store, of the others, the longest of all."""
    first: list[float] = []
    others: list[float] = []
    size = 0
    for turn in range(args.turns):
        if turn:
            time.sleep(OUTBOX_AGE + 0.5)
        for scrape in range(args.times + 1):
            began = time.perf_counter()
            with urllib.request.urlopen(f"{daemon.url}/metrics", timeout=60) as answer:
                size = len(answer.read())
            (others if scrape else first).append(1000 * (time.perf_counter() - began))
    return [size, median(first), median(others), max(first + others)]


@contextmanager
def _polled(daemon: LocalDaemon) -> Iterator[None]:
    """A client asks for a page of sessions again and again, never with the same bytes."""
    ended = threading.Event()

    def poll() -> None:
        turn = 0
        while not ended.is_set():
            turn += 1
            load.post(daemon.url + orders.QUERY, orders.get_session_info(1000) + b"\n" * (turn % 1000))

    poller = threading.Thread(target=poll, daemon=True)
    poller.start()
    yield
    ended.set()
    poller.join()


if __name__ == "__main__":
    report.main(run, __doc__, add_arguments)
