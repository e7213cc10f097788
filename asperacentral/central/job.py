"""A job: what the user asked for, as states in a table (contract §9.1).

Job states are not on the wire: clients see them through topics, ListJobs and the latest session. The table says
for each state and happening which state follows and which topic is announced; anything else is a mistake of ours
(`LocalError`). Nothing here waits or writes: `service` does, driven by this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from asperacentral.central.model import JobView
from asperacentral.central.order import Order


class JobState(StrEnum):
    """Where a job stands. The last three are final."""

    WAITING = "waiting"
    CONNECTING = "connecting"
    RUNNING = "running"
    RETRYING = "retrying"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Happening(StrEnum):
    """What can happen to a job."""

    LAUNCH = "a session is launched"
    START = "the session has started"
    COMPLETE = "the session completed"
    FAIL = "the session failed for good"
    RETRY = "the session failed and another follows"
    ORPHAN = "the session was lost with its process while nobody watched"
    CANCEL = "the user cancelled"


J, H = JobState, Happening

TABLE: dict[tuple[JobState, Happening], tuple[JobState, str | None]] = {
    (J.WAITING, H.LAUNCH): (J.CONNECTING, "Connecting"),
    (J.WAITING, H.CANCEL): (J.CANCELLED, "Cancelled"),
    (J.CONNECTING, H.START): (J.RUNNING, "Started"),
    (J.CONNECTING, H.COMPLETE): (J.COMPLETED, "Completed"),
    (J.CONNECTING, H.FAIL): (J.FAILED, "Failed"),
    (J.CONNECTING, H.RETRY): (J.RETRYING, "Retrying"),
    (J.CONNECTING, H.ORPHAN): (J.WAITING, "Waiting"),
    (J.CONNECTING, H.CANCEL): (J.CANCELLED, "Cancelled"),
    (J.RUNNING, H.START): (J.RUNNING, None),
    (J.RUNNING, H.COMPLETE): (J.COMPLETED, "Completed"),
    (J.RUNNING, H.FAIL): (J.FAILED, "Failed"),
    (J.RUNNING, H.RETRY): (J.RETRYING, "Retrying"),
    (J.RUNNING, H.ORPHAN): (J.WAITING, "Waiting"),
    (J.RUNNING, H.CANCEL): (J.CANCELLED, "Cancelled"),
    (J.RETRYING, H.LAUNCH): (J.CONNECTING, "Connecting"),
    (J.RETRYING, H.CANCEL): (J.CANCELLED, "Cancelled"),
}

FINAL = frozenset({J.COMPLETED, J.FAILED, J.CANCELLED})
IDLE = frozenset({J.WAITING, J.RETRYING})
"""States in which the job has no session under way and waits for the next."""


class LocalError(RuntimeError):
    """The service let something happen to a job that cannot happen in its state."""


@dataclass(slots=True)
class Job:
    """A job as the service holds it. `due` is when the next session may start (seconds since the epoch).

    `order` carries its secrets only in memory; what is stored and shown never does.
    """

    id: str
    order: Order
    created: float
    state: JobState = JobState.WAITING
    due: float = 0.0
    failed_attempts: int = 0
    attempts: int = 0
    session_id: str = ""
    paused: bool = False
    cancelled: bool = False
    ended: float | None = None

    def happen(self, happening: Happening) -> str | None:
        """Move to the state the table gives; returns the topic to announce, if any. Raises LocalError."""
        try:
            self.state, topic = TABLE[self.state, happening]
        except KeyError:
            raise LocalError(f"job {self.id} is {self.state}: {happening} cannot happen") from None
        return topic

    @property
    def over(self) -> bool:
        """Whether the job has ended."""
        return self.state in FINAL

    def view(self) -> JobView:
        """The job as QueryJob and notifications show it."""
        return JobView(self.id, self.order.without_secrets(), self.session_id, min(self.failed_attempts, 255))
