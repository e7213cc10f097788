"""The narrow interfaces through which the rules reach the outside: clock, transfers, store and notifications.

The daemon gives the real ones, tests may give any honest implementation. All callbacks come in one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from asperacentral.central.job import Job
from asperacentral.central.model import DeadLetters, Event, FileRecord, SessionRecord, Subscription
from asperacentral.central.query import FileTransferFilter, SessionFilter
from asperacentral.central.validation import Refusal, Report
from asperacentral.fasp.order import JobOrder

Item = TypeVar("Item")


class DelayedCall(Protocol):
    """A call that is to come."""

    def cancel(self) -> object:
        """Take it back."""

    def active(self) -> bool:
        """Whether it is still to come."""


class Clock(Protocol):
    """Time: what Twisted's reactor and its test clock offer."""

    def seconds(self) -> float:
        """Seconds since the epoch."""

    def callLater(self, delay: float, function: Callable[..., Any], *args: Any) -> DelayedCall:  # noqa: N802
        """Call `function` in `delay` seconds."""


class Transfers(Protocol):
    """What the rules ask of the FASP Manager."""

    def launch_job(self, order: JobOrder) -> None:
        """Start a session's process. Raises an exception with one readable line if it cannot."""

    def adopt_job(self, user_str: str, pid: int | None, patience: float) -> None:
        """Expect a process that an earlier daemon started to dial again within `patience` seconds."""

    def control_job(
        self,
        user_str: str,
        *,
        target_rate: int | None = None,
        minimum_rate: int | None = None,
        policy: str | None = None,
    ) -> bool:
        """Change rates (Kbps) or policy of a running session; False if there is none."""

    def cancel_job(self, user_str: str) -> bool:
        """End a running session; False if there is none."""


RawOptionRule = Callable[[JobOrder], str | None]
"""Why the raw options of an order cannot be taken, in one line; None when they can."""


@dataclass(frozen=True, slots=True)
class Write:
    """One thing to be written. `jobs`, `sessions` and `files` replace what is there; `events` go to the outbox of
    the subscriptions named with them; `subscriptions` replace, `ended_subscriptions` remove. What is `expendable`
    may be dropped when too much waits: its future has then failed when the call returns."""

    jobs: tuple[Job, ...] = ()
    sessions: tuple[SessionRecord, ...] = ()
    files: tuple[FileRecord, ...] = ()
    events: tuple[tuple[Event, tuple[Subscription, ...]], ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
    ended_subscriptions: tuple[str, ...] = ()
    expendable: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """A validator's word on files: who says it, until when its claim holds (seconds since the epoch), and the first
    of the places in the stream of changes that were reserved for the files."""

    validator: str
    due: float
    first_change: int


@dataclass(frozen=True, slots=True)
class Found(Generic[Item]):
    """Items in the order of their change. `more` is how many are known to follow: at least one if any do, all of
    them if few do. `reached` is the place in the stream of changes up to which nothing is missing."""

    items: Sequence[Item]
    more: int
    reached: int


class Store(Protocol):
    """What the rules ask of the store. Futures are completed in the caller's thread, in the order of the calls."""

    def write(self, write: Write, *, durable: bool, give_up: bool) -> Future[None]:
        """Write all of it in one transaction, after everything written before.

        The values are copied before the call returns. `durable`: on disk (fsync) when the future completes. A
        write that fails is tried again until it succeeds, unless `give_up`: then the future fails with
        `errors.Unavailable` at once and nothing of it is written.
        """

    def barrier(self) -> Future[None]:
        """Completes when everything written before is visible to readers."""

    def open_jobs(self) -> Sequence[Job]:
        """Jobs that have not ended, with their secrets, oldest first. Waits; for the start only."""

    def recent_sessions(self, limit: int) -> tuple[Sequence[SessionRecord], int]:
        """The sessions changed last, at most `limit`, and the `change` of the next older one (0 if none). Waits."""

    def subscriptions(self) -> Sequence[Subscription]:
        """All subscriptions. Waits; for the start only."""

    def high_marks(self) -> tuple[int, int]:
        """The highest `change` and `local_id` ever written. Waits; for the start only."""

    def job(self, job_id: str) -> Future[Job | None]:
        """One job, ended or not, without secrets."""

    def session(self, session_id: str) -> Future[SessionRecord | None]:
        """One session."""

    def sessions(
        self, wanted: SessionFilter, after: int, upto: int, limit: int, without: Sequence[str]
    ) -> Future[Found[SessionRecord]]:
        """Matching sessions with after < change <= upto, at most `limit`. Those `without` are left out."""

    def files(
        self, wanted: FileTransferFilter, after: int, upto: int, limit: int
    ) -> Future[Found[FileRecord]]:
        """Matching file transfers with after < change <= upto, at most `limit`.

        What regular expressions are tried on has a bound: then `more` is 1 and `reached` tells how far they came.
        """

    def claim_files(
        self, wanted: FileTransferFilter, after: int, limit: int, claim: Claim
    ) -> Future[Found[FileRecord]]:
        """Give matching files that are to be validated, with after < change, to a validator: at most `limit` of
        them; `reached` is the place up to which none is left. On disk when done; fails with `errors.Unavailable`."""

    def report_files(self, reports: Sequence[Report], claim: Claim) -> Future[Sequence[Refusal]]:
        """Take a validator's reports, as far as `validation.refusal` lets them; what is still being validated is
        claimed anew. On disk when done; fails with `errors.Unavailable`."""

    def release_files(self, now: float, limit: int, first_change: int) -> Future[tuple[int, float | None]]:
        """End claims that were due, `limit` at most; gives how many, and when the next one is due (None: never)."""

    def sessions_in_validation(self, validator: str) -> Future[Sequence[str]]:
        """Sessions with files that are to be validated, or are claimed by this validator."""

    def purge(self, before: float) -> Future[int]:
        """Forget sessions, their files and jobs that ended before `before`, and dead letters made before; gives how
        many sessions went."""

    def dead_letters(self, observer: str | None, after: int, limit: int) -> Future[DeadLetters]:
        """Notifications that were given up, with an id above `after`, for one observer's address or for all."""

    def replay_dead_letters(self, observer: str | None, ids: Sequence[int], now: float) -> Future[int]:
        """Let dead letters wait to be told again, as made at `now`: those with these ids, of this observer; what
        is not given does not restrict. Gives how many there were."""

    def drop_dead_letters(self, observer: str | None, ids: Sequence[int]) -> Future[int]:
        """Forget dead letters, chosen as in `replay_dead_letters`. Gives how many there were."""


class Notifications(Protocol):
    """What the rules ask of the observers' room."""

    def wake(self) -> None:
        """New deliveries are in the outbox."""

    def statistics(self, event: Event, subscription: Subscription) -> None:
        """Tell an observer the newest statistics; not durable, the newest value wins."""

    def subscription_address_allowed(self, address: str) -> str | None:
        """Why this address must not be notified, or None if it may."""
