"""The FASP Manager for applications: jobs launched, watched and steered, from plain threads or from Twisted.

Without a reactor the manager keeps one in a thread of its own, and every method may be called from any thread. With
an application's reactor it runs on that, and its methods belong to the reactor's thread, as usual in Twisted. Either
way listeners are called in the reactor's thread: they must not wait there, but may call any other method.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from twisted.internet.defer import Deferred

from asperacentral.fasp import messages
from asperacentral.fasp.library.core import JobRunner, Listener, MessageListener, UnknownJobError
from asperacentral.fasp.library.jobs import JobResult, JobState
from asperacentral.fasp.library.orders import JobOrder
from asperacentral.fasp.library.reactor_thread import ReactorThread
from asperacentral.fasp.program import Program
from asperacentral.fasp.reactor import ManagerReactor
from asperacentral.fasp.statistics import FileStatistics, SessionStatistics

__all__ = ["FaspManager", "UnknownJobError"]

RUN_FOLDER = Path("/opt/aspera/var/run/aspera")
"""Where processes look for managers that want to hear of them."""
CLOSE_SECONDS = 30.0
"""How long closing waits for cancelled jobs."""

T = TypeVar("T")


class FaspManager:
    """Launches jobs and tells of them. A context manager; leaving it cancels what still runs.

    `program` moves the files: our openascp, unless `Program.ascp(path)` names a licensed one. `host_key_policy` is
    `tofu`, `strict` or `any`, for servers whose key's fingerprint the location does not give, with `known_hosts`
    (~/.ssh/known_hosts). `management_port` 0 takes any free one. Twisted's CannotListenError or OSError when the port
    cannot be had.
    """

    def __init__(
        self,
        *,
        program: Program | None = None,
        reactor: ManagerReactor | None = None,
        management_port: int = 0,
        known_hosts: Path | None = None,
        host_key_policy: str = "tofu",
    ) -> None:
        self._thread = ReactorThread() if reactor is None else None
        self._folder = tempfile.TemporaryDirectory(prefix="fasp-manager-")
        loop = self._thread.reactor if self._thread else reactor
        assert loop is not None  # noqa: S101 - one of the two is there
        self._closed = False
        self._runner = JobRunner(
            loop,
            program or Program.openascp(),
            Path(self._folder.name),
            port=management_port,
            known_hosts=known_hosts,
            host_key_policy=host_key_policy,
        )
        try:
            self._call(self._runner.listen)
        except BaseException:
            self._end_thread()
            raise

    # Jobs.

    def launch_job(
        self, order: JobOrder, listener: Listener | None = None, *, raw: MessageListener | None = None
    ) -> str:
        """Start a job and return its id; `listener` is told its events, `raw` its messages as they came.

        LaunchError when its transfer process cannot be started.
        """
        return self._call(self._runner.launch, order, listener, raw)

    def pause_job(self, job_id: str) -> bool:
        """Let a job move nothing for now. False if it has ended. UnknownJobError, as from all methods with an id."""
        return self._call(self._runner.pause, job_id, True)

    def resume_job(self, job_id: str) -> bool:
        """Let a paused job go on at the rate it had. False if it has ended."""
        return self._call(self._runner.pause, job_id, False)

    def control_job(
        self,
        job_id: str,
        *,
        target_rate: int | None = None,
        minimum_rate: int | None = None,
        policy: str | None = None,
    ) -> bool:
        """Change what is given: rates in Kbps, policy fixed, high, fair or low. False if it has ended.

        LocalProtocolError for a value that is none.
        """
        return self._call(self._runner.rate, job_id, target_rate, minimum_rate, policy)

    def cancel_job(self, job_id: str) -> bool:
        """End a job for good; what it has moved stays. False if it has ended."""
        return self._call(self._runner.cancel, job_id)

    def remove_job(self, job_id: str) -> None:
        """Forget a job that has ended. ValueError while it runs."""
        self._call(self._remove, job_id)

    def job_ids(self) -> tuple[str, ...]:
        """All jobs that were launched and not removed, oldest first."""
        return self._call(lambda: tuple(self._runner.running))

    # Persistent jobs.

    def add_source(
        self,
        job_id: str,
        source: str,
        destination: str = "",
        *,
        first_byte: int | None = None,
        last_byte: int | None = None,
    ) -> bool:
        """Have a persistent job move one more source, or a range of a file. False if it has ended.

        LocalProtocolError when the job is not persistent, or locked, or the range is none.
        """
        command = messages.add_source(source, destination, first_byte=first_byte, last_byte=last_byte)
        return self._call(self._runner.command, job_id, command)

    def cancel_source(self, job_id: str, source: str) -> bool:
        """Have a persistent job give up one source, named as its events name it. False if it has ended."""
        return self._call(self._runner.command, job_id, messages.cancel_source(source))

    def set_virtual_link(
        self,
        job_id: str,
        number: int,
        *,
        on: bool = True,
        cap_in: int | None = None,
        cap_out: int | None = None,
    ) -> bool:
        """Put a job's session under a virtual link (1 to 255), whose caps, Kbps, its sessions of this machine share, or
        take it from under it. It holds for the session that runs; False if none does. LocalProtocolError.
        """
        command = messages.virtual_link(number, on=on, cap_in=cap_in, cap_out=cap_out)
        return self._call(self._runner.command, job_id, command)

    def lock_job(self, job_id: str) -> bool:
        """Give a persistent job no more sources: it ends when it has moved those it has. False if it has ended."""
        return self._call(self._runner.command, job_id, messages.linger())

    def stop_job(self, job_id: str) -> bool:
        """End a persistent job now. False if it has ended."""
        return self._call(self._runner.command, job_id, messages.shut_down())

    # Looking and waiting.

    def state(self, job_id: str) -> JobState:
        """Where a job stands."""
        return self._call(lambda: self._runner.find(job_id).job.state)

    def statistics(self, job_id: str) -> SessionStatistics:
        """The counters of a whole job, also of one that others started."""
        return self._call(self._statistics, job_id)

    def files(self, job_id: str) -> tuple[FileStatistics, ...]:
        """The files of a job's latest session: those under way, and the last ten thousand that ended."""
        return self._call(lambda: self._runner.find(job_id).job.files)

    def process_id(self, job_id: str) -> int | None:
        """The process of a job's session, None when it has none now."""
        return self._call(lambda: self._runner.find(job_id).pid)

    def ended(self, job_id: str) -> Future[JobResult]:
        """A future with the job's result. It is completed in the reactor's thread."""
        return self._call(lambda: self._runner.find(job_id).ended)

    def deferred_end(self, job_id: str) -> Deferred[JobResult]:
        """For Twisted: fires with the job's result."""
        fires: Deferred[JobResult] = Deferred()
        self.ended(job_id).add_done_callback(lambda ended: fires.callback(ended.result()))
        return fires

    def wait(self, job_id: str, timeout: float | None = None) -> JobResult:
        """Wait for a job's end, at most `timeout` seconds (TimeoutError). RuntimeError in the reactor's thread."""
        if self._thread is None or self._thread.inside:
            raise RuntimeError("the reactor's thread must not wait; use ended() or deferred_end()")
        return self.ended(job_id).result(timeout)

    # Listeners.

    def add_listener(self, listener: Listener) -> None:
        """Have the events of all jobs told."""
        self._call(self._runner.listeners.append, listener)

    def remove_listener(self, listener: Listener) -> None:
        """Tell no more. ValueError when it was not there."""
        self._call(self._runner.listeners.remove, listener)

    def listen_for_server_sessions(self, listen: bool = True, *, folder: Path = RUN_FOLDER) -> None:
        """Hear of sessions that others started on this machine, by a port file in `folder`, or no more.

        Their events go to the listeners of all jobs. OSError when the file cannot be written.
        """
        self._call(self._runner.announce, folder if listen else None)

    def foreign_ids(self) -> tuple[str, ...]:
        """The sessions of others that were heard."""
        return self._call(lambda: tuple(self._runner.foreign))

    # The end.

    def close(self) -> None:
        """Cancel what runs, wait for it, and be gone; in Twisted use `shut_down`."""
        if self._closed:
            return
        if self._thread is None:
            raise RuntimeError("with an application's reactor, use shut_down()")
        for ended in self._call(self._cancel_all):
            try:
                ended.result(CLOSE_SECONDS)
            except TimeoutError:
                break
        self._call(self._runner.announce, None)
        self._call(self._runner.sessions.stop)
        self._closed = True
        self._end_thread()

    def shut_down(self) -> Deferred[None]:
        """For Twisted: cancel what runs and stop; fires when nothing listens any more."""
        self._closed = True
        self._cancel_all()
        self._runner.announce(None)
        stopped = self._runner.sessions.stop()
        return stopped.addCallback(lambda _: self._folder.cleanup())

    def __enter__(self) -> FaspManager:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(self, function: Callable[..., T], *args: object) -> T:
        if (
            self._closed
            and self._thread is not None
            and not self._thread.inside
            and function != self._runner.announce
        ):
            raise RuntimeError("the FASP Manager is closed")
        return function(*args) if self._thread is None else self._thread.call(function, *args)

    def _statistics(self, job_id: str) -> SessionStatistics:
        foreign = self._runner.foreign.get(job_id)
        return foreign.session if foreign is not None else self._runner.find(job_id).job.statistics

    def _remove(self, job_id: str) -> None:
        if self._runner.find(job_id).job.result is None:
            raise ValueError(f"job {job_id} has not ended")
        del self._runner.running[job_id]

    def _cancel_all(self) -> list[Future[JobResult]]:
        running = [each for each in self._runner.running.values() if each.job.result is None]
        for each in running:
            self._runner.cancel(each.job.id)
        return [each.ended for each in running]

    def _end_thread(self) -> None:
        if self._thread is not None:
            self._thread.stop()
        self._folder.cleanup()
