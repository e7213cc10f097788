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
from asperacentral.openascp.exchange.conversation import Conversation
from asperacentral.openascp.exchange.messages import Cap
from asperacentral.openascp.exchange.planes import Planes
from asperacentral.openascp.hostrules import HostRules
from asperacentral.openascp.pacing import Pacer
from asperacentral.openascp.sharebook import FOLDER, Share
from asperacentral.openascp.sharing import WEIGHTS, Claim, wanted

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
        self._pools = rules.pools
        self._folder = rules.run_directory / FOLDER
        self._use = use
        self._pacer = pacer
        self._planes: Planes | None = None
        self._far: Conversation | None = None
        self._shares: list[Share] = []
        self._applied: int | None = None
        self._past: deque[tuple[float, int]] = deque(maxlen=_WINDOW + 1)
        self._task: asyncio.Task[None] | None = None

    @property
    def facts(self) -> dict[str, messages.Value]:
        """For SESSION."""
        link = next((pool for pool in self._pools if pool.link), None)
        told: dict[str, messages.Value] = {}
        if self._pools:
            told["ServiceLevel"] = min(pool.capacity for pool in self._pools)
        if link is not None:
            told |= {"VLinkLocalEnabled": True, "VLinkLocalId": link.link, "VLinkLocalCL": link.capacity}
        return told

    def attach(self, planes: Planes, far: Conversation | None) -> None:
        """The session moves its files with these; `far` is the half that sends, when it is not this one."""
        self._planes, self._far = planes, far
        if self._applied is not None:
            self._apply(self._applied)

    async def __aenter__(self) -> Capping:
        if self._pools:
            for pool in self._pools:
                with suppress(OSError):
                    self._shares.append(Share(self._folder, pool))
            if len(self._shares) < len(self._pools):
                log.warning("a cap cannot be shared in %s: this session keeps within it alone", self._folder)
            self._claim()
            self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
        for share in self._shares:
            share.close()

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
        held = min((share.held for share in self._shares), default=0)
        claim = Claim(WEIGHTS[use.policy], use.target, wanted(rate, held, use.target))
        cap = min(pool.capacity for pool in self._pools)
        for share in self._shares:
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
