"""What the fork server's tests let it import: a module whose `main` does one small thing, told by its first word."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

IMPORTED_IN = os.getpid()
INHERITED = os.open(os.devnull, os.O_RDONLY)  # a descriptor that children must not have


def main(argv: list[str]) -> int:
    word, *rest = argv
    if word == "exit":
        return int(rest[0])
    if word == "raise":
        raise RuntimeError("on purpose")
    if word == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "linger":
        while not Path(rest[0]).exists():
            time.sleep(0.02)
        Path(rest[1]).write_text("outlived")
    if word == "tell":
        Path(rest[0]).write_text(json.dumps(facts()))
    return 0


def initial_environment() -> str | None:
    """None where even the process itself may not look, as after a change of account."""
    try:
        return Path("/proc/self/environ").read_text()
    except PermissionError:
        return None


def facts() -> dict[str, object]:
    return {
        "argv": sys.argv,
        "pid": os.getpid(),
        "imported_in": IMPORTED_IN,
        "session": os.getsid(0),
        "stdin": str(Path("/proc/self/fd/0").readlink()),
        "stdout": str(Path("/proc/self/fd/1").readlink()),
        "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd")),  # noqa: PTH208
        "environment": dict(os.environ),
        "initial_environment": initial_environment(),
        "directory": str(Path.cwd()),
        "sigint": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
        "sigterm": signal.getsignal(signal.SIGTERM) is signal.SIG_DFL,
        "sigchld": signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL,
        "users": os.getresuid(),
        "account_groups": (os.getresgid(), sorted(os.getgroups())),
        "umask": os.umask(0o022),
        "threads": threading.active_count(),
    }
