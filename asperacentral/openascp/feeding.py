"""A persistent session's sources, as its manager gives them: START, STOP and DONE become arguments of an exchange.

What the manager says before the far side is reached waits here. Each source has a destination of its own, where it
goes by that very name; one without goes into the session's destination by its own name.
"""

from __future__ import annotations

import logging
import os
import posixpath
from collections.abc import Callable

from asperacentral.fasp import messages
from asperacentral.fasp.management import Message, MessageType, RemoteProtocolError
from asperacentral.openascp.exchange.arguments import ArgumentCounts
from asperacentral.openascp.exchange.half import Half
from asperacentral.openascp.exchange.messages import Argument
from asperacentral.openascp.exchange.paths import joined, own_name
from asperacentral.openascp.failures import shown

log = logging.getLogger(__name__)


class Feed:
    """The sources of one session. `cancel` ends it with what is under way."""

    def __init__(self, destination: bytes, cancel: Callable[[], None]) -> None:
        self._destination = destination
        self._cancel = cancel
        self._early: list[Message] = []
        self._half: Half | None = None
        self._next = 0
        self._closed = False

    def attach(self, half: Half) -> None:
        """The exchange begins."""
        half.leads = True
        self._half = half
        early, self._early = self._early, []
        for message in early:
            self.obey(message)

    def obey(self, message: Message) -> None:
        """START, STOP or DONE of the manager; what makes no sense is logged and changes nothing."""
        if self._half is None:
            self._early.append(message)
        elif message.type is MessageType.START:
            self._add(self._half, message)
        elif message.type is MessageType.STOP:
            self._half.withdraw(os.fsencode(message.text("Source")))
        elif message.type is MessageType.DONE:
            if not messages.lingers(message) and not self._half.idle:
                self._cancel()
            self.close()

    def close(self) -> None:
        """There will be no more sources."""
        if self._half is None:
            self._early.append(messages.linger())
        elif not self._closed and self._half.argument_count is None:
            self._closed = True
            self._half.lead_no_more(self._next)

    def _add(self, half: Half, message: Message) -> None:
        source = os.fsencode(message.text("Source"))
        if self._closed or not source or b"\0" in source:
            log.warning("the manager's source is not taken: %s", "too late" if self._closed else "no path")
            return
        try:
            first, last = messages.range_of(message)
        except RemoteProtocolError as error:
            log.warning("the manager's source is not taken: %s", error)
            return
        given = os.fsencode(message.text("Destination"))
        destination = (
            posixpath.join(self._destination, given) if given else joined(self._destination, own_name(source))
        )
        end = 0 if last is None else last + 1
        half.lead_on(Argument(self._next, source, b"", destination, first or 0, end))
        self._next += 1


def source_state(argument: Argument, counts: ArgumentCounts) -> messages.SourceState:
    """What the manager is told of a source that is done with."""
    return messages.SourceState(
        source=shown(argument.source),
        destination=shown(argument.destination),
        index=argument.index,
        size=counts.size,
        attempted=counts.attempted,
        failed=counts.failed,
        passed=counts.passed,
        skipped=counts.skipped,
    )
