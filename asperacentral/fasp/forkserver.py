"""The manager's end of the fork server: started, asked for children, and started again when it dies.

While it imports its module, requests wait; when it cannot be had, they are handed back (`unserved`) to be started
another way. It knows processes by `ForkedProcess`, and neither sessions nor messages.
"""

from __future__ import annotations

import itertools
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from pathlib import Path

from twisted.internet import protocol
from twisted.python.failure import Failure

import asperacentral
from asperacentral.fasp.accounts import Account
from asperacentral.fasp.command_line import SECRET_VARIABLES
from asperacentral.fasp.processes import ForkedProcess, ProcessEnd
from asperacentral.fasp.proof import KEY_VARIABLE
from asperacentral.fasp.reactor import DelayedCall, ManagerReactor, Transport
from asperacentral.fasp.spawn_protocol import (
    Ended,
    Ready,
    Refused,
    Report,
    ReportReader,
    Request,
    SpawnProtocolError,
    Started,
    encode_request,
)

FIRST_WAIT = 1.0
LONGEST_WAIT = 30.0
"""Seconds between two starts of a server that does not stay; doubled from the first to the longest."""

log = logging.getLogger(__name__)


class _State(Enum):
    DOWN = "not running; nothing can be asked"
    IMPORTING = "requests wait"
    READY = "requests are sent"


class ForkServerClient(protocol.Protocol):
    """Keeps one fork server for `module` running.

    `launched` is called with each process whose id became known, `changed` after a process's end was reported,
    `unserved` with request and process when the server died before it could have started it.
    """

    transport: Transport  # type: ignore[assignment]  # Twisted declares less than it gives

    def __init__(
        self,
        reactor: ManagerReactor,
        module: str,
        *,
        launched: Callable[[ForkedProcess], None],
        changed: Callable[[ForkedProcess], None],
        unserved: Callable[[Request, ForkedProcess], None],
    ) -> None:
        self._reactor = reactor
        self._module = module
        self._launched = launched
        self._changed = changed
        self._unserved = unserved
        self._state = _State.DOWN
        self._ids = itertools.count(1)
        self._waiting: list[tuple[Request, ForkedProcess]] = []
        self._processes: dict[int, ForkedProcess] = {}
        self._server: subprocess.Popen[bytes] | None = None
        self._reader = ReportReader()
        self._wait = FIRST_WAIT
        self._restart: DelayedCall | None = None
        self._stopping = False

    @property
    def available(self) -> bool:
        """Whether `spawn` may be called."""
        return self._state is not _State.DOWN

    @property
    def server_pid(self) -> int | None:
        """The server's process id, while it runs."""
        return self._server.pid if self._server else None

    def start(self) -> None:
        """Start the server; it serves after its import, and is started again with growing waits if it dies."""
        self._restart = None
        ours, theirs = socket.socketpair()
        with ours, theirs:
            try:
                self._server = subprocess.Popen(
                    [sys.executable, "-P", "-m", "asperacentral.fasp.spawner", self._module],
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    env=child_environment(os.environ),
                    start_new_session=True,
                )
            except OSError as error:
                log.error("the fork server cannot be started: %s", error.strerror)
                self._start_later()
                return
            ours.setblocking(False)
            self._reader = ReportReader()
            self._state = _State.IMPORTING
            # The reactor makes a copy of the descriptor for itself.
            self._reactor.adoptStreamConnection(ours.fileno(), socket.AF_UNIX, _Once(self))

    def stop(self) -> None:
        """Let the server go; its children go on."""
        self._stopping = True
        if self._restart is not None:
            self._restart.cancel()
            self._restart = None
        if self._state is not _State.DOWN:
            self.transport.loseConnection()

    def spawn(
        self, argv: Sequence[str], environment: Mapping[str, str], account: Account | None = None
    ) -> ForkedProcess:
        """Ask for a child, of `account` or our own. SpawnProtocolError when the request is too long."""
        request = Request(next(self._ids), tuple(argv), dict(environment), account=account)
        encoded = encode_request(request)
        process = ForkedProcess()
        if self._state is _State.READY:
            self._send(request, encoded, process)
        else:
            self._waiting.append((request, process))
        return process

    def _send(self, request: Request, encoded: bytes, process: ForkedProcess) -> None:
        self._processes[request.id] = process
        self.transport.write(encoded)

    def dataReceived(self, data: bytes) -> None:
        """Follow the reports."""
        try:
            for report in self._reader.feed(data):
                self._take(report)
        except SpawnProtocolError as error:
            log.error("the fork server is not understood and started anew: %s", error)
            self.transport.loseConnection()

    def _take(self, report: Report) -> None:
        match report:
            case Ready():
                self._become_ready()
            case Started(id=number, pid=pid):
                process = self._processes[number]
                process.started(pid)
                self._launched(process)
            case Refused(id=number, reason=reason):
                log.error("the fork server could not start a process: %s", reason)
                self._end(number, ProcessEnd())
            case Ended(id=number, status=status):
                self._end(number, ProcessEnd.from_code(status))

    def _become_ready(self) -> None:
        self._state = _State.READY
        self._wait = FIRST_WAIT
        waiting, self._waiting = self._waiting, []
        for request, process in waiting:
            self._send(request, encode_request(request), process)

    def _end(self, number: int, end: ProcessEnd) -> None:
        process = self._processes.pop(number)
        process.ended(end)
        self._changed(process)

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        """The server is gone, or of no use any more."""
        self._state = _State.DOWN
        self._reap()
        processes, self._processes = self._processes, {}
        for process in processes.values():
            process.lose_server()
        waiting, self._waiting = self._waiting, []
        if not self._stopping:
            log.error("the fork server ended; processes started by it go on")
            self._start_later()
            for request, process in waiting:
                self._unserved(request, process)

    def _reap(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.kill()
            server.wait()

    def _start_later(self) -> None:
        self._restart = self._reactor.callLater(self._wait, self.start)
        self._wait = min(2 * self._wait, LONGEST_WAIT)


class _Once(protocol.Factory["ForkServerClient"]):
    """Gives the reactor the one protocol of an adopted connection."""

    noisy = False

    def __init__(self, client: ForkServerClient) -> None:
        self._client = client

    def buildProtocol(self, addr: object) -> ForkServerClient:  # noqa: N802
        """The client itself."""
        return self._client


def child_environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment processes start with: ours, without secrets, and able to import this very package."""
    secret = (*SECRET_VARIABLES, KEY_VARIABLE)
    environment = {name: value for name, value in inherited.items() if name not in secret}
    root = str(Path(asperacentral.__file__).parent.parent)
    paths = [root, *filter(None, [environment.get("PYTHONPATH")])]
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    return environment
