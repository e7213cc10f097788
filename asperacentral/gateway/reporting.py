"""Each browser transfer is a session that Central sees: told as a server half of openascp tells of its own.

Managers of this machine leave port files (`openascp.incoming`); they hear of the session, of each file and of its end,
with the transport `http`, and may cancel it or say at what rate it moves. None of them is needed: what they do not take
is dropped.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from asperacentral.fasp import messages
from asperacentral.fasp.management import Message, MessageType
from asperacentral.fasp.reactor import ManagerReactor
from asperacentral.gateway.errors import Told
from asperacentral.gateway.pace import Pace
from asperacentral.openascp.failures import Failure, SessionFailure
from asperacentral.openascp.incoming import IncomingReports, port_files
from asperacentral.openascp.plan import PlannedFile
from asperacentral.openascp.scancounts import ScanCounts

TRANSPORT = "http"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a transfer when it begins. `incoming` means that the browser sends; rates are Kbps."""

    incoming: bool
    user: str
    cookie: str
    client: str
    server: str
    port: int
    source: str
    destination: str
    target_rate: int


class SessionReport:
    """One transfer's reports, in order, from its beginning to `ended`, and its `pace`. `cancel` is called when a
    manager wants that.
    """

    def __init__(
        self, facts: Facts, environ: Mapping[str, str], cancel: Callable[[], None], pace: Pace
    ) -> None:
        self.session_id = str(uuid.uuid4())
        self.pace = pace
        self._usual = self._rates = messages.Rates(facts.target_rate)
        self._reports = IncomingReports(
            self.session_id,
            direction=messages.RECEIVING if facts.incoming else messages.SENDING,
            cookie=facts.cookie,
            rates=self._rates,
            facts={
                "Transport": TRANSPORT,
                "User": facts.user,
                "LocalIP": facts.server,
                "RemoteAddress": facts.client,
                "TCPPort": facts.port,
                "Source": facts.source or None,
                "Destination": facts.destination or None,
            },
            command=self._obey,
        )
        self._cancel = cancel
        self._index = 0
        self._file: PlannedFile | None = None
        self._contiguous = 0
        self._started = False
        self._early: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self._end: Failure | None = None
        self._over = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run(environ))

    @property
    def finished(self) -> asyncio.Task[None]:
        """Done when everything has been told."""
        return self._task

    def expected(self, files: int, size: int) -> None:
        """What the transfer is going to move, in all."""
        self._tell(
            self._reports.scanned, ScanCounts(arguments=1, completed=1, paths=files, files=files, size=size)
        )

    def begun(self, path: bytes, size: int | None) -> None:
        """See upload.UploadReport."""
        self._file = PlannedFile(path, path, size or 0, self._index, 0)
        self._index += 1
        self._contiguous = 0
        self._tell(self._reports.started, self._file, size or 0)

    def moved(self, count: int) -> None:
        """See there."""
        if self._file is not None:
            self._contiguous += count
            self._tell(self._reports.moved, self._file, count, self._contiguous)

    def done(self, size: int) -> None:
        """See there."""
        if self._file is not None:
            self._tell(self._reports.finished, self._file)
            self._file = None

    def refused(self, path: bytes, text: str, problem: Told) -> None:
        """A file that is not moved, and why."""
        file = PlannedFile(path, path, 0, self._index, 0)
        self._index += 1
        self._tell(self._reports.failed, file, Failure(problem.code, text))

    def ended(self, problem: Told | None) -> None:
        """See there."""
        if self._over.is_set():
            return
        log.info("session %s: %s", self.session_id, "completed" if problem is None else problem.text)
        if problem is not None:
            failure = SessionFailure(problem.code, problem.text)
            if self._file is not None:
                self._tell(self._reports.failed, self._file, failure)
            self._end = failure
        self.pace.end()
        self._over.set()

    def _tell(self, function: Callable[..., None], *arguments: Any) -> None:
        """At once, or, while managers are still being dialled, in its turn after that."""
        if self._started:
            function(*arguments)
        else:
            self._early.append((function, arguments))

    async def _run(self, environ: Mapping[str, str]) -> None:
        try:
            await self._reports.start(port_files(environ))
            for function, arguments in self._early:
                function(*arguments)
            self._early.clear()
            self._started = True
            await self._over.wait()
            await self._reports.finish(self._end)
        except Exception:
            log.exception("session %s could not be told of", self.session_id)

    def _obey(self, message: Message) -> None:
        if self._over.is_set():
            return
        if message.type == MessageType.CANCEL:
            log.info("session %s is cancelled by a manager", self.session_id)
            self._cancel()
        elif message.type == MessageType.RATE:
            self._take_rates(message)

    def _take_rates(self, message: Message) -> None:
        """The target rate is kept to; a minimum and a policy mean nothing over TCP and are told back. With the rate
        that it began with, which is not kept to, a transfer is unhindered again.
        """
        self._rates = messages.rates_of(message, self._rates)
        target = self._rates.target_rate
        self.pace.set_rate(None if target == self._usual.target_rate else target)
        log.info("session %s: a manager sets %d Kbps", self.session_id, target)
        self._reports.rates_changed(self._rates)


class Reporter:
    """Makes the reports of one gateway. `environ` tells where port files are."""

    def __init__(self, environ: Mapping[str, str], clock: ManagerReactor) -> None:
        self._environ = dict(environ)
        self._clock = clock
        self._running: set[asyncio.Task[None]] = set()

    def session(self, facts: Facts, cancel: Callable[[], None]) -> SessionReport:
        """A transfer begins."""
        report = SessionReport(facts, self._environ, cancel, Pace(self._clock))
        self._running.add(report.finished)
        report.finished.add_done_callback(self._running.discard)
        return report

    async def settle(self, seconds: float) -> None:
        """Wait until all that has ended was told, at most so long."""
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)
