"""`python -m bench.wan`: the fast plane over emulated paths, against scp, rsync and rclone on the same ones.

Writes its tables into docs/performance.md between the markers of `wan`, and the figures to docs/figures, unless told
otherwise. `--scale 0.2 --rounds 1` is a short version.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path as File

from bench.report import Report, Table, conditions, median
from bench.wan import figures
from bench.wan.path import Path
from bench.wan.transfers import PlaneTransfer, Result, Server

_ROOT = File(__file__).resolve().parents[2]
_MB = 1_000_000


@dataclass(frozen=True)
class Case:
    """A path (Mbit/s, ms, per cent), how many MB to move, and the aim in per cent of the link."""

    rate: float
    rtt: float
    loss: float
    size: int
    aim: int

    def __str__(self) -> str:
        return f"{self.rate:g} Mbit/s, {self.rtt:g} ms, {self.loss:g} %"


CASES = (
    Case(500, 100, 1, 1000, 92),
    Case(500, 200, 2, 1000, 90),
    Case(155, 90, 1, 1000, 94),
    Case(500, 100, 10, 1000, 80),
    Case(1000, 100, 1, 1000, 88),
    Case(100, 1000, 5, 300, 80),
    Case(150, 1000, 30, 200, 45),
    Case(500, 100, 1, 200, 88),
)
BY_LOSS = tuple(Case(500, 100, loss, 300, 0) for loss in (0, 1, 2, 5, 10))
BY_DISTANCE = tuple(Case(500, rtt, 1, 300, 0) for rtt in (5, 20, 50, 100, 200))
PROGRAMS = ("openascp", "scp", "rsync", "rclone")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--scale", type=float, default=1.0, help="share of the bytes of each case")
    parser.add_argument("--rounds", type=int, default=3, help="times each case runs; the median counts")
    parser.add_argument("--limit", type=float, default=20.0, help="seconds after which a program is stopped")
    parser.add_argument("--parts", default="plane,policies,programs,figures", help="what to measure")
    parser.add_argument("--no-write", action="store_true", help="print only")
    options = parser.parse_args()
    parts: dict[str, Callable[[Path, argparse.Namespace], list[Table]]] = {
        "plane": _plane,
        "policies": _policies,
        "programs": _programs,
        "figures": _figures,
    }
    with conditions() as told, Path() as path:
        tables = [table for part in options.parts.split(",") for table in parts[part](path, options)]
        report = Report("wan", told().replace("loopback", "emulated path"), tables)
    print(report.markdown(), report.json(), sep="\n\n")
    if not options.no_write:
        _write(report)


def _measure(path: Path, case: Case, options: argparse.Namespace, policy: str = "fixed") -> Result:
    """The median run by goodput."""
    path.set(rate=case.rate, rtt=case.rtt, loss=case.loss)
    rate = int(case.rate * (995 if policy == "fixed" else 2000))
    runs = []
    for _ in range(options.rounds):
        path.counters()
        transfer = PlaneTransfer(path, rate=rate, policy=policy, size=int(case.size * options.scale) * _MB)
        counted = transfer.result()
        there = path.counters()["there"]
        runs.append(Result(**{**asdict(counted), "queue_ms": there["queue_ms"]}))
        print(case, policy, json.dumps({**asdict(runs[-1]), "marks": None, "path": there}), flush=True)
    return sorted(runs, key=lambda run: run.goodput)[len(runs) // 2]


def _plane(path: Path, options: argparse.Namespace) -> list[Table]:
    table = Table(
        f"The fast plane, fixed at 99.5 % of the link, AES-128-GCM, memory to memory, median of {options.rounds}",
        ["path", "MB", "Mbit/s", "% of the link", "aim %", "received twice %", "CPU s/GB", "meeting ms"],
        note="From the first datagram to the last byte. CPU of both ends together.",
    )
    for case in CASES:
        run = _measure(path, case, options)
        table.rows.append(
            [
                str(case),
                int(case.size * options.scale),
                run.goodput,
                100 * run.goodput / case.rate,
                case.aim,
                100 * run.twice,
                run.cpu_per_gb,
                1000 * run.meeting,
            ]
        )
    return [table]


def _policies(path: Path, options: argparse.Namespace) -> list[Table]:
    seconds = max(8.0, 40 * options.scale)
    case = Case(200, 50, 0.5, 0, 0)
    path.set(rate=case.rate, rtt=case.rtt, loss=case.loss)
    table = Table(
        f"Who shares {case}, target twice the link, {seconds:.0f} s, the last half counts",
        ["sessions", "Mbit/s", "Mbit/s of the other", "ratio", "longest queue ms", "dropped by the queue %"],
    )
    for first, second in (("fair", ""), ("fair", "fair"), ("high", "fair"), ("low", "TCP"), ("fair", "TCP")):
        path.counters()
        mine = PlaneTransfer(path, rate=int(case.rate * 2000), policy=first, seconds=seconds)
        other = 0.0
        if second == "TCP":
            other = _tcp(path, seconds)
        elif second:
            other = _late(
                PlaneTransfer(path, rate=int(case.rate * 2000), policy=second, seconds=seconds).result()
            )
        rate = _late(mine.result())
        there = path.counters()["there"]
        dropped = 100 * there["dropped"] / max(there["packets"], 1)
        ratio = rate / other if other else 0.0
        table.rows.append([f"{first}, {second or 'alone'}", rate, other, ratio, there["queue_ms"], dropped])
    return [table]


def _late(result: Result) -> float:
    """Mbit/s in the last half."""
    later = result.marks[len(result.marks) // 2 :]
    return sum(rate for _, rate in later) / max(len(later), 1)


def _tcp(path: Path, seconds: float) -> float:
    server = path.start("b", ["iperf3", "-s", "-1"], stdout=subprocess.DEVNULL)
    words = ["iperf3", "-c", path.addresses["b"], "-t", str(int(seconds)), "-O", str(int(seconds / 2)), "-J"]
    words += ["-C", "cubic"]
    told = json.loads(path.run("a", words))
    server.wait()
    return float(told["end"]["sum_received"]["bits_per_second"]) / 1e6


def _programs(path: Path, options: argparse.Namespace) -> list[Table]:
    case = Case(500, 100, 1, 200, 0)
    count = max(10, int(10_000 * options.scale))
    path.set(rate=case.rate, rtt=case.rtt, loss=case.loss)
    table = Table(
        f"Whole programs from start to end over {case}; stopped after {options.limit:g} s",
        ["program", "one file, Mbit/s", f"{count} files of 10 kB, files/s"],
        note="What had arrived when a program was stopped counts.",
    )
    with tempfile.TemporaryDirectory(prefix="bench-wan-") as name:
        folder = File(name)
        large, small = folder / "large", folder / "small"
        large.write_bytes(os.urandom(int(case.size * options.scale) * _MB))
        small.mkdir()
        for number in range(count):
            (small / str(number)).write_bytes(os.urandom(10_000))
        server = Server(path, folder)
        try:
            for program in (each for each in PROGRAMS if each == "openascp" or shutil.which(each)):
                row = []
                for source, unit in ((large, 125_000), (small, 10_000)):
                    speeds = []
                    for _ in range(options.rounds):
                        arrived, seconds = server.run(program, source, options.limit, case.rate)
                        speeds.append(arrived / unit / seconds)
                    row.append(median(speeds))
                table.rows.append([program, *row])
                print(table.rows[-1], flush=True)
        finally:
            server.close()
    return [table]


def _figures(path: Path, options: argparse.Namespace) -> list[Table]:
    """Goodput against loss and distance, by the plane and by one TCP stream each."""
    drawn = (("loss", "loss, %", BY_LOSS), ("rtt", "round trip, ms", BY_DISTANCE))
    for name, axis, cases in drawn:
        plane, tcp = [], []
        for case in cases:
            run = _measure(path, case, options)
            plane.append((getattr(case, name), run.goodput))
            tcp.append((getattr(case, name), max(_tcp(path, 8), 1.0)))
        title = "Goodput over 500 Mbit/s, " + ("100 ms" if name == "loss" else "1 % loss")
        place = _ROOT / "docs" / "figures" / f"wan-{name}.svg"
        series = {"fast plane": plane, "one TCP (CUBIC)": tcp}
        if not options.no_write:
            figures.lines(place, title, (axis, "Mbit/s"), series, limit=500, logarithmic=True)
    return []


def _write(report: Report) -> None:
    """Put the tables into the document, between its markers, which are added at the end if they are not there."""
    document = _ROOT / "docs" / "performance.md"
    text = document.read_text()
    start, end = "<!-- bench wan -->", "<!-- end -->"
    if start not in text:
        text = f"{text.rstrip()}\n\n## Over distance and loss\n\n{start}\n{end}\n"
    head, _, rest = text.partition(start)
    tail = rest.partition(end)[2]
    document.write_text(f"{head}{start}\n\n{report.markdown()}\n\n{end}{tail}")


if __name__ == "__main__":
    main()
