"""Transfer processes that an earlier life of the client left behind: found by id and start time, and ended.

Two processes must not write one file. A number that now belongs to another process is left alone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

WAIT_SECONDS = 5.0
_START_TIME = 19
"""The place of the start time in /proc/PID/stat, counted after the command's closing parenthesis (proc(5))."""


def started(pid: int) -> int:
    """When a process began, in clock ticks since the system did; 0 when there is none or the system does not tell."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
        return 0 if words[0] == "Z" else int(words[_START_TIME])
    except (OSError, IndexError, ValueError):
        return 0


def end(process: tuple[int, int]) -> None:
    """End the process of this id and start time if it is still there, and see it gone."""
    pid, began = process
    if not began or started(pid) != began:
        return
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + WAIT_SECONDS
    while started(pid) == began and time.monotonic() < deadline:
        time.sleep(0.01)
