"""A daemon with the work of years in its store: how soon it starts, the first page of every filter, and memory.

The store is filled by `bench.archive`: 100,000 sessions and 5,000,000 file transfers, one session having a fifth of
them. Each question is asked several times, never twice with the same bytes, so that no answer is kept from before.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from xml.sax.saxutils import escape

from asperacentral.commands.local import LocalDaemon
from bench import archive, load, orders, processes, report
from bench.processes import MIB
from bench.report import Cell, Report, Table, median
from bench.soap import QUIET

_REQUEST = orders.ENVELOPE.replace(
    "{body}",
    "<ns1:Get{item}InfoRequest><{item}Filter>{criteria}"
    "<MaxResults>{count}</MaxResults></{item}Filter></ns1:Get{item}InfoRequest>",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sessions", type=int, default=100_000, help="in the store")
    parser.add_argument("--files", type=int, default=5_000_000, help="in the store")
    parser.add_argument("--times", type=int, default=5, help="each question is asked")
    parser.add_argument("--page", type=int, default=100, help="MaxResults")


def run(args: argparse.Namespace) -> Report:
    with tempfile.TemporaryDirectory(prefix="bench-store-") as name, report.conditions() as told:
        daemon = LocalDaemon(Path(name), verbosity=QUIET, options={"persistent_store_max_age": str(10**9)})
        with daemon:  # Makes the store's file with its tables.
            pass
        store = next(daemon.prefix.rglob("*.db"))
        archive.fill(store, sessions=args.sessions, files=args.files)
        began = time.monotonic()
        with daemon:
            started = time.monotonic() - began
            fresh = processes.memory(daemon.pid)
            sessions = _pages(daemon, "Session", _session_criteria(args.sessions), args)
            files = _pages(
                daemon, "FileTransfer", _session_criteria(args.sessions) | _file_criteria(args), args
            )
            used = processes.memory(daemon.pid)
        whole = Table(
            f"A daemon with {args.sessions:,} sessions and {args.files:,} files in its store",
            ["start s", "PSS MiB", "RSS MiB", "RSS after the questions MiB", "store MiB"],
            [[started, fresh.pss / MIB, fresh.rss / MIB, used.rss / MIB, store.stat().st_size / MIB]],
            note="*Start*: from the process's start until SOAP answers. PSS and RSS right after it.",
        )
        return Report("store", told(), [whole, sessions, files])


def _pages(daemon: LocalDaemon, item: str, criteria: dict[str, str], args: argparse.Namespace) -> Table:
    table = Table(
        f"First page of Get{item}Info, MaxResults {args.page}, asked {args.times} times",
        ["criterion", "items", "p50 ms", "most ms"],
    )
    for name, text in criteria.items():
        times, items = [], 0
        for turn in range(args.times):
            body = _REQUEST.format(
                namespace=orders.QUERY_NAMESPACE, item=item, criteria=text, count=args.page
            )
            asked = time.perf_counter()
            answer = load.post(daemon.url + orders.QUERY, body.encode() + b"\n" * turn)
            times.append(1000 * (time.perf_counter() - asked))
            items = orders.count_and_remaining(answer)[0]
        row: list[Cell] = [name, items, median(times), max(times)]
        table.rows.append(row)
    return table


def _session_criteria(count: int) -> dict[str, str]:
    """Criteria that few, that many and that no sessions meet."""
    some = archive.session(count // 3)
    middle, never = archive.session(count // 2).start_date, 86_400.0
    return {
        "none": "",
        "SessionUUID": _element("SessionUUID", some.id),
        "SessionStatus, nearly all": _element("SessionStatus", "completed"),
        "SessionStatus, one in 50": _element("SessionStatus", "error"),
        "SessionStatus, none": _element("SessionStatus", "running"),
        "ServerAddress": _element("ServerAddress", str(some.server_address)),
        "ClientAddress, all": _element("ClientAddress", str(some.client_address)),
        "Cookie": _element("Cookie", str(some.cookie)),
        "CookieFilter, one in ten": _element("CookieFilter", "^project-.*7$"),
        "CookieFilter, none": _element("CookieFilter", "nothing"),
        "JobId": _element("JobId", str(some.job_id)),
        "Direction, half": _element("Direction", "incoming"),
        "MinSessionStartDate, half": _date("MinSessionStartDate", middle),
        "MaxSessionStartDate, half": _date("MaxSessionStartDate", middle),
        "MaxSessionStartDate, none": _date("MaxSessionStartDate", never),
        "MinSessionEndDate, half": _date("MinSessionEndDate", middle),
        "MaxSessionEndDate, half": _date("MaxSessionEndDate", middle),
        "MaxSessionEndDate, none": _date("MaxSessionEndDate", never),
        "PrivateKey, one in 100": _element("PrivateKey", str(some.private_key)),
        "LastSessionOnly": _element("LastSessionOnly", "true"),
        "User, one in 100": _element("User", some.user),
        "User, none": _element("User", "nobody"),
    }


def _file_criteria(args: argparse.Namespace) -> dict[str, str]:
    """Criteria that few, that many and that no files meet."""
    middle, never = archive.session(args.sessions // 2).start_date, 86_400.0
    largest = _element("SessionUUID", archive.session(args.sessions // 2).id)
    return {
        "SessionUUID, of the largest": largest,
        "the same, TransferStatus one in 1,000": largest + _element("TransferStatus", "error"),
        "TransferId": _element("TransferId", str(args.files // 3)),
        "TransferStatus, nearly all": _element("TransferStatus", "completed"),
        "TransferStatus, one in 1,000": _element("TransferStatus", "error"),
        "TransferStatus, none": _element("TransferStatus", "validating"),
        "Filepath": _element("Filepath", archive.file_path(args.files // 3)),
        "Filepath, none": _element("Filepath", "/nowhere"),
        "FilenameFilter, one in ten": _element("FilenameFilter", r"7\.dat$"),
        "FilenameFilter, none": _element("FilenameFilter", "nothing"),
        "MinTransferStartDate, half": _date("MinTransferStartDate", middle),
        "MaxTransferStartDate, half": _date("MaxTransferStartDate", middle),
        "MaxTransferStartDate, none": _date("MaxTransferStartDate", never),
        "MinTransferEndDate, half": _date("MinTransferEndDate", middle),
        "MaxTransferEndDate, half": _date("MaxTransferEndDate", middle),
        "a minute's MinTransferEndDate and MaxTransferEndDate": _date("MinTransferEndDate", middle)
        + _date("MaxTransferEndDate", middle + 60),
    }


def _element(name: str, value: str) -> str:
    return f"<{name}>{escape(value)}</{name}>"


def _date(name: str, seconds: float) -> str:
    return _element(name, datetime.fromtimestamp(seconds, UTC).isoformat())


if __name__ == "__main__":
    report.main(run, __doc__, add_arguments)
