"""Rates of sessions under way: pauses, bandwidth caps, and what another order of the job says (contract §3.3).

The record follows when the process answers; what the process does not know of (the cap, the rate from before a pause)
is kept in the record here.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

from asperacentral.central import launch
from asperacentral.central.job import Job
from asperacentral.central.model import SessionRecord
from asperacentral.central.ports import Transfers

Write = Callable[[SessionRecord], Future[None]]
Note = Callable[[SessionRecord], None]


class Steering:
    """Gives commands to sessions. `write` puts a record on disk; `note` marks it as changed, to be written later."""

    def __init__(self, transfers: Transfers, write: Write, note: Note) -> None:
        self._transfers = transfers
        self._write = write
        self._note = note

    def pause(self, record: SessionRecord) -> Future[None]:
        """Target rate to 0, remembering the former."""
        if record.target_rate > 0:
            record.resume_rate = record.target_rate
        self._transfers.control_job(record.id, target_rate=0)
        return self._write(record)

    def resume(self, record: SessionRecord, job: Job | None) -> Future[None]:
        """The target rate from before the pause, or else the order's."""
        rate = record.resume_rate or (launch.target_rate(job.order) if job else record.target_rate)
        if record.resume_rate or record.status == "paused":
            record.resume_rate = None
            self._transfers.control_job(record.id, target_rate=rate)
        return self._write(record)

    def cap(self, record: SessionRecord, cap: int) -> None:
        """Set the bandwidth cap (Kbps, 0 = none); the target rate never exceeds it."""
        record.bandwidth_cap = cap if cap < launch.NO_CAP else 0
        self._note(record)
        if record.bandwidth_cap and record.target_rate > record.bandwidth_cap:
            self._transfers.control_job(record.id, target_rate=record.bandwidth_cap)

    def follow(self, record: SessionRecord, job: Job) -> None:
        """Take policy, rates and cap of the job's order; a pause stays one and ends with the new rate."""
        order = job.order
        target: int | None = launch.target_rate(order)
        if job.paused or record.resume_rate is not None:
            record.resume_rate, target = target, None
        record.bandwidth_cap = launch.bandwidth_cap(order)
        self._note(record)
        self._transfers.control_job(
            record.id,
            target_rate=target,
            minimum_rate=launch.minimum_rate(order),
            policy=launch.policy(order),
        )
