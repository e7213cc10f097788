"""Notifications as an observer gets them: from XML to values and to one readable line. Pure; no network."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from lxml import etree

from asperacentral.commands.terminal import human_rate, human_size, safe

_ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
_JOBS = "urn:Aspera:XML:IScpTransferNET:2006/04:Types"
_SESSIONS = "urn:Aspera:XML:FASPSessionNET:2006/01:Types"

_KINDS = {
    f"{{{_JOBS}}}JobNotification": "job",
    f"{{{_SESSIONS}}}SessionNotification": "session",
    f"{{{_JOBS}}}SubscriptionNotification": "subscription",
    f"{{{_SESSIONS}}}SubscriptionNotification": "subscription",
}

_AGGREGATE = "Session/Statistics/Aggregate/"


_REMEMBERED = 10_000
"""Events remembered to leave out repeats."""


class NotANotification(ValueError):
    """The body is not a notification of ours."""


@dataclass(frozen=True, slots=True)
class Notification:
    """One notification. `kind` is "job", "session" or "subscription"; `topic` is empty for the last.

    `values` holds the text of every element without children, by its path below the notification, such as
    `Session/Statistics/Aggregate/BytesWritten`; of repeated elements the last. `event_id` tells repeats apart.
    """

    kind: str
    topic: str
    subscription_id: str
    event_id: str
    at: datetime | None
    values: Mapping[str, str]
    body: bytes

    @property
    def job_id(self) -> str:
        """The job told of; empty for other kinds."""
        return self.values.get("IScpTransfer/ID", "")

    @property
    def session_id(self) -> str:
        """The session told of, or the job's latest one; empty if there is none."""
        return self.values.get("Session/SessionID") or self.values.get("IScpTransfer/Status/SessionID", "")

    def number(self, path: str) -> int:
        """The value at `path` as a number; 0 if there is none."""
        text = self.values.get(path, "")
        return int(text) if text.isdecimal() else 0


def parse_notification(body: bytes) -> Notification:
    """The notification in a SOAP request's body. NotANotification with the reason."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as problem:
        raise NotANotification(f"not well-formed: {problem}") from None
    soap_body = root.find(f"{{{_ENVELOPE}}}Body") if root.tag == f"{{{_ENVELOPE}}}Envelope" else None
    if soap_body is None or len(soap_body) != 1:
        raise NotANotification("not a SOAP envelope with one body element")
    element = soap_body[0]
    kind = _KINDS.get(str(element.tag))
    if kind is None:
        raise NotANotification(f"unknown body element {element.tag}")
    values = dict(_leaves(element, ""))
    return Notification(
        kind=kind,
        topic=values.get("Topic", ""),
        subscription_id=values.get("SubscriptionID") or values.get("SubscriptionResource/ID", ""),
        event_id=values.get("EventID", ""),
        at=_time(values.get("Time", "")),
        values=values,
        body=body,
    )


def response_to(notification: Notification) -> bytes:
    """The SOAP answer an observer gives: empty, named after the notification."""
    space = _SESSIONS if notification.kind == "session" or _SESSIONS.encode() in notification.body else _JOBS
    name = {"job": "Job", "session": "Session", "subscription": "Subscription"}[notification.kind]
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><soap:Envelope xmlns:soap="{_ENVELOPE}"><soap:Body>'
        f'<n:{name}NotificationResponse xmlns:n="{space}"/></soap:Body></soap:Envelope>'
    ).encode()


def describe(notification: Notification) -> str:
    """One line: time, what it is about, topic, and what is worth knowing."""
    at = notification.at.astimezone().strftime("%H:%M:%S") if notification.at else "--:--:--"
    return safe(f"{at}  {_DESCRIBERS[notification.kind](notification)}".rstrip())


def new_events() -> Callable[[Notification], bool]:
    """A filter for repeats: delivery is at least once, and a repeat has the event id of the first."""
    known: deque[tuple[str, str]] = deque(maxlen=_REMEMBERED)
    index: set[tuple[str, str]] = set()

    def is_new(notification: Notification) -> bool:
        key = (notification.subscription_id, notification.event_id)
        if not notification.event_id:
            return True
        if key in index:
            return False
        if len(known) == known.maxlen:
            index.discard(known[0])
        known.append(key)
        index.add(key)
        return True

    return is_new


def _describe_job(notification: Notification) -> str:
    parts = [f"job      {notification.job_id}  {notification.topic:<14}"]
    if notification.session_id:
        parts.append(f"session {notification.session_id}")
    if failed := notification.number("IScpTransfer/Status/Statistics/Retry/FailedAttempts"):
        parts.append(f"{failed} failed so far")
    return "  ".join(parts)


def _describe_session(notification: Notification) -> str:
    get = notification.values.get
    parts = [f"session  {notification.session_id}  {notification.topic:<14}"]
    parts.append(f"{human_size(notification.number(_AGGREGATE + 'BytesWritten'))} written")
    files = notification.number(_AGGREGATE + "FilesComplete")
    parts.append("1 file" if files == 1 else f"{files} files")
    if notification.topic == "RateParameters":
        rate = notification.number("Session/RateParameters/TargetRate")
        parts.append(f"target {human_rate(rate * 1000)} {get('Session/RateParameters/Policy', '')}")
    if (code := get("Session/Error/Code", "0")) not in ("", "0"):
        parts.append(f"error {code} {get('Session/Error/Description', '')}")
    return "  ".join(parts)


def _describe_subscription(notification: Notification) -> str:
    left = notification.number("SubscriptionResource/TimeRemaining")
    return f"subscription {notification.subscription_id}  " + (f"{left} s left" if left else "has ended")


_DESCRIBERS = {
    "job": _describe_job,
    "session": _describe_session,
    "subscription": _describe_subscription,
}


def _leaves(element: etree._Element, path: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for child in element:
        name = path + str(etree.QName(child).localname)
        if len(child):
            found.extend(_leaves(child, name + "/"))
        else:
            found.append((name, (child.text or "").strip()))
    return found


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
