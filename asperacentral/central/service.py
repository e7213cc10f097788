"""The one service that faces call: submitting, listing, controlling, subscribing and querying (`api`).

It checks what it is asked, hands the work to runner, queries and subscriptions, and answers only what is on disk.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

from asperacentral.central import launch, resubmission
from asperacentral.central.errors import (
    InvalidValue,
    JobFormatInvalid,
    JobNotFound,
    JobSubmissionError,
    JobTypeNotFound,
    SessionNotFound,
    Unavailable,
)
from asperacentral.central.futures import attempt, chain, done, failed, then
from asperacentral.central.job import Job
from asperacentral.central.model import (
    ALL,
    JOB_TYPE,
    DeadLetters,
    Endpoint,
    FileRecord,
    JobResult,
    JobView,
    RateChange,
    SessionRecord,
    Subscription,
)
from asperacentral.central.order import Order
from asperacentral.central.order_reader import ReadOrder, read_order
from asperacentral.central.ports import Clock, Notifications, RawOptionRule, Store, Transfers, Write
from asperacentral.central.queries import Queries
from asperacentral.central.query import FileTransferFilter, InfoPage, Page, SessionFilter
from asperacentral.central.recording import Recording
from asperacentral.central.runner import Runner
from asperacentral.central.session import Session
from asperacentral.central.sessions import SessionTable
from asperacentral.central.stamps import Stamps
from asperacentral.central.subscriptions import Subscriptions
from asperacentral.central.validation import Refusal, Report
from asperacentral.central.validators import Validators

log = logging.getLogger(__name__)

T = TypeVar("T")

MAX_OPEN_JOBS = 100_000
"""Jobs that may wait or run at a time; more are refused rather than memory filled."""

POLICIES = ("fixed", "high", "fair", "low")

_AN_ID = str(uuid.UUID(int=0))
"""In place of ids that are not given yet."""

JobAction = Callable[[Job], Future[None]]
SessionAction = Callable[[Session], Future[None]]


class Central:
    """Aspera Central's rules, wired to a clock, a store, transfers and notifications.

    Without `reliable_query` whoever asks for it is told that the store is disabled; all else is as ever.
    """

    def __init__(
        self,
        clock: Clock,
        store: Store,
        transfers: Transfers,
        notifications: Notifications,
        *,
        max_sessions: int = 200,
        patience: float = 10.0,
        recording: Recording | None = None,
        reliable_query: bool = True,
        validation_timeout: float = 300.0,
        raw_options: RawOptionRule | None = None,
    ) -> None:
        self._raw_options = raw_options
        self._clock = clock
        self._store = store
        self._transfers = transfers
        self._table = SessionTable()
        self._stamps = Stamps(clock.seconds)
        self._subscriptions = Subscriptions(clock, store, notifications)
        self.runner = Runner(
            clock,
            store,
            transfers,
            notifications,
            self._subscriptions,
            self._table,
            self._stamps,
            max_sessions=max_sessions,
            patience=patience,
            recording=recording,
        )
        self._reliable_query = reliable_query
        self.watchers = self._subscriptions.watchers
        self._queries = Queries(store, self._table, self.runner, self._stamps)
        self.validators = Validators(clock, store, self._stamps, validation_timeout)

    def start(self) -> None:
        """Take up what the store has kept and go on with it."""
        self._stamps.change, self._stamps.local_id = self._store.high_marks()
        records, watermark = self._store.recent_sessions(5_000)
        self._table.start(records, watermark)
        self._subscriptions.start(self._store.subscriptions())
        self.runner.start(self._store.open_jobs())
        self.validators.start()

    def stop(self) -> Future[None]:
        """Launch nothing more; done when all counters are written."""
        self._subscriptions.stop()
        self.validators.stop()
        return self.runner.stop()

    def purge(self, max_age: float) -> Future[int]:
        """Forget what ended more than `max_age` seconds ago; returns how many sessions went."""
        before = self._clock.seconds() - max_age
        self._table.forget(before)

        def purged(count: int) -> int:
            self._stamps.next_change()
            return count

        return then(self._store.purge(before), purged)

    # -- jobs --------------------------------------------------------------------------------------------------

    def list_types(self) -> tuple[str, ...]:
        """See `api.CentralService`."""
        return (JOB_TYPE,)

    def submit(self, job_type: str, definition: str) -> Future[JobResult]:
        """See `api.CentralService`."""
        return attempt(lambda: self._submit(job_type, definition))

    def _submit(self, job_type: str, definition: str) -> Future[JobResult]:
        if job_type.strip() != JOB_TYPE:
            raise JobTypeNotFound(job_type)
        try:
            read = read_order(definition)
        except JobFormatInvalid as error:
            log.info("an order was refused: %s", error)
            raise
        order = read.order
        try:
            launch.refuse_unsupported(order)
            if order.file.post_transfer_validation and not self._reliable_query:
                raise JobSubmissionError(
                    "FileParameters/PostTransferValidation: not possible, the persistent store is disabled"
                )
            self._check_raw_options(order)
            if read.job_id:
                return self._resubmit(read)
            if len(self.runner.jobs) >= MAX_OPEN_JOBS:
                raise JobSubmissionError(f"{MAX_OPEN_JOBS} jobs are open already; try again later")
        except (JobFormatInvalid, JobSubmissionError) as error:
            log.info("an order was refused: %s", error)
            raise
        now = self._clock.seconds()
        job = Job(id=str(uuid.uuid4()), order=order, created=now, due=now)
        _log_what_is_left_out(job.id, read)
        events = self._subscriptions.events("job", "Waiting", job.id, job.view())
        written = self._store.write(Write(jobs=(job,), events=events), durable=True, give_up=True)

        def accepted(_: None) -> JobResult:
            log.info("job %s accepted: %s, %d sources", job.id, order.operation, len(launch.sources(order)))
            # The answer goes out first; the job starts in the next turn of the loop.
            self._clock.callLater(0, self.runner.add, job)
            return JobResult(JOB_TYPE, job.id)

        return _explain(then(written, accepted))

    def _check_raw_options(self, order: Order) -> None:
        if not order.raw_options:
            return
        if self._raw_options is None:
            raise JobSubmissionError("RawOptions: <raw_options> of aspera.conf does not allow them")
        reason = self._raw_options(launch.job_order(order, _AN_ID, _AN_ID))
        if reason is not None:
            raise JobFormatInvalid(f"RawOptions/Option: {reason}")

    def _resubmit(self, read: ReadOrder) -> Future[JobResult]:
        job = self.runner.jobs.get(read.job_id)
        if job is None:
            return then(self._store.job(read.job_id), lambda stored: _not_open(stored, read.job_id))
        resubmission.check(job, read.order)
        _log_what_is_left_out(job.id, read)

        def changed(_: None) -> JobResult:
            log.info("job %s: has another order", read.job_id)
            return JobResult(JOB_TYPE, read.job_id)

        return _explain(then(self.runner.renew(job, read.order), changed))

    def list_jobs(self) -> tuple[str, ...]:
        """See `api.CentralService`."""
        return tuple(self.runner.jobs)

    def query_job(self, job_id: str) -> Future[JobView]:
        """See `api.CentralService`."""
        job = self.runner.jobs.get(job_id)
        if job is not None:
            return done(job.view())
        return then(self._store.job(job_id), lambda stored: _job(stored, job_id).view())

    def cancel_job(self, job_id: str) -> Future[None]:
        """See `api.CentralService`."""
        return self._with_job(job_id, self.runner.cancel)

    def pause_job(self, job_id: str) -> Future[None]:
        """See `api.CentralService`."""
        return self._with_job(job_id, self.runner.pause)

    def resume_job(self, job_id: str) -> Future[None]:
        """See `api.CentralService`."""
        return self._with_job(job_id, self.runner.resume)

    def _with_job(self, job_id: str, action: JobAction) -> Future[None]:
        job = self.runner.jobs.get(job_id)
        if job is not None:
            return attempt(lambda: action(job))
        # An ended job is known but nothing can be done to it any more: that is no error.
        return then(self._store.job(job_id), lambda stored: _nothing(_job(stored, job_id)))

    # -- sessions ----------------------------------------------------------------------------------------------

    def list_sessions(self) -> tuple[str, ...]:
        """See `api.CentralService`."""
        return self._table.live_ids()

    def query_session(self, session_id: str) -> Future[SessionRecord]:
        """See `api.CentralService`."""
        record = self._table[session_id]
        if record is not None:
            return done(record)
        return then(self._store.session(session_id), lambda stored: _session(stored, session_id))

    def cancel_session(self, session_id: str) -> Future[None]:
        """See `api.CentralService`."""

        def cancel(session: Session) -> Future[None]:
            job = self.runner.jobs.get(session.record.job_id or "")
            if job is not None:
                return self.runner.cancel(job)
            self._transfers.cancel_job(session_id)
            return done(None)

        return self._with_session(session_id, cancel)

    def change_rate(self, session_id: str, change: RateChange) -> Future[None]:
        """See `api.CentralService`."""

        def apply(session: Session) -> Future[None]:
            policy = change.policy.strip().lower() if change.policy else None
            policy = "low" if policy == "trickle" else policy
            if policy and policy not in POLICIES:
                raise InvalidValue(f"Policy: {change.policy!r} is none of: {', '.join(POLICIES)}")
            self._check_locks(session, change)
            if change.bandwidth_cap is not None:
                self.runner.cap(session.record, change.bandwidth_cap)
            cap = session.record.bandwidth_cap
            target = (
                min(change.target_rate, cap) if change.target_rate is not None and cap else change.target_rate
            )
            self._transfers.control_job(
                session_id, target_rate=target, minimum_rate=change.minimum_rate, policy=policy
            )
            return done(None)

        return self._with_session(session_id, apply)

    def _check_locks(self, session: Session, change: RateChange) -> None:
        job = self.runner.jobs.get(session.record.job_id or "")
        if job is None:
            return
        rate = job.order.rate
        for locked, asked, name in (
            (rate.lock_policy, change.policy, "Policy"),
            (rate.lock_target_rate, change.target_rate, "TargetRate"),
            (rate.lock_minimum_rate, change.minimum_rate, "MinimumRate"),
        ):
            if locked and asked is not None:
                raise InvalidValue(f"{name}: is locked by the order")

    def pause_session(self, session_id: str) -> Future[None]:
        """See `api.CentralService`."""
        return self._with_session(session_id, self.runner.pause_session)

    def resume_session(self, session_id: str) -> Future[None]:
        """See `api.CentralService`."""
        return self._with_session(session_id, self.runner.resume_session)

    def _with_session(self, session_id: str, action: SessionAction) -> Future[None]:
        session = self.runner.sessions.get(session_id)
        if session is None:
            return attempt(lambda: _missing(session_id))
        return attempt(lambda: action(session))

    # -- subscriptions -----------------------------------------------------------------------------------------

    def subscribe(
        self,
        kind: str,
        subject: str,
        observer: Endpoint,
        subscription_observer: Endpoint | None,
        topics: tuple[str, ...],
        duration: int,
    ) -> Future[Subscription]:
        """See `api.CentralService`."""
        known: Future[object] = done(None)
        if subject != ALL:
            known = self.query_job(subject) if kind == "job" else self.query_session(subject)  # type: ignore[assignment]
        return chain(
            known,
            lambda _: self._subscriptions.subscribe(
                kind, subject, observer, subscription_observer, topics, duration
            ),
        )

    def update_subscription(
        self, kind: str, subscription_id: str, topics: tuple[str, ...], duration: int
    ) -> Future[Subscription]:
        """See `api.CentralService`."""
        return attempt(lambda: self._subscriptions.update(kind, subscription_id, topics, duration))

    def unsubscribe(self, kind: str, subscription_id: str, topics: tuple[str, ...]) -> Future[Subscription]:
        """See `api.CentralService`."""
        return attempt(lambda: self._subscriptions.unsubscribe(kind, subscription_id, topics))

    def time_remaining(self, subscription: Subscription) -> int:
        """See `api.CentralService`."""
        return self._subscriptions.time_remaining(subscription)

    def list_dead_letters(
        self, observer: str | None, after: int | None, limit: int | None
    ) -> Future[DeadLetters]:
        """See `api.CentralService`."""
        return attempt(lambda: self._subscriptions.dead_letters(observer, after, limit))

    def replay_dead_letters(self, observer: str | None, ids: tuple[int, ...]) -> Future[int]:
        """See `api.CentralService`."""
        return attempt(lambda: self._subscriptions.replay(observer, ids))

    def drop_dead_letters(self, observer: str | None, ids: tuple[int, ...]) -> Future[int]:
        """See `api.CentralService`."""
        return attempt(lambda: self._subscriptions.drop(observer, ids))

    # -- the reliable query ------------------------------------------------------------------------------------

    def version(self) -> int:
        """See `api.CentralService`."""
        return self._stamps.change

    def query_sessions(self, wanted: SessionFilter) -> Future[Page[SessionRecord]]:
        """See `api.CentralService`."""
        return self._reliably(lambda: self._queries.sessions(wanted))

    def query_files(self, wanted: FileTransferFilter) -> Future[Page[FileRecord]]:
        """See `api.CentralService`."""
        return self._reliably(lambda: self._queries.files(wanted))

    def query_info(self, wanted: FileTransferFilter) -> Future[InfoPage]:
        """See `api.CentralService`."""
        return self._reliably(lambda: self._queries.info(wanted))

    def query_sessions_in_validation(
        self, validator: str, wanted: SessionFilter
    ) -> Future[Page[SessionRecord]]:
        """See `api.CentralService`."""
        return self._reliably(lambda: self._queries.sessions_in_validation(validator, wanted))

    def claim_files(self, validator: str, wanted: FileTransferFilter) -> Future[Page[FileRecord]]:
        """See `api.CentralService`."""
        return self._reliably(
            lambda: self._queries.claimed(wanted, partial(self.validators.claim, validator))
        )

    def claim_info(self, validator: str, wanted: FileTransferFilter) -> Future[InfoPage]:
        """See `api.CentralService`."""
        return self._reliably(
            lambda: self._queries.claimed_info(wanted, partial(self.validators.claim, validator))
        )

    def report_validation(self, validator: str, reports: Sequence[Report]) -> Future[tuple[Refusal, ...]]:
        """See `api.CentralService`."""
        return self._reliably(lambda: self.validators.report(validator, reports))

    def _reliably(self, ask: Callable[[], Future[T]]) -> Future[T]:
        if not self._reliable_query:
            return failed(Unavailable("the persistent store is disabled"))
        return attempt(ask)


def _job(stored: Job | None, job_id: str) -> Job:
    if stored is None:
        raise JobNotFound(job_id)
    return stored


def _not_open(stored: Job | None, job_id: str) -> JobResult:
    error = resubmission.unknown(job_id) if stored is None else resubmission.ended(job_id)
    log.info("an order was refused: %s", error)
    raise error


def _log_what_is_left_out(job_id: str, read: ReadOrder) -> None:
    for element in read.skipped:
        log.info("job %s: element %s is unknown and skipped", job_id, element)


def _session(stored: SessionRecord | None, session_id: str) -> SessionRecord:
    if stored is None:
        raise SessionNotFound(session_id)
    return stored


def _missing(session_id: str) -> Future[None]:
    raise SessionNotFound(session_id)


def _nothing(_: object) -> None:
    return None


def _explain(submitted: Future[JobResult]) -> Future[JobResult]:
    """A store that cannot take the order is a JobSubmissionError to the client."""
    result: Future[JobResult] = Future()

    def forward(ready: Future[JobResult]) -> None:
        error = ready.exception()
        if isinstance(error, Unavailable):
            result.set_exception(JobSubmissionError(str(error)))
        elif error is not None:
            result.set_exception(error)
        else:
            result.set_result(ready.result())

    submitted.add_done_callback(forward)
    return result
