"""An honest CentralService in memory: enough rules to answer every call, no transfers, no disk."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from asperacentral.central import errors
from asperacentral.central.model import (
    ALL,
    JOB_TYPE,
    CurrentFile,
    DeadLetter,
    DeadLetters,
    Endpoint,
    FileRecord,
    JobResult,
    JobView,
    RateChange,
    SessionRecord,
    Subscription,
)
from asperacentral.central.order import (
    FileParameters,
    LinkParameters,
    LocalLocation,
    Order,
    RateParameters,
    RemoteLocation,
    RetryParameters,
    Secret,
    SecurityParameters,
    System,
)
from asperacentral.central.query import (
    DEFAULT_RESULTS,
    MAX_RESULTS,
    FileTransferFilter,
    InfoPage,
    Page,
    SessionFilter,
)
from asperacentral.central.validation import Refusal, Report, Standing, refusal

NOW = 1_795_000_000.0
JOB = "5f4c1f6e-0000-4000-8000-000000000001"
SESSION = "5f4c1f6e-0000-4000-8000-0000000000a1"
OLD_SESSION = "5f4c1f6e-0000-4000-8000-0000000000a0"


def order(operation: str = "Push") -> Order:
    return Order(
        operation=operation,
        agent="Tests.Golden",
        token=Secret("never shown"),
        cookie="cookie & <co>",
        private_key="private",
        remote=RemoteLocation(
            system=System("host.example", 2222, "user", Secret("never shown")),
            methods=("Password", "Public Key"),
            key_path="/keys/id",
            paths=("/in",),
        ),
        local=LocalLocation(paths=("/out/a.bin", "/out/ö.bin")),
        file=FileParameters(create_path=True),
        link=LinkParameters(remote_capacity=100_000),
        rate=RateParameters("Fair", 20_000, minimum_rate=100),
        security=SecurityParameters("AES-128"),
        retry=RetryParameters(3, 5, 60),
    )


def dead_letter(number: int) -> DeadLetter:
    return DeadLetter(
        id=number,
        observer="http://127.0.0.1:8080/jobs?a=b&c" if number < 10 else "http://127.0.0.1:8080/sessions",
        event_id=f"5f4c1f6e-0000-4000-8000-0000000000e{number % 10}",
        kind="job" if number < 10 else "session",
        topic="Failed" if number < 10 else "Error",
        subject=JOB if number < 10 else SESSION,
        at=NOW - 100_000,
        attempts=290,
        reason="not delivered within 24 hours",
    )


def session(identity: str, **values: Any) -> SessionRecord:
    record = SessionRecord(
        id=identity,
        job_id=JOB,
        start_date=NOW,
        cookie="cookie & <co>",
        private_key="private",
        user="user",
        server_address="192.0.2.7",
        client_address="127.0.0.1",
        source_path="/out",
        destination_path="/in",
        expected_file_count=2,
        expected_byte_count=3_000_000_000,
        file_count=1,
        files_transferring=1,
        bytes_transferred=1_500_000_000,
        bytes_written=1_400_000_000,
        elapsed=12_345_678,
        network_delay=25,
        job_max_retries=3,
        current_file=CurrentFile("/out/a.bin", 2_000_000_000, 1_400_000_000, 1_400_000_000),
    )
    return replace(record, fragments={}, **values)


class MemoryCentral:
    """Jobs, sessions, files and subscriptions in lists; a Future that is done, or one that a test completes."""

    def __init__(self) -> None:
        self.jobs: dict[str, JobView] = {JOB: JobView(JOB, order(), SESSION, 1)}
        self.sessions = [
            session(
                OLD_SESSION, status="willretry", error_code=15, error_description="lost", end_date=NOW + 9.25
            ),
            session(SESSION, job_retry_count=1),
        ]
        self.files = [
            FileRecord(
                SESSION,
                "/out/a.bin",
                1,
                "00000001-00000002-00000003-00000004-00000005",
                NOW,
                size=2_000_000_000,
            ),
            FileRecord(
                SESSION,
                "/out/\u0007bell\ufffe & <more>",
                2,
                "00000001-00000002-00000003-00000004-00000006",
                NOW,
                status="completed",
                end_date=NOW + 1.5,
                checksum="ab12",
                checksum_type="sha1",
            ),
        ]
        self.subscriptions: dict[str, Subscription] = {}
        self.dead_letters = [dead_letter(number) for number in (7, 9, 12)]
        self.claimed: dict[tuple[str, str], str] = {}
        self.reports: list[tuple[str, Report]] = []
        self.submitted: list[tuple[str, str]] = []
        self.cancelled: list[str] = []
        self.paused: list[str] = []
        self.changes: list[tuple[str, RateChange]] = []
        self.asked = 0
        self.filters: list[SessionFilter] = []
        self.pending: Future[Any] | None = None
        self.trouble: Exception | None = None

    # --- jobs

    def list_types(self) -> tuple[str, ...]:
        self._check()
        return (JOB_TYPE,)

    def submit(self, job_type: str, definition: str) -> Future[JobResult]:
        self._check()
        if job_type != JOB_TYPE:
            return _failed(errors.JobTypeNotFound(job_type))
        found = re.search(r"<Operation>\s*(\w*)", definition)
        if found is None:
            return _failed(errors.JobFormatInvalid("Order/Operation: is missing"))
        if found.group(1) not in {"Push", "Pull"}:
            return _failed(
                errors.JobSubmissionError(f"Order/Operation: {found.group(1)} is not possible here")
            )
        self.submitted.append((job_type, definition))
        identity = f"job-{len(self.submitted)}"
        self.jobs[identity] = JobView(identity, order(found.group(1)), "", 0)
        return self._done(JobResult(job_type, identity))

    def list_jobs(self) -> tuple[str, ...]:
        self._check()
        return tuple(self.jobs)

    def query_job(self, job_id: str) -> Future[JobView]:
        return self._with_job(job_id, lambda: self.jobs[job_id])

    def cancel_job(self, job_id: str) -> Future[None]:
        return self._with_job(job_id, lambda: self.cancelled.append(job_id))

    def pause_job(self, job_id: str) -> Future[None]:
        return self._with_job(job_id, lambda: self.paused.append(job_id))

    def resume_job(self, job_id: str) -> Future[None]:
        return self._with_job(job_id, lambda: self.paused.remove(job_id))

    # --- sessions

    def list_sessions(self) -> tuple[str, ...]:
        self._check()
        return tuple(each.id for each in self.sessions if each.status == "running")

    def query_session(self, session_id: str) -> Future[SessionRecord]:
        return self._with_session(session_id, lambda: self._session(session_id))

    def cancel_session(self, session_id: str) -> Future[None]:
        return self._with_session(session_id, lambda: self.cancelled.append(session_id))

    def pause_session(self, session_id: str) -> Future[None]:
        return self._with_session(session_id, lambda: self.paused.append(session_id))

    def resume_session(self, session_id: str) -> Future[None]:
        return self._with_session(session_id, lambda: self.paused.remove(session_id))

    def change_rate(self, session_id: str, change: RateChange) -> Future[None]:
        if change.policy not in {None, "fixed", "high", "fair", "low"}:
            return _failed(errors.InvalidValue(f"unknown policy {change.policy!r}"))
        return self._with_session(session_id, lambda: self._change(session_id, change))

    def _change(self, session_id: str, change: RateChange) -> None:
        self.changes.append((session_id, change))
        record = self._session(session_id)
        record.target_rate = record.target_rate if change.target_rate is None else change.target_rate
        record.touched(record.change + 1)

    # --- subscriptions

    def subscribe(
        self,
        kind: str,
        subject: str,
        observer: Endpoint,
        subscription_observer: Endpoint | None,
        topics: tuple[str, ...],
        duration: int,
    ) -> Future[Subscription]:
        if not observer.address.startswith("http"):
            return _failed(errors.InvalidValue("the observer's address must be http or https"))
        known = self.jobs if kind == "job" else {each.id: each for each in self.sessions}
        if subject != ALL and subject not in known:
            return _failed(errors.JobNotFound(subject) if kind == "job" else errors.SessionNotFound(subject))
        identity = f"{kind}-subscription-{len(self.subscriptions) + 1}"
        expires = NOW + duration
        made = Subscription(identity, kind, subject, observer, subscription_observer, topics, expires)
        self.subscriptions[identity] = made
        return self._done(made)

    def update_subscription(
        self, kind: str, subscription_id: str, topics: tuple[str, ...], duration: int
    ) -> Future[Subscription]:
        found = self.subscriptions.get(subscription_id)
        if found is None or found.kind != kind:
            return _failed(errors.SubscriptionNotFound(subscription_id))
        self.subscriptions[subscription_id] = replace(
            found, topics=(*found.topics, *topics), expires=NOW + duration
        )
        return self._done(self.subscriptions[subscription_id])

    def unsubscribe(self, kind: str, subscription_id: str, topics: tuple[str, ...]) -> Future[Subscription]:
        found = self.subscriptions.get(subscription_id)
        if found is None or found.kind != kind:
            return _failed(errors.SubscriptionNotFound(subscription_id))
        left = tuple(topic for topic in found.topics if topic not in topics) if topics else ()
        changed = replace(found, topics=left, expires=found.expires if left else NOW)
        self.subscriptions[subscription_id] = changed
        if not left:
            del self.subscriptions[subscription_id]
        return self._done(changed)

    def time_remaining(self, subscription: Subscription) -> int:
        return max(0, int(subscription.expires - NOW))

    # --- dead letters

    def list_dead_letters(
        self, observer: str | None, after: int | None, limit: int | None
    ) -> Future[DeadLetters]:
        self._check()
        found = [each for each in self._chosen(observer, ()) if each.id > (after or 0)]
        shown = found[: limit or len(found)]
        return self._done(DeadLetters(tuple(shown), len(found) - len(shown)))

    def replay_dead_letters(self, observer: str | None, ids: tuple[int, ...]) -> Future[int]:
        return self.drop_dead_letters(observer, ids)

    def drop_dead_letters(self, observer: str | None, ids: tuple[int, ...]) -> Future[int]:
        self._check()
        gone = self._chosen(observer, ids)
        self.dead_letters = [each for each in self.dead_letters if each not in gone]
        return self._done(len(gone))

    def _chosen(self, observer: str | None, ids: tuple[int, ...]) -> list[DeadLetter]:
        return [
            each
            for each in self.dead_letters
            if observer in (None, each.observer) and (not ids or each.id in ids)
        ]

    # --- queries

    def version(self) -> int:
        """Tests change what is here directly: no two questions are about the same."""
        self.asked += 1
        return self.asked

    def query_sessions(self, wanted: SessionFilter) -> Future[Page[SessionRecord]]:
        self._check()
        self.filters.append(wanted)
        if wanted.iteration_token == "other filter":
            return _failed(errors.FilterChanged())
        found = [each for each in self.sessions if _matches(each, wanted)]
        limit = min(wanted.max_results or DEFAULT_RESULTS, MAX_RESULTS)
        return self._done(Page(tuple(found[:limit]), max(0, len(found) - limit), "position-1"))

    def query_files(self, wanted: FileTransferFilter) -> Future[Page[FileRecord]]:
        self._check()
        self.filters.append(wanted)
        if wanted.iteration_token == "other filter":
            return _failed(errors.FilterChanged())
        found = [
            each
            for each in self.files
            if (not wanted.filepath or each.path in wanted.filepath)
            and (not wanted.transfer_status or each.status in wanted.transfer_status)
        ]
        limit = min(wanted.max_results or DEFAULT_RESULTS, MAX_RESULTS)
        return self._done(Page(tuple(found[:limit]), max(0, len(found) - limit), "position-2"))

    def query_info(self, wanted: FileTransferFilter) -> Future[InfoPage]:
        sessions = self.query_sessions(wanted)
        if sessions.exception() is not None:
            return sessions  # type: ignore[return-value]
        page, files = sessions.result(), self.query_files(wanted).result()
        return self._done(InfoPage(page.items, files.items, page.remaining + files.remaining, "position-3"))

    def query_sessions_in_validation(
        self, validator: str, wanted: SessionFilter
    ) -> Future[Page[SessionRecord]]:
        return self.query_sessions(wanted)

    def claim_files(self, validator: str, wanted: FileTransferFilter) -> Future[Page[FileRecord]]:
        """What is to be validated is the validator's."""
        page = self.query_files(replace(wanted, transfer_status=("to_be_validated",)))
        if page.exception() is None:
            for file in page.result().items:
                file.status = "validating"
                file.touched(file.change + 1)
                self.claimed[file.session_id, file.id] = validator
        return page

    def claim_info(self, validator: str, wanted: FileTransferFilter) -> Future[InfoPage]:
        page = self.claim_files(validator, wanted).result()
        owners = {file.session_id for file in page.items}
        sessions = tuple(each for each in self.sessions if each.id in owners)
        return self._done(InfoPage(sessions, page.items, page.remaining, "position-4"))

    def report_validation(self, validator: str, reports: Sequence[Report]) -> Future[tuple[Refusal, ...]]:
        self._check()
        self.reports += [(validator, report) for report in reports]
        refusals = []
        for each in reports:
            place = (each.session_id, each.file_id)
            found = next((file for file in self.files if (file.session_id, file.id) == place), None)
            standing = Standing(found.status, self.claimed.get(place)) if found else None
            reason = refusal(standing, validator, each.status)
            if reason is not None:
                refusals.append(Refusal(*place, reason))
            elif found is not None:
                found.status = each.status
        return self._done(tuple(refusals))

    # --- helpers

    def _check(self) -> None:
        if self.trouble is not None:
            raise self.trouble

    def _done(self, value: Any) -> Future[Any]:
        if self.pending is not None:
            return self.pending
        done: Future[Any] = Future()
        done.set_result(value)
        return done

    def _session(self, session_id: str) -> SessionRecord:
        return next(each for each in self.sessions if each.id == session_id)

    def _with_job(self, job_id: str, act: Any) -> Future[Any]:
        self._check()
        return self._done(act()) if job_id in self.jobs else _failed(errors.JobNotFound(job_id))

    def _with_session(self, session_id: str, act: Any) -> Future[Any]:
        self._check()
        known = {each.id for each in self.sessions}
        return self._done(act()) if session_id in known else _failed(errors.SessionNotFound(session_id))


def _failed(error: Exception) -> Future[Any]:
    failed: Future[Any] = Future()
    failed.set_exception(error)
    return failed


def _matches(record: SessionRecord, wanted: SessionFilter) -> bool:
    criteria = (
        (wanted.session_uuid, record.id),
        (wanted.session_status, record.status),
        (wanted.job_id, record.job_id),
        (wanted.cookie, record.cookie),
    )
    return all(not accepted or value in accepted for accepted, value in criteria)
