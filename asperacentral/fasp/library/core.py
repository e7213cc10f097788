"""Runs jobs on a reactor: starts their sessions, tells their events, waits before it tries again.

Everything here happens in the reactor's thread; `manager` is the face for others. Sessions that others started (a
server's side of a transfer) are known by what they say; their rates can be changed, and they can be cancelled.
"""

from __future__ import annotations

import contextlib
import getpass
import logging
import os
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

from asperacentral.fasp import messages
from asperacentral.fasp.dialogue import SessionState
from asperacentral.fasp.errors import LaunchError
from asperacentral.fasp.library.events import EventKind, TransferEvent, kind_of
from asperacentral.fasp.library.jobs import ENDED, Job, JobResult
from asperacentral.fasp.library.orders import JobOrder
from asperacentral.fasp.management import Message
from asperacentral.fasp.manager import SessionManager
from asperacentral.fasp.program import Program
from asperacentral.fasp.reactor import DelayedCall, ManagerReactor
from asperacentral.fasp.session import SessionEnding
from asperacentral.fasp.statistics import Accumulator

Listener = Callable[[TransferEvent], None]
MessageListener = Callable[[str, Message], None]
"""Told of each message as it came, with the job's id."""

MOST_FOREIGN = 1000
"""Sessions of others that are remembered."""

log = logging.getLogger(__name__)


class UnknownJobError(KeyError):
    """There is no job of this id; `str(error)` is one readable line."""

    def __str__(self) -> str:
        return f"there is no job {self.args[0]!r}"


class _Running:
    """A job and who waits for it."""

    def __init__(self, job: Job, listener: Listener | None, raw: MessageListener | None) -> None:
        self.job = job
        self.listeners: list[Listener] = [] if listener is None else [listener]
        self.raw = raw
        self.ended: Future[JobResult] = Future()
        self.retry: DelayedCall | None = None
        self.pid: int | None = None


class JobRunner:
    """All jobs of one manager; it is the session manager's listener."""

    def __init__(
        self,
        reactor: ManagerReactor,
        program: Program,
        folder: Path,
        *,
        port: int,
        known_hosts: Path | None,
        host_key_policy: str,
    ) -> None:
        self._reactor = reactor
        self._folder = folder
        self.sessions = SessionManager(
            reactor,
            self,
            program=program,
            port_file=folder / "manager.port",
            mgmt_port=port,
            known_hosts=known_hosts,
            host_key_policy=host_key_policy,
        )
        self.listeners: list[Listener] = []
        self.running: dict[str, _Running] = {}
        self.foreign: dict[str, Accumulator] = {}
        self._by_session: dict[str, _Running] = {}
        self._announced: Path | None = None
        self.port = 0

    def listen(self) -> None:
        """Open the management port. An exception when that is not possible."""
        failed: list[BaseException] = []
        started = self.sessions.start()
        started.addCallbacks(self._listens, lambda failure: failed.append(failure.value))
        if failed:
            raise failed[0]

    def _listens(self, port: int) -> None:
        self.port = port

    # What an application asks for.

    def launch(self, order: JobOrder, listener: Listener | None, raw: MessageListener | None) -> str:
        """Start a job and return its id. LaunchError when it cannot be started."""
        if order.job_id in self.running:
            raise LaunchError(f"job {order.job_id} exists already")
        running = _Running(Job(order, self._pair_list(order)), listener, raw)
        session = running.job.begin()
        self.sessions.launch_job(session)
        self.running[order.job_id] = running
        self._by_session[session.user_str] = running
        return order.job_id

    def _pair_list(self, order: JobOrder) -> str:
        """The file with the order's pairs; empty without."""
        if not order.names:
            return ""
        path = self._folder / f"{uuid.uuid4()}.pairs"
        path.write_bytes(os.fsencode(order.pairs))
        return str(path)

    def find(self, job_id: str) -> _Running:
        """The job. UnknownJobError."""
        try:
            return self.running[job_id]
        except KeyError:
            raise UnknownJobError(job_id) from None

    def rate(
        self, job_id: str, target: int | None = None, minimum: int | None = None, policy: str | None = None
    ) -> bool:
        """Change control values; a paused job gets its rates when it is resumed. False when it has ended."""
        if job_id in self.foreign:
            return self.sessions.control_job(job_id, target_rate=target, minimum_rate=minimum, policy=policy)
        job = self.find(job_id).job
        if job.state in ENDED:
            return False
        messages.rate(target, minimum, policy)  # a mistake is told before it is remembered
        job.steer(target=target, minimum=minimum, policy=policy)
        if job.paused:
            target = minimum = None
        if target is not None or minimum is not None or policy is not None:
            self.sessions.control_job(job.user_str, target_rate=target, minimum_rate=minimum, policy=policy)
        return True

    def pause(self, job_id: str, paused: bool) -> bool:
        """Let it move nothing, or go on as before. False when it has ended."""
        job = self.find(job_id).job
        if job.state in ENDED:
            return False
        job.paused = paused
        if paused:
            self.sessions.control_job(job.user_str, target_rate=0)
        else:  # a process may have lowered its minimum with its target
            rates = job.rates
            self.sessions.control_job(
                job.user_str, target_rate=rates.target_rate, minimum_rate=rates.minimum_rate
            )
        return True

    def cancel(self, job_id: str) -> bool:
        """End it for good. False when it has ended."""
        if job_id in self.foreign:
            return self.sessions.cancel_job(job_id)
        running = self.find(job_id)
        if running.job.state in ENDED:
            return False
        if running.job.cancel():
            self.sessions.cancel_job(running.job.user_str)
        else:
            self._over(running)
        return True

    def command(self, job_id: str, command: Message) -> bool:
        """Have a command sent to a job's session. False when it has ended; LocalProtocolError if it takes none."""
        job = self.find(job_id).job
        return job.state not in ENDED and self.sessions.command_job(job.user_str, command)

    def announce(self, folder: Path | None) -> None:
        """Leave a port file in `folder` for processes that others start, or take it back. OSError."""
        if self._announced is not None:
            with contextlib.suppress(FileNotFoundError):
                self._announced.unlink()
            self._announced = None
        if folder is not None:
            path = folder / f"asperacentral.{getpass.getuser()}.{os.getpid()}.optport"
            path.write_text(str(self.port), encoding="ascii")
            self._announced = path

    # What sessions tell.

    def session_launched(self, user_str: str, pid: int) -> None:
        """See SessionListener."""
        running = self._by_session.get(user_str)
        if running is None:
            return
        running.pid = pid
        if running.job.paused:
            self.sessions.control_job(user_str, target_rate=0)

    def session_message(self, user_str: str, message: Message) -> None:
        """See SessionListener."""
        running = self._by_session.get(user_str)
        if running is None:
            return
        event = running.job.hear(message)
        if running.raw is not None:
            _tell(running.raw, running.job.id, message)
        if event is not None:
            self._tell_all(running.listeners, event)

    def session_ended(self, user_str: str, ending: SessionEnding) -> None:
        """See SessionListener."""
        running = self._by_session.pop(user_str, None)
        if running is None:
            return
        running.pid = None
        if not ending.said_done and not ending.said_error:
            self._tell_all(running.listeners, running.job.unsaid_error())
        wait = running.job.end(ending)
        if wait is None:
            self._over(running)
            return
        log.info("job %s: another session in %.0f s", running.job.id, wait)
        running.retry = self._reactor.callLater(wait, self._try_again, running)

    def foreign_message(self, name: str, message: Message) -> None:
        """See SessionListener."""
        if self._announced is None:
            return
        if name not in self.foreign and len(self.foreign) >= MOST_FOREIGN:
            del self.foreign[next(iter(self.foreign))]
        sums = self.foreign.setdefault(name, Accumulator())
        is_new = message.text("File") not in sums.files
        file = sums.take(message)
        kind = kind_of(message, file_is_new=file is not None and is_new)
        if kind is not None:
            self._tell_all([], TransferEvent(kind, name, sums.session, file, message))

    def foreign_ended(self, name: str, ending: SessionEnding) -> None:
        """See SessionListener."""
        sums = self.foreign.get(name)
        if sums is not None and not ending.said_done and not ending.said_error:
            sums.session = replace(sums.session, state=SessionState.FAILED)
            self._tell_all([], TransferEvent(EventKind.SESSION_ERROR, name, sums.session))

    def _try_again(self, running: _Running) -> None:
        running.retry = None
        session = running.job.begin()
        try:
            self.sessions.launch_job(session)
        except LaunchError as error:
            running.job.refuse(str(error))
            self._over(running)
            return
        self._by_session[session.user_str] = running
        if running.job.paused:
            self.sessions.control_job(session.user_str, target_rate=0)

    def _over(self, running: _Running) -> None:
        if running.retry is not None:
            running.retry.cancel()
            running.retry = None
        if running.job.result is not None:
            running.ended.set_result(running.job.result)

    def _tell_all(self, listeners: list[Listener], event: TransferEvent) -> None:
        for listener in (*listeners, *self.listeners):
            _tell(listener, event)


def _tell(listener: Callable[..., None], *what: object) -> None:
    """A mistake of the application's must not end the care for its other jobs."""
    try:
        listener(*what)
    except Exception:
        log.exception("a listener of the application failed")
