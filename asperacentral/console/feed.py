"""What a page that stays open is told: first what there is, page by page, then what changes. Knows no HTTP.

A feed is asked step by step by whoever has room for more. Sessions come from the reliable query, with its own filter
and its own token, so that nothing is missed between two steps; the topics say which sessions to look at because they
may have left the filter.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, Protocol

from asperacentral.central.api import CentralService
from asperacentral.central.futures import attempt, done, then
from asperacentral.central.job import Job
from asperacentral.central.model import SessionRecord
from asperacentral.central.query import Page, SessionFilter
from asperacentral.central.topics import STATISTICS
from asperacentral.rest.answers import session_fragment

PAGE = 200
"""Records of one step."""

SWEEP = 10.0
"""Seconds after which all open jobs are looked at: being held, for one, has no topic."""


@dataclass(frozen=True, slots=True)
class Step:
    """What to send now, and whether there is more at once."""

    events: bytes
    more: bool


class Feed(Protocol):
    """What a page is told, step by step."""

    def step(self) -> Future[Step]:
        """The next step; fails with one of `central.errors`."""

    def close(self) -> None:
        """Nobody asks any more."""


def event(name: str, data: bytes) -> bytes:
    """One server-sent event; `data` is JSON without line breaks."""
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"


class Marks:
    """Ids of jobs or sessions that something happened to, for whoever wants to look; told by the topics."""

    def __init__(self) -> None:
        self._wishes: dict[int, tuple[str, set[str]]] = {}
        self._number = 0

    def open(self, kind: str) -> tuple[int, set[str]]:
        """A set that fills with ids of this kind, and its number for `close`."""
        self._number += 1
        ids: set[str] = set()
        self._wishes[self._number] = (kind, ids)
        return self._number, ids

    def close(self, number: int) -> None:
        """Fill it no more."""
        self._wishes.pop(number, None)

    def happened(self, kind: str, topic: str, subject: str, snapshot: Any) -> None:
        """See `central.watching.Watcher`."""
        if topic == STATISTICS:  # Counters are told by the query; no filter looks at them.
            return
        self.mark(kind, subject)
        if kind == "session" and snapshot.job_id:
            self.mark("job", snapshot.job_id)

    def mark(self, kind: str, subject: str) -> None:
        """Something happened to it that has no topic."""
        for wished, ids in self._wishes.values():
            if wished == kind:
                ids.add(subject)


class SessionFeed:
    """Sessions that a filter finds: events `sessions` (records), `left` (ids not found any more), `whole` (once)."""

    def __init__(self, service: CentralService, wanted: SessionFilter, marks: Marks) -> None:
        self._service = service
        self._wanted = replace(wanted, iteration_token=None, max_results=PAGE)
        self._marks = marks
        self._number, self._marked = marks.open("session")
        self._version: int | None = None
        self._looked_at: set[str] = set()
        self._sent: set[str] = set()
        self._whole = False

    def close(self) -> None:
        """See `Feed`."""
        self._marks.close(self._number)

    def step(self) -> Future[Step]:
        """See `Feed`."""
        version = self._service.version()
        if version == self._version and not self._marked:
            return done(Step(b"", False))
        # Taken before the query: what happens while it is answered is for the next step.
        marked = set(self._marked)
        self._marked.clear()
        self._looked_at |= marked
        self._sent -= marked
        answered = attempt(lambda: self._service.query_sessions(self._wanted))

        def told(page: Page[SessionRecord]) -> Step:
            self._wanted = replace(self._wanted, iteration_token=page.iteration_token)
            if not page.remaining:
                self._version = version
            return Step(b"".join(self._events(page)), bool(page.remaining))

        return then(answered, told)

    def _events(self, page: Page[SessionRecord]) -> Iterator[bytes]:
        if page.items:
            yield event("sessions", b"[" + b",".join(map(session_fragment, page.items)) + b"]")
        self._sent |= {record.id for record in page.items}
        if page.remaining:
            return
        if left := self._looked_at - self._sent:
            yield event("left", json.dumps(sorted(left)).encode())
        self._looked_at.clear()
        self._sent.clear()
        if not self._whole:
            self._whole = True
            yield event("whole", b"{}")


class JobFeed:
    """Open jobs: events `jobs` (what is shown of them), `left` (ids of those that ended), `whole` (once)."""

    def __init__(self, jobs: Mapping[str, Job], marks: Marks, seconds: Callable[[], float]) -> None:
        self._jobs = jobs
        self._marks = marks
        self._seconds = seconds
        self._number, self._marked = marks.open("job")
        self._coming = list(jobs)
        self._coming.reverse()
        self._shown: dict[str, tuple[object, ...]] = {}
        self._swept = seconds()
        self._whole = False

    def close(self) -> None:
        """See `Feed`."""
        self._marks.close(self._number)

    def step(self) -> Future[Step]:
        """See `Feed`."""
        if not self._coming:
            self._take_changed()
        coming, self._coming = self._coming[-PAGE:], self._coming[:-PAGE]
        return done(Step(b"".join(self._events(coming)), bool(self._coming)))

    def _take_changed(self) -> None:
        now = self._seconds()
        if now - self._swept >= SWEEP:
            self._swept = now
            changed = {key for key, job in self._jobs.items() if self._shown.get(key) != _signature(job)}
            self._marked |= changed | (self._shown.keys() - self._jobs.keys())
        self._coming = list(self._marked)
        self._marked.clear()

    def _events(self, ids: list[str]) -> Iterator[bytes]:
        here = [job for job in map(self._jobs.get, ids) if job is not None]
        if here:
            self._shown.update((job.id, _signature(job)) for job in here)
            yield event("jobs", json.dumps([shown_job(job) for job in here]).encode())
        if left := [each for each in ids if each not in self._jobs]:
            for each in left:
                self._shown.pop(each, None)
            yield event("left", json.dumps(left).encode())
        if not self._coming and not self._whole:
            self._whole = True
            yield event("whole", b"{}")


def _signature(job: Job) -> tuple[object, ...]:
    """What of a job is shown and changes."""
    return job.state, job.paused, job.due, job.attempts, job.session_id, id(job.order)


def shown_job(job: Job) -> dict[str, Any]:
    """A job as the page shows it; nothing of it is secret."""
    order = job.order
    return {
        "id": job.id,
        "state": job.state.value,
        "paused": job.paused,
        "operation": order.operation,
        "address": order.remote.system.address,
        "user": order.remote.system.user_name,
        "cookie": order.cookie,
        "created": job.created,
        "due": job.due,
        "attempts": job.attempts,
        "failed_attempts": job.failed_attempts,
        "retries": order.retry.count,
        "session_id": job.session_id,
    }
