"""Becoming a daemon: the background process, its pid file, and what the init system is told.

A program that goes to the background must do so before Twisted's reactor is imported: a forked epoll is broken.
The parent stays until the daemon says that it is ready, so that its exit status can be trusted. This module
knows nothing of what the daemon does.
"""

from __future__ import annotations

import fcntl
import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

log = logging.getLogger(__name__)

Ready = Callable[[str], None]
"""Called once by the work when it is ready, with one line for whoever waits."""

Work = Callable[[Ready], int]
"""What the daemon does: returns its exit status, or raises StartError when it cannot start."""

PROGRAM = "asperacentral"
_READY, _FAILED = b"+", b"-"
_GLANCE = 0.1
"""Seconds between looks for an interrupt."""


class StartError(Exception):
    """The daemon cannot start. `str(error)` is one line that tells why."""


def in_foreground(work: Work) -> int:
    """Run `work` in this process and return its exit status; a StartError becomes one line on stderr and 1."""

    def ready(text: str) -> None:
        sd_notify("READY=1")
        with suppress(OSError):
            sys.stdout.write(f"{PROGRAM}: {text}\n")
            sys.stdout.flush()

    return _run(work, ready, _complain)


def in_background(work: Work, *, keep_stderr: bool = False, patience: float = 60.0) -> int:
    """Run `work` in a daemon process and return once it is ready: 0, or 1 with one line on stderr.

    Returns in the calling process only; the daemon leaves by SystemExit with the status of `work`. It has its
    own session, umask 027, `/` as working directory and no standard streams (but stderr with `keep_stderr`). One
    that is not ready within `patience` seconds has failed and is told to end.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    inner, outer = os.pipe()
    # An interrupt is only noted while we wait: raised anywhere, it could make us forget whom to end.
    interrupts: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: interrupts.append(number))
    child = os.fork()
    if child:
        os.close(outer)
        try:
            return _await(inner, patience, interrupts)
        finally:
            signal.signal(signal.SIGINT, before)
            os.close(inner)
            os.waitpid(child, 0)
    signal.signal(signal.SIGINT, before)
    os.close(inner)
    os.setsid()
    if os.fork():
        os._exit(0)
    raise SystemExit(_be_daemon(work, outer, keep_stderr))


def _be_daemon(work: Work, pipe: int, keep_stderr: bool) -> int:
    os.write(pipe, f"{os.getpid()}\n".encode())
    os.umask(0o027)
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1) if keep_stderr else (0, 1, 2):
        os.dup2(null, stream)
    os.close(null)
    report = _Report(pipe)

    def ready(text: str) -> None:
        sd_notify(f"READY=1\nMAINPID={os.getpid()}")
        report.send(_READY, text)

    return _run(work, ready, lambda reason: report.send(_FAILED, reason))


class _Report:
    """The daemon's end of the status pipe; says one thing only."""

    def __init__(self, pipe: int) -> None:
        self._pipe: int | None = pipe

    def send(self, verdict: bytes, text: str) -> None:
        if self._pipe is not None:
            line = " ".join(text.split()).encode("utf-8", "backslashreplace")[:2000]
            with suppress(BrokenPipeError):
                os.write(self._pipe, verdict + line + b"\n")
            os.close(self._pipe)
            self._pipe = None


def _run(work: Work, ready: Ready, failed: Callable[[str], None]) -> int:
    try:
        return work(ready)
    except StartError as error:
        failed(str(error))
    except Exception as error:
        failed(f"internal error: {type(error).__name__}: {error}")
    return 1


def _await(pipe: int, patience: float, interrupts: Sequence[int]) -> int:
    """Read the daemon's pid and verdict, a line each; the pipe's end without them means that it has died."""
    deadline = time.monotonic() + patience
    said = b""
    try:
        while said.count(b"\n") < 2:
            if interrupts and b"\n" in said:
                raise KeyboardInterrupt
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            if not select.select([pipe], [], [], min(left, _GLANCE))[0]:
                continue
            part = os.read(pipe, 4096)
            if not part:
                _complain("ended before it was ready; its log may tell why")
                return 1
            said += part
    except (TimeoutError, KeyboardInterrupt) as error:
        with suppress(ProcessLookupError, ValueError):
            os.kill(int(said.partition(b"\n")[0]), signal.SIGTERM)
        if isinstance(error, KeyboardInterrupt):
            raise
        _complain(f"was not ready within {patience:g} s and has been told to end")
        return 1
    verdict = said.splitlines()[1]
    if verdict.startswith(_READY):
        return 0
    _complain(verdict[1:].decode("utf-8", "replace"))
    return 1


def _complain(reason: str) -> None:
    """Say on stderr, in one line, why the daemon is not there."""
    sys.stderr.write(f"{PROGRAM}: {' '.join(reason.split())}\n")


class PidFile:
    """The daemon's process id in a file, locked while the daemon lives; a context manager.

    The lock belongs to this process alone: not to processes it forks, so that none of them can hold it longer.
    A file left over by a process that was killed is not locked and is taken over.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1

    def __enter__(self) -> Self:
        """Take the file, or raise StartError: another process holds it, or it cannot be written."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            while not self._take():
                pass
        except OSError as error:
            raise StartError(f"cannot write the pid file {self.path}: {error.strerror}") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the file, then let go of it."""
        with suppress(OSError):
            if self._is_current():
                self.path.unlink()
        os.close(self._fd)

    def _take(self) -> bool:
        """Open, lock and write the file; False when its former owner removed it meanwhile."""
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            self._lock()
            if self._is_current():
                os.ftruncate(self._fd, 0)
                os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)
                return True
        except BaseException:
            os.close(self._fd)
            raise
        os.close(self._fd)
        return False

    def _lock(self) -> None:
        held = os.pread(self._fd, 64, 0).decode("ascii", "replace").strip()
        if held and not held.isdecimal():
            raise StartError(f"{self.path} exists and is not a pid file")
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            raise StartError(
                f"already running: process {held or '?'} holds the pid file {self.path}"
            ) from None

    def _is_current(self) -> bool:
        try:
            found = self.path.stat(follow_symlinks=False)
        except FileNotFoundError:
            return False
        own = os.fstat(self._fd)
        return (own.st_dev, own.st_ino) == (found.st_dev, found.st_ino)


def sd_notify(state: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Tell the service manager `state` (READY=1, RELOADING=1, STOPPING=1, STATUS=...); False if nobody asked."""
    address = environ.get("NOTIFY_SOCKET", "")
    if address[:1] not in ("/", "@"):
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.connect(address)
            sender.sendall(state.encode())
    except OSError as error:
        log.warning("cannot tell the service manager %s: %s", state.partition("\n")[0], error)
        return False
    return True
