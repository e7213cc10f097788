"""The parts of the measurement that run whole programs: openascp from file to file, and what others do meanwhile."""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.report import Table
from bench.wan.cases import CASES, MB, Case, chosen
from bench.wan.path import Loopback
from bench.wan.path import Path as Link
from bench.wan.programs import Copied, Server

_MEMORY = Path("/dev/shm")
"""No disk: it would be what is measured."""
_LOOPBACK_RATE = 20_000_000
_FILES = 10_000
_FILE_BYTES = 10_000
_LONGEST = 150.0
_SPREAD = (20, 200)
OTHERS = ("openascp", "scp", "rsync", "rclone", "lftp")
_CONTROLS = ("cubic", "bbr")


def files(options: argparse.Namespace) -> list[Table]:
    """Each path, one file."""
    table = Table(
        f"openascp to openascp, file to file, fixed at 99.5 % of the link, AES-128-GCM, median of {options.rounds}",
        [
            "path",
            "MB",
            "Mbit/s",
            "% of the link",
            "aim %",
            "setting up s",
            "of that above 8 round trips, s",
            "CPU s/GB",
        ],
        note="Mbit/s from the first byte until the receiving end has verified the whole file and given it its name; "
        "its hash was compared afterwards. Setting up is from the start of the program to the first byte. "
        "CPU of all processes of both ends, start included.",
    )
    for case in chosen(CASES, options.cases):
        size = int(case.size * options.scale)
        with _between(Link(), case) as server, _source(server.folder, size * MB) as source:
            run = _median(server, "openascp", source, options, case)
        cpu = (run.near + run.far) / (run.size / 1e9)
        spare = run.setting_up - 8 * case.rtt / 1000
        share = 100 * run.goodput / case.rate
        table.rows.append([str(case), size, run.goodput, share, case.aim, run.setting_up, spare, cpu])
    return [table]


def loopback(options: argparse.Namespace) -> list[Table]:
    """One file and many small ones on this machine, beside scp."""
    size = int(1000 * options.scale)
    table = Table(
        f"On one machine, file to file, median of {options.rounds}",
        [
            "program",
            f"{size} MB, Mbit/s from start to end",
            "while moving",
            "CPU s/GB",
            f"{_FILES:,} x 10 kB, s",
            "moving, s",
        ],
        note="CPU of all processes of both ends, start included.",
    )
    with (
        _between(Loopback(), None) as server,
        _source(server.folder, size * MB) as large,
        _small(server.folder) as small,
    ):
        for program in ("openascp", "scp"):
            one = _median(server, program, large, options, None)
            many = _median(server, program, small, options, None)
            cpu = (one.near + one.far) / (one.size / 1e9)
            whole = one.size * 8e-6 / one.seconds
            table.rows.append([program, whole, one.goodput, cpu, many.seconds, many.moving or many.seconds])
    return [table]


def small(options: argparse.Namespace) -> list[Table]:
    """Many small files over distance and loss."""
    case = Case(500, 100, 1, 0, 0)
    table = Table(
        f"{_FILES:,} files of 10 kB over {case}, openascp, median of {options.rounds}",
        ["setting up, s", "moving, s", "start to end, s", "CPU s"],
    )
    with _between(Link(), case) as server, _small(server.folder) as source:
        run = _median(server, "openascp", source, options, case)
    table.rows.append([run.setting_up, run.moving, run.seconds, run.near + run.far])
    return [table]


def spread(options: argparse.Namespace) -> list[Table]:
    """How much a longer way costs at the same loss."""
    table = Table(
        f"500 Mbit/s and 1 % loss at two distances, openascp, file to file, median of {options.rounds}",
        ["ms", "Mbit/s", "less than at the shorter, %"],
    )
    nearest = 0.0
    for rtt in _SPREAD:
        case = Case(500, rtt, 1, 1000, 0)
        with (
            _between(Link(), case) as server,
            _source(server.folder, int(1000 * options.scale) * MB) as source,
        ):
            goodput = _median(server, "openascp", source, options, case).goodput
        nearest = nearest or goodput
        table.rows.append([rtt, goodput, 100 * (1 - goodput / nearest)])
    return [table]


def others(options: argparse.Namespace) -> list[Table]:
    """What programs on TCP give on the same path, with both ways that TCP has to control its rate."""
    case = Case(500, 100, 1, 200, 0)
    size = int(case.size * options.scale)
    table = Table(
        f"{size} MB over {case}, from start to end; stopped after {options.limit:g} s, median of {options.rounds}",
        ["program", "TCP", "Mbit/s", "whole"],
        note="What had arrived when a program was stopped counts. openascp sends UDP; its set-up over SSH is TCP.",
    )
    wanted = chosen([(program, control) for control in _CONTROLS for program in OTHERS], options.cases)
    for control in _CONTROLS:
        programs = [program for program, by in wanted if by == control and _there(program)]
        if not programs:
            continue
        with _between(Link(tcp_control=control), case) as server, _source(server.folder, size * MB) as source:
            for program in programs:
                speed, same = _stopped(server, program, source, options, int(case.rate * 995))
                table.rows.append([program, control, speed, "yes" if same else "no"])
                print(table.rows[-1], flush=True)
    return [table]


def _there(program: str) -> bool:
    return program == "openascp" or shutil.which(program) is not None


def _stopped(
    server: Server, program: str, source: Path, options: argparse.Namespace, rate: int
) -> tuple[float, bool]:
    """Mbit/s of the median round, each stopped after the limit, and whether all of the file was there then."""
    runs = [server.copy(program, source, options.limit, rate) for _ in range(options.rounds)]
    speeds = sorted((run.size * 8e-6 / run.seconds, run.same) for run in runs)
    return speeds[len(speeds) // 2]


def _median(
    server: Server, program: str, source: Path, options: argparse.Namespace, case: Case | None
) -> Copied:
    """The median run by goodput. RuntimeError when a copy is not the same."""
    rate = int(case.rate * 995) if case else _LOOPBACK_RATE
    runs = []
    for _ in range(options.rounds):
        runs.append(server.copy(program, source, _LONGEST, rate))
        print(case or "loopback", program, f"{runs[-1].goodput:.1f} Mbit/s", runs[-1], flush=True)
        if not runs[-1].same:
            raise RuntimeError(f"the copy by {program} differs from the source")
    return sorted(runs, key=lambda run: run.goodput)[len(runs) // 2]


@contextmanager
def _between(link: Link | Loopback, case: Case | None) -> Iterator[Server]:
    """An sshd at the end of a path."""
    with tempfile.TemporaryDirectory(prefix="bench-wan-", dir=_MEMORY) as name, link:
        if case is not None:
            link.set(rate=case.rate, rtt=case.rtt, loss=case.loss)
        server = Server(link, Path(name))
        try:
            yield server
        finally:
            server.close()


@contextmanager
def _source(folder: Path, size: int) -> Iterator[Path]:
    """A file of random bytes."""
    place = folder / "source"
    with place.open("wb") as file:
        left = size
        while left:
            left -= file.write(os.urandom(min(left, MB)))
    yield place
    place.unlink()


@contextmanager
def _small(folder: Path) -> Iterator[Path]:
    """A folder of many small files."""
    place = folder / "many"
    place.mkdir()
    for number in range(_FILES):
        (place / str(number)).write_bytes(os.urandom(_FILE_BYTES))
    yield place
    shutil.rmtree(place)
