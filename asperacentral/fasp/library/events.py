"""What an application is told of its jobs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from asperacentral.fasp.management import Message, MessageType
from asperacentral.fasp.statistics import FileStatistics, SessionStatistics


class EventKind(StrEnum):
    """What happened; each is made from one type of message."""

    CONNECTING = "CONNECTING"
    SESSION_START = "SESSION_START"
    RATE_MODIFICATION = "RATE_MODIFICATION"
    FILE_START = "FILE_START"
    PROGRESS = "PROGRESS"
    FILE_STOP = "FILE_STOP"
    FILE_ERROR = "FILE_ERROR"
    FILE_SKIP = "FILE_SKIP"
    ARG_STOP = "ARG_STOP"
    SESSION_STOP = "SESSION_STOP"
    SESSION_ERROR = "SESSION_ERROR"


_KINDS = {
    MessageType.INIT: EventKind.CONNECTING,
    MessageType.SESSION: EventKind.SESSION_START,
    MessageType.NOTIFICATION: EventKind.RATE_MODIFICATION,
    MessageType.START: EventKind.FILE_START,
    MessageType.STATS: EventKind.PROGRESS,
    MessageType.STOP: EventKind.FILE_STOP,
    MessageType.FILEERROR: EventKind.FILE_ERROR,
    MessageType.SKIP: EventKind.FILE_SKIP,
    MessageType.ARGSTOP: EventKind.ARG_STOP,
    MessageType.DONE: EventKind.SESSION_STOP,
    MessageType.ERROR: EventKind.SESSION_ERROR,
}


@dataclass(frozen=True, slots=True)
class TransferEvent:
    """One event of one job.

    `statistics` are the whole job's up to now, `file` the file it is about, None when it concerns none. `message` is
    what the process said; None for the error of a session that ended without a word.
    """

    kind: EventKind
    job_id: str
    statistics: SessionStatistics
    file: FileStatistics | None = None
    message: Message | None = None


def kind_of(message: Message, *, file_is_new: bool) -> EventKind | None:
    """The event a message makes, if any. Where no START tells of a file, its first STATS starts it."""
    if message.type == MessageType.STATS and file_is_new:
        return EventKind.FILE_START
    return _KINDS.get(message.type)  # type: ignore[call-overload, no-any-return]  # types nobody knows make none
