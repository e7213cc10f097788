"""Transfer processes as the manager handles them: found alive or ended, and signalled, however they were started.

Ends are found by asking (`poll`), because a process may be a child, a child of the fork server, or nobody's child
that was adopted after a restart. Linux's /proc tells about the last kind. Nothing here knows sessions or messages.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from asperacentral.fasp.accounts import Account
from asperacentral.fasp.errors import LaunchError
from asperacentral.fasp.spawn_protocol import FILES_UMASK

_OUR_NAME = b"asperacentral"


@dataclass(frozen=True, slots=True)
class ProcessEnd:
    """How a process ended: exit status or signal; both None when nobody could see it."""

    exit_status: int | None = None
    signal: int | None = None

    @classmethod
    def from_code(cls, code: int) -> ProcessEnd:
        """From an exit code in which a negative number means a signal."""
        return cls(signal=-code) if code < 0 else cls(exit_status=code)


class Process(Protocol):
    """One transfer process."""

    @property
    def pid(self) -> int | None:
        """Its id; None while it is not known."""

    @property
    def watched(self) -> bool:
        """Whether its end will be seen."""

    def poll(self) -> ProcessEnd | None:
        """How it ended; None while it runs, as far as can be known."""

    def signal(self, number: int) -> bool:
        """Send a signal; False if the process cannot be reached that way."""


class ExecutedProcess:
    """A child of this process, started with its own program."""

    watched = True

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], account: Account | None = None
    ) -> None:
        """Start it in its own session, with /dev/null as stdin and stdout, and no inherited descriptors.

        `account` is whose process it is to be, with its groups and in its home; None for our own, in our folder.
        LaunchError when the system refuses.
        """
        owner: dict[str, Any] = {}
        if account is not None:
            environment = {**environment, **account.environment()}
            owner = {"user": account.uid, "group": account.gid, "extra_groups": account.groups}
            owner["cwd"] = account.folder()
        try:
            self._child = subprocess.Popen(
                list(command),
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
                umask=FILES_UMASK,
                **owner,
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise LaunchError(f"cannot start {command[0]}: {reason}") from None

    @property
    def pid(self) -> int:
        """The child's id."""
        return self._child.pid

    def poll(self) -> ProcessEnd | None:
        """How it ended; reaps it."""
        code = self._child.poll()
        return None if code is None else ProcessEnd.from_code(code)

    def signal(self, number: int) -> bool:
        """Send a signal; nothing happens if it ended meanwhile."""
        self._child.send_signal(number)
        return True


class AdoptedProcess:
    """A process that is nobody's child here. It is recognised by its start time, so that a new one with the same
    id is not mistaken for it; how it ended cannot be known.

    With `user_str` given, a process that cannot be the one of that session counts as gone: after a reboot the id
    may belong to a stranger, who must be neither waited for nor killed.
    """

    watched = True

    def __init__(self, pid: int, user_str: str | None = None) -> None:
        self._pid = pid
        stranger = user_str is not None and not _may_be_of(pid, user_str)
        self._born = None if stranger else _start_time(pid)

    @property
    def pid(self) -> int:
        """The id it was adopted with."""
        return self._pid

    def poll(self) -> ProcessEnd | None:
        """An end without details once it is gone."""
        alive = self._born is not None and _start_time(self._pid) == self._born
        return None if alive else ProcessEnd()

    def signal(self, number: int) -> bool:
        """Send a signal if it still is the same process; False if that is not permitted."""
        if self.poll() is None:
            try:
                os.kill(self._pid, number)
            except ProcessLookupError:
                return True
            except PermissionError:
                return False
        return True


class ForkedProcess:
    """A child of the fork server, which reports its start and end; when the server is lost it is watched as an
    adopted one, and never ends by itself if its id never became known."""

    def __init__(self) -> None:
        self._pid: int | None = None
        self._end: ProcessEnd | None = None
        self._adopted: AdoptedProcess | None = None
        self._served = True

    @property
    def pid(self) -> int | None:
        """Its id, once the server reported it."""
        return self._pid

    @property
    def watched(self) -> bool:
        """Whether its end will be seen: not when the server was lost before it told the id."""
        return self._served or self._pid is not None

    def started(self, pid: int) -> None:
        """The server reported its start."""
        self._pid = pid

    def ended(self, end: ProcessEnd) -> None:
        """The server reported its end, or that it was never made."""
        self._end = end

    def lose_server(self) -> None:
        """Nobody will report any more."""
        self._served = False
        if self._pid is not None and self._end is None:
            self._adopted = AdoptedProcess(self._pid)

    def poll(self) -> ProcessEnd | None:
        """What was reported or can be seen."""
        if self._end is None and self._adopted is not None:
            self._end = self._adopted.poll()
        return self._end

    def signal(self, number: int) -> bool:
        """Send a signal; False while its id is not known."""
        if self._pid is None:
            return False
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, number)
        return True


class UnknownProcess:
    """A process of which nobody knows the id."""

    pid = None
    watched = False

    def poll(self) -> ProcessEnd | None:
        """Never known."""
        return None

    def signal(self, _number: int) -> bool:
        """It cannot be reached."""
        return False


def _may_be_of(pid: int, user_str: str) -> bool:
    """A process of ours, or one whose arguments name the session."""
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return _OUR_NAME in line or os.fsencode(user_str) in line


def _start_time(pid: int) -> bytes | None:
    """When the process started, in the kernel's own measure; None when it is gone or only waits to be reaped."""
    try:
        # The second field is the program's name in parentheses and may contain anything, also parentheses.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    state, start_time = fields[0], fields[19]
    return None if state in (b"Z", b"X") else start_time
