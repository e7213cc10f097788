"""The fork server: `python -m asperacentral.fasp.spawner MODULE` imports MODULE once and forks a child per request.

A child costs a fork instead of an interpreter's start and MODULE's imports. Requests come on stdin, reports go
to stdout (`spawn_protocol`). A child runs `MODULE.main(argv)` in its own session, with /dev/null as stdin and
stdout, default signals and no inherited descriptors; secrets reach it through the pipe and stay out of
every process's arguments and initial environment. Children outlive the server: at the end of stdin it just goes.

The server has one thread and waits with a selector; it knows neither Twisted nor what MODULE does.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from types import ModuleType

from asperacentral.fasp.accounts import take_on
from asperacentral.fasp.spawn_protocol import (
    FILES_UMASK,
    Ended,
    Ready,
    Refused,
    Report,
    Request,
    RequestReader,
    SpawnProtocolError,
    Started,
    encode_report,
)

_STDIN, _STDOUT = 0, 1
_CHUNK = 64 * 1024


class ForkServer:
    """Serves requests until stdin ends."""

    def __init__(self) -> None:
        self._reader = RequestReader()
        self._running: dict[int, int] = {}  # pid -> id of its request

    def serve(self) -> Request | None:
        """Fork children. Returns in a child with its request, and in the server with None when stdin ended."""
        with self._watched() as (selector, wakeup):
            self._report(Ready())
            while True:
                ready = {key.fd for key, _ in selector.select()}
                if wakeup.fileno() in ready:
                    _drain(wakeup)
                    self._report_ended()
                if _STDIN not in ready:
                    continue
                data = os.read(_STDIN, _CHUNK)
                if not data:
                    return None
                for request in self._reader.feed(data):
                    if self._fork(request):
                        return request

    @contextlib.contextmanager
    def _watched(self) -> Iterator[tuple[selectors.BaseSelector, socket.socket]]:
        """A selector that wakes for requests, and by the socket when children ended."""
        wakeup, wakeup_end = socket.socketpair()
        with wakeup, wakeup_end, selectors.DefaultSelector() as selector:
            wakeup.setblocking(False)
            wakeup_end.setblocking(False)
            signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
            signal.set_wakeup_fd(wakeup_end.fileno(), warn_on_full_buffer=False)
            selector.register(wakeup, selectors.EVENT_READ)
            selector.register(_STDIN, selectors.EVENT_READ)
            try:
                yield selector, wakeup
            finally:
                signal.set_wakeup_fd(-1)

    def _fork(self, request: Request) -> bool:
        """Whether this is the child."""
        try:
            pid = os.fork()
        except OSError as error:
            self._report(Refused(request.id, error.strerror or "fork failed"))
            return False
        if pid == 0:
            return True
        self._running[pid] = request.id
        self._report(Started(request.id, pid))
        return False

    def _report_ended(self) -> None:
        while self._running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._report(Ended(self._running.pop(pid), pid, os.waitstatus_to_exitcode(status)))

    def _report(self, report: Report) -> None:
        line = encode_report(report)
        while line:
            line = line[os.write(_STDOUT, line) :]


def _drain(wakeup: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError):
        while wakeup.recv(4096):
            pass


def become_child(request: Request, name: str) -> None:
    """Turn the fresh fork into a process of its own: account, session, descriptors, signals, environment, directory.

    The kernel lets nobody but root look into a process that has changed its account without a new program, so
    what the server's memory held before stays unseen.
    """
    os.setsid()
    os.umask(FILES_UMASK)
    if request.account is not None:
        take_on(request.account)
        os.environ.update(request.account.environment())
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, _STDIN)
    os.dup2(null, _STDOUT)
    for name_of_open in os.listdir("/proc/self/fd"):  # noqa: PTH208
        if int(name_of_open) > 2:
            with contextlib.suppress(OSError):  # the listing's own descriptor is closed already
                os.close(int(name_of_open))
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.environ.update(request.environment)
    if request.directory is not None:
        os.chdir(request.directory)
    sys.argv = [name, *request.argv]


def _warm_up(module: ModuleType) -> None:
    """Let the module do once what every child would do for the first time."""
    warm_up: Callable[[], None] | None = getattr(module, "warm_up", None)
    if warm_up is not None:
        warm_up()


def _main_of(module: ModuleType) -> Callable[[list[str]], int]:
    entry: Callable[[list[str]], int] = module.main
    return entry


def main(argv: list[str]) -> int:
    """Run the server for the module named in `argv`; in a child, run the module and return its status."""
    if len(argv) != 1:
        sys.stderr.write("usage: python -m asperacentral.fasp.spawner MODULE\n")
        return 2
    # The manager ends the server by closing its pipe; a terminal's Ctrl-C is not meant for it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Memory that a collection here frees would be filled by the children, each with its own copy of the page.
    gc.disable()
    module = importlib.import_module(argv[0])
    run = _main_of(module)
    _warm_up(module)
    gc.freeze()
    try:
        request = ForkServer().serve()
    except (BrokenPipeError, SpawnProtocolError):
        return 1
    if request is None:
        return 0
    become_child(request, argv[0])
    gc.enable()
    return run(list(request.argv))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
