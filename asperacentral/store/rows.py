"""Values to rows and back. A stored order has no secrets; they are sealed beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields
from operator import attrgetter
from typing import Any

from asperacentral.central.job import Job, JobState
from asperacentral.central.model import (
    CurrentFile,
    Endpoint,
    Event,
    FileRecord,
    JobView,
    SessionRecord,
    Subscription,
)
from asperacentral.central.order import (
    ChannelParameters,
    FileParameters,
    LinkParameters,
    LocalLocation,
    Order,
    RateParameters,
    RemoteLocation,
    RetryParameters,
    Secret,
    SecurityParameters,
    System,
)
from asperacentral.store import schema

Row = dict[str, Any]

_SESSION_COLUMNS = tuple(column.name for column in schema.sessions.columns if column.name != "rest")
_SESSION_REST = tuple(
    field.name
    for field in fields(SessionRecord)
    if field.name not in (*_SESSION_COLUMNS, "fragments", "templates", "current_file")
)
_FILE_COLUMNS = tuple(column.name for column in schema.files.columns)
_file_attributes: Callable[[FileRecord], tuple[Any, ...]] = attrgetter(*_FILE_COLUMNS)
_GROUPS: dict[str, Any] = {
    "link": LinkParameters,
    "channel": ChannelParameters,
    "rate": RateParameters,
    "security": SecurityParameters,
    "retry": RetryParameters,
}


def order_value(order: Order) -> Row:
    """An order as JSON, without its secrets."""
    return asdict(order.without_secrets())


def order_of(value: Row) -> Order:
    """The order that `order_value` made; its secrets are empty."""
    value = dict(value)
    remote, local, file = dict(value.pop("remote")), dict(value.pop("local")), dict(value.pop("file"))
    system = System(**{**remote.pop("system"), "password": Secret("")})
    groups = {name: kind(**value.pop(name)) for name, kind in _GROUPS.items()}
    return Order(
        **{**value, "token": Secret(""), "raw_options": tuple(value.get("raw_options", ()))},
        remote=RemoteLocation(system=system, **_tuples(remote, "methods", "paths")),
        local=LocalLocation(**_tuples({**local, "password": Secret("")}, "paths")),
        file=FileParameters(**_tuples({**file, "passphrase": Secret("")}, "exclude_patterns")),
        **groups,
    )


def _tuples(value: Row, *names: str) -> Row:
    return {**value, **{name: tuple(value[name]) for name in names}}


def job_row(job: Job, sealed: bytes | None) -> Row:
    """A job as a row; `sealed` are its secrets."""
    return {
        "id": job.id,
        "created": job.created,
        "state": str(job.state),
        "due": job.due,
        "failed_attempts": job.failed_attempts,
        "attempts": job.attempts,
        "session_id": job.session_id,
        "paused": int(job.paused),
        "cancelled": int(job.cancelled),
        "ended": job.ended,
        "order": order_value(job.order),
        "sealed": sealed,
    }


def job_of(row: Any, secrets: dict[str, str]) -> Job:
    """The job of a row, with its secrets."""
    return Job(
        id=row.id,
        order=order_of(row.order).with_secrets(secrets),
        created=row.created,
        state=JobState(row.state),
        due=row.due,
        failed_attempts=row.failed_attempts,
        attempts=row.attempts,
        session_id=row.session_id,
        paused=bool(row.paused),
        cancelled=bool(row.cancelled),
        ended=row.ended,
    )


def session_row(record: SessionRecord) -> Row:
    """A session as a row."""
    row: Row = {name: getattr(record, name) for name in _SESSION_COLUMNS}
    row["rest"] = {name: getattr(record, name) for name in _SESSION_REST}
    row["rest"]["current_file"] = asdict(record.current_file)
    return row


def session_of(row: Any) -> SessionRecord:
    """The session of a row."""
    rest = dict(row.rest)
    current = CurrentFile(**rest.pop("current_file"))
    return SessionRecord(
        **{name: getattr(row, name) for name in _SESSION_COLUMNS}, **rest, current_file=current
    )


def file_values(record: FileRecord) -> tuple[Any, ...]:
    """A file transfer's values in the order of the table's columns. What is no text (a name may have bytes that
    are no UTF-8) is kept readable."""
    return tuple(
        value if type(value) is not str or value.isascii() else _readable(value)
        for value in _file_attributes(record)
    )


def _readable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def file_of(row: Any) -> FileRecord:
    """The file transfer of a row."""
    return FileRecord(**{name: getattr(row, name) for name in _FILE_COLUMNS})


def subscription_value(subscription: Subscription) -> Row:
    """A subscription as JSON."""
    return asdict(subscription)


def subscription_of(value: Row) -> Subscription:
    """The subscription that `subscription_value` made."""
    notices = value["subscription_observer"]
    return Subscription(
        **{
            **value,
            "observer": Endpoint(**value["observer"]),
            "subscription_observer": Endpoint(**notices) if notices else None,
            "topics": tuple(value["topics"]),
        }
    )


def event_row(event: Event) -> Row:
    """An event as a row, with what it shows."""
    snapshot = event.snapshot
    value: Row
    if isinstance(snapshot, SessionRecord):
        value = session_row(snapshot)
    elif isinstance(snapshot, JobView):
        value = {
            "id": snapshot.id,
            "order": order_value(snapshot.order),
            "session_id": snapshot.session_id,
            "failed_attempts": snapshot.failed_attempts,
        }
    else:
        value = subscription_value(snapshot)
    return {
        "id": event.id,
        "kind": event.kind,
        "topic": event.topic,
        "subject": event.subject,
        "at": event.at,
        "snapshot": value,
    }


class _Columns:
    """A row's values as attributes."""

    def __init__(self, values: Row) -> None:
        self.__dict__.update(values)


def event_of(row: Any) -> Event:
    """The event of a row."""
    value = row.snapshot
    snapshot: Any
    if row.kind == "session":
        snapshot = session_of(_Columns(value))
    elif row.kind == "job":
        snapshot = JobView(**{**value, "order": order_of(value["order"])})
    else:
        snapshot = subscription_of(value)
    return Event(row.id, row.kind, row.topic, row.subject, row.at, snapshot)
