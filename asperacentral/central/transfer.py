"""A file transfer's states as a table (contract §7.5, §9.1), with those of out-of-transfer validation.

A file of a session that asks for it is not complete when its bytes are there: it waits for a validator, another
program, which claims it and tells what it found (contract §15).
"""

from __future__ import annotations

STOP = "the file is whole"
STOP_UNVALIDATED = "the file is whole and is to be validated"
FAIL = "the file failed"
CLAIM = "a validator claimed it"
PROGRESS = "its validator is at work"
RELEASE = "its validator was silent for too long"
ACCEPT = "its validator found it good"
REJECT = "its validator found it bad"

TO_BE_VALIDATED = "to_be_validated"
VALIDATING = "validating"

TABLE: dict[tuple[str, str], str] = {
    ("running", STOP): "completed",
    ("running", STOP_UNVALIDATED): TO_BE_VALIDATED,
    ("running", FAIL): "error",
    (TO_BE_VALIDATED, CLAIM): VALIDATING,
    (VALIDATING, PROGRESS): VALIDATING,
    (VALIDATING, RELEASE): TO_BE_VALIDATED,
    (VALIDATING, ACCEPT): "completed",
    (VALIDATING, REJECT): "error",
}

STATES = frozenset({state for state, _ in TABLE} | set(TABLE.values()))
