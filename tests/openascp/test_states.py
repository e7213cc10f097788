"""The session's table of states."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.openascp.states import ANNOUNCED, ENDED, TRANSITIONS, State, Step, after


def test_a_good_session_connects_scans_transfers_and_is_done() -> None:
    state = State.CONNECTING
    for step in (Step.CONNECTED, Step.PLANNED, Step.COMPLETED):
        state = after(state, step)
    assert state is State.DONE


@pytest.mark.parametrize("state", sorted(set(State) - ENDED))
@pytest.mark.parametrize("step", [Step.BROKEN, Step.CANCELLED])
def test_every_living_session_can_break_and_be_cancelled(state: State, step: Step) -> None:
    assert after(state, step) is State.FAILED


@given(st.lists(st.sampled_from(Step)))
def test_an_end_is_final_and_every_step_is_in_the_table_or_refused(steps: list[Step]) -> None:
    state = State.CONNECTING
    for step in steps:
        if (state, step) in TRANSITIONS:
            assert state not in ENDED
            state = after(state, step)
        else:
            with pytest.raises(ValueError, match="cannot be"):
                after(state, step)


def test_statistics_are_due_between_session_and_the_end() -> None:
    assert set(State) - ENDED - {State.CONNECTING} == ANNOUNCED
