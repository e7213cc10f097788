"""Kills either end of a session with SIGKILL at random moments, and looks at what the next one makes of it.

For each resume level, on one large file and on many small ones, sessions are started again after each kill until the
transfer is complete, then the next transfer begins, pushing and pulling in turn. At no moment may a file have its name
and other bytes than its source, and in the end all must be there and nothing else. From level 1 on what the receiving
side had is not to be sent again, but for one block (1 MiB) of a large file and the files that were under way.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench import report
from bench.processes import MIB
from bench.report import Report, Table
from tests.openascp.manager import Openascp
from tests.openascp.sshd import Sshd

FAR_SIDE = f"{sys.executable} -P -m asperacentral.openascp"
BLOCK = MIB
_SECONDS = 120.0


@dataclass
class Outcome:
    """What was seen at one level."""

    level: int
    kills: int = 0
    transfers: int = 0
    resumed: int = 0
    repeated: list[int] = field(default_factory=list)
    """Bytes of the large file that were there and sent again, after each kill."""
    files_repeated: int = 0
    """Small files that were complete and sent again."""


class Trial:
    """Transfers of `source` to the same target, at one level, one session killed after the other."""

    def __init__(
        self, sshd: Sshd, source: Path, level: int, rate: str, window: float, chance: random.Random
    ) -> None:
        self._sshd = sshd
        self._source = source
        self._rate = rate
        self._window = window
        self._chance = chance
        self._target = sshd.folder.parent / "target"
        self._place = self._target / source.name
        self.outcome = Outcome(level)

    def run(self, kills: int) -> Outcome:
        """Go on until so many sessions were killed, and the last transfer is complete."""
        while self.outcome.kills < kills:
            mode = ("send", "recv")[self.outcome.transfers % 2]
            self._target.mkdir()
            while self._killed(mode) and self.outcome.kills < kills:
                pass
            self._complete(mode)
            self.outcome.transfers += 1
            shutil.rmtree(self._target)
        return self.outcome

    def _killed(self, mode: str) -> bool:
        """Start a session and kill it; False when it was complete before."""
        had = self._held()
        with self._session(mode) as session:
            session.listener.wait_for("SESSION", _SECONDS)
            with contextlib.suppress(TimeoutError):
                _wait_for_end(session, self._chance.random() * self._window)
                return False
            self._kill(session)
            session.process.wait(_SECONDS)
            self._look_at_start(session, had)
        self._wait_until_far_side_is_gone()
        self.outcome.kills += 1
        self._check_what_has_its_name(had)
        return True

    def _complete(self, mode: str) -> None:
        had = self._held()
        with self._session(mode) as session:
            session.done()
            self._look_at_start(session, had)
        self._check_what_has_its_name(had)
        if _contents(self._place) != _contents(self._source):
            raise RuntimeError(f"level {self.outcome.level}: not all is there, or more than that")
        if len(list(self._target.iterdir())) != 1:
            raise RuntimeError(f"level {self.outcome.level}: something was left")

    def _session(self, mode: str) -> Openascp:
        sshd = self._sshd
        return Openascp(
            f"--mode={mode}",
            f"--host={sshd.host}",
            f"--user={sshd.user}",
            "-P",
            str(sshd.port),
            "-i",
            sshd.key,
            f"--known-hosts={sshd.folder / 'known_hosts'}",
            "-S",
            FAR_SIDE,
            "-l",
            self._rate,
            f"-k{self.outcome.level}",
            "--partial-tag=job",
            "-q",
            self._source,
            self._target,
        )

    def _kill(self, session: Openascp) -> None:
        """One of the two, by chance; the far side may not be there yet."""
        halves = [pid for pid in self._sshd.connections() if _is_server_half(pid)]
        if halves and self._chance.random() < 0.5:
            os.kill(halves[-1], signal.SIGKILL)
        else:
            session.kill()

    def _wait_until_far_side_is_gone(self) -> None:
        deadline = time.monotonic() + _SECONDS
        while self._sshd.connections():
            if time.monotonic() > deadline:
                raise RuntimeError("the far side does not end")
            time.sleep(0.01)

    # What is there.

    def _held(self) -> dict[str, tuple[int, int]]:
        """Inode and size of each file at the target, by its path."""
        found = {}
        for path in self._target.rglob("*"):
            if path.is_file():
                about = path.stat()
                found[str(path.relative_to(self._target))] = about.st_ino, about.st_size
        return found

    def _check_what_has_its_name(self, had: dict[str, tuple[int, int]]) -> None:
        now = self._held()
        for name, (inode, _) in now.items():
            if name.endswith(".partial") or had.get(name, (0, 0))[0] == inode:
                continue  # not complete, or seen before
            source = self._source.parent / name
            if (self._target / name).read_bytes() != source.read_bytes():
                raise RuntimeError(f"level {self.outcome.level}: {name} is wrong")
            if name in had and self.outcome.level:
                self.outcome.files_repeated += 1

    def _look_at_start(self, session: Openascp, had: dict[str, tuple[int, int]]) -> None:
        """How much of the large file was sent again."""
        partial = f"{self._source.name}.job.partial"
        started = session.listener.of_type("START")
        if not started or partial not in had:
            return
        kept = started[0].integer("StartByte")
        self.outcome.resumed += bool(kept)
        self.outcome.repeated.append(max(0, had[partial][1] - kept))


def _wait_for_end(session: Openascp, seconds: float) -> None:
    """Return when the session says that it is over; TimeoutError when it goes on."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if session.listener.of_type("DONE"):
            session.done()
            return
        time.sleep(0.002)
    raise TimeoutError


def _is_server_half(pid: int) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"--server" in words and b"asperacentral.openascp" in words


def _contents(path: Path) -> dict[str, bytes]:
    if path.is_file():
        return {"": path.read_bytes()}
    return {str(each.relative_to(path)): each.read_bytes() for each in path.rglob("*") if each.is_file()}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kills", type=int, default=200, help="for each level and each sort of source")
    parser.add_argument("--levels", type=int, nargs="+", default=[0, 1, 2, 3], help="resume levels")
    parser.add_argument("--size", type=int, default=256, help="MiB of the large file")
    parser.add_argument("--files", type=int, default=3000, help="number of small files")
    parser.add_argument("--rate", default="600m", help="target rate")
    parser.add_argument(
        "--window", type=float, default=1.5, help="seconds after the login within which to kill"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the random moments")
    parser.add_argument("--folder", type=Path, help="where to work; default: the system's temporary folder")


def run(args: argparse.Namespace) -> Report:
    chance = random.Random(args.seed)
    with (
        tempfile.TemporaryDirectory(prefix="bench-kills-", dir=args.folder) as name,
        Sshd(Path(name) / "sshd") as sshd,
        report.conditions() as told,
    ):
        folder = Path(name)
        large, small = folder / "large.bin", folder / "small"
        with large.open("wb") as file:
            for _ in range(args.size):
                file.write(chance.randbytes(MIB))
            file.write(b"and no whole block")
        small.mkdir()
        for number in range(args.files):
            (small / f"{number:05}.dat").write_bytes(chance.randbytes(1 + number % 5000))
        tables = [
            _table(f"One file of {args.size} MiB", args, sshd, large, chance),
            _table(f"{args.files} small files", args, sshd, small, chance),
        ]
        return Report("kills", told(), tables)


def _table(title: str, args: argparse.Namespace, sshd: Sshd, source: Path, chance: random.Random) -> Table:
    columns = ["level", "kills", "transfers", "resumed in the file", "most bytes repeated", "files repeated"]
    table = Table(f"{title}: every byte right after {args.kills} kills at each level", columns)
    for level in args.levels:
        seen = Trial(sshd, source, level, args.rate, args.window, chance).run(args.kills)
        most = max(seen.repeated, default=0)
        if level and (most > BLOCK or seen.files_repeated):
            raise RuntimeError(f"level {level}: {most} bytes and {seen.files_repeated} files were sent again")
        table.rows.append([level, seen.kills, seen.transfers, seen.resumed, most, seen.files_repeated])
        print(table.title, table.rows[-1], file=sys.stderr, flush=True)
    return table


if __name__ == "__main__":
    report.main(run, __doc__, add_arguments)
