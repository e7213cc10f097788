"""Many small files pushed to one OpenSSH server on loopback: openascp on both planes, scp, rsync, rclone, one run.

Source and destination are in the same folder, the source is in the page cache. Programs take turns, and each push goes
to a new place, is checked by number and size of files, and is removed again.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from bench import push, report
from bench.processes import MIB
from bench.push import Command, push_once
from bench.report import Report, Table, median
from tests.openascp.sshd import Sshd


def over_ssh(sshd: Sshd, source: Path, destination: Path) -> list[str | Path]:
    """openascp with a far side of its own; `-S` names it, since it is not installed there."""
    far = sshd.folder / "far-openascp"
    far.write_text(f'#!/bin/sh\ncd {Path.cwd()} && exec {sys.executable} -m asperacentral.openascp "$@"\n')
    far.chmod(0o755)
    command = push.openascp(sshd, source, destination)
    return [*command[:3], "-S", far, *command[3:]]


def rsync(sshd: Sshd, source: Path, destination: Path) -> list[str | Path]:
    quiet = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
    shell = f"ssh -p {sshd.port} -i {sshd.key} -F /dev/null {quiet}"
    return ["rsync", "-rt", "-e", shell, source, f"{sshd.user}@{sshd.host}:{destination}"]


def rclone(sshd: Sshd, source: Path, destination: Path) -> list[str | Path]:
    remote = f":sftp,host={sshd.host},port={sshd.port},user={sshd.user},key_file={sshd.key}:"
    options = ["--config", "/dev/null", "--sftp-disable-hashcheck", "--transfers", "8", "--checkers", "8"]
    return ["rclone", "copy", *options, source, f"{remote}{destination}/{source.name}"]


PROGRAMS: dict[str, Command] = {
    "openascp, its own far side": over_ssh,
    "openascp, SFTP": push.openascp,
    "scp": push.scp,
    "rsync": rsync,
    "rclone": rclone,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--files", type=int, default=10_000, help="number of files")
    parser.add_argument("--size", type=int, default=4, help="KiB of each")
    parser.add_argument("--rounds", type=int, default=1, help="times each program runs")
    parser.add_argument("--folder", type=Path, help="where to work; default: the system's temporary folder")


def run(args: argparse.Namespace) -> Report:
    with (
        tempfile.TemporaryDirectory(prefix="bench-small-", dir=args.folder) as name,
        Sshd(Path(name) / "sshd") as sshd,
        report.conditions() as told,
    ):
        source = Path(name) / "source"
        for number in range(args.files):
            folder = source / f"{number // 100:03}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number:05}.dat").write_bytes(os.urandom(args.size << 10))
        programs = {name: command for name, command in PROGRAMS.items() if _is_there(name)}
        costs = {
            name: [push_once(sshd, source, command) for _ in range(args.rounds)]
            for name, command in programs.items()
        }
    table = Table(
        f"{args.files} files of {args.size} KiB, median of {args.rounds}",
        ["program", "seconds", "files/s", "of scp's", "client CPU s", "server CPU s", "peak PSS MiB"],
    )
    seconds = {name: median([cost.seconds for cost, _ in each]) for name, each in costs.items()}
    for name, each in costs.items():
        table.rows.append(
            [
                name,
                seconds[name],
                args.files / seconds[name],
                seconds["scp"] / seconds[name],
                median([cost.cpu for cost, _ in each]),
                median([server for _, server in each]),
                median([cost.peak_pss / MIB for cost, _ in each]),
            ]
        )
    return Report("small_files", told(), [table])


def _is_there(name: str) -> bool:
    return name.startswith("openascp") or shutil.which(name) is not None


if __name__ == "__main__":
    report.main(run, __doc__, add_arguments)
