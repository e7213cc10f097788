"""A file transfer's states as a table (contract §7.5, §9.1)."""

from __future__ import annotations

STOP = "the file is whole"
FAIL = "the file failed"

TABLE: dict[tuple[str, str], str] = {
    ("running", STOP): "completed",
    ("running", FAIL): "error",
}

STATES = frozenset({state for state, _ in TABLE} | set(TABLE.values()))
