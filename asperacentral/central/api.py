"""What faces may ask of Central: the interface of `service.Central`, and nothing else.

Methods that wait for the store return a `concurrent.futures.Future` that is completed in the thread that
called them (the reactor's); it fails with one of `central.errors`. Other methods raise those errors directly.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol

from asperacentral.central.model import (
    DeadLetters,
    Endpoint,
    FileRecord,
    JobResult,
    JobView,
    RateChange,
    SessionRecord,
    Subscription,
)
from asperacentral.central.query import FileTransferFilter, InfoPage, Page, SessionFilter
from asperacentral.central.validation import Refusal, Report


class CentralService(Protocol):
    """The façade that every face calls."""

    def list_types(self) -> tuple[str, ...]:
        """Job types Central can run (ListTypes)."""

    def submit(self, job_type: str, definition: str) -> Future[JobResult]:
        """Take an order; done once it is on disk. JobTypeNotFound, JobFormatInvalid, JobSubmissionError (Submit)."""

    def list_jobs(self) -> tuple[str, ...]:
        """Ids of the jobs that are waiting, running or waiting for a retry, oldest first (ListJobs)."""

    def query_job(self, job_id: str) -> Future[JobView]:
        """Details of one job, ended ones too. JobNotFound (QueryJob)."""

    def cancel_job(self, job_id: str) -> Future[None]:
        """Stop the job and never retry it; cancelling an ended job has no effect. JobNotFound (CancelJob)."""

    def pause_job(self, job_id: str) -> Future[None]:
        """Let the job's session move nothing until `resume_job`. JobNotFound (our Pause)."""

    def resume_job(self, job_id: str) -> Future[None]:
        """Undo `pause_job`. JobNotFound (our Resume)."""

    def list_sessions(self) -> tuple[str, ...]:
        """Ids of the sessions under way, oldest first (ListSessions)."""

    def query_session(self, session_id: str) -> Future[SessionRecord]:
        """One session, ended ones too. SessionNotFound (QuerySession)."""

    def cancel_session(self, session_id: str) -> Future[None]:
        """Stop one session; its job is not retried. SessionNotFound unless it is under way (CancelSession)."""

    def change_rate(self, session_id: str, change: RateChange) -> Future[None]:
        """Change a running session's rates or policy. SessionNotFound, InvalidValue (the five Set... calls)."""

    def pause_session(self, session_id: str) -> Future[None]:
        """Target rate to 0, remembering the former. SessionNotFound (our Pause)."""

    def resume_session(self, session_id: str) -> Future[None]:
        """Restore the target rate `pause_session` found. SessionNotFound (our Resume)."""

    def subscribe(
        self,
        kind: str,
        subject: str,
        observer: Endpoint,
        subscription_observer: Endpoint | None,
        topics: tuple[str, ...],
        duration: int,
    ) -> Future[Subscription]:
        """Subscribe to a job or session (`kind` "job" or "session"; `subject` an id, or "0" for all).

        `duration` is in seconds. JobNotFound, SessionNotFound, InvalidValue (Subscribe, contract §6.1).
        """

    def update_subscription(
        self, kind: str, subscription_id: str, topics: tuple[str, ...], duration: int
    ) -> Future[Subscription]:
        """Add topics and set a new expiry. SubscriptionNotFound (UpdateSubscription)."""

    def unsubscribe(self, kind: str, subscription_id: str, topics: tuple[str, ...]) -> Future[Subscription]:
        """Take topics away; with none left, or none given, end it. SubscriptionNotFound (Unsubscribe)."""

    def time_remaining(self, subscription: Subscription) -> int:
        """Seconds until the subscription expires, never negative."""

    def list_dead_letters(
        self, observer: str | None, after: int | None, limit: int | None
    ) -> Future[DeadLetters]:
        """Notifications that were given up, oldest first, with an id above `after`: those for one observer's address,
        or all. At most `limit`, never over 1,000. Unavailable (our ListDeadLetters)."""

    def replay_dead_letters(self, observer: str | None, ids: tuple[int, ...]) -> Future[int]:
        """Have them told again: those with these ids, of this observer; what is not given does not restrict. Gives how
        many there were. Unavailable (our ReplayDeadLetters)."""

    def drop_dead_letters(self, observer: str | None, ids: tuple[int, ...]) -> Future[int]:
        """Forget them, chosen as in `replay_dead_letters`. Unavailable (our DropDeadLetters)."""

    def version(self) -> int:
        """A number that grows whenever an answer of the reliable query may differ from the one before."""

    def query_sessions(self, wanted: SessionFilter) -> Future[Page[SessionRecord]]:
        """Sessions, in the order of their latest change. FilterChanged, InvalidValue, Unavailable."""

    def query_files(self, wanted: FileTransferFilter) -> Future[Page[FileRecord]]:
        """File transfers, in the order of their latest change. FilterChanged, InvalidValue, Unavailable."""

    def query_info(self, wanted: FileTransferFilter) -> Future[InfoPage]:
        """Sessions and files together (GetInfo, GetStatistics; contract §7.2). Errors as `query_files`."""

    def query_sessions_in_validation(
        self, validator: str, wanted: SessionFilter
    ) -> Future[Page[SessionRecord]]:
        """As `query_sessions`, of those with files this validator could claim or has claimed (contract §15)."""

    def claim_files(self, validator: str, wanted: FileTransferFilter) -> Future[Page[FileRecord]]:
        """Matching files that were to be validated and are now this validator's; done once that is on disk.
        FilterChanged, InvalidValue, Unavailable (contract §15)."""

    def claim_info(self, validator: str, wanted: FileTransferFilter) -> Future[InfoPage]:
        """As `claim_files`, with the sessions that own the files."""

    def report_validation(self, validator: str, reports: Sequence[Report]) -> Future[tuple[Refusal, ...]]:
        """Take a validator's reports, done once they are on disk; gives those that were not taken.
        InvalidValue, Unavailable (contract §15)."""
