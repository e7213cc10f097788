"""Compares what is at the destination with the source, by digests that the sending half tells."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from asperacentral.openascp.confined import Files
from asperacentral.openascp.exchange.checkpoint import span
from asperacentral.openascp.exchange.conversation import Conversation
from asperacentral.openascp.exchange.deciding import Comparison
from asperacentral.openascp.exchange.digests import digests_at, digests_of
from asperacentral.openascp.exchange.messages import Ask, Digests
from asperacentral.openascp.exchange.target import Target
from asperacentral.openascp.exchange.wanting import differing, ranges_of, samples

COMPARISONS = 4
"""Files compared at the same time."""
MOST_RANGES = 1024
"""Blocks that are asked for at once."""
_ANSWER_SECONDS = 3600.0


class Comparer:
    """Of one receiving half; `in_thread` calls a function with its arguments in a thread."""

    def __init__(
        self,
        conversation: Conversation,
        files: Files,
        in_thread: Callable[..., Awaitable[Any]],
        level: int,
    ) -> None:
        self._conversation = conversation
        self._files = files
        self._in_thread = in_thread
        self._level = level
        self._answers: dict[int, asyncio.Future[tuple[bytes, ...]]] = {}
        self._slots = asyncio.Semaphore(COMPARISONS)

    def answered(self, message: Digests) -> None:
        """The sending half has told what it was asked for."""
        answer = self._answers.pop(message.id, None)
        if answer is not None and not answer.done():
            answer.set_result(message.digests)

    async def is_same(self, comparison: Comparison) -> bool:
        """Whether the file that is there has the source's bytes, as far as its rule looks at them."""
        target = comparison.target
        ranges = ranges_of(comparison)
        async with self._slots:
            theirs = asyncio.ensure_future(self._ask(target.entry.id, ranges))
            ours = await self._in_thread(digests_of, self._files, target.place, ranges)
            return bool(ours) and ours == await theirs

    async def verified(self, target: Target) -> Target:
        """The target with those blocks of a former session that are the source's: samples of them are looked at on
        level 2, all on level 3."""
        leftover = target.leftover
        assert leftover is not None  # noqa: S101 - only such targets come here
        async with self._slots:
            indexes = leftover.present if self._level > 2 else samples(leftover.present)
            wrong: set[int] = set()
            for first in range(0, len(indexes), MOST_RANGES):
                some = indexes[first : first + MOST_RANGES]
                ranges = tuple(span(index, target.entry.size) for index in some)
                theirs = asyncio.ensure_future(self._ask(target.entry.id, ranges))
                ours = await self._in_thread(digests_at, leftover.descriptor, ranges)
                wrong |= differing(some, ours, await theirs)
            if wrong and self._level == 2:
                wrong = set(
                    leftover.present
                )  # who has found one wrong block cannot trust those not looked at
            await self._in_thread(leftover.forget, wrong)
        return target.resuming(leftover)

    async def _ask(self, file: int, ranges: tuple[tuple[int, int], ...]) -> tuple[bytes, ...]:
        answer: asyncio.Future[tuple[bytes, ...]] = asyncio.get_running_loop().create_future()
        self._answers[file] = answer
        self._conversation.send(Ask(file, ranges))
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await answer
