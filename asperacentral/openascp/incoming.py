"""A session that a client began, as the managers of this machine see it: told to each that has a port file.

Managers that listen for sessions of others (Central, above all) leave a file with their port in the run directory.
They hear what a manager of the client hears, marked `Remote: Yes`, and may change rates or cancel. None of them is
needed: who does not answer at once is left out, and a session never waits for one. Where nobody listens from the
beginning nobody will, and nothing is counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from asperacentral.config_files import RUN_FOLDER, configured, user_prefix
from asperacentral.fasp import messages
from asperacentral.fasp.management import Message
from asperacentral.openascp.exchange.plane import PlaneFacts
from asperacentral.openascp.failures import Failure, shown, verdict
from asperacentral.openascp.link import ManagementLink
from asperacentral.openascp.plan import PlannedFile, PlannedFolder
from asperacentral.openascp.scancounts import ScanCounts
from asperacentral.openascp.stats import Counters, with_facts

RUN_DIRECTORY = "OPENASCP_RUN_DIRECTORY"
"""The environment variable with which a server that starts server halves tells where port files are."""
MOST_MANAGERS = 31
"""Managers told, as many as ascp has places for beside its own."""
DIAL_SECONDS = 2.0
PATIENCE_SECONDS = 3.0
"""How long the end of a session may wait for a manager that is being restarted."""
STATS_SECONDS = 1.0

log = logging.getLogger(__name__)


def port_files(environ: Mapping[str, str]) -> list[Path]:
    """The files that name managers' ports, `*.port` and `*.optport` of the run directory."""
    named = environ.get(RUN_DIRECTORY)
    if named:
        folder = Path(named)
    elif not configured(environ):
        folder = user_prefix(environ) / RUN_FOLDER
    else:
        from asperacentral import config  # its parser takes a while

        try:
            folder = config.load(None, environ).run_directory
        except config.ConfigError:
            return []
    try:
        found = [file for file in folder.iterdir() if file.suffix in (".port", ".optport")]
    except OSError:
        return []
    return sorted(found)[:MOST_MANAGERS]


class IncomingReports:
    """Tells managers of one session, as its half's observer. `command` hears what they want.

    `facts` are fields of SESSION by their names on the wire.
    """

    def __init__(
        self,
        session_id: str,
        *,
        direction: str,
        cookie: str,
        rates: messages.Rates,
        facts: Mapping[str, messages.Value],
        command: Callable[[Message], None],
        plane: Callable[[], PlaneFacts | None] = lambda: None,
    ) -> None:
        self._identity = messages.Identity(session_id, "", " ".join(cookie.splitlines()))
        self._direction = direction
        self._rates = rates
        self._facts = {**facts, "Remote": True}
        self._command = command
        self._plane = plane
        self._counters = Counters(session_id)
        self._totals: dict[str, messages.Value] = {}
        self._failures: list[Failure] = []
        self._succeeded = 0
        self._links: list[ManagementLink] = []
        self._ticker: asyncio.Task[None] | None = None
        self._began = time.monotonic()

    @property
    def transfer_bytes(self) -> int:
        """Bytes moved so far."""
        return self._counters.transfer_bytes

    async def start(self, files: Sequence[Path]) -> None:
        """Introduce the session to all managers that answer. One whose id is none is not told of."""
        try:
            uuid.UUID(self._identity.session_id)
        except ValueError:
            return
        await asyncio.gather(*(self._dial(file) for file in files))
        if self._links:
            self._ticker = asyncio.create_task(self._tick())

    async def finish(self, failure: Failure | None) -> None:
        """Tell how the session ended: see `outcome`."""
        if self._ticker is None:
            return
        self._ticker.cancel()
        progress, tally = self._progress(), self._counters.tally()
        last = messages.done(self._identity, direction=self._direction, progress=progress, tally=tally)
        failure = self.outcome(failure)
        if failure is not None:
            last = messages.error(
                self._identity,
                direction=self._direction,
                code=failure.code,
                description=str(failure),
                progress=progress,
                tally=tally,
            )
        await asyncio.gather(*(link.finish(last) for link in self._links))

    def outcome(self, failure: Failure | None) -> Failure | None:
        """How the session ended: without a failure of its own that depends on its files."""
        if failure is None and self._failures:
            return verdict(self._failures, self._succeeded)
        return failure

    def rates_changed(self, rates: messages.Rates) -> None:
        """Other rates are in force."""
        if rates != self._rates:
            self._rates = rates
            self._tell(messages.notification(self._identity, rates=rates))

    def learned(self, **facts: messages.Value) -> None:
        """More fields of SESSION are known, or others."""
        self._facts.update(facts)
        self._tell(messages.notification(self._identity, found=facts))

    # What the half tells; see HalfObserver.

    def scanned(self, counts: ScanCounts) -> None:
        """See HalfObserver."""
        self._counters.scanned(counts)
        self._totals = messages.totals(
            file_count=counts.files, byte_count=counts.size, folder_count=counts.folders
        )
        self._tell(messages.notification(self._identity, rates=self._rates, found=self._totals))

    def not_taken(self, path: bytes, failure: Failure) -> None:
        """See HalfObserver."""
        self._fail(messages.FileState(shown(path), 0), failure)

    def started(self, file: PlannedFile, size: int) -> None:
        """See Observer."""
        self.resumed(file, size, 0)

    def resumed(self, file: PlannedFile, size: int, kept: int) -> None:
        """See HalfObserver."""
        if self._links:
            self._counters.started(file, size, kept)
            self._tell(messages.start(self._identity, self._counters.state(file)))

    def moved(self, file: PlannedFile, count: int, contiguous: int) -> None:
        """See Observer."""
        if self._links:
            self._counters.moved(file, count, contiguous)

    def finished(self, file: PlannedFile) -> None:
        """See Observer."""
        self._succeeded += 1
        if self._links:
            state = self._counters.state(file)
            self._counters.finished(file)
            self._tell(messages.stop(self._identity, state, progress=self._progress()))

    def skipped(self, file: PlannedFile, size: int) -> None:
        """See Observer."""
        self._succeeded += 1
        if self._links:
            state = self._counters.skip(file, size)
            self._tell(messages.stop(self._identity, state, progress=self._progress()))

    def failed(self, file: PlannedFile, failure: Failure) -> None:
        """See Observer."""
        self._fail(self._counters.fail(file), failure)

    def folder_failed(self, folder: PlannedFolder, failure: Failure) -> None:
        """See Observer."""
        self._fail(messages.FileState(shown(folder.source), 0), failure)

    def _fail(self, state: messages.FileState, failure: Failure) -> None:
        self._failures.append(failure)
        progress = self._progress()
        self._tell(
            messages.fileerror(
                self._identity, state, code=failure.code, description=str(failure), progress=progress
            )
        )

    # The lines.

    async def _dial(self, file: Path) -> None:
        link = ManagementLink(
            greeting=self._greeting,
            command=self._command,
            port_file=file,
            patience=PATIENCE_SECONDS,
            first_patience=0,
        )
        with contextlib.suppress(OSError, ValueError, OverflowError):
            async with asyncio.timeout(DIAL_SECONDS):
                await link.dial("127.0.0.1", int(file.read_text("ascii").strip()))
            self._links.append(link)

    def _greeting(self, _again: bool) -> Iterator[Message]:
        yield Message(
            (init := messages.init(self._identity, direction=self._direction)).type,
            {**init.fields, "Remote": "Yes"},
        )
        yield messages.session(
            self._identity, direction=self._direction, rates=self._rates, negotiated=self._facts
        )
        yield messages.notification(self._identity, rates=self._rates, found=self._totals)
        for state in self._counters.under_way():
            yield messages.start(self._identity, state)

    def _tell(self, message: Message) -> None:
        for link in self._links:
            link.tell(message)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(STATS_SECONDS)
            progress = self._progress()
            changed = self._counters.under_way(changed=True)
            files: Sequence[messages.FileState | None] = changed or self._counters.under_way()[:1] or [None]
            for file in files:
                told = messages.stats(self._identity, file=file, progress=progress, rates=self._rates)
                for link in self._links:
                    link.mention(told)

    def _progress(self) -> messages.Progress:
        progress = self._counters.progress(round((time.monotonic() - self._began) * 1_000_000))
        return with_facts(progress, self._plane())
