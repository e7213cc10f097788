"""A reactor of one's own in a thread, for programs that have none: independent of Twisted's global one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from asperacentral.fasp.reactor import ManagerReactor

T = TypeVar("T")

log = logging.getLogger(__name__)


class ReactorThread:
    """Runs a reactor until `stop`. It ends with the program and never keeps it from ending."""

    def __init__(self) -> None:
        try:
            from twisted.internet.epollreactor import EPollReactor as Reactor
        except ImportError:  # not Linux
            from twisted.internet.selectreactor import SelectReactor as Reactor
        self._reactor: Any = Reactor()
        self._thread = threading.Thread(target=self._run, name="fasp-manager", daemon=True)
        self._thread.start()

    @property
    def reactor(self) -> ManagerReactor:
        """The reactor; to be touched in its thread only."""
        reactor: ManagerReactor = self._reactor
        return reactor

    @property
    def inside(self) -> bool:
        """Whether the caller is in the reactor's thread."""
        return threading.current_thread() is self._thread

    def call(self, function: Callable[..., T], *args: object) -> T:
        """Call it in the reactor's thread and return what it returns, or raise what it raises."""
        if self.inside:
            return function(*args)
        result: Future[T] = Future()

        def run() -> None:
            try:
                result.set_result(function(*args))
            except BaseException as error:
                result.set_exception(error)

        self._reactor.callFromThread(run)
        return result.result()

    def stop(self) -> None:
        """End the thread."""
        if self._thread.is_alive():
            self._reactor.callFromThread(self._reactor.stop)
            if not self.inside:
                self._thread.join()

    def _run(self) -> None:
        self._reactor.run(installSignalHandlers=False)
