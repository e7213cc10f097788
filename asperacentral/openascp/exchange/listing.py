"""Tells the receiving half all names of a source before it is announced, for `--delete-before-transfer`.

Folder by folder, so that neither half needs memory for more than one; and no faster than the other half deletes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.exchange.conversation import Conversation
from asperacentral.openascp.exchange.messages import Listing, Listings
from asperacentral.openascp.failures import SessionFailure

MOST_LISTINGS = 64
"""Told and not yet dealt with."""
_NAMES = 4096
"""In one message."""


class Lister:
    """Of one sending half."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._read: list[tuple[bytes, list[bytes]]] = []
        self._open = 0
        self._news = asyncio.Event()

    def listed(self, path: bytes, names: list[bytes]) -> None:
        """A folder was read; called in a thread."""
        self._read.append((path, names))

    async def tell(self, argument: int) -> None:
        """Tell of the folders that were read."""
        read, self._read = self._read, []
        for path, names in read:
            for listing in _in_parts(argument, path, names):
                while self._open >= MOST_LISTINGS:
                    self._news.clear()
                    await self._news.wait()
                await self._conversation.room()
                self._open += 1
                self._conversation.send(Listings((listing,)))

    def cleared(self, count: int) -> None:
        """The other half has dealt with some. SessionFailure when there were not so many."""
        self._open -= count
        if count < 0 or self._open < 0:
            raise SessionFailure(FaspCode.FASP_PROTO, "the far side has cleared what was not listed")
        self._news.set()


def _in_parts(argument: int, path: bytes, names: list[bytes]) -> Iterator[Listing]:
    for first in range(0, len(names) or 1, _NAMES):
        yield Listing(argument, path, tuple(names[first : first + _NAMES]), first + _NAMES >= len(names))
