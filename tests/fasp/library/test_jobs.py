"""The rules of one job over its sessions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.fasp import JobOrder, JobState, Location, OrderError, RetryPolicy, TransferParameters
from asperacentral.fasp.library.jobs import AFTER, ENDED, Job
from asperacentral.fasp.management import Message
from asperacentral.fasp.session import SessionEnding

FAR = Location.remote("far.example", "/in", user="me", password="hunter2", port=33001)
WELL = SessionEnding(0, None, said_done=True, said_error=False, never_connected=False)
BADLY = SessionEnding(1, None, said_done=False, said_error=True, never_connected=False)
KILLED = SessionEnding(None, 9, said_done=False, said_error=False, never_connected=False)


def job(*, persistent: bool = False, retries: int = 3) -> Job:
    near = Location.local() if persistent else Location.local("/a", "/b")
    how = TransferParameters(persistent=persistent, target_rate=5000)
    return Job(JobOrder(near, FAR, how, RetryPolicy(retries, 2, 5)))


def failing(subject: Job, code: int) -> float | None:
    subject.hear(Message("INIT"))
    subject.hear(Message("ERROR", {"Code": str(code), "Description": "why"}))
    return subject.end(BADLY)


def test_a_job_that_goes_well_is_completed_by_its_first_session() -> None:
    subject = job()
    session = subject.begin()
    assert (session.user_str, session.mode, session.sources) == (subject.id, "send", ("/a", "/b"))
    subject.hear(Message("INIT"))
    subject.hear(Message("DONE", {"TransferBytes": "7"}))
    assert subject.end(WELL) is None
    assert subject.result is not None and subject.result.ok
    assert subject.result.statistics.transferred_bytes == 7


def test_a_retryable_failure_waits_longer_each_time_and_uses_another_session() -> None:
    subject = job()
    waits, names = [], []
    for _ in range(4):
        session = subject.begin()
        names.append(session.user_str)
        waits.append(failing(subject, 16))
    assert waits == [2, 4, 5, None]
    assert len(set(names)) == 4
    assert subject.state is JobState.FAILED
    assert subject.result is not None
    assert (subject.result.code, subject.result.description, subject.result.attempts) == (16, "why", 4)


def test_the_partial_files_of_a_job_keep_their_name_over_sessions() -> None:
    subject = job()
    tags = set()
    for _ in range(2):
        tags.add(subject.begin().partial_tag)
        failing(subject, 16)
    assert len(tags) == 1


def test_a_final_failure_is_not_tried_again() -> None:
    subject = job()
    subject.begin()
    assert failing(subject, 19) is None
    assert subject.state is JobState.FAILED


def test_a_process_that_dies_without_a_word_is_tried_again_and_its_end_told() -> None:
    subject = job(retries=0)
    subject.begin()
    subject.hear(Message("INIT"))
    assert subject.end(KILLED) is None
    assert subject.result is not None
    assert subject.result.description == "the transfer process was ended by signal 9"


def test_what_earlier_sessions_moved_counts_for_the_job() -> None:
    subject = job()
    for moved in (100, 30):
        subject.begin()
        subject.hear(Message("INIT"))
        subject.hear(Message("STATS", {"File": "/a", "TransferBytes": str(moved)}))
        subject.end(KILLED)
    assert subject.statistics.transferred_bytes == 130


def test_control_values_outlive_sessions() -> None:
    subject = job()
    subject.begin()
    subject.steer(target=99, policy="low")
    subject.end(KILLED)
    session = subject.begin()
    assert (session.target_rate, session.minimum_rate, session.policy) == (99, 0, "low")


def test_a_cancelled_job_is_not_tried_again_though_its_failure_could_be() -> None:
    subject = job()
    subject.begin()
    assert subject.cancel()
    assert failing(subject, 16) is None
    assert subject.state is JobState.CANCELLED


def test_a_waiting_job_is_cancelled_at_once() -> None:
    subject = job()
    subject.begin()
    failing(subject, 16)
    assert not subject.cancel()
    assert subject.result is not None
    assert (subject.result.state, subject.result.code) == (JobState.CANCELLED, 28)


def test_a_persistent_job_is_not_tried_again_since_nobody_knows_what_is_left() -> None:
    subject = job(persistent=True)
    assert subject.begin().raw_options == ("--keepalive",)
    assert failing(subject, 16) is None


def test_files_that_failed_are_in_the_result() -> None:
    subject = job()
    subject.begin()
    subject.hear(Message("INIT"))
    subject.hear(Message("FILEERROR", {"File": "/b", "Code": "5", "Description": "denied"}))
    failing(subject, 27)
    assert subject.result is not None
    assert [(file.name, file.error_code) for file in subject.result.failed_files] == [("/b", 5)]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (["INIT"], ["CONNECTING"]),
        (["INIT", "SESSION", "NOTIFICATION"], ["CONNECTING", "SESSION_START", "RATE_MODIFICATION"]),
        (["START", "STATS", "STOP"], ["FILE_START", "PROGRESS", "FILE_STOP"]),
        (["STATS", "STATS", "STOP"], ["FILE_START", "PROGRESS", "FILE_STOP"]),
        (["SKIP", "FILEERROR", "ARGSTOP"], ["FILE_SKIP", "FILE_ERROR", "ARG_STOP"]),
        (["DONE"], ["SESSION_STOP"]),
        (["ERROR"], ["SESSION_ERROR"]),
        (["NOP", "QUERY", "HELLO"], []),
    ],
)
def test_each_message_makes_its_event(said: list[str], told: list[str]) -> None:
    subject = job()
    subject.begin()
    files = {"START", "STATS", "STOP", "SKIP", "FILEERROR"}
    events = [subject.hear(Message(kind, {"File": "/a"} if kind in files else {})) for kind in said]
    assert [event.kind for event in events if event is not None] == told


def test_a_job_that_has_ended_stays_so() -> None:
    assert not {state for state, _ in AFTER} & ENDED
    assert set(AFTER.values()) >= ENDED


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: JobOrder(Location.local("/a"), Location.local("/b")),
        lambda: JobOrder(FAR, FAR),
        lambda: JobOrder(Location.local(), FAR),
        lambda: JobOrder(Location.local("/a"), Location.remote("h", "/a", "/b")),
        lambda: JobOrder(Location.local("/a"), FAR, TransferParameters(persistent=True)),
        lambda: JobOrder(Location.local("/a"), FAR, job_id="two\nlines"),
        lambda: Location.remote(""),
        lambda: TransferParameters(target_rate=5, minimum_rate=6),
        lambda: TransferParameters(policy="fast"),
        lambda: TransferParameters(cipher="rot13"),
        lambda: TransferParameters(overwrite="maybe"),
        lambda: TransferParameters(resume_level=4),
    ],
)
def test_an_order_that_is_none_is_refused_at_once(wrong: object) -> None:
    with pytest.raises(OrderError):
        wrong()  # type: ignore[operator]


def test_no_secret_is_shown() -> None:
    far = Location.remote("h", "/in", password="hunter2", token="ATM2_x")
    shown = repr(JobOrder(Location.local("/a"), far, TransferParameters(cookie="c00kie")))
    assert not {secret for secret in ("hunter2", "ATM2_x", "c00kie") if secret in shown}


@given(st.lists(st.floats(0, 100), min_size=2, max_size=2), st.integers(0, 20), st.integers(1, 30))
def test_retries_are_as_many_as_wanted_and_wait_within_the_limits(
    waits: list[float], retries: int, failures: int
) -> None:
    policy = RetryPolicy(retries, *waits)
    wait = policy.wait(failures, None)
    assert (wait is None) == (failures > retries)
    assert wait is None or 0 <= wait <= waits[1]
