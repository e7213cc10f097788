"""Out-of-transfer validation: what validators say of files, and what of it holds (contract §15). Pure values and
one decision; `validators` asks and `store` keeps.
"""

from __future__ import annotations

from dataclasses import dataclass

from asperacentral.central import transfer

MAX_REPORTS = 1000
"""Files in one report: as many as one claim can give."""

REPORTED = {
    "completed": transfer.ACCEPT,
    "error": transfer.REJECT,
    transfer.VALIDATING: transfer.PROGRESS,
}
"""The states a validator may report, and what they mean for the file."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a validator says of one file. `status` is one of `REPORTED`; code and description are those of an error.

    `bytes_processed` tells how far a validator is; it is written to the log.
    """

    session_id: str
    file_id: str
    status: str
    error_code: int = 0
    error_description: str = ""
    bytes_processed: int | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A report that was not taken, and why, in words fit to be shown."""

    session_id: str
    file_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How a file stands: its state, and who has claimed or has validated it (None: nobody)."""

    status: str
    validator: str | None


def refusal(standing: Standing | None, validator: str, status: str) -> str | None:
    """Why `validator` cannot report `status` of a file that stands so (None: there is no such file).

    None if it can. What was reported and taken may be said again: an answer can get lost.
    """
    if standing is None:
        return "no such file"
    if standing.validator != validator:
        return f"is {standing.status} and not claimed by this validator"
    if not changes(standing, status) and standing.status != status:
        return f"is {standing.status} already"
    return None


def changes(standing: Standing, status: str) -> bool:
    """Whether the report moves the file on, rather than being said again."""
    return (standing.status, REPORTED[status]) in transfer.TABLE
