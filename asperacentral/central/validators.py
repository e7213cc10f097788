"""The validators: programs that claim files to be validated and report on them (contract §15).

A claim holds for `timeout` seconds after the validator's last word; then the file is free for another. Claims and
reports are decided by the store, in the order in which they come, and are on disk before they are answered.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Future

from asperacentral.central.errors import InvalidValue
from asperacentral.central.futures import then
from asperacentral.central.model import FileRecord
from asperacentral.central.ports import Claim, Clock, DelayedCall, Found, Store
from asperacentral.central.query import FileTransferFilter, limit_of
from asperacentral.central.stamps import Stamps
from asperacentral.central.validation import MAX_REPORTS, Refusal, Report

log = logging.getLogger(__name__)

MAX_NAME = 256
"""Characters in a validator's id."""

RELEASE_CHUNK = 1000
"""Files set free in one write."""

TRY_AGAIN = 5.0
"""Seconds until a look for silent validators that failed is repeated."""

NEVER = float("inf")


class Validators:
    """Claims, reports, and the end of claims. `timeout` is in seconds, 0 means never; it may be changed any time."""

    def __init__(self, clock: Clock, store: Store, stamps: Stamps, timeout: float) -> None:
        self._clock = clock
        self._store = store
        self._stamps = stamps
        self.timeout = timeout
        self._timer: DelayedCall | None = None
        self._looks_at = NEVER
        self._stopped = False

    def start(self) -> None:
        """Set free what was claimed and fell silent before, and go on watching."""
        self._look()

    def stop(self) -> None:
        """Watch no more; claims stay as they are."""
        self._stopped = True
        self._cancel()

    def claim(self, validator: str, wanted: FileTransferFilter, after: int) -> Future[Found[FileRecord]]:
        """Give the validator files that are to be validated, match, and changed after `after`: as many as the filter
        allows. Raises InvalidValue."""
        limit = limit_of(wanted)
        claim = Claim(_checked(validator), self._due(), self._stamps.reserve(limit))
        claimed = self._store.claim_files(wanted, after, limit, claim)

        def watched(found: Found[FileRecord]) -> Found[FileRecord]:
            if found.items:
                log.info("validator %s has claimed %d files", validator, len(found.items))
                self._look_at(claim.due)
            return found

        return then(claimed, watched)

    def report(self, validator: str, reports: Sequence[Report]) -> Future[tuple[Refusal, ...]]:
        """Take what a validator says of files; gives what was not taken. Raises InvalidValue."""
        _checked(validator)
        if len(reports) > MAX_REPORTS:
            raise InvalidValue(f"files: {len(reports)} of them, {MAX_REPORTS} at most")
        for report in reports:
            if report.bytes_processed is not None:
                log.debug(
                    "validator %s: %d bytes of file %s", validator, report.bytes_processed, report.file_id
                )
        claim = Claim(validator, self._due(), self._stamps.reserve(len(reports)))

        def taken(refusals: Sequence[Refusal]) -> tuple[Refusal, ...]:
            log.info("validator %s: %d reports, %d not taken", validator, len(reports), len(refusals))
            return tuple(refusals)

        return then(self._store.report_files(reports, claim), taken)

    def _due(self) -> float:
        return self._clock.seconds() + self.timeout if self.timeout else NEVER

    def _look_at(self, moment: float) -> None:
        if moment >= self._looks_at or self._stopped:
            return
        self._cancel()
        self._looks_at = moment
        self._timer = self._clock.callLater(max(0.0, moment - self._clock.seconds()), self._look)

    def _cancel(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        self._looks_at = NEVER

    def _look(self) -> None:
        """Set free what silent validators hold, and look again when the next claim ends."""
        self._cancel()
        now = self._clock.seconds()
        first_change = self._stamps.reserve(RELEASE_CHUNK)

        def released(found: Future[tuple[int, float | None]]) -> None:
            if found.exception() is not None:
                self._look_at(self._clock.seconds() + TRY_AGAIN)
                return
            count, due = found.result()
            if count:
                log.warning("%d files are free again: their validators were silent", count)
            if due is not None:
                self._look_at(due)

        self._store.release_files(now, RELEASE_CHUNK, first_change).add_done_callback(released)


def _checked(validator: str) -> str:
    if not validator or len(validator) > MAX_NAME:
        raise InvalidValue(f"validator_id: must have 1 to {MAX_NAME} characters")
    return validator
