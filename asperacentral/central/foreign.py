"""Sessions without a job: those that clients of other machines began here, as their server halves tell of them.

They are recorded, told to observers and steered like all others, but nobody retries them: that is the business of
who began them. After a restart they are waited for, since their processes look for the management port again.
"""

from __future__ import annotations

import logging
from concurrent.futures import Future
from typing import TYPE_CHECKING, Protocol

from asperacentral.central.model import SessionRecord
from asperacentral.central.ports import Clock
from asperacentral.fasp.management import Message
from asperacentral.fasp.messages import SENDING

if TYPE_CHECKING:
    from asperacentral.fasp.session import SessionEnding

log = logging.getLogger(__name__)


class Follower(Protocol):
    """What is needed of the runner."""

    def follow(self, record: SessionRecord, *, started: bool = False) -> None:
        """Take up a session, `started` when it has been announced before."""

    def recorded(self, session_id: str) -> Future[bool]:
        """Whether there is, or was, a session with this id."""

    def follows(self, session_id: str) -> bool:
        """Whether the session is under way."""

    def session_message(self, session_id: str, message: Message) -> None:
        """Its process said something."""

    def lose_session(self, session_id: str) -> None:
        """It must have ended while nobody watched."""

    def session_ended(self, session_id: str, ending: SessionEnding) -> None:
        """It is over."""


class ForeignSessions:
    """What the FASP Manager tells of sessions that are not our own. `patience` is in seconds, after a restart.

    An id that is recorded already, for a session that has ended, is not followed: whoever says it would otherwise
    write over what happened. Until the store has told, what is heard waits.
    """

    def __init__(self, clock: Clock, follower: Follower, patience: float) -> None:
        self._clock = clock
        self._follower = follower
        self._patience = patience
        self._awaited: set[str] = set()
        self._waiting: dict[str, list[Message | SessionEnding]] = {}
        self._refused: set[str] = set()

    def adopt(self, record: SessionRecord) -> None:
        """An earlier daemon followed it: its process may tell of it again."""
        self._awaited.add(record.id)
        self._follower.follow(record, started=True)
        self._clock.callLater(self._patience, self._give_up, record.id)

    def message(self, name: str, message: Message) -> None:
        """The session `name` said something; of a new one this is the first word."""
        self._awaited.discard(name)
        if name in self._waiting:
            self._waiting[name].append(message)
        elif self._follower.follows(name):
            self._follower.session_message(name, message)
        elif name not in self._refused:
            self._waiting[name] = [message]
            self._follower.recorded(name).add_done_callback(lambda known: self._begin(name, known))

    def ended(self, name: str, ending: SessionEnding) -> None:
        """The session is over."""
        if name in self._waiting:
            self._waiting[name].append(ending)
        elif name in self._refused:
            self._refused.discard(name)
        else:
            self._follower.session_ended(name, ending)

    def _begin(self, name: str, known: Future[bool]) -> None:
        first, *more = self._waiting.pop(name)
        if not isinstance(first, Message) or known.exception() is not None:
            return
        if known.result():
            log.warning("a foreign session calls itself %s, which is another one; it is not followed", name)
            if all(isinstance(each, Message) for each in more):
                self._refused.add(name)
            return
        record = new_record(name, first, self._clock.seconds())
        log.info("session %s, %s, was begun by others", name, record.direction)
        self._follower.follow(record)
        for each in (first, *more):
            if isinstance(each, Message):
                self._follower.session_message(name, each)
            else:
                self._follower.session_ended(name, each)

    def _give_up(self, name: str) -> None:
        if name in self._awaited:
            self._awaited.remove(name)
            self._follower.lose_session(name)


def new_record(name: str, init: Message, now: float) -> SessionRecord:
    """The record of a session that introduces itself; with `Remote: Yes` this machine is its server."""
    record = SessionRecord(
        id=name,
        start_date=now,
        direction="outgoing" if init.text("Direction") == SENDING else "incoming",
        cookie=init.text("Cookie") or None,
    )
    if init.text("Remote") == "Yes":
        record.server_endpoint, record.client_endpoint = "Local", "Remote"
    return record
