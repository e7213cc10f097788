"""Kills either end of sessions with SIGKILL at random moments, and looks at what the next ones make of it.

For each resume level, one large file and many small ones are pushed and pulled, to OpenSSH's sshd when it is installed
and to `asperacentral node`, in turns. A killed session is tried again as a manager would, until all is there; then the
next transfer begins. Between some sessions files are damaged, as far as the level is to notice it (see `damage`).
What is tried can be narrowed (`--levels`, `--planes`, `--modes`, `--fars`, `--ends`, `--size 0`, `--files 0`), so that
a long series can be made in pieces.
At no moment may a file have its name and other bytes than its source; in the end all must be there, and nothing else.
From level 1 on what the receiving side had is not to be sent again, but for one block (1 MiB) for each kill.
Exit status 1 when any of that did not hold; then the files are kept.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from asperacentral.commands.terminal import bar
from asperacentral.openascp.exchange.checkpoint import BLOCK
from bench import report
from bench.killing import (
    ENDS,
    HALVES,
    MODES,
    PLANES,
    SFTP,
    Account,
    Far,
    Rules,
    Source,
    Transfer,
    by_node,
    by_sshd,
)
from bench.processes import MIB
from bench.report import Report, Table
from tests.openascp.sshd import SSHD, Sshd

FARS = ("sshd", "node")
_COLUMNS = (
    "what", "level", "plane", "kills of the client", "kills of the far end", "sessions", "transfers",
    "resumed in a file", "damaged", "most bytes repeated", "whole files repeated", "wrong, lacking or left",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kills", type=int, default=200, help="for each source, level and plane")
    parser.add_argument("--levels", type=_numbers, default=[0, 1, 2, 3], help="resume levels, with commas")
    parser.add_argument(
        "--ends", type=_names(ENDS), default=list(ENDS), help="which end to kill, with commas"
    )
    parser.add_argument("--planes", type=_names(PLANES), default=[HALVES], help=f"of {', '.join(PLANES)}")
    parser.add_argument("--modes", type=_names(MODES), default=list(MODES), help=f"of {', '.join(MODES)}")
    parser.add_argument("--fars", type=_names(FARS), default=list(FARS), help=f"of {', '.join(FARS)}")
    parser.add_argument("--size", type=int, default=256, help="MiB of the large file; 0: none")
    parser.add_argument("--files", type=int, default=3000, help="number of small files; 0: none")
    parser.add_argument(
        "--rates", type=_words, default=["600m", "40m"], help="of the large and the small ones"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the random moments")
    parser.add_argument("--folder", type=Path, help="where to work; default: the system's temporary folder")


def run(args: argparse.Namespace) -> Report:
    folder = Path(tempfile.mkdtemp(prefix="bench-kills-", dir=args.folder))
    problems: list[str] = []
    try:
        found = _measure(args, folder, problems)
    finally:
        if not problems:
            shutil.rmtree(folder)
    if problems:
        print(found.markdown(), *problems, sep="\n", file=sys.stderr)
        raise SystemExit(f"{len(problems)} things are not as they should be; the files are in {folder}")
    return found


def _measure(args: argparse.Namespace, folder: Path, problems: list[str]) -> Report:
    chance = random.Random(args.seed)
    table = Table(f"After {args.kills} kills in each row", _COLUMNS)
    with _far_sides(folder, args.fars) as fars, report.conditions() as told:
        sources = list(_sources(args, folder / "files", chance))
        for level, source, plane in itertools.product(args.levels, sources, args.planes):
            account = _row(args, folder, fars, source, (level, plane), chance)
            problems += account.problems + broken_promises(account, level, plane)
            table.rows.append(_cells(source, level, plane, account))
            print("\r" + " | ".join(map(str, table.rows[-1])), file=sys.stderr, flush=True)
        return Report("kills", told(), [table])


def broken_promises(account: Account, level: int, plane: str) -> list[str]:
    """What was sent again although it was there."""
    found = []
    if level and account.files_again:
        found.append(f"level {level}, {plane}: {account.files_again} complete files were sent again")
    if level and plane != SFTP and (most := max(account.repeated, default=0)) > BLOCK:
        found.append(f"level {level}, {plane}: {most} bytes were sent again after one kill")
    return found


@contextlib.contextmanager
def _far_sides(folder: Path, names: list[str]) -> Iterator[list[Far]]:
    """The far sides of these names, as far as there are, with one folder of files."""
    root = folder / "files"
    root.mkdir()
    with contextlib.ExitStack() as stack:
        fars = [stack.enter_context(by_node(folder, root))] if "node" in names else []
        if SSHD is not None and "sshd" in names:
            fars.append(by_sshd(stack.enter_context(Sshd(folder / "sshd")), root))
        yield fars


def _sources(args: argparse.Namespace, root: Path, chance: random.Random) -> Iterator[Source]:
    if args.size:
        large = root / "large.bin"
        with large.open("wb") as file:
            for _ in range(args.size):
                file.write(chance.randbytes(MIB))
            file.write(b"and no whole block")
        yield Source(large, args.rates[0])
    if args.files:
        small = root / "small"
        make_small_files(small, args.files, chance)
        yield Source(small, args.rates[-1])


def make_small_files(folder: Path, count: int, chance: random.Random) -> None:
    """Files of up to 10 kB in nested folders; every tenth is empty, and so is one folder."""
    (folder / "empty").mkdir(parents=True)
    for number in range(count):
        path = folder / f"{number % 7}" / f"{number % 11}" / f"{number:05}.dat"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.randbytes(chance.randrange(10_000)) if number % 10 else b"")


def _row(
    args: argparse.Namespace,
    folder: Path,
    fars: list[Far],
    source: Source,
    rules: tuple[int, str],
    chance: random.Random,
) -> Account:
    """Transfers in all ways, in turns, until the kills are used up."""
    account = Account()
    level, plane = rules
    ways = list(itertools.product(fars, args.modes))
    chance.shuffle(ways)
    label = f"{source.path.name} level {level} {plane}"
    while account.killed < args.kills and not account.problems:
        far, mode = ways[account.transfers % len(ways)]
        left = min(args.kills - account.killed, max(5, args.kills // 8))
        share = chance.choice((0.0, 0.5))  # what is sent again is measured where nothing was damaged
        how = Rules(level, mode, plane, tuple(args.ends), share)
        transfer = Transfer(far, source, folder, how, chance, account)
        for _ in transfer.run(left):
            shown = bar(account.killed / args.kills, 30)
            counts = (
                f"{account.killed}/{args.kills} kills, {account.sessions} sessions, {account.transfers} whole"
            )
            print(f"\r{label:30} {shown} {counts}", end="", file=sys.stderr, flush=True)
    return account


def _cells(source: Source, level: int, plane: str, account: Account) -> list[str | int]:
    kills = [account.kills[end] for end in ENDS]
    most = max(account.repeated) if level and plane != SFTP and account.repeated else "-"
    problems = len(account.problems)
    counts = [account.sessions, account.transfers, account.resumed, account.damaged]
    return [source.path.name, level, plane, *kills, *counts, most, account.files_again, problems]


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def _words(text: str) -> list[str]:
    return text.split(",")


def _names(known: tuple[str, ...]) -> Callable[[str], list[str]]:
    def read(text: str) -> list[str]:
        words = text.split(",")
        if not set(words) <= set(known):
            raise argparse.ArgumentTypeError(f"not of {', '.join(known)}")
        return words

    return read


if __name__ == "__main__":
    report.main(run, __doc__, add_arguments)
