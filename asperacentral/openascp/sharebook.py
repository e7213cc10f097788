"""Where the sessions of a host tell each other what they take of a cap: one small file for each pool.

Sessions are processes of their own, also of several users, and any of them may die at any moment. So each has a place
in the file that only it writes, all under a lock on the file; a place whose process is gone, or has said nothing for
ten seconds, is free. Nothing in the file is believed further than the rule in `sharing` allows: damage to it costs
fairness until the next write, not more.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from asperacentral.openascp.sharing import Claim, Pool, granted

FOLDER = "shares"
"""Below the run directory; everybody may make files in it, and remove only his own."""
MOST_SESSIONS = 1024
SILENT_SECONDS = 10.0

_PLACE = struct.Struct(">QIQdHIII")
_SUM = struct.Struct(">I")
_SIZE = _PLACE.size + _SUM.size
_TRIALS, _TRIAL_SECONDS = 10, 0.001
_LARGEST = 0xFFFF_FFFF


class Share:
    """The place of one session in the book of a pool, in `folder`; close it at the end. OSError."""

    def __init__(self, folder: Path, pool: Pool, now: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._now = now
        self._id = secrets.randbits(64)
        self._file = _opened(folder / pool.name)
        self._held = 0

    @property
    def held(self) -> int:
        """Kbps that this session may use."""
        return self._held

    def claim(self, claim: Claim) -> int:
        """Say what is wanted, and return what there is of it, Kbps. OSError when there is no place left or the book is
        held by somebody for too long."""
        with self._locked():
            places = list(self._places())
            others = [place for place in places if place[1] != self._id]
            mine = next((number for number, session, _, _ in places if session == self._id), None)
            if mine is None:
                taken = {number for number, *_ in others}
                mine = next(number for number in range(len(taken) + 1) if number not in taken)
                self._held = 0
            if mine >= MOST_SESSIONS:
                raise OSError(28, "too many sessions share a cap")
            claims = [each for _, _, each, _ in others] + [claim]
            held = [each for _, _, _, each in others] + [self._held]
            self._held = granted(self._pool.capacity, claims, held, len(others))
            self._write(mine, claim)
        return self._held

    def close(self) -> None:
        """Leave the place to others."""
        with suppress(OSError), self._locked():
            for number, session, _, _ in self._places():
                if session == self._id:
                    os.pwrite(self._file, bytes(_SIZE), number * _SIZE)
        os.close(self._file)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        for trial in range(_TRIALS):  # nobody who stops with the lock in hand is to stop others
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if trial == _TRIALS - 1:
                    raise
                time.sleep(_TRIAL_SECONDS)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _places(self) -> Iterator[tuple[int, int, Claim, int]]:
        """Number, session, claim and what is held, of all that are in use."""
        data = os.pread(self._file, MOST_SESSIONS * _SIZE, 0)
        for number in range(len(data) // _SIZE):
            place = data[number * _SIZE : (number + 1) * _SIZE]
            session, process, began, at, weight, most, wanted, held = _PLACE.unpack_from(place)
            if not weight or _SUM.unpack_from(place, _PLACE.size) != (zlib.crc32(place[: _PLACE.size]),):
                continue
            if not 0 <= self._now() - at < SILENT_SECONDS or _began(process) not in (began, None):
                continue
            yield number, session, Claim(weight, most, wanted), held

    def _write(self, number: int, claim: Claim) -> None:
        place = _PLACE.pack(
            self._id,
            os.getpid(),
            _began(os.getpid()) or 0,
            self._now(),
            claim.weight,
            min(claim.most, _LARGEST),
            min(claim.wanted, _LARGEST),
            min(self._held, _LARGEST),
        )
        os.pwrite(self._file, place + _SUM.pack(zlib.crc32(place)), number * _SIZE)


def prepare(run_directory: Path) -> None:
    """Make the folder of the books, for all users of the machine. OSError."""
    folder = run_directory / FOLDER
    with suppress(FileExistsError):
        folder.mkdir(parents=True)
    if folder.stat().st_uid == os.geteuid():
        folder.chmod(0o1777)


def _opened(path: Path) -> int:
    with suppress(OSError):
        prepare(path.parent.parent)
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
        os.fchmod(descriptor, 0o666)
    except FileExistsError:  # kernels may refuse O_CREAT for what another user has made here
        descriptor = os.open(path, flags)
    return descriptor


def _began(process: int) -> int | None:
    """When a process was started, in the kernel's clock ticks: tells it from a later one of the same number.

    0 when there is none, or it has ended; None when that cannot be known here.
    """
    try:
        text = Path(f"/proc/{process}/stat").read_text("ascii", "replace")
    except FileNotFoundError:
        return 0 if Path("/proc/self").exists() else None
    except OSError:
        return None
    words = text.rpartition(")")[2].split()
    return 0 if words[0] in "ZX" else int(words[19])
