"""Which program moves the files: our openascp, or a licensed ascp."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("ascp", "ascp4")


@dataclass(frozen=True, slots=True)
class Program:
    """How a transfer process is started.

    `command` is executed with the order's arguments after it. `module`, if given, names a Python module whose
    `main(argv)` does the same, for the fork server; `command` then serves while that is not available.
    `own` tells that the program knows our extensions of ascp's options and dials again when the manager restarts.
    """

    command: tuple[str, ...]
    module: str | None = None
    own: bool = False

    def command_for(self, name: str) -> tuple[str, ...]:
        """The command for an order that asks for `name`, ascp or ascp4: a licensed ascp4 lies beside ascp.

        Our own program does what both do.
        """
        path = Path(self.command[0])
        if self.own or name == path.name or path.name not in PROGRAMS:
            return self.command
        return (str(path.with_name(name)), *self.command[1:])

    @classmethod
    def openascp(cls) -> Program:
        """Our transfer process."""
        command = (sys.executable, "-P", "-m", "asperacentral.openascp")
        return cls(command, module="asperacentral.openascp.program", own=True)

    @classmethod
    def ascp(cls, path: str) -> Program:
        """A licensed ascp at `path`."""
        return cls((path,))
