"""What a measurement reports: tables of medians with the conditions they were taken under, as markdown and JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

Cell = str | float | int


@dataclass
class Table:
    """Rows under a title; `note` says how to read them."""

    title: str
    columns: Sequence[str]
    rows: list[Sequence[Cell]] = field(default_factory=list)
    note: str = ""

    def markdown(self) -> str:
        lines = [f"**{self.title}**", "", "| " + " | ".join(self.columns) + " |"]
        lines.append("|" + " --- |" * len(self.columns))
        lines += ["| " + " | ".join(_shown(cell) for cell in row) + " |" for row in self.rows]
        return "\n".join([*lines, *(["", self.note] if self.note else [])])


@dataclass
class Report:
    """One measurement."""

    name: str
    conditions: str
    tables: list[Table]

    def markdown(self) -> str:
        return "\n\n".join([self.conditions, *(table.markdown() for table in self.tables)])

    def json(self) -> str:
        return json.dumps(asdict(self))


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


@contextmanager
def conditions() -> Iterator[Callable[[], str]]:
    """The machine and how busy it was with other things; to be asked when the measurement is over."""
    before = _cpu_seconds()
    began = time.monotonic()
    own = os.times()

    def told() -> str:
        now = os.times()
        ours = sum(now[:4]) - sum(own[:4])
        busy = (_cpu_seconds() - before - ours) / max(time.monotonic() - began, 1e-3)
        return (
            f"{time.strftime('%Y-%m-%d')}, {_processor()}, {os.cpu_count()} cores, Linux {platform.release()}, "
            f"Python {platform.python_version()}, loopback; meanwhile {max(busy, 0):.1f} cores were busy with "
            "other processes or with children not yet waited for."
        )

    yield told


def main(
    run: Callable[[argparse.Namespace], Report],
    description: str | None,
    add: Callable[[argparse.ArgumentParser], None],
) -> None:
    """The script: options, measurement, markdown and JSON on stdout."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add(parser)
    report = run(parser.parse_args())
    print(report.markdown())
    print()
    print(report.json())


def _shown(cell: Cell) -> str:
    if isinstance(cell, float):
        return f"{cell:,.0f}" if cell >= 100 else f"{cell:.3g}"
    return f"{cell:,}" if isinstance(cell, int) else cell


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _cpu_seconds() -> float:
    """Seconds of all processors that were not idle, since the system started."""
    words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _wait, irq, softirq, steal = (int(word) for word in words[:8])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
