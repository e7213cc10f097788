"""Whoever in this process follows what happens: hears every topic of every job and session, as subscribers do.

A watcher counts or marks and returns: it is called in the middle of a step, before the step is on disk.
"""

from __future__ import annotations

import logging
from typing import Any, Protocol

log = logging.getLogger(__name__)


class Watcher(Protocol):
    """What the topics are told to."""

    def happened(self, kind: str, topic: str, subject: str, snapshot: Any) -> None:
        """`topic` of the job or session `subject`; `kind` is "job" or "session".

        `snapshot` is a JobView, or the session's own record, which goes on changing: take from it what is wanted.
        """


class Watchers:
    """Those that are told. A mistake of one of them is its own: no transfer suffers from it."""

    def __init__(self) -> None:
        self._all: list[Watcher] = []

    def add(self, watcher: Watcher) -> None:
        """Tell it from now on."""
        self._all.append(watcher)

    def tell(self, kind: str, topic: str, subject: str, snapshot: Any) -> None:
        """Something happened."""
        for watcher in self._all:
            try:
                watcher.happened(kind, topic, subject, snapshot)
            except Exception:
                log.exception("a watcher failed at %s %s", kind, topic)
