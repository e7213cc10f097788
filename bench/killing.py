"""Transfers that are killed: sessions started again after each SIGKILL, and what is at the destination in between.

`Transfer` moves one source once, however many sessions that takes, and keeps an account of what it saw. Sessions are
`openascp` processes of their own, to a far side that is there for many transfers. What is damaged between two sessions
is `damage`'s matter.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from asperacentral.commands.local import LocalNode
from asperacentral.openascp.exchange.checkpoint import BLOCK
from bench import damage
from bench.processes import descendants
from tests.openascp.manager import Openascp
from tests.openascp.sshd import Sshd

CLIENT, SERVER = ENDS = ("client", "server")
HALVES, UDP, SFTP = PLANES = ("halves", "udp", "sftp")
"""Two halves by whatever gets through; by datagrams, else it is a problem; files that an SSH server shows."""
MODES = ("send", "recv")
TAG = "job"
HELD = "two blocks are there"
"""For `Rules.signs`: not a message, but what the destination has of a large file."""
_SECONDS = 120.0
_IN_A_HURRY = "1g"
_PARTIAL = f".{TAG}.partial"
_FAR_SIDE = f"{sys.executable} -P -m asperacentral.openascp"
_NOBODY = "no-openascp-here"
_PASSWORD = "kills"


@dataclass(frozen=True)
class Far:
    """A far side: how to log in, which folder of this machine it shows as `prefix`, and who serves its sessions."""

    name: str
    root: Path
    prefix: str
    login: tuple[str | Path, ...]
    program: str
    password: str
    serving: Callable[[str], list[int]]
    """The processes that serve sessions on a plane, those that may be killed."""


def by_sshd(server: Sshd, root: Path) -> Far:
    """OpenSSH's server; over SFTP its process for the files is the far end, or those for the connection where it has
    none of its own.
    """

    def serving(plane: str) -> list[int]:
        found = server.connections()
        if plane == SFTP:
            return [pid for pid in found if b"sftp-server" in _command(pid)] or found
        return [pid for pid in found if _is_half(pid)]

    login = (f"--user={server.user}", "-P", str(server.port), "-i", server.key)
    return Far("sshd", root, str(root), login, _FAR_SIDE, "", serving)


@contextlib.contextmanager
def by_node(folder: Path, root: Path) -> Iterator[Far]:
    """Our own node; it serves SFTP itself, so that on this plane none of its processes may be killed."""
    with LocalNode(folder, root, "far", _PASSWORD) as node:

        def serving(plane: str) -> list[int]:
            return [] if plane == SFTP else [pid for pid in descendants(node.pid) if _is_half(pid)]

        yield Far("node", root, "", ("--user=far", "-P", str(node.port)), "", _PASSWORD, serving)


@dataclass(frozen=True)
class Source:
    """What is to be moved: a file or a folder below the far side's root, which a client on this machine sees too."""

    path: Path
    rate: str
    """Of sessions that are to be killed: so low that most kills come in the middle."""

    @property
    def is_large(self) -> bool:
        """Whether it is one file, resumed by blocks."""
        return self.path.is_file()


@dataclass
class Account:
    """What was seen."""

    kills: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ENDS, 0))
    sessions: int = 0
    transfers: int = 0
    resumed: int = 0
    damaged: int = 0
    repeated: list[int] = field(default_factory=list)
    """Bytes that were at the destination after a kill and were sent again, for each session that could be measured."""
    files_again: int = 0
    """Files that were complete and were sent again."""
    problems: list[str] = field(default_factory=list)

    @property
    def killed(self) -> int:
        """Kills of both ends."""
        return sum(self.kills.values())


@dataclass(frozen=True)
class Rules:
    """How one transfer is made."""

    level: int
    mode: str
    plane: str = HALVES
    ends: tuple[str, ...] = ENDS
    damage_share: float = 0.25
    damage: Callable[[int, damage.Files, random.Random], Path | None] = damage.anything
    quiet_share: float = 0.7
    """How often the next session begins when nobody writes any more, so that what is there can be measured."""
    signs: tuple[str, ...] = ("", "SESSION", "START", "START")
    """Messages of the session, or HELD, one of which is waited for; empty for none."""
    moments: tuple[float, float] = (0.0, 0.4)
    """Seconds after that within which to kill."""


class Transfer:
    """One transfer of `source`, begun again after each kill until it is complete."""

    def __init__(
        self, far: Far, source: Source, folder: Path, rules: Rules, chance: random.Random, account: Account
    ) -> None:
        self._far = far
        self._source = source
        self._rules = rules
        self._chance = chance
        self._account = account
        self._known_hosts = folder / "known_hosts"
        self._target = (far.root if rules.mode == "send" else folder) / "in"
        self._partial = self._target / f"{source.path.name}{_PARTIAL}"
        self._checkpoint = self._target / f"{source.path.name}.ckpt{_PARTIAL}"
        self._whole: dict[str, int] = {}  # inode of each file that was right when it was looked at
        self._harmed: set[int] = set()  # inodes of complete files that were damaged
        self._measurable = self._tampered = False
        shutil.rmtree(self._target, ignore_errors=True)
        self._target.mkdir()

    def run(self, kills: int) -> Iterator[None]:
        """Go on until so many sessions were killed or all is there; in the end it is. Yields after each session."""
        complete = False
        while not complete and not self._account.problems:
            complete = not self._session(self._one_to_be_killed if kills else self._one_to_the_end)
            if not complete:
                kills -= 1
                if self._chance.random() < self._rules.damage_share:
                    self._damage()
            yield
        if not self._account.problems:
            self._look(complete=True)
            self._account.transfers += 1
        if not self._account.problems:
            shutil.rmtree(self._target)

    # Sessions.

    def _session(self, course: Callable[[Openascp], bool]) -> bool:
        """Start a session and let it run its course; whether it was killed."""
        held = self._held() if self._measurable else None
        rate = self._source.rate if course == self._one_to_be_killed else _IN_A_HURRY
        with self._start(rate) as session:
            killed = course(session)
            started = session.listener.of_type("START")
            transports = {message.text("Transport") for message in session.listener.of_type("SESSION")}
        if self._rules.plane == UDP and transports - {UDP}:
            self._problem(f"the session goes by {transports}")
        self._account.sessions += 1
        if held is not None:
            self._measure(held, started[0].integer("StartByte") if started else None)
        self._look(complete=False)
        return killed

    def _start(self, rate: str) -> Openascp:
        far, rules = self._far, self._rules
        there, here = f"{far.prefix}/{self._source.path.name}", self._source.path
        program = far.program if rules.plane != SFTP else _NOBODY
        return Openascp(
            f"--mode={rules.mode}",
            "--host=127.0.0.1",
            *far.login,
            *(("-S", program) if program else ()),
            f"--known-hosts={self._known_hosts}",
            "-l",
            rate,
            f"-k{rules.level}",
            f"--partial-tag={TAG}",
            "-q",
            *((here, f"{far.prefix}/in") if rules.mode == "send" else (there, self._target)),
            password=far.password,
        )

    def _one_to_the_end(self, session: Openascp) -> bool:
        last = session.end(_SECONDS)
        if last.type != "DONE":
            self._problem(f"ended with error {last.integer('Code')}: {last.text('Description')}")
        return False

    def _one_to_be_killed(self, session: Openascp) -> bool:
        """Kill one of its ends at a random moment, unless it is complete before."""
        sign = self._chance.choice(self._rules.signs)
        began = time.monotonic()
        moment = began + _SECONDS
        while time.monotonic() < moment and session.process.poll() is None:
            if moment > began + _SECONDS / 2 and self._shows(session, sign):
                moment = time.monotonic() + self._chance.uniform(*self._rules.moments)
            time.sleep(0.002)
        if session.process.poll() is not None:
            return self._one_to_the_end(session)
        self._kill(session)
        return True

    def _shows(self, session: Openascp, sign: str) -> bool:
        if sign != HELD:
            return not sign or bool(session.listener.of_type(sign))
        with contextlib.suppress(FileNotFoundError):
            return self._partial.stat().st_size > 2 * BLOCK
        return False

    def _kill(self, session: Openascp) -> None:
        end = self._chance.choice(self._rules.ends)
        serving = self._far.serving(self._rules.plane)
        if end == SERVER and serving:
            for pid in serving:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            session.end(_SECONDS)  # by itself, with whatever it makes of that
        else:
            end = CLIENT
            session.kill()
        self._account.kills[end] += 1
        quiet = self._chance.random() < self._rules.quiet_share and self._is_quiet()
        self._measurable = quiet and not self._tampered

    def _is_quiet(self) -> bool:
        """Wait until nobody serves; False when that cannot be known."""
        if self._rules.plane == SFTP and self._far.name == "node":
            return False
        deadline = time.monotonic() + _SECONDS
        while self._far.serving(self._rules.plane):
            if time.monotonic() > deadline:
                self._problem("the far end does not go")
                return False
            time.sleep(0.01)
        return True

    def _damage(self) -> None:
        """Harm what is there, as far as this level is to find it."""
        if not (self._rules.level and self._rules.plane != SFTP and self._is_quiet()):
            return
        complete = [] if self._source.is_large else [self._target / name for name in self._whole]
        files = damage.Files(self._partial, self._checkpoint, complete)
        harmed = self._rules.damage(self._rules.level, files, self._chance)
        if harmed is None:
            return
        self._account.damaged += 1
        self._tampered = True  # from now on bytes that are right need not be known to be
        self._measurable = False
        name = harmed.relative_to(self._target).as_posix()
        if (inode := self._whole.pop(name, None)) is not None:
            self._harmed.add(inode)

    # What is there.

    def _held(self) -> int:
        """Bytes that would be sent again if nothing was kept; of a large file only blocks that are right."""
        if self._source.is_large:
            return _right_blocks(self._partial, self._source.path) if self._partial.exists() else 0
        return sum(_size(path) for path in self._target.rglob(f"*{_PARTIAL}"))

    def _measure(self, held: int, kept: int | None) -> None:
        if self._source.is_large and kept is not None:
            self._account.resumed += bool(kept)
            self._account.repeated.append(max(0, held - kept))
        elif not self._source.is_large:
            self._account.repeated.append(held)

    def _look(self, *, complete: bool) -> None:
        """No file may have its name and be wrong; when all is complete, nothing may lack and nothing may be left."""
        found = {path.relative_to(self._target).as_posix(): path for path in self._target.rglob("*")}
        for name, path in found.items():
            if path.is_dir() or path.name.endswith(".partial"):
                continue
            inode = path.stat().st_ino
            if inode in self._harmed and not complete:
                continue
            if self._whole.get(name) != inode or complete:
                self._files_again(name, inode)
                self._whole[name] = inode
                source = self._source.path.parent / name
                if not source.is_file() or not _same(path, source):
                    self._problem(f"{name} is wrong")
        if complete:
            above = self._source.path.parent
            wanted = {
                path.relative_to(above).as_posix()
                for path in [self._source.path, *self._source.path.rglob("*")]
            }
            for name in wanted ^ set(found):
                self._problem(f"{name} {'lacks' if name in wanted else 'is left'}")

    def _files_again(self, name: str, inode: int) -> None:
        if self._whole.get(name, inode) != inode and self._rules.level:
            self._account.files_again += 1

    def _problem(self, text: str) -> None:
        rules = self._rules
        told = f"level {rules.level}, {rules.plane}, {self._far.name}, {rules.mode}: {text}"
        self._account.problems.append(told)


def _command(pid: int) -> bytes:
    """The arguments of a process; none when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _is_half(pid: int) -> bool:
    words = _command(pid).split(b"\0")
    return b"--server" in words and b"asperacentral.openascp" in words


def _right_blocks(partial: Path, source: Path) -> int:
    """How many bytes of a partial file are whole blocks as in its source."""
    size = partial.stat().st_size
    if not size:
        return 0
    with partial.open("rb") as first, source.open("rb") as second:
        ours = mmap.mmap(first.fileno(), 0, access=mmap.ACCESS_READ)
        theirs = mmap.mmap(second.fileno(), 0, access=mmap.ACCESS_READ)
        with ours, theirs:
            starts = range(0, size, BLOCK)
            spans = [(start, min(start + BLOCK, len(theirs))) for start in starts]
            return sum(end - start for start, end in spans if ours[start:end] == theirs[start:end])


def _same(path: Path, source: Path) -> bool:
    if path.stat().st_size != source.stat().st_size:
        return False
    with path.open("rb") as first, source.open("rb") as second:
        while data := first.read(BLOCK):
            if data != second.read(BLOCK):
                return False
        return True


def _size(path: Path) -> int:
    """0 of a file that is gone: the end that was not killed may still finish what it has."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
