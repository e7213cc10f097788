"""Keeps one session within the caps that it shares with others of its host.

A few times a second it says in the book of each cap what it makes use of, and hears what it may use.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

from asperacentral.fasp import messages
from asperacentral.fasp.management import Message
from asperacentral.openascp import virtual_links
from asperacentral.openascp.exchange.conversation import Conversation
from asperacentral.openascp.exchange.messages import Cap
from asperacentral.openascp.exchange.planes import Planes
from asperacentral.openascp.hostrules import HostRules
from asperacentral.openascp.pacing import Pacer
from asperacentral.openascp.sharebook import FOLDER, Share
from asperacentral.openascp.sharing import WEIGHTS, Claim, Pool, wanted

CLAIM_SECONDS = 0.25
_WINDOW = 4
_BITS_PER_KILOBIT = 1000

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Use:
    """What a session does: its target rate in Kbps, its policy, and bytes of files moved so far."""

    target: int
    policy: str
    moved: int


class Capping:
    """While it is entered, it keeps the session within its caps, from before the first byte on."""

    def __init__(self, rules: HostRules, use: Callable[[], Use], pacer: Pacer) -> None:
        self._given = rules.pools
        self._link: Pool | None = None
        self._folder = rules.run_directory / FOLDER
        self._use = use
        self._pacer = pacer
        self._planes: Planes | None = None
        self._far: Conversation | None = None
        self._shares: dict[Pool, Share] = {}
        self._applied: int | None = None
        self._past: deque[tuple[float, int]] = deque(maxlen=_WINDOW + 1)
        self._task: asyncio.Task[None] | None = None
        self._entered = False

    @property
    def facts(self) -> dict[str, messages.Value]:
        """For SESSION; None is not to be told."""
        pools = sorted(self._pools, key=lambda pool: pool.capacity)
        link = next((pool for pool in pools if pool.link), None)
        return {
            "ServiceLevel": pools[0].capacity if pools else None,
            "VLinkLocalEnabled": True if link else None,
            "VLinkLocalId": link.link if link else None,
            "VLinkLocalCL": link.capacity if link else None,
        }

    def attach(self, planes: Planes, far: Conversation | None) -> None:
        """The session moves its files with these; `far` is the half that sends, when it is not this one."""
        self._planes, self._far = planes, far
        if self._applied is not None:
            self._apply(self._applied)

    def obey(self, message: Message, *, incoming: bool) -> dict[str, messages.Value] | None:
        """A manager's VLINK: share another cap beside those that aspera.conf gives, or none. Returns what has changed
        of `facts`; None when the message makes no sense.
        """
        try:
            link = virtual_links.asked(message, incoming=incoming)
        except virtual_links.BadLinkError as reason:
            log.warning("the manager's VLINK has no effect: %s", reason)
            return None
        if link != self._link:
            log.info("virtual link: %s", f"{link.link}, {link.capacity} Kbps" if link else "none")
            self.put_under(link)
        facts = self.facts
        return facts | {"VLinkLocalEnabled": facts["VLinkLocalId"] is not None}

    def put_under(self, link: Pool | None) -> None:
        """Share this cap, and the one that this said before no more."""
        if self._link is not None and self._link in self._shares:
            self._shares.pop(self._link).close()
        self._link = link
        if self._entered:
            self._take_part()

    @property
    def link(self) -> Pool | None:
        """What a manager has put the session under."""
        return self._link

    async def __aenter__(self) -> Capping:
        self._entered = True
        self._take_part()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered = False
        if self._task is not None:
            self._task.cancel()
        for share in self._shares.values():
            share.close()

    @property
    def _pools(self) -> tuple[Pool, ...]:
        return self._given if self._link is None else (*self._given, self._link)

    def _take_part(self) -> None:
        """Have a share of each cap, and see to it from now on."""
        for pool in self._pools:
            if pool not in self._shares:
                try:
                    self._shares[pool] = Share(self._folder, pool)
                except OSError:
                    log.warning(
                        "a cap cannot be shared in %s: this session keeps within it alone", self._folder
                    )
        if self._pools and self._task is None:
            self._task = asyncio.create_task(self._run())
        if self._pools or self._applied is not None:
            self._claim()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(CLAIM_SECONDS)
            self._claim()

    def _claim(self) -> None:
        use = self._use()
        now = time.monotonic()
        facts = self._planes.facts() if self._planes is not None else None
        moved = max(use.moved, facts.sent if facts is not None else 0)
        self._past.append((now, moved))
        since, before = self._past[0]
        rate = int((moved - before) * 8 / _BITS_PER_KILOBIT / (now - since)) if now > since else 0
        held = min((share.held for share in self._shares.values()), default=0)
        claim = Claim(WEIGHTS[use.policy], use.target, wanted(rate, held, use.target))
        cap = min((pool.capacity for pool in self._pools), default=messages.LARGEST_RATE)
        for share in self._shares.values():
            with suppress(OSError):  # whoever has the book open too long, or too many sessions: as before
                share.claim(claim)
            cap = min(cap, share.held)
        if cap != self._applied:
            self._applied = cap
            self._apply(cap)

    def _apply(self, cap: int) -> None:
        self._pacer.set_cap(cap)
        if self._planes is not None:
            self._planes.cap(cap)
        if self._far is not None:
            self._far.send(Cap(cap))
