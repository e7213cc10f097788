"""The runner: takes jobs from accepted to ended, one session after another (contract §9).

It launches a session when a job is due, follows what the session's process says, and decides after its end
whether another session follows. Every step is written, with its events, before the next one is taken.
"""

from __future__ import annotations

import heapq
import itertools
import logging
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING

from asperacentral.central import launch, retry, transfer
from asperacentral.central.foreign import ForeignSessions
from asperacentral.central.futures import done, then
from asperacentral.central.gathering import Gathered
from asperacentral.central.job import FINAL, IDLE, Happening, Job, JobState
from asperacentral.central.model import FileRecord, SessionRecord
from asperacentral.central.ports import Clock, DelayedCall, Notifications, Store, Transfers, Write
from asperacentral.central.recording import Recording
from asperacentral.central.session import Changes, Session, SessionEvent
from asperacentral.central.sessions import SessionTable
from asperacentral.central.stamps import Stamps
from asperacentral.central.steering import Steering
from asperacentral.central.subscriptions import Addressed, Subscriptions
from asperacentral.fasp.management import Message, MessageType

if TYPE_CHECKING:
    from asperacentral.central.order import Order
    from asperacentral.fasp.manager import SessionEnding

log = logging.getLogger(__name__)

FLUSH_INTERVAL = 5.0
"""Seconds between writes of counters that changed without a change of state."""

CONNECTION_LOST = 16
"""What a process that ended without a word is counted as: retryable (contract §10)."""

INTERNAL_ERROR = 11
USER_CANCEL = 28


class Runner:
    """Runs the open jobs. `patience` is how long (seconds) an adopted process may take to dial again.

    `recording` says which files are recorded by name, and may be replaced at any time.
    """

    def __init__(
        self,
        clock: Clock,
        store: Store,
        transfers: Transfers,
        notifications: Notifications,
        subscriptions: Subscriptions,
        table: SessionTable,
        stamps: Stamps,
        *,
        max_sessions: int = 200,
        patience: float = 10.0,
        recording: Recording | None = None,
    ) -> None:
        self._clock = clock
        self._store = store
        self._transfers = transfers
        self._notifications = notifications
        self._subscriptions = subscriptions
        self._table = table
        self._stamps = stamps
        self._max_sessions = max_sessions
        self._patience = patience
        self.recording = recording or Recording()
        self.jobs: dict[str, Job] = {}
        self.sessions: dict[str, Session] = {}
        self._queue: list[tuple[float, int, str]] = []
        self._ticket = itertools.count()
        self._timer: DelayedCall | None = None
        self._flusher: DelayedCall | None = None
        self._dirty: set[str] = set()
        self._ended_files = Gathered(clock, self.write_files)
        self._stopping = False
        self.foreign = ForeignSessions(clock, self, patience)
        self._steering = Steering(
            transfers, lambda record: self._write(self._session_write(record)), self._note
        )

    # -- life of the daemon ------------------------------------------------------------------------------------

    def start(self, jobs: Iterable[Job]) -> None:
        """Go on with the jobs an earlier daemon left open: adopt their sessions, queue the others."""
        owned = set()
        for job in jobs:
            self.jobs[job.id] = job
            record = self._table[job.session_id] if job.state not in IDLE else None
            if record is not None and record.end_date is None:
                owned.add(record.id)
                self._adopt(job, record)
            else:
                self._requeue(job)
        for record in [r for r in self._table if r.end_date is None and r.id not in owned]:
            if record.job_id is None:
                self.foreign.adopt(record)
            else:
                self._table.add(record)
                self._close(self._session(record), SessionEvent.LOSE, None, Happening.ORPHAN)
        self._flusher = self._clock.callLater(FLUSH_INTERVAL, self._flush)
        self._pump()

    def stop(self) -> Future[None]:
        """Launch nothing more and write the counters; sessions go on without us and are adopted later."""
        self._stopping = True
        for call in (self._timer, self._flusher):
            if call is not None and call.active():
                call.cancel()
        self._write_dirty()
        self.write_files()
        return self._store.barrier()

    # -- what the service asks ---------------------------------------------------------------------------------

    def add(self, job: Job) -> None:
        """Run a job that has been written."""
        self.jobs[job.id] = job
        self._enqueue(job)
        self._pump()

    def renew(self, job: Job, order: Order) -> Future[None]:
        """Give an open job another order: its rates steer the session under way, all else is for the next one.

        Done when the order is on disk; fails with Unavailable, and the job keeps its order, when that cannot be.
        """
        former, job.order = job.order, order
        written = self._store.write(Write(jobs=(job,)), durable=True, give_up=True)

        def settle(ready: Future[None]) -> None:
            session = self.sessions.get(job.session_id)
            if ready.exception() is None and session is not None:
                self._steering.follow(session.record, job)
            elif ready.exception() is not None and job.order is order:
                job.order = former

        written.add_done_callback(settle)
        return written

    def cancel(self, job: Job) -> Future[None]:
        """Stop the job for good."""
        job.cancelled = True
        if job.state in IDLE:
            log.info("job %s cancelled", job.id)
            return self._write(self._step(job, Happening.CANCEL))
        self._transfers.cancel_job(job.session_id)
        return self._write(Write(jobs=(job,)))

    def pause(self, job: Job) -> Future[None]:
        """Hold the job: its session moves nothing, and no new one starts."""
        job.paused = True
        session = self.sessions.get(job.session_id)
        if session is not None:
            self.pause_session(session)
        return self._write(Write(jobs=(job,)))

    def resume(self, job: Job) -> Future[None]:
        """Let a held job go on."""
        job.paused = False
        session = self.sessions.get(job.session_id)
        if session is not None:
            self.resume_session(session)
        written = self._write(Write(jobs=(job,)))
        if job.state in IDLE:
            self._enqueue(job)
            self._pump()
        return written

    def pause_session(self, session: Session) -> Future[None]:
        """Target rate to 0, remembering the former."""
        return self._steering.pause(session.record)

    def resume_session(self, session: Session) -> Future[None]:
        """The target rate from before the pause, or else the order's."""
        return self._steering.resume(session.record, self.jobs.get(session.record.job_id or ""))

    def cap(self, record: SessionRecord, cap: int) -> None:
        """Set a running session's bandwidth cap (Kbps, 0 = none); its target rate never exceeds it."""
        self._steering.cap(record, cap)

    def _note(self, record: SessionRecord) -> None:
        """The record changed and is to be written with the next counters."""
        record.touched(self._stamps.next_change())
        self._dirty.add(record.id)

    # -- what the FASP Manager tells ---------------------------------------------------------------------------

    def session_launched(self, session_id: str, pid: int) -> None:
        """The session's process runs as `pid`."""
        session = self.sessions.get(session_id)
        if session is not None:
            session.record.pid = pid
            self._write(self._session_write(session.record), durable=False)
            log.debug("session %s runs as process %d", session_id, pid)

    def session_message(self, session_id: str, message: Message) -> None:
        """The session's process said something."""
        session = self.sessions.get(session_id)
        if session is None:
            return
        changes = session.hear(message, self._clock.seconds())
        record = session.record
        job = self.jobs.get(record.job_id or "")
        events: tuple[Addressed, ...] = ()
        jobs: tuple[Job, ...] = ()
        if "Started" in changes.topics and job is not None and job.state is not JobState.RUNNING:
            topic = job.happen(Happening.START)
            jobs = (job,)
            if topic:
                events += self._subscriptions.events("job", topic, job.id, job.view())
            log.info("session %s of job %s started", record.id, record.job_id)
        events += self._session_events(record, changes)
        self._dirty.add(record.id)
        files = self._recorded(record, changes, skipped=message.type == MessageType.SKIP)
        if events or jobs or changes.status:
            self._dirty.discard(record.id)
            self._write(self._session_write(record, files, events, jobs), durable=bool(events))
        elif files:
            self._ended_files.add(files)
        if "Statistics" in changes.topics:
            self._subscriptions.statistics(record)

    def session_ended(self, session_id: str, ending: SessionEnding) -> None:
        """The session's process is gone and all it said has been heard."""
        session = self.sessions.get(session_id)
        if session is None:
            return
        job = self.jobs.get(session.record.job_id or "")
        event, happening, wait = self._judge(session, job, ending)
        self._close(session, event, job, happening, wait)
        self._pump()

    def follow(self, record: SessionRecord, *, started: bool = False) -> None:
        """Hear what the session's process says from now on; `started` when that it did was told before."""
        # Counters that a client has seen may not have been written: a taken up record's place is lost.
        record.touched(self._stamps.next_change())
        session = self._session(record)
        session.started = started
        self._table.add(record)
        self.sessions[record.id] = session

    def recorded(self, session_id: str) -> Future[bool]:
        """Whether there is, or was, a session with this id."""
        if self._table[session_id] is not None:
            return done(True)
        return then(self._store.session(session_id), lambda record: record is not None)

    def follows(self, session_id: str) -> bool:
        """Whether the session is under way."""
        return session_id in self.sessions

    def lose_session(self, session_id: str) -> None:
        """A session without a job ended while nobody watched."""
        session = self.sessions.get(session_id)
        if session is not None:
            self._close(session, SessionEvent.LOSE, None, Happening.ORPHAN)

    # -- the steps ---------------------------------------------------------------------------------------------

    def _judge(
        self, session: Session, job: Job | None, ending: SessionEnding
    ) -> tuple[SessionEvent, Happening, int]:
        """What a session's end means: for the session, for its job, and how long to wait before the next one."""
        record = session.record
        cancelled = record.error_code == USER_CANCEL or (job is not None and job.cancelled)
        if session.said_done:
            return SessionEvent.COMPLETE, Happening.COMPLETE, 0
        if cancelled:
            return SessionEvent.CANCEL, Happening.CANCEL, 0
        if ending.never_connected and ending.exit_status is None and ending.signal is None:
            return SessionEvent.LOSE, Happening.ORPHAN, 0
        if not session.said_error:
            record.error_code, record.error_description = CONNECTION_LOST, _death(ending)
        if job is None:
            return SessionEvent.FAIL, Happening.FAIL, 0
        failures = job.failed_attempts + 1
        wait = retry.next_attempt(job.order, failures, record.error_code, record.error_description)
        if wait is None:
            return SessionEvent.FAIL, Happening.FAIL, 0
        return SessionEvent.RETRY, Happening.RETRY, wait

    def _after(self, job: Job, happening: Happening, wait: float) -> tuple[Addressed, ...]:
        """Move the job on after its session's end; returns its events."""
        now = self._clock.seconds()
        if happening in (Happening.RETRY, Happening.FAIL):
            job.failed_attempts += 1
        topic = job.happen(happening)
        if job.state in FINAL:
            job.ended = now
            self.jobs.pop(job.id, None)
            log.info("job %s %s", job.id, job.state)
        else:
            job.due = now + wait
            self._enqueue(job)
            log.info("job %s goes on with another session in %d s", job.id, wait)
        return self._subscriptions.events("job", topic, job.id, job.view()) if topic else ()

    def _close(
        self, session: Session, event: SessionEvent, job: Job | None, happening: Happening, wait: float = 0
    ) -> None:
        """Write a session's end, and with it what it means for its job."""
        record = session.record
        changes = session.end(event, self._clock.seconds())
        self.sessions.pop(record.id, None)
        self._dirty.discard(record.id)
        self._table.end(record)
        level = logging.ERROR if record.status in ("error", "willretry", "orphaned") else logging.INFO
        log.log(
            level,
            "session %s of job %s %s%s",
            record.id,
            record.job_id,
            record.status,
            f": code {record.error_code}, {record.error_description}" if record.error_code else "",
        )
        events = self._session_events(record, changes)
        if job is not None:
            events += self._after(job, happening, wait)
        jobs = () if job is None else (job,)
        self._write(self._session_write(record, self._recorded(record, changes), events, jobs))

    def _pump(self) -> None:
        """Launch what is due while there is room, and look again when the next one is."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        now = self._clock.seconds()
        room = self._max_sessions - sum(
            session.record.job_id is not None for session in self.sessions.values()
        )
        while self._queue and room > 0 and not self._stopping:
            due, _, job_id = self._queue[0]
            job = self.jobs.get(job_id)
            if job is None or job.state not in IDLE or job.paused or job.due != due:
                heapq.heappop(self._queue)  # It was cancelled, held or queued anew since.
                continue
            if due > now:
                self._timer = self._clock.callLater(due - now, self._pump)
                return
            heapq.heappop(self._queue)
            self._launch(job)
            room -= 1

    def _launch(self, job: Job) -> None:
        validated = self.recording.validated(job.order.file.post_transfer_validation)
        record = launch.session_record(job, self._clock.seconds(), validated=validated)
        record.touched(self._stamps.next_change())
        session = self._session(record)
        job.session_id = record.id
        job.attempts += 1
        write = self._step(job, Happening.LAUNCH, record)
        self._table.add(record)
        self.sessions[record.id] = session
        log.info("job %s: session %s, attempt %d", job.id, record.id, job.attempts)
        # Only what is on disk is launched: a crash in between leaves a session nobody dials for, not a lost process.
        self._write(write).add_done_callback(lambda _: self._spawn(job, session))

    def _spawn(self, job: Job, session: Session) -> None:
        record = session.record
        if self._stopping or record.id not in self.sessions:
            return
        if job.cancelled:
            self._close(session, SessionEvent.CANCEL, job, Happening.CANCEL)
            return
        try:
            self._transfers.launch_job(launch.job_order(job.order, job.id, record.id))
        except Exception as error:
            record.error_code, record.error_description = INTERNAL_ERROR, f"cannot launch: {error}"
            self._close(session, SessionEvent.FAIL, job, Happening.FAIL)
            self._pump()

    def _session(self, record: SessionRecord) -> Session:
        return Session(record, self._stamps.next_local_id, self._stamps.next_change)

    def _adopt(self, job: Job, record: SessionRecord) -> None:
        self.follow(record, started=job.state is JobState.RUNNING)
        log.info("job %s: waiting for session %s to dial again", job.id, record.id)
        self._transfers.adopt_job(record.id, record.pid, self._patience)
        if job.cancelled:
            self._transfers.cancel_job(record.id)

    def _requeue(self, job: Job) -> None:
        if job.state not in IDLE:
            job.happen(Happening.ORPHAN)
        self._enqueue(job)

    def _enqueue(self, job: Job) -> None:
        heapq.heappush(self._queue, (job.due, next(self._ticket), job.id))

    def _step(self, job: Job, happening: Happening, record: SessionRecord | None = None) -> Write:
        """The write that moves a job on, with its event."""
        topic = job.happen(happening)
        if job.state in FINAL:
            job.ended = self._clock.seconds()
            self.jobs.pop(job.id, None)
        events = self._subscriptions.events("job", topic, job.id, job.view()) if topic else ()
        if record is None:
            return Write(jobs=(job,), events=events)
        return self._session_write(record, (), events, (job,))

    def _session_events(self, record: SessionRecord, changes: Changes) -> tuple[Addressed, ...]:
        events: tuple[Addressed, ...] = ()
        for topic in changes.topics:
            if topic != "Statistics":
                events += self._subscriptions.events("session", topic, record.id, record)
        return events

    def _recorded(
        self, record: SessionRecord, changes: Changes, *, skipped: bool = False
    ) -> tuple[FileRecord, ...]:
        """The files among those that ended that are to be recorded; they are counted in the session's record."""
        wanted = []
        for file in changes.ended_files:
            if self.recording.wants(file, record.files_recorded, skipped=skipped):
                record.files_recorded += 1
                wanted.append(file)
        return tuple(wanted)

    def _session_write(
        self,
        record: SessionRecord,
        files: Iterable[FileRecord] = (),
        events: tuple[Addressed, ...] = (),
        jobs: tuple[Job, ...] = (),
    ) -> Write:
        self._table.written(record)
        return Write(jobs=jobs, sessions=(record,), files=tuple(files), events=events)

    def _write(self, write: Write, *, durable: bool = True) -> Future[None]:
        written = self._put(write, durable=durable)
        if write.events:
            written.add_done_callback(lambda _: self._notifications.wake())
        return written

    def _flush(self) -> None:
        self._write_dirty()
        self._flusher = self._clock.callLater(FLUSH_INTERVAL, self._flush)

    def _write_dirty(self) -> None:
        records = tuple(self.sessions[key].record for key in self._dirty if key in self.sessions)
        self._dirty.clear()
        if not records:
            return
        written = self._put(Write(sessions=records, expendable=True), durable=False)
        if written.done() and written.exception() is not None:  # Dropped; the next flush may have more luck.
            self._dirty.update(record.id for record in records)
            return
        for record in records:
            self._table.written(record)

    def write_files(self) -> None:
        """Write the file transfers that have ended and are still kept back: whoever asks the store needs them."""
        files = self._ended_files.take()
        if files:
            awaited = any(file.status == transfer.TO_BE_VALIDATED for file in files)
            self._put(Write(files=files, expendable=not awaited), durable=False)

    def _put(self, write: Write, *, durable: bool) -> Future[None]:
        """Write it, and with it the files that ended before: a session's counters never speak of files to come."""
        files = self._ended_files.take()
        if files:
            write = replace(write, files=(*files, *write.files))
        return self._store.write(write, durable=durable, give_up=False)

    def files_in_flight(self) -> tuple[tuple[SessionRecord, FileRecord], ...]:
        """File transfers under way, with their sessions, but for those that are not to be recorded."""
        return tuple(
            (session.record, file)
            for session in self.sessions.values()
            for file in session.files.values()
            if self.recording.wants(file, session.record.files_recorded)
        )


def _death(ending: SessionEnding) -> str:
    if ending.signal is not None:
        return f"the transfer process was ended by signal {ending.signal}"
    if ending.exit_status is not None:
        return f"the transfer process ended with status {ending.exit_status} without a word"
    return "the transfer process was lost"
