"""The fast plane alone, memory to memory: what it makes of each path, and how soon a new rate is on the wire."""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from itertools import pairwise
from statistics import median

from bench.report import Table
from bench.wan.cases import CASES, MB, Case, chosen
from bench.wan.path import Path
from bench.wan.transfers import PlaneTransfer, Result

_EARLIER, _LATER = 400, 100
"""Mbit/s before and after the change of the rate."""

_CHANGE = 2.0
"""Seconds after the start."""


def measure(path: Path, case: Case, options: argparse.Namespace, policy: str = "fixed") -> Result:
    """The median run by goodput."""
    path.set(rate=case.rate, rtt=case.rtt, loss=case.loss)
    rate = int(case.rate * (995 if policy == "fixed" else 2000))
    runs = []
    for _ in range(options.rounds):
        path.counters()
        transfer = PlaneTransfer(path, rate=rate, policy=policy, size=int(case.size * options.scale) * MB)
        counted = transfer.result()
        there = path.counters()["there"]
        runs.append(replace(counted, queue_ms=there["queue_ms"], marks=()))
        print(case, policy, runs[-1], there, flush=True)
    return sorted(runs, key=lambda run: run.goodput)[len(runs) // 2]


def plane(path: Path, options: argparse.Namespace) -> list[Table]:
    """Each path, memory to memory."""
    table = Table(
        f"The fast plane, fixed at 99.5 % of the link, AES-128-GCM, memory to memory, median of {options.rounds}",
        ["path", "MB", "Mbit/s", "% of the link", "aim %", "received twice %", "CPU s/GB", "meeting ms"],
        note="From the first datagram to the last byte. CPU of both ends together.",
    )
    for case in chosen(CASES, options.cases):
        run = measure(path, case, options)
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


def steering(path: Path, options: argparse.Namespace) -> list[Table]:
    """How soon a new target rate is on the wire."""
    case = Case(500, 100, 1, 0, 0)
    path.set(rate=case.rate, rtt=case.rtt, loss=case.loss)
    table = Table(
        f"The target rate changes while running over {case}, median of {options.rounds}",
        ["from, to Mbit/s", "on the wire after ms", "aim ms"],
        note="On the wire: when the link for the first time carries within 15 % of the new rate.",
    )
    for before, after in ((_EARLIER, _LATER), (_LATER, _EARLIER)):
        took = [_steered(path, before, after) for _ in range(options.rounds)]
        print(before, after, took, flush=True)
        table.rows.append([f"{before}, {after}", 1000 * median(took), int(2 * case.rtt)])
    return [table]


def _steered(path: Path, before: int, after: int) -> float:
    """Seconds until the link carries the new rate."""
    transfer = PlaneTransfer(path, rate=before * 1000, seconds=4.0, changes=f"{_CHANGE}:{after * 1000}")
    marks = [(time.monotonic(), path.counters()["there"]["bytes"])]
    while transfer.running:
        time.sleep(0.02)
        marks.append((time.monotonic(), path.counters()["there"]["bytes"]))
    asked = transfer.result().began + _CHANGE
    rates = [(now, size * 8e-6 / (now - last)) for (last, _), (now, size) in pairwise(marks)]
    steady = (now for now, rate in rates if now > asked and abs(rate / after - 1) < 0.15)
    return next(steady) - asked
