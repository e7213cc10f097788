"""`python -m bench.wan`: the fast plane over emulated paths, against scp, rsync and rclone on the same ones.

Writes the tables of each part into docs/performance.md between its own markers, and the figures to docs/figures,
unless told otherwise. `--scale 0.2 --rounds 1` is a short version.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path as File

from bench.report import Report, Table, conditions
from bench.wan import figures, whole
from bench.wan.cases import BY_DISTANCE, BY_LOSS, CASES, MB, Case
from bench.wan.path import Path
from bench.wan.transfers import PlaneTransfer, Result

_ROOT = File(__file__).resolve().parents[2]
_EARLIER, _LATER = 400, 100
"""Mbit/s before and after the change of the rate."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--scale", type=float, default=1.0, help="share of the bytes of each case")
    parser.add_argument("--rounds", type=int, default=3, help="times each case runs; the median counts")
    parser.add_argument("--limit", type=float, default=20.0, help="seconds after which a program is stopped")
    parser.add_argument("--parts", default=",".join(PARTS), help="what to measure")
    parser.add_argument(
        "--cases", default="", help="which paths of files and plane, as numbers from 0; else all"
    )
    parser.add_argument("--no-write", action="store_true", help="print only")
    options = parser.parse_args()
    for part in options.parts.split(","):
        with conditions() as told:
            tables = PARTS[part](options)
            place = "loopback" if part == "loopback" else "emulated path"
            report = Report(f"wan {part}", told().replace("loopback", place), tables)
        print(report.markdown(), report.json(), sep="\n\n", flush=True)
        if not options.no_write and tables:
            _write(part, report)


def _on_path(
    run: Callable[[Path, argparse.Namespace], list[Table]],
) -> Callable[[argparse.Namespace], list[Table]]:
    def part(options: argparse.Namespace) -> list[Table]:
        with Path() as path:
            return run(path, options)

    return part


def _measure(path: Path, case: Case, options: argparse.Namespace, policy: str = "fixed") -> Result:
    """The median run by goodput."""
    path.set(rate=case.rate, rtt=case.rtt, loss=case.loss)
    rate = int(case.rate * (995 if policy == "fixed" else 2000))
    runs = []
    for _ in range(options.rounds):
        path.counters()
        transfer = PlaneTransfer(path, rate=rate, policy=policy, size=int(case.size * options.scale) * MB)
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
    cases = [CASES[int(each)] for each in options.cases.split(",")] if options.cases else CASES
    for case in cases:
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


def _steering(path: Path, options: argparse.Namespace) -> list[Table]:
    """How soon a new target rate is on the wire."""
    case = Case(500, 100, 1, 0, 0)
    path.set(rate=case.rate, rtt=case.rtt, loss=case.loss)
    table = Table(
        f"The target rate changes while running over {case}", ["from, to Mbit/s", "on the wire after ms"]
    )
    for before, after in ((_EARLIER, _LATER), (_LATER, _EARLIER)):
        change = 2.0
        transfer = PlaneTransfer(path, rate=before * 1000, seconds=4.0, changes=f"{change}:{after * 1000}")
        marks = [(time.monotonic(), path.counters()["there"]["bytes"])]
        while transfer.running:
            time.sleep(0.02)
            marks.append((time.monotonic(), path.counters()["there"]["bytes"]))
        asked = transfer.result().began + change
        rates = [(now, size * 8e-6 / (now - last)) for (last, _), (now, size) in pairwise(marks)]
        steady = [now for now, rate in rates if now > asked and abs(rate / after - 1) < 0.15]
        table.rows.append([f"{before}, {after}", 1000 * (steady[0] - asked)])
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


def _write(part: str, report: Report) -> None:
    """Put the tables into the document, between the markers of the part, added at the end if they are not there."""
    document = _ROOT / "docs" / "performance.md"
    text = document.read_text()
    start, end = f"<!-- bench wan {part} -->", "<!-- end -->"
    if start not in text:
        heading = "## Over distance and loss\n\n" if "## Over distance and loss" not in text else ""
        text = f"{text.rstrip()}\n\n{heading}{start}\n{end}\n"
    head, _, rest = text.partition(start)
    tail = rest.partition(end)[2]
    document.write_text(f"{head}{start}\n\n{report.markdown()}\n\n{end}{tail}")


PARTS: dict[str, Callable[[argparse.Namespace], list[Table]]] = {
    "files": whole.files,
    "small": whole.small,
    "loopback": whole.loopback,
    "spread": whole.spread,
    "others": whole.others,
    "steering": _on_path(_steering),
    "plane": _on_path(_plane),
    "policies": _on_path(_policies),
    "figures": _on_path(_figures),
}


if __name__ == "__main__":
    main()
