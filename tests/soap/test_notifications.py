"""Notifications as observers get them: valid by the contract, and readable by zeep from the observer's WSDL."""

from __future__ import annotations

from typing import Any

import pytest

from asperacentral.central.model import Endpoint, Event, Subscription
from asperacentral.soap.notifications import render_notification
from tests.soap.contract import NAMESPACES, assert_valid
from tests.soap.memory_central import JOB, NOW, SESSION, MemoryCentral

OBSERVER = Endpoint("http://127.0.0.1:9/?a=1&b=2", "act <ion>")


def subscription(kind: str, topics: tuple[str, ...] = ("Started",)) -> Subscription:
    return Subscription("sub", kind, "0", OBSERVER, None, topics, NOW + 60)


def event(kind: str, topic: str, snapshot: Any) -> Event:
    return Event("event-1", kind, topic, "subject", NOW + 0.25, snapshot)


def test_a_job_event_shows_the_job_without_secrets() -> None:
    job = MemoryCentral().jobs[JOB]
    message = render_notification(event("job", "Connecting", job), subscription("job"), 60)
    element = assert_valid(message)
    assert element.tag == f"{{{NAMESPACES['iscp']}}}JobNotification"
    assert [child.tag for child in element] == ["SubscriptionID", "Topic", "IScpTransfer", "EventID", "Time"]
    assert element.findtext("Topic") == "Connecting"
    assert next(element.iter(f"{{{NAMESPACES['iscp']}}}SessionID")).text == SESSION
    assert b"never shown" not in message


def test_a_session_event_shows_the_session_as_it_was() -> None:
    record = MemoryCentral().sessions[1]
    message = render_notification(event("session", "Statistics", record), subscription("session"), 60)
    element = assert_valid(message)
    assert element.tag == f"{{{NAMESPACES['fasp06']}}}SessionNotification"
    assert [child.tag for child in element] == ["SubscriptionID", "Topic", "Session", "EventID", "Time"]
    assert (element.findtext("SubscriptionID"), element.findtext("EventID")) == ("sub", "event-1")
    assert element.findtext("Time") == "2026-11-18T11:06:40.250Z"
    assert next(element.iter(f"{{{NAMESPACES['fasp06']}}}BytesTransferred")).text == "1500000000"


@pytest.mark.parametrize(("kind", "key"), [("job", "iscp"), ("session", "fasp06")])
def test_news_about_a_subscription_shows_it_with_its_time(kind: str, key: str) -> None:
    changed = subscription(kind, ("Error", "Stopped"))
    message = render_notification(event("subscription", "Changed", changed), subscription(kind), 42)
    element = assert_valid(message)
    assert element.tag == f"{{{NAMESPACES[key]}}}SubscriptionNotification"
    assert [topic.text for topic in element.iter(f"{{{NAMESPACES[key]}}}Topic")] == ["Error", "Stopped"]
    assert next(element.iter(f"{{{NAMESPACES[key]}}}TimeRemaining")).text == "42"
    assert next(element.iter(f"{{{NAMESPACES[key]}}}Action")).text == "act <ion>"


def test_rendering_leaves_nothing_on_the_snapshot() -> None:
    record = MemoryCentral().sessions[0]
    render_notification(event("session", "Stopped", record), subscription("session"), 60)
    assert record.fragments == {}
