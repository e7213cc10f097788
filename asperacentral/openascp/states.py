"""The states of a transfer session, as a table, and what may be said in each.

Pure. The session's life: it connects, scans, transfers, and ends once and for all as done or failed.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a session is in its life."""

    CONNECTING = "connecting"
    SCANNING = "scanning"
    TRANSFERRING = "transferring"
    DONE = "done"
    FAILED = "failed"


class Step(StrEnum):
    """What happens to a session."""

    CONNECTED = "connected"
    PLANNED = "planned"
    COMPLETED = "completed"
    BROKEN = "broken"
    CANCELLED = "cancelled"


TRANSITIONS: dict[tuple[State, Step], State] = {
    (State.CONNECTING, Step.CONNECTED): State.SCANNING,
    (State.SCANNING, Step.PLANNED): State.TRANSFERRING,
    (State.TRANSFERRING, Step.COMPLETED): State.DONE,
    (State.CONNECTING, Step.BROKEN): State.FAILED,
    (State.SCANNING, Step.BROKEN): State.FAILED,
    (State.TRANSFERRING, Step.BROKEN): State.FAILED,
    (State.CONNECTING, Step.CANCELLED): State.FAILED,
    (State.SCANNING, Step.CANCELLED): State.FAILED,
    (State.TRANSFERRING, Step.CANCELLED): State.FAILED,
}

ENDED = frozenset({State.DONE, State.FAILED})
ANNOUNCED = frozenset({State.SCANNING, State.TRANSFERRING})
"""SESSION has been said and the end has not: STATS are due."""


def after(state: State, step: Step) -> State:
    """The state that follows. ValueError when `step` cannot happen in `state`."""
    try:
        return TRANSITIONS[state, step]
    except KeyError:
        raise ValueError(f"a {state} session cannot be {step}") from None
