"""SOAP of a real daemon under load: Submit, and GetSessionInfo with few and many sessions.

The lists are compared, in the same rounds, with twisted.web serving the same bytes, with spyne's own serializer, and
with the daemon's writer when nothing is kept from an earlier answer. The sessions come from real orders, sent to a port
where nobody listens. The load comes from a process of its own, so daemon and load have a core each on two cores.

For Submit, all places for sessions are taken by a stand-in for the transfer process that does nothing: what is
measured is taking an order (reading it, putting it on disk, answering), not carrying it out.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from lxml import etree

from asperacentral.commands.local import LocalDaemon
from bench import gsoap_peer, load, orders, processes, report
from bench.load import Load
from bench.report import Cell, Report, Table, median
from tests.openascp.sshd import free_port

QUIET = "-L-"
"""In the place of -D: log what a daemon logs by default."""

PLACES = 200
"""Sessions that a daemon runs at a time."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sessions", type=int, nargs="+", default=[1, 100, 1000], help="lengths of the lists"
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--connections", type=int, default=4, help="of the load for lists")
    parser.add_argument("--rounds", type=int, default=3, help="times each is measured")


def run(args: argparse.Namespace) -> Report:
    with tempfile.TemporaryDirectory(prefix="bench-soap-") as name, report.conditions() as told:
        folder = Path(name)
        tables = [_submit(folder / "submit", args)]
        with LocalDaemon(folder / "lists", verbosity=QUIET) as daemon:
            tables.append(_carry_out(daemon, max(args.sessions)))
            tables.append(_lists(daemon, folder, args))
            tables.append(_small(daemon, folder, args))
        tables.append(_changing(folder, args))
        return Report("soap", told(), tables)


# --- Submit


def _submit(folder: Path, args: argparse.Namespace) -> Table:
    folder.mkdir()
    idle = folder / "ascp"
    idle.write_text("#!/bin/sh\nexec sleep 600\n")
    idle.chmod(0o755)
    body = folder / "submit.xml"
    body.write_bytes(_order(folder, free_port()))
    table = Table(
        f"Submit, median of {args.rounds}",
        ["connections", "requests/s", "p50 ms", "p99 ms"],
        note=f"An fsync of a small file takes {_fsync_ms(folder):.2f} ms here (median of 50); every answered Submit "
        "is on disk, and those that come together share one.",
    )
    with LocalDaemon(folder / "central", verbosity=QUIET, more=_ascp(idle)) as daemon, _ending(daemon):
        url = daemon.url + orders.SUBMIT
        load.measure(url, body, seconds=60, connections=4, most=PLACES + 100)
        for connections in (1, 4, 16):
            loads = [
                load.measure(url, body, seconds=args.seconds, connections=connections)
                for _ in range(args.rounds)
            ]
            table.rows.append([connections, *_medians(loads)])
    return table


def _ascp(path: Path) -> str:
    return f"  <asperacentral>\n    <ascp_path>{path}</ascp_path>\n  </asperacentral>\n"


@contextmanager
def _ending(daemon: LocalDaemon) -> Iterator[None]:
    """At the end, end the stand-ins: they would outlive the daemon."""
    try:
        yield
    finally:
        started = processes.descendants(daemon.pid)
        daemon.end()
        for pid in started:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _order(folder: Path, port: int) -> bytes:
    source = folder / "file.dat"
    source.write_bytes(b"x")
    return orders.submit(orders.order(source, port=port, destination="/in"))


def _fsync_ms(folder: Path) -> float:
    times = []
    with (folder / "synced").open("wb") as file:
        for _ in range(50):
            file.write(b"x" * 100)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            times.append(1000 * (time.perf_counter() - began))
    return median(times)


# --- lists


def _carry_out(daemon: LocalDaemon, count: int) -> Table:
    """Submit orders that fail, until all have: they make the sessions for the lists."""
    body = daemon.prefix / "submit.xml"
    body.write_bytes(_order(daemon.prefix, free_port()))
    began = time.monotonic()
    load.measure(daemon.url + orders.SUBMIT, body, seconds=600, connections=4, most=count)
    submitted = time.monotonic() - began
    while _count(daemon, "error") < count:
        time.sleep(0.2)
    ended = time.monotonic() - began
    return Table(
        f"{count} orders for a closed port, submitted at once",
        ["what", "seconds", "orders/s"],
        [["answered", submitted, count / submitted], ["ended, each with a session", ended, count / ended]],
        note="Each order starts a transfer process of its own. Once only.",
    )


def _count(daemon: LocalDaemon, status: str) -> int:
    answer = load.post(daemon.url + orders.QUERY, orders.get_session_info(1000, status=status))
    return sum(orders.count_and_remaining(answer))


def _lists(daemon: LocalDaemon, folder: Path, args: argparse.Namespace) -> Table:
    answers = folder / "answers"
    answers.mkdir()
    for count in args.sessions:
        request = orders.get_session_info(count)
        (folder / f"{count}.request").write_bytes(request)
        answer = load.post(daemon.url + orders.QUERY, request)
        if orders.count_and_remaining(answer)[0] != count:
            raise RuntimeError(f"the daemon does not list {count} sessions")
        (answers / f"{count}.xml").write_bytes(answer)
    table = Table(
        f"GetSessionInfo, {args.connections} connections, median of {args.rounds}",
        [
            "sessions",
            "answer kB",
            "server",
            "requests/s",
            "p50 ms",
            "p99 ms",
            "of spyne's",
            "of constant bytes'",
            "of gSOAP's",
        ],
        note="*daemon*: the whole of it, unchanged sessions. *constant bytes*: twisted.web serving the same answer and "
        "doing nothing else. *spyne*: its own Soap11 from request to answer, from objects that are ready. *all "
        "changed*: the daemon's writer in twisted.web with every session rendered anew. *gSOAP*: a C++ server made "
        "from our WSDL, with the same sessions, a thread for each connection (bench/gsoap).",
    )
    with _rivals(answers) as port, gsoap_peer.serving(folder, answers / f"{max(args.sessions)}.xml") as peer:
        for count in args.sessions:
            servers = {
                "daemon": daemon.url + orders.QUERY,
                "constant bytes": f"http://127.0.0.1:{port}/constant/{count}",
                "all changed": f"http://127.0.0.1:{port}/uncached/{count}",
                "spyne": f"http://127.0.0.1:{port}/spyne/{count}",
            }
            if peer:
                servers["gSOAP"] = peer
            table.rows += _compare(servers, folder / f"{count}.request", answers / f"{count}.xml", args)
    return table


def _small(daemon: LocalDaemon, folder: Path, args: argparse.Namespace) -> Table:
    """Calls whose answers are small, against twisted.web with the same bytes."""
    list_types, one = folder / "list-types.request", folder / "1.request"
    list_types.write_bytes(orders.LIST_TYPES)
    one.write_bytes(orders.get_session_info(1))
    answers = folder / "small"
    answers.mkdir()
    calls = {"ListTypes": (orders.JOB, list_types), "GetSessionInfo": (orders.QUERY, one)}
    for name, (path, request) in calls.items():
        (answers / f"{name}.xml").write_bytes(load.post(daemon.url + path, request.read_bytes()))
    table = Table(
        f"Small calls, {args.connections} connections, median of {args.rounds}",
        ["call", "requests/s", "p50 ms", "p99 ms", "of constant bytes'"],
        note="Against twisted.web serving the same answer and doing nothing else. GetSessionInfo for one session, "
        "unchanged.",
    )
    with _rivals(answers) as port:
        for name, (path, request) in calls.items():
            ours: list[Load] = []
            constant: list[Load] = []
            for _ in range(args.rounds):
                for url, loads in (
                    (daemon.url + path, ours),
                    (f"http://127.0.0.1:{port}/constant/{name}", constant),
                ):
                    loads.append(
                        load.measure(url, request, seconds=args.seconds, connections=args.connections)
                    )
            rates = [median([each.per_second for each in loads]) for loads in (ours, constant)]
            table.rows.append([name, *_medians(ours), rates[0] / rates[1]])
    return table


def _changing(folder: Path, args: argparse.Namespace) -> Table:
    """Lists of which every session changes each second, polled many times a second."""
    table = Table(
        f"GetSessionInfo while every session changes once a second, {args.connections} connections, median of "
        f"{args.rounds}",
        [
            "sessions",
            "server",
            "requests/s",
            "p50 ms",
            "p99 ms",
            "of gSOAP's",
            "loop late ms",
            "most work in a turn ms",
        ],
        note="*Central*: the daemon's SOAP face, rules and store in a process that tells them of each session's "
        "progress (bench/changing.py). *gSOAP*: the same server as above, its sessions changing likewise. *Loop late*: "
        "how late the loop came to a call due each 10 ms; *work in a turn*: processor time of the loop's thread, which "
        "others on the machine do not add to; both the longest of the median round.",
    )
    for count in args.sessions:
        if count == 1:
            continue
        request, stalls = folder / f"{count}.request", folder / "stalls"
        with _rival("bench.changing", str(count), str(stalls)) as port:
            ours = f"http://127.0.0.1:{port}{orders.QUERY}"
            answer = folder / f"changing-{count}.xml"
            answer.write_bytes(load.post(ours, request.read_bytes()))
            if orders.count_and_remaining(answer.read_bytes())[0] != count:
                raise RuntimeError(f"{count} changing sessions are not listed")
            with gsoap_peer.serving(folder, answer, changing=True) as peer:
                urls = {"Central": ours, **({"gSOAP": peer} if peer else {})}
                loads: dict[str, list[Load]] = {server: [] for server in urls}
                late: list[float] = []
                worked: list[float] = []
                for _ in range(args.rounds):
                    for server, url in urls.items():
                        stalls.unlink(missing_ok=True)
                        loads[server].append(
                            load.measure(url, request, seconds=args.seconds, connections=args.connections)
                        )
                        if server == "Central":
                            longest = stalls.read_text().split()
                            late.append(float(longest[0]))
                            worked.append(float(longest[1]))
        for server, of in loads.items():
            rates = [
                median([each.per_second for each in loads[name]])
                for name in (server, "gSOAP")
                if name in loads
            ]
            ratio: Cell = rates[0] / rates[1] if len(rates) == 2 else "-"
            held: list[Cell] = [median(late), median(worked)] if server == "Central" else ["-", "-"]
            table.rows.append([count, server, *_medians(of), ratio, *held])
    return table


def _compare(
    servers: dict[str, str], request: Path, answer: Path, args: argparse.Namespace
) -> Iterator[list[Cell]]:
    loads: dict[str, list[Load]] = {server: [] for server in servers}
    size = _elements(answer.read_bytes())
    for server, url in servers.items():
        if _elements(load.post(url, request.read_bytes())) != size:
            raise RuntimeError(f"{server} does not answer with the same content")
        load.measure(url, request, seconds=0.5, connections=args.connections)
    for _ in range(args.rounds):
        for server, url in servers.items():
            loads[server].append(
                load.measure(url, request, seconds=args.seconds, connections=args.connections)
            )
    rates = {server: median([each.per_second for each in of]) for server, of in loads.items()}
    for server, of in loads.items():
        others = ("spyne", "constant bytes", "gSOAP")
        ratios = [rates[server] / rates[other] if other in rates else "-" for other in others]
        yield [int(answer.stem), answer.stat().st_size / 1000, server, *_medians(of), *ratios]


def _elements(answer: bytes) -> int:
    return sum(1 for _ in etree.fromstring(answer).iter())


def _rivals(answers: Path) -> AbstractContextManager[int]:
    return _rival("bench.rivals", str(answers))


@contextmanager
def _rival(module: str, *arguments: str) -> Iterator[int]:
    """The port of a server in a process of its own."""
    command = [sys.executable, "-m", module, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def _medians(loads: list[Load]) -> list[Cell]:
    return [
        median([each.per_second for each in loads]),
        median([each.p50 for each in loads]),
        median([each.p99 for each in loads]),
    ]


if __name__ == "__main__":
    report.main(run, __doc__, add_arguments)
