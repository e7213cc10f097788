from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.commands.progress import (
    JobWatch,
    Meter,
    Outcome,
    SessionView,
    job_rows,
    outcome,
    progress_line,
    summary,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
MIB = 1024 * 1024
FIRST = SessionView("s1", "j1", "running", START, expected_bytes=100 * MIB, expected_files=4)
SECOND = replace(FIRST, id="s2", started=START + timedelta(seconds=9), attempt=2)


def test_the_rate_is_that_of_the_last_seconds() -> None:
    meter = Meter()
    for second in range(20):
        meter.add(float(second), second * 100 if second < 10 else 1000 + (second - 10) * 300)
    assert meter.rate == 300


def test_one_sample_makes_no_rate_and_a_shrinking_count_starts_anew() -> None:
    meter = Meter()
    meter.add(0, 500)
    assert meter.rate == 0
    meter.add(1, 100)
    assert meter.rate == 0
    meter.add(2, 150)
    assert meter.rate == 50


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(0, 10**9)), max_size=40))
def test_the_rate_is_never_negative(steps: list[tuple[float, int]]) -> None:
    meter, now = Meter(), 0.0
    for wait, count in steps:
        now += wait
        meter.add(now, count)
        assert meter.rate >= 0


def test_the_line_tells_bytes_rate_files_and_the_time_left() -> None:
    view = replace(FIRST, bytes_written=25 * MIB, files_complete=1, files_failed=1)
    assert progress_line(view, 5 * MIB) == (
        "██████░░░░░░░░░░░░░░░░░░  25%  25.0 MiB of 100.0 MiB  41.9 Mbit/s  1/4 files  1 failed  0:15 left"
    )


def test_what_is_not_known_is_left_out() -> None:
    view = replace(FIRST, expected_bytes=0, expected_files=0, bytes_written=MIB, files_complete=2)
    assert progress_line(view, 0) == "1.0 MiB  0 bit/s  2 files"


def test_a_paused_session_has_no_rate_and_no_time_left() -> None:
    assert "paused" in progress_line(replace(FIRST, status="paused", bytes_written=MIB), 5.0)
    assert "left" not in progress_line(replace(FIRST, status="paused", bytes_written=MIB), 5.0)


def test_more_bytes_than_expected_are_still_100_percent() -> None:
    assert "100%" in progress_line(replace(FIRST, bytes_written=200 * MIB), 5.0)


@pytest.mark.parametrize(
    ("status", "end"),
    [
        ("completed", Outcome.COMPLETED),
        ("cancelled", Outcome.CANCELLED),
        ("willretry", Outcome.CANCELLED),
        ("error", Outcome.ERROR),
        ("orphaned", Outcome.ERROR),
    ],
)
def test_a_job_no_longer_listed_ended_as_its_last_session_did(status: str, end: Outcome) -> None:
    sessions = [replace(FIRST, status="willretry"), replace(SECOND, status=status)]
    assert outcome(False, sessions) is end
    assert outcome(True, sessions) is None


def test_a_job_that_ended_without_a_session_was_cancelled() -> None:
    assert outcome(False, []) is Outcome.CANCELLED
    assert summary(Outcome.CANCELLED, []) == "cancelled before its first session"


def test_a_watch_tells_the_story_of_a_job_once() -> None:
    watch = JobWatch()
    assert watch.look(0, True, []).line == "waiting for its first session"
    look = watch.look(1, True, [FIRST])
    assert look.notes == ("session s1 started (attempt 1)",)
    look = watch.look(2, True, [replace(FIRST, bytes_written=50 * MIB, bytes_transferred=50 * MIB)])
    assert look.notes == ()
    assert "50%" in look.line and "419.4 Mbit/s" in look.line
    failed = replace(FIRST, status="willretry", error_code=16, error_description="connection\nlost")
    look = watch.look(3, True, [failed])
    assert look.notes == ("session s1 failed: error 16 connection\\nlost; another will follow",)
    assert look.line == "waiting for the next session, after attempt 1"
    look = watch.look(4, True, [failed, SECOND])
    assert look.notes == ("session s2 started (attempt 2)",)
    assert "attempt 2" in look.line and "0 bit/s" in look.line
    done = replace(
        SECOND,
        status="completed",
        bytes_written=100 * MIB,
        files_complete=4,
        ended=START + timedelta(seconds=75),
    )
    look = watch.look(5, False, [failed, done])
    assert look.notes == ("session s2 completed",)
    assert look.summary == "completed: 4 files, 100.0 MiB in 1:15, 2 sessions"
    assert look.outcome is Outcome.COMPLETED


@pytest.mark.parametrize("status", ["completed", "cancelled"])
def test_no_session_is_waited_for_when_the_last_has_ended_though_its_job_was_still_listed(
    status: str,
) -> None:
    look = JobWatch().look(0, True, [replace(FIRST, status=status, bytes_written=100 * MIB)])
    assert "100%" in look.line
    assert look.outcome is None


def test_pausing_and_going_on_are_told() -> None:
    watch = JobWatch()
    watch.look(0, True, [FIRST])
    assert watch.look(1, True, [replace(FIRST, status="paused")]).notes == ("session s1 paused",)
    assert watch.look(2, True, [FIRST]).notes == ("session s1 goes on",)


def test_the_last_line_of_a_failed_job_has_the_error() -> None:
    view = replace(FIRST, status="error", error_code=19, error_description="wrong password", files_complete=1)
    look = JobWatch().look(0, False, [view])
    assert look.outcome is Outcome.ERROR
    assert look.notes[-1] == "session s1 ended in error 19 wrong password"
    assert look.summary == "error: 1 file, 0 B: error 19 wrong password"


def test_each_job_is_a_row_with_its_latest_session() -> None:
    view = replace(
        SECOND, bytes_written=MIB, bytes_transferred=MIB, elapsed=2.0, files_complete=1, cookie="nightly"
    )
    rows = job_rows(["j0", "j1"], [FIRST, view, replace(FIRST, id="s9", job="")])
    assert rows == [
        ("j0", "waiting", "", "", "", "", "", ""),
        ("j1", "running", "s2", "", "1/4", "1.0 MiB", "4.2 Mbit/s", "nightly"),
    ]
