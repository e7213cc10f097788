from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.commands.notification import (
    NotANotification,
    describe,
    new_events,
    parse_notification,
    response_to,
)

from .support import (
    JOBS,
    SESSIONS,
    envelope,
    job_notification,
    session_notification,
    subscription_notification,
)


def test_a_job_notification_is_read() -> None:
    read = parse_notification(job_notification())
    assert (read.kind, read.topic, read.subscription_id, read.event_id) == ("job", "Connecting", "sub", "e1")
    assert (read.job_id, read.session_id) == ("j1", "s1")
    assert read.at == datetime(2026, 1, 1, 10, 20, 30, 500_000, tzinfo=UTC)
    assert read.number("IScpTransfer/Status/Statistics/Retry/FailedAttempts") == 2


def test_a_session_notification_is_read() -> None:
    read = parse_notification(session_notification())
    assert (read.kind, read.topic, read.job_id, read.session_id) == ("session", "Statistics", "", "s1")
    assert read.values["Session/Statistics/Aggregate/BytesWritten"] == "1572864"
    assert read.number("Session/No/Such") == 0
    assert read.at is None


def test_a_subscription_notification_is_read() -> None:
    read = parse_notification(subscription_notification(30))
    assert (read.kind, read.topic, read.subscription_id) == ("subscription", "", "sub")


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (job_notification(), r"\d\d:\d\d:30  job      j1  Connecting      session s1  2 failed so far"),
        (session_notification(), r"--:--:--  session  s1  Statistics      1\.5 MiB written  3 files"),
        (session_notification("RateParameters"), r".*target 45\.0 Mbit/s fair"),
        (session_notification("Error", error="16", text="lost\x0d\x0ait"), r".*error 16 lost\\nit"),
        (subscription_notification(30), r".*subscription sub  30 s left"),
        (subscription_notification(0), r".*subscription sub  has ended"),
    ],
)
def test_each_is_told_in_one_readable_line(body: bytes, line: str) -> None:
    assert re.fullmatch(line, describe(parse_notification(body)))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not well-formed"),
        (b"<a>", "not well-formed"),
        (b"<a/>", "not a SOAP envelope"),
        (envelope(""), "one body element"),
        (envelope("<a/><b/>"), "one body element"),
        (envelope("<JobNotification/>"), "unknown body element"),
        (b'<!DOCTYPE a [<!ENTITY x "y">]>' + envelope("<a>&x;</a>"), "unknown body element|not well-formed"),
    ],
)
def test_anything_else_is_refused_with_a_reason(body: bytes, reason: str) -> None:
    with pytest.raises(NotANotification, match=reason):
        parse_notification(body)


@given(st.binary(max_size=200))
def test_no_bytes_whatever_break_the_reader(body: bytes) -> None:
    with pytest.raises(NotANotification):
        parse_notification(body)


@pytest.mark.parametrize(
    ("body", "name", "space"),
    [
        (job_notification(), "JobNotificationResponse", JOBS),
        (session_notification(), "SessionNotificationResponse", SESSIONS),
        (subscription_notification(1), "SubscriptionNotificationResponse", SESSIONS),
    ],
)
def test_the_answer_is_named_after_what_it_answers(body: bytes, name: str, space: str) -> None:
    answer = response_to(parse_notification(body)).decode()
    assert f':{name} xmlns:n="{space}"/>' in answer


def test_repeats_are_recognised_by_their_event_id() -> None:
    is_new = new_events()
    told = [is_new(parse_notification(job_notification(event=event))) for event in ("a", "b", "a", "", "")]
    assert told == [True, True, False, True, True]


def test_only_so_many_events_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asperacentral.commands.notification._REMEMBERED", 2)
    is_new = new_events()
    told = [is_new(parse_notification(job_notification(event=event))) for event in ("a", "b", "c", "b", "a")]
    assert told == [True, True, True, False, True]
