"""One job from its launch to its end, over one session or several. Pure: no processes, no clock, no threads.

Theory of operation. A job is launched (`begin` gives the order of its first session), told what its session says
(`hear`) and how it ended (`end`, which says how long to wait before the next `begin`, if there is to be one). Its
control values outlive sessions: a paused job stays paused in its next session. States change by one table.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from enum import StrEnum

from asperacentral.fasp.errors import FaspCode
from asperacentral.fasp.library.events import EventKind, TransferEvent, kind_of
from asperacentral.fasp.library.orders import JobOrder
from asperacentral.fasp.management import Message
from asperacentral.fasp.messages import Rates
from asperacentral.fasp.order import JobOrder as SessionOrder
from asperacentral.fasp.session import SessionEnding
from asperacentral.fasp.statistics import Accumulator, FileState, FileStatistics, SessionStatistics


class JobState(StrEnum):
    """Where a job stands."""

    SUBMITTED = "Submitted"
    RUNNING = "Running"
    WAITING = "Waiting to retry"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELLED = "Cancelled"


class Step(StrEnum):
    """What changes a job's state."""

    BEGIN = "a session is started"
    SUCCEED = "its session ended well"
    FAIL = "its session failed for good"
    POSTPONE = "its session failed and another one will be tried"
    CANCEL = "its user ended it"


S = JobState
AFTER: dict[tuple[JobState, Step], JobState] = {
    (S.SUBMITTED, Step.BEGIN): S.RUNNING,
    (S.SUBMITTED, Step.FAIL): S.FAILED,
    (S.WAITING, Step.BEGIN): S.RUNNING,
    (S.WAITING, Step.CANCEL): S.CANCELLED,
    (S.WAITING, Step.FAIL): S.FAILED,
    (S.RUNNING, Step.SUCCEED): S.COMPLETED,
    (S.RUNNING, Step.FAIL): S.FAILED,
    (S.RUNNING, Step.POSTPONE): S.WAITING,
    (S.RUNNING, Step.CANCEL): S.CANCELLED,
}
"""What is not in it cannot happen."""
ENDED = frozenset({S.COMPLETED, S.FAILED, S.CANCELLED})


@dataclass(frozen=True, slots=True)
class JobResult:
    """How a job ended. `code` is the FASP code of a failure, 0 when there is none or it is not known."""

    job_id: str
    state: JobState
    statistics: SessionStatistics
    attempts: int
    code: int = 0
    description: str = ""
    failed_files: tuple[FileStatistics, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether everything was moved."""
        return self.state is JobState.COMPLETED


class Job:
    """The rules of one job."""

    def __init__(self, order: JobOrder, pairs: str = "") -> None:
        """`pairs` is the file with the order's pairs, if it has any."""
        how = order.parameters
        self.order = order
        self._pairs = pairs
        self.state = JobState.SUBMITTED
        self.attempts = 0
        self.user_str = ""
        self.rates = Rates(how.target_rate, how.minimum_rate, how.policy)
        self.paused = False
        self.result: JobResult | None = None
        self._cancelled = False
        self._sums = Accumulator()
        self._moved_before = 0

    @property
    def id(self) -> str:
        """Its id."""
        return self.order.job_id

    @property
    def statistics(self) -> SessionStatistics:
        """Counters of the whole job: what earlier sessions moved is in `transferred_bytes`."""
        session = self._sums.session
        return replace(session, transferred_bytes=session.transferred_bytes + self._moved_before)

    @property
    def files(self) -> tuple[FileStatistics, ...]:
        """The files of its latest session."""
        return tuple(self._sums.files.values())

    def begin(self) -> SessionOrder:
        """Start another session: its order. It has to be paused when the job is."""
        self._step(Step.BEGIN)
        self.attempts += 1
        self.user_str = self.id if self.attempts == 1 else str(uuid.uuid4())
        self._moved_before += self._sums.session.transferred_bytes
        totals = self._sums.session
        self._sums = Accumulator(
            SessionStatistics(total_bytes=totals.total_bytes, total_files=totals.total_files)
        )
        values = {
            "target_rate": self.rates.target_rate,
            "minimum_rate": self.rates.minimum_rate,
            "policy": self.rates.policy,
        }
        return replace(self.order.session(self.user_str, self._pairs), **values)  # type: ignore[arg-type]

    def hear(self, message: Message) -> TransferEvent | None:
        """Take what its session says; the event it makes, if any."""
        is_new = message.text("File") not in self._sums.files
        file = self._sums.take(message)
        kind = kind_of(message, file_is_new=file is not None and is_new)
        return None if kind is None else TransferEvent(kind, self.id, self.statistics, file, message)

    def steer(
        self, *, target: int | None = None, minimum: int | None = None, policy: str | None = None
    ) -> None:
        """Remember new control values."""
        now = self.rates
        self.rates = Rates(
            now.target_rate if target is None else target,
            now.minimum_rate if minimum is None else minimum,
            policy or now.policy,
        )

    def cancel(self) -> bool:
        """Its user ends it; whether it has a session that must end first."""
        self._cancelled = True
        if self.state is JobState.WAITING:
            self._finish(Step.CANCEL, FaspCode.USER_CANCEL, FaspCode.USER_CANCEL.meaning)
        return self.state not in ENDED

    def end(self, ending: SessionEnding) -> float | None:
        """Its session ended: seconds to wait for the next one, or None when the job is over."""
        session = self._sums.session
        if ending.said_done and ending.exit_status in {0, None} and ending.signal is None:
            cut_short = self._cancelled and self.order.parameters.persistent
            self._finish(Step.CANCEL if cut_short else Step.SUCCEED)
            return None
        code, why = session.error_code, session.error_description
        if not ending.said_error:
            code, why = 0, _unsaid(ending)
        if self._cancelled:
            self._finish(Step.CANCEL, code, why)
            return None
        wait = None
        if not self.order.parameters.persistent:  # what it was still to move is known to its session alone
            wait = self.order.retry.wait(self.attempts, code if ending.said_error else None, why)
        if wait is None:
            self._finish(Step.FAIL, code, why)
        else:
            self._step(Step.POSTPONE)
        return wait

    def refuse(self, why: str) -> None:
        """No session could be started."""
        self._finish(Step.FAIL, 0, why)

    def unsaid_error(self) -> TransferEvent:
        """The event for a session that ended without saying how."""
        return TransferEvent(EventKind.SESSION_ERROR, self.id, self.statistics)

    def _finish(self, step: Step, code: int = 0, why: str = "") -> None:
        self._step(step)
        failed = tuple(file for file in self.files if file.state is FileState.FAILED)
        self.result = JobResult(self.id, self.state, self.statistics, self.attempts, code, why, failed)

    def _step(self, step: Step) -> None:
        self.state = AFTER[self.state, step]


def _unsaid(ending: SessionEnding) -> str:
    if ending.never_connected:
        return "the transfer process never connected"
    if ending.signal is not None:
        return f"the transfer process was ended by signal {ending.signal}"
    return f"the transfer process ended with status {ending.exit_status} without saying why"
