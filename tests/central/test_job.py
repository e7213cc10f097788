"""A job's and a session's states: the tables, to exhaustion."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.central import transfer
from asperacentral.central.job import FINAL, IDLE, TABLE, Happening, Job, JobState, LocalError
from asperacentral.central.order import Order
from asperacentral.central.retry import next_attempt, wait_before
from asperacentral.central.session import STATES, UNDER_WAY, SessionEvent
from asperacentral.central.session import TABLE as SESSION_TABLE
from asperacentral.central.topics import JOB_TOPICS, SESSION_TOPICS, canonical, wants


def job() -> Job:
    return Job("j", Order("Push"), 0.0)


def test_nothing_happens_to_a_job_that_has_ended() -> None:
    assert not any(state in FINAL for state, _ in TABLE)


def test_every_job_that_is_open_can_be_cancelled_and_says_so() -> None:
    for state in set(JobState) - FINAL:
        assert TABLE[state, Happening.CANCEL] == (JobState.CANCELLED, "Cancelled")


def test_only_an_idle_job_is_launched() -> None:
    assert {state for state, what in TABLE if what is Happening.LAUNCH} == IDLE


def test_every_announced_topic_is_a_documented_one() -> None:
    assert {topic for _, topic in TABLE.values() if topic} == set(JOB_TOPICS)


def test_every_state_can_be_reached() -> None:
    assert {state for state, _ in TABLE.values()} == set(JobState)


def test_what_cannot_happen_is_our_own_mistake() -> None:
    with pytest.raises(LocalError, match="waiting"):
        job().happen(Happening.COMPLETE)


@given(st.lists(st.sampled_from(list(Happening)), max_size=30))
def test_a_job_ends_once_and_for_all(happenings: list[Happening]) -> None:
    it = job()
    for happening in happenings:
        over = it.over
        try:
            it.happen(happening)
        except LocalError:
            continue
        assert not over


def test_sessions_have_the_states_of_the_wire() -> None:
    assert {"running", "paused", "completed", "cancelled", "error", "willretry", "orphaned"} == STATES
    assert {state for state, _ in SESSION_TABLE} == UNDER_WAY


@pytest.mark.parametrize(
    "event", [e for e in SessionEvent if e not in (SessionEvent.PAUSE, SessionEvent.RESUME)]
)
def test_a_session_under_way_ends_the_same_paused_or_not(event: SessionEvent) -> None:
    assert SESSION_TABLE["running", event] == SESSION_TABLE["paused", event]


def test_file_transfers_end_completed_or_in_error_with_validation_or_without() -> None:
    assert {"running", "completed", "error", "to_be_validated", "validating"} == transfer.STATES
    assert {"completed", "error"} == transfer.STATES - {state for state, _ in transfer.TABLE}


@given(st.integers(0, 100_000), st.integers(0, 100_000), st.integers(1, 300))
def test_waits_double_from_the_base_and_never_pass_the_maximum(base: int, more: int, failures: int) -> None:
    order = Order("Push")
    retry = type(order.retry)(count=255, base_interval=base, maximum_interval=base + more)
    wait = wait_before(retry, failures)
    assert base <= wait <= base + more
    assert wait_before(retry, 1) == base
    assert wait_before(retry, failures + 1) in (min(2 * wait, base + more), base + more)


def test_only_retryable_codes_are_retried_and_only_as_often_as_the_order_says() -> None:
    retry = type(Order("Push").retry)(count=2, base_interval=3, maximum_interval=60)
    order = Order("Push", retry=retry)
    assert [next_attempt(order, n, 16, "") for n in (1, 2, 3)] == [3, 6, None]
    assert next_attempt(order, 1, 19, "authentication") is None
    assert next_attempt(Order("Push", retry=retry, no_mgmt_port_files=True), 1, 16, "") is None


def test_topics_are_compared_without_case_and_unknown_ones_ignored() -> None:
    assert canonical("session", ["statistics", " STARTED ", "nonsense"]) == ("Started", "Statistics")
    assert canonical("job", []) == ()
    with pytest.raises(ValueError, match="Waiting"):
        canonical("job", ["nonsense"])


def test_no_topics_means_all_but_statistics() -> None:
    assert [topic for topic in SESSION_TOPICS if not wants((), topic)] == ["Statistics"]
