"""Which sites may use the client: what the user decided is kept, and who is not known yet is asked about."""

from __future__ import annotations

import logging
from collections.abc import Callable

from twisted.internet.defer import Deferred

from asperacentral.client.book import Book
from asperacentral.client.dialogs import Dialogs, Kind, Question
from asperacentral.client.errors import ClientError, DialogCancelled, NotPermitted
from asperacentral.client.origins import Caller

COOL_DOWN = 30.0
"""Seconds for which a site is refused unasked after "not now"."""

log = logging.getLogger(__name__)


class Consent:
    """Asks once for each site, however many calls wait for the answer. `clock` gives seconds."""

    def __init__(self, book: Book, dialogs: Dialogs, clock: Callable[[], float]) -> None:
        self._book = book
        self._dialogs = dialogs
        self._clock = clock
        self._asking: dict[str, list[Deferred[None]]] = {}
        self._put_off: dict[str, float] = {}

    def is_allowed(self, caller: Caller) -> bool:
        """Whether it may do things now, without asking anybody."""
        return not caller.is_page or self._book.sites().get(caller.origin, False)

    async def need(self, caller: Caller) -> None:
        """Go on when the user allows the caller's site to use the client. NotPermitted."""
        if not caller.is_page:
            return
        decided = self._book.sites().get(caller.origin)
        if decided is None:
            decided = await self._asked(caller)
        if not decided:
            log.warning("refused %s: the user has not allowed it", caller)
            raise NotPermitted(
                f"the user has not allowed {caller.origin} to transfer files with this computer"
            )

    async def _asked(self, caller: Caller) -> bool:
        origin = caller.origin
        if self._clock() < self._put_off.get(origin, 0.0):
            return False
        if origin in self._asking:
            waits: Deferred[None] = Deferred()
            self._asking[origin].append(waits)
            await waits
            return self._book.sites().get(origin, False)
        self._asking[origin] = []
        try:
            allowed = (await self._dialogs.ask(Question(Kind.CONSENT, origin))).allowed
            self._book.decide(origin, allowed)
            log.info("the user %s %s", "allows" if allowed else "refuses", origin)
        except (DialogCancelled, ClientError):
            self._put_off[origin] = self._clock() + COOL_DOWN
            allowed = False
        finally:
            for waiting in self._asking.pop(origin):
                waiting.callback(None)
        return allowed
