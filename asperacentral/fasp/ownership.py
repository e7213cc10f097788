"""Which process holds the other end of a loopback connection: Linux's /proc tells.

For programs that cannot prove who they are. The kernel's table of connections names the socket, a process's open files
name the sockets it holds. What cannot be seen is said to be unknown, never guessed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_PROC = Path("/proc")
_LOOPBACK = "0100007F" if sys.byteorder == "little" else "7F000001"

ORPHAN = 0
"""The socket of a connection whose process has closed it."""
NOBODY = -1
"""The user of a connection that is not there."""


def socket_of(local_port: int, remote_port: int) -> int | None:
    """The inode of the socket that connects `local_port` to `remote_port` on 127.0.0.1.

    `ORPHAN` when no process holds it any more; None when this system does not tell.
    """
    told = False
    wanted = (f"{local_port:04X}", f"{remote_port:04X}")
    for table in ("tcp", "tcp6"):
        try:
            lines = (_PROC / "net" / table).read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        told = True
        for line in lines:
            if (inode := _inode(line, wanted)) is not None:
                return inode
    return ORPHAN if told else None


def user_of(local_port: int, remote_port: int) -> int | None:
    """The user id of the socket that connects `local_port` to `remote_port` on 127.0.0.1.

    `NOBODY` when there is no such connection; None when this system does not tell.
    """
    told = False
    wanted = (f"{local_port:04X}", f"{remote_port:04X}")
    for table in ("tcp", "tcp6"):
        try:
            lines = (_PROC / "net" / table).read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        told = True
        for line in lines:
            if _inode(line, wanted) is not None:
                return int(line.split(maxsplit=8)[7])
    return NOBODY if told else None


def _inode(line: str, ports: tuple[str, str]) -> int | None:
    """The inode in a line of the table if the line is about these ports."""
    words = line.split(maxsplit=10)
    if len(words) < 10:
        return None
    (here, port), (there, other) = words[1].split(":"), words[2].split(":")
    if (port, other) != ports or here[-8:] != _LOOPBACK or there[-8:] != _LOOPBACK:
        return None
    return int(words[9])


def holds(pid: int, inode: int) -> bool | None:
    """Whether the process, or one of those it started in its session, has the socket open; None if that is hidden."""
    known = _has_open(pid, inode)
    if known:
        return True
    hidden = known is None
    for other in _session_of(pid):
        known = _has_open(other, inode)
        if known:
            return True
        hidden = hidden or known is None
    return None if hidden else False


def _has_open(pid: int, inode: int) -> bool | None:
    wanted = f"socket:[{inode}]"
    folder = f"/proc/{pid}/fd"
    try:
        names = os.listdir(folder)  # noqa: PTH208
    except FileNotFoundError:
        return False
    except OSError:
        return None
    for name in names:
        try:
            if os.readlink(f"{folder}/{name}") == wanted:  # noqa: PTH115
                return True
        except OSError:
            continue  # closed meanwhile
    return False


def _session_of(leader: int) -> list[int]:
    """The other processes of the session that `leader` leads."""
    found = []
    for name in os.listdir(_PROC):  # noqa: PTH208
        if name.isdigit() and int(name) != leader:
            try:
                if os.getsid(int(name)) == leader:
                    found.append(int(name))
            except OSError:
                continue
    return found
