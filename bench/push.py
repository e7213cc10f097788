"""Pushes to one OpenSSH server on loopback by openascp, scp and sftp: one large file, and many small ones.

Source and destination are in the same folder, the source is in the page cache. Programs take turns, so that what
else the machine does falls on all of them. CPU time is the client's; the server's share is measured apart.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench import processes, report
from bench.processes import MIB, Cost
from bench.report import Report, Table, median
from tests.openascp.sshd import Sshd

Command = Callable[[Sshd, Path, Path], list[str | Path]]


def openascp(sshd: Sshd, source: Path, destination: Path) -> list[str | Path]:
    options = ["-P", str(sshd.port), "-l", "10g", "-q", f"--known-hosts={sshd.folder / 'known_hosts'}"]
    login: list[str | Path] = ["--mode=send", f"--host={sshd.host}", f"--user={sshd.user}", "-i", sshd.key]
    return [sys.executable, "-m", "asperacentral.openascp", *login, *options, source, destination]


def scp(sshd: Sshd, source: Path, destination: Path) -> list[str | Path]:
    return ["scp", "-q", "-r", *_ssh_options(sshd), source, f"{sshd.user}@{sshd.host}:{destination}"]


def sftp(sshd: Sshd, source: Path, destination: Path) -> list[str | Path]:
    batch = sshd.folder / "batch"
    batch.write_text(f"put -r {source} {destination}\n")
    return ["sftp", "-q", "-b", batch, *_ssh_options(sshd), f"{sshd.user}@{sshd.host}"]


def _ssh_options(sshd: Sshd) -> list[str | Path]:
    quiet = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
    return ["-P", str(sshd.port), "-i", sshd.key, "-F", "/dev/null", *quiet]


PROGRAMS: dict[str, Command] = {"openascp": openascp, "sftp": sftp, "scp": scp}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--size", type=int, default=1024, help="MiB of the large file")
    parser.add_argument("--files", type=int, default=2000, help="number of small files")
    parser.add_argument("--small", type=int, default=10, help="KiB of each small file")
    parser.add_argument("--rounds", type=int, default=3, help="times each program runs")
    parser.add_argument("--folder", type=Path, help="where to work; default: the system's temporary folder")


def run(args: argparse.Namespace) -> Report:
    with (
        tempfile.TemporaryDirectory(prefix="bench-push-", dir=args.folder) as name,
        Sshd(Path(name) / "sshd") as sshd,
        report.conditions() as told,
    ):
        folder = Path(name)
        large, small = folder / "large.bin", folder / "small"
        with large.open("wb") as file:
            for _ in range(args.size):
                file.write(os.urandom(MIB))
        small.mkdir()
        for number in range(args.files):
            (small / f"{number:05}.dat").write_bytes(os.urandom(args.small << 10))
        tables = [
            _measure(f"One file of {args.size} MiB", sshd, large, args.size, "MiB/s", args.rounds),
            _measure(
                f"{args.files} files of {args.small} KiB", sshd, small, args.files, "files/s", args.rounds
            ),
        ]
        return Report("push", told(), tables)


def _measure(title: str, sshd: Sshd, source: Path, amount: int, unit: str, rounds: int) -> Table:
    costs: dict[str, list[tuple[Cost, float]]] = {program: [] for program in PROGRAMS}
    for _ in range(rounds):
        for program, command in PROGRAMS.items():
            costs[program].append(push_once(sshd, source, command))
    speeds = {name: median([amount / cost.seconds for cost, _ in each]) for name, each in costs.items()}
    table = Table(
        f"{title}, median of {rounds}",
        ["program", unit, "of sftp's", "client CPU s", "server CPU s", "peak RSS MiB", "peak PSS MiB"],
    )
    for name, each in costs.items():
        table.rows.append(
            [
                name,
                speeds[name],
                speeds[name] / speeds["sftp"],
                median([cost.cpu for cost, _ in each]),
                median([server for _, server in each]),
                median([cost.peak_rss / MIB for cost, _ in each]),
                median([cost.peak_pss / MIB for cost, _ in each]),
            ]
        )
    return table


def push_once(sshd: Sshd, source: Path, command: Command) -> tuple[Cost, float]:
    """One push to a new place, checked by size and removed again; its cost, and the server's CPU seconds."""
    destination = sshd.folder.parent / "received"
    if source.is_dir():
        destination.mkdir()  # so that every program puts the folder itself into it
    before = _server_cpu(sshd)
    cost = processes.run(command(sshd, source, destination), sshd.folder)
    server = _server_cpu(sshd) - before
    received = destination / source.name if source.is_dir() else destination
    if _total(received) != _total(source):
        raise RuntimeError("what arrived is not what was sent")
    shutil.rmtree(destination) if destination.is_dir() else destination.unlink()
    return cost, server


def _server_cpu(sshd: Sshd) -> float:
    """CPU seconds of the server and of its connections, which have ended when this returns."""
    own = int((sshd.folder / "sshd.pid").read_text())
    while processes.descendants(own):
        time.sleep(0.01)
    return processes.cpu_seconds([own])


def _total(path: Path) -> tuple[int, int]:
    files = [each for each in path.rglob("*") if each.is_file()] if path.is_dir() else [path]
    return len(files), sum(each.stat().st_size for each in files)


if __name__ == "__main__":
    report.main(run, __doc__, add_arguments)
