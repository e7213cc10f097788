"""What the manager's tests stand on: a reactor of their own, driven by hand, and a listener that takes notes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock

from asperacentral.fasp.management import Message
from asperacentral.fasp.order import JobOrder
from asperacentral.fasp.reactor import DelayedCall, ListeningPort
from asperacentral.fasp.session import SessionEnding

TIMEOUT = 30.0


class Bench:
    """A reactor with real sockets, without signal handling, and with time that passes only when told so.

    `live` time is what a `SessionManager` gets by default: it follows the real clock.
    """

    def __init__(self, *, live: bool = True) -> None:
        self.io: Any = EPollReactor()
        self.io.startRunning(installSignalHandlers=False)
        self.clock = Clock()
        self.live = live
        self._last = time.monotonic()

    def seconds(self) -> float:
        return float(self.clock.seconds())

    def callLater(self, delay: float, callable: Callable[..., object], *args: Any) -> DelayedCall:
        call: DelayedCall = self.clock.callLater(delay, callable, *args)
        return call

    def listenTCP(self, port: int, factory: Factory[Any], backlog: int, interface: str) -> ListeningPort:
        listening: ListeningPort = self.io.listenTCP(port, factory, backlog=backlog, interface=interface)
        return listening

    def adoptStreamConnection(
        self,
        fileDescriptor: int,  # noqa: N803
        addressFamily: int,  # noqa: N803
        factory: Factory[Any],
    ) -> object:
        return self.io.adoptStreamConnection(fileDescriptor, addressFamily, factory)

    def turn(self) -> None:
        """One turn of the reactor."""
        self.io.iterate(0.01)
        now = time.monotonic()
        if self.live:
            self.clock.advance(now - self._last)
        self._last = now

    def until(self, condition: Callable[[], object], what: str = "") -> None:
        """Turn until it holds; fails after `TIMEOUT` real seconds."""
        deadline = time.monotonic() + TIMEOUT
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain{what and ' for ' + what}"
            self.turn()

    def turn_for(self, seconds: float) -> None:
        """Turn for so many real seconds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.turn()

    def pass_time(self, seconds: float, step: float = 0.25) -> None:
        """Let the clock go on in steps, with the reactor's turns between."""
        for _ in range(round(seconds / step)):
            self.clock.advance(step)
            self.io.iterate(0)

    def close(self) -> None:
        self.io.fireSystemEvent("shutdown")
        self.io.iterate(0)
        self.io.removeAll()


class Notes:
    """A session listener that writes everything down, in order."""

    def __init__(self) -> None:
        self.all: list[tuple[str, str, object]] = []
        self.foreign: list[tuple[str, Message]] = []
        self.foreign_endings: list[tuple[str, SessionEnding]] = []

    def session_launched(self, user_str: str, pid: int) -> None:
        self.all.append(("launched", user_str, pid))

    def session_message(self, user_str: str, message: Message) -> None:
        self.all.append(("message", user_str, message))

    def session_ended(self, user_str: str, ending: SessionEnding) -> None:
        self.all.append(("ended", user_str, ending))

    def foreign_message(self, name: str, message: Message) -> None:
        self.foreign.append((name, message))

    def foreign_ended(self, name: str, ending: SessionEnding) -> None:
        self.foreign_endings.append((name, ending))

    def pid(self, user_str: str) -> int | None:
        return next((x for kind, u, x in self.all if (kind, u) == ("launched", user_str)), None)  # type: ignore[return-value]

    def said(self, user_str: str) -> list[str]:
        return [m.type for m in self.messages(user_str)]

    def messages(self, user_str: str) -> list[Message]:
        return [m for kind, u, m in self.all if (kind, u) == ("message", user_str) and isinstance(m, Message)]

    def endings(self, user_str: str) -> list[SessionEnding]:
        return [e for k, u, e in self.all if (k, u) == ("ended", user_str) and isinstance(e, SessionEnding)]


def order(user_str: str, manner: str, end_file: Path, **more: Any) -> JobOrder:
    """An order for the `speaker`."""
    return JobOrder(user_str, "send", "far.example", (manner,), str(end_file), **more)


def is_alive(pid: int) -> bool:
    try:
        return b") Z " not in Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False


def kill(pid: int, number: int) -> None:
    os.kill(pid, number)
