"""Accounts of this machine that transfer processes run as: found by name, taken on for good by a fresh process.

Only a manager that runs as root can start processes as others. Everything that needs the account database is looked
up here, in the manager; a child only takes on numbers, before it touches any file.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asperacentral.fasp.errors import LaunchError


class AccountError(LaunchError):
    """Processes cannot be started as this account."""


@dataclass(frozen=True, slots=True)
class Account:
    """One account, in numbers; `groups` are all of its groups."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Account:
        """From what `dataclasses.asdict` made and JSON carried. KeyError, TypeError or ValueError if it did not."""
        return cls(
            str(fields["name"]),
            int(fields["uid"]),
            int(fields["gid"]),
            tuple(map(int, fields["groups"])),
            str(fields["home"]),
        )

    def folder(self) -> str:
        """Where its processes begin: in its home, or in `/` if there is none that it may enter."""
        try:
            found = Path(self.home).stat()
        except (OSError, ValueError):
            return "/"
        if found.st_uid == self.uid:
            may = found.st_mode & stat.S_IXUSR
        elif found.st_gid in (self.gid, *self.groups):
            may = found.st_mode & stat.S_IXGRP
        else:
            may = found.st_mode & stat.S_IXOTH
        return self.home if stat.S_ISDIR(found.st_mode) and (may or self.uid == 0) else "/"

    def environment(self) -> dict[str, str]:
        """What a login would set."""
        return {"HOME": self.home, "USER": self.name, "LOGNAME": self.name}


def own_name() -> str:
    """The name of the account this process runs as; its number when it has none."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def to_run_as(name: str) -> Account | None:
    """The account a process is to be started as; None for our own, which the empty name means too. AccountError."""
    if not name or name == own_name():
        return None
    if os.geteuid() != 0:
        raise AccountError(
            f"transfers run as {own_name()!r}, not as {name!r}: another account needs a daemon that runs as root"
        )
    try:
        found = pwd.getpwnam(name)
    except (KeyError, ValueError):
        raise AccountError(f"there is no account {name!r} on this machine") from None
    groups = tuple(os.getgrouplist(found.pw_name, found.pw_gid))
    return Account(found.pw_name, found.pw_uid, found.pw_gid, groups, found.pw_dir)


def take_on(account: Account) -> None:
    """Make this process the account's, with no way back; its folder is the account's home, or `/`.

    OSError when it cannot be done: the process must then end.
    """
    os.setgroups(account.groups)
    os.setresgid(account.gid, account.gid, account.gid)
    os.setresuid(account.uid, account.uid, account.uid)
    if os.getresuid() != (account.uid,) * 3 or os.getresgid() != (account.gid,) * 3:
        raise PermissionError("the account was not taken on")
    os.chdir("/")
    with contextlib.suppress(OSError):
        os.chdir(account.home)
