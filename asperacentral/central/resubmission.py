"""An order that names a job: what it may change of that job, and what it may not.

Rules without I/O. The order replaces the job's own: rates and policy steer the running session, all else is for the
next one. What the job moves, and whence and whither, must stay, since half of it may be there already.
"""

from __future__ import annotations

from collections.abc import Callable

from asperacentral.central.errors import JobFormatInvalid, JobSubmissionError
from asperacentral.central.job import Job
from asperacentral.central.order import Order

Part = Callable[[Order], object]

_FIXED: tuple[tuple[str, Part], ...] = (
    ("Operation", lambda order: order.operation),
    ("RemoteLocation/System/Address", lambda order: order.remote.system.address),
    ("RemoteLocation/System/Port", lambda order: order.remote.system.port),
    ("RemoteLocation/System/UserName", lambda order: order.remote.system.user_name),
    ("RemoteLocation/Files/Path", lambda order: order.remote.paths),
    ("RemoteLocation/Files/RootPath", lambda order: order.remote.root_path),
    ("LocalLocation/System/UserName", lambda order: order.local.user_name),
    ("LocalLocation/Files/Path", lambda order: order.local.paths),
    ("LocalLocation/Files/RootPath", lambda order: order.local.root_path),
)
"""Elements that say what is moved, and between which places."""

_LOCKABLE: tuple[tuple[str, Part, Part], ...] = (
    ("RateParameters/Policy", lambda order: order.rate.lock_policy, lambda order: order.rate.policy),
    (
        "RateParameters/TargetRate",
        lambda order: order.rate.lock_target_rate,
        lambda order: (order.rate.target_rate, order.rate.target_rate_as_percent),
    ),
    (
        "RateParameters/MinimumRate",
        lambda order: order.rate.lock_minimum_rate,
        lambda order: (order.rate.minimum_rate, order.rate.minimum_rate_as_percent),
    ),
)


def check(job: Job, order: Order) -> None:
    """JobFormatInvalid if `order` would change what must stay, or what the job's order has locked.

    JobSubmissionError if the job can no longer be changed.
    """
    if job.over or job.cancelled:
        raise ended(job.id)
    for element, part in _FIXED:
        if part(order) != part(job.order):
            raise JobFormatInvalid(f"{element}: differs from that of job {job.id}, which cannot be changed")
    for element, locked, part in _LOCKABLE:
        if locked(job.order) and part(order) != part(job.order):
            raise JobFormatInvalid(f"{element}: is locked by the order of job {job.id}")


def ended(job_id: str) -> JobSubmissionError:
    """The job is over, so an order can change nothing about it."""
    return JobSubmissionError(f"JobId: job {job_id} has ended; submit the order without a JobId")


def unknown(job_id: str) -> JobSubmissionError:
    """There is no such job."""
    return JobSubmissionError(f"JobId: there is no job {job_id[:64]!r}")
