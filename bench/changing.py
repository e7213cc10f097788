"""The daemon's SOAP face over sessions that change, each once a second, and a watch on how long the loop is held up.

`python -m bench.changing COUNT STALLS` starts COUNT sessions in the daemon's rules, with its store, in this process
and serves them on a free port, which it prints. No transfer processes run: the STATS message that each would send in
a second is handed to the runner, evenly over the second. Two numbers are written into the file STALLS, the longest
since it was last removed, in milliseconds: the time by which the loop was late, and the processor time of one of its
turns.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.task import LoopingCall

from asperacentral import interpreter
from asperacentral.central.service import Central
from asperacentral.fasp.management import Message, MessageType
from asperacentral.soap.site import soap_face
from asperacentral.store.store import Store
from asperacentral.web.site import make_site
from bench import orders

reactor: Any = installed_reactor

TICK = 0.01
"""Seconds between two looks at the clock, and between two lots of STATS."""


class Idle:
    """In the place of the FASP Manager and the observers: takes everything, does nothing."""

    def __getattr__(self, _name: str) -> Any:
        return lambda *_args, **_kwargs: None


class Changes:
    """Tells the runner of progress of each session once a second, as many at a time as are due."""

    def __init__(self, central: Central) -> None:
        self._central = central
        self._began = time.monotonic()
        self._told = 0

    def tell(self) -> None:
        sessions = list(self._central.runner.sessions)
        due = int((time.monotonic() - self._began) * len(sessions))
        for number in range(self._told, due):
            counters = {
                "TransferBytes": number * 1000,
                "FileBytes": number * 1000,
                "Elapsedusec": number * 1000,
            }
            message = Message(MessageType.STATS, {name: str(value) for name, value in counters.items()})
            self._central.runner.session_message(sessions[number % len(sessions)], message)
        self._told = max(due, self._told)


class Watch:
    """The longest time that the loop came too late, and the most that it worked in one turn.

    What else runs on the machine makes the loop late, but does not add to the processor time of its thread.
    """

    def __init__(self, told: Path) -> None:
        self._told = told
        self._last = time.monotonic()
        self._late = self._worked = 0.0
        self._before = time.thread_time()
        self._turn = reactor.runUntilCurrent
        reactor.runUntilCurrent = self._begin_turn

    def _begin_turn(self) -> None:
        """Called by the loop at the beginning of each turn."""
        now = time.thread_time()
        self._worked = max(self._worked, now - self._before)
        self._before = now
        self._turn()

    def look(self) -> None:
        now = time.monotonic()
        late, self._last = now - self._last - TICK, now
        if not self._told.exists():
            self._late = self._worked = 0.0
        self._late = max(self._late, late)
        # Never seen half written.
        partial = self._told.with_suffix(".new")
        partial.write_text(f"{1000 * self._late} {1000 * self._worked}")
        partial.replace(self._told)


def main(count: int, stalls: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-changing-") as name:
        folder = Path(name)
        store = Store(folder / "store.db", folder / "key", reactor.callFromThread)
        idle: Any = Idle()
        central = Central(reactor, store, idle, idle, max_sessions=count)
        central.start()
        definition = orders.order(folder, port=1, destination="/in")

        def submitted(_: object) -> None:
            if len(central.runner.sessions) < count:
                reactor.callLater(0.01, submitted, None)
                return
            changes, watch = Changes(central), Watch(stalls)
            LoopingCall(changes.tell).start(TICK)
            LoopingCall(watch.look).start(TICK)
            interpreter.settle()
            site = make_site([soap_face(central)], reactor=reactor)
            print(reactor.listenTCP(0, site, interface="127.0.0.1").getHost().port, flush=True)

        for _ in range(count):
            central.submit("Aspera.IScpTransfer", definition)
        reactor.callWhenRunning(submitted, None)
        reactor.run()
        store.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
