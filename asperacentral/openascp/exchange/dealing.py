"""How the sessions of one transfer (`-C m:n`) share its work: a rule that each applies alike to what it finds. Pure.

No session asks another: what a path means for a session depends on the path, the file's size, and the options that
all of them have. So a session that is tried again has the same share, whatever the others have done meanwhile, and
two sources that meet in one place at the destination are one session's. A large file is cut at the borders of
blocks, so that each block of its checkpoint is written by one session.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from asperacentral.openascp.exchange.checkpoint import BLOCK

MOST_SESSIONS = 128


@dataclass(frozen=True, slots=True)
class Share:
    """The bytes of a file from `start` to `end` (exclusive), which are its share `number`, from 0, of `count`."""

    number: int
    count: int
    start: int
    end: int

    @property
    def size(self) -> int:
        """Bytes."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Deal:
    """What session `number` (from 1) of `sessions` moves; files of `threshold` bytes and more are cut, 0: none is.

    Paths are relative to the destination.
    """

    number: int = 1
    sessions: int = 1
    threshold: int = 0

    @property
    def alone(self) -> bool:
        """Whether there is one session only."""
        return self.sessions == 1

    def takes(self, path: bytes) -> bool:
        """Whether what has this path is this session's: a link, an empty folder, a file that is not cut."""
        return self.alone or self._first(path) == self.number - 1

    def cuts(self, size: int) -> bool:
        """Whether a file of `size` bytes is cut; one of a single block cannot be."""
        return not self.alone and 0 < self.threshold <= size and size > BLOCK

    def share(self, path: bytes, size: int) -> Share | None:
        """This session's share of a file that is cut; None when there are fewer blocks than sessions before it."""
        blocks = -(-size // BLOCK)
        count = min(self.sessions, blocks)
        number = (self.number - 1 - self._first(path)) % self.sessions
        if number >= count:
            return None
        return Share(
            number,
            count,
            number * blocks // count * BLOCK,
            min(size, (number + 1) * blocks // count * BLOCK),
        )

    def due(self, path: bytes, size: int) -> int:
        """How many bytes of a file this session moves."""
        if not self.cuts(size):
            return size if self.takes(path) else 0
        share = self.share(path, size)
        return 0 if share is None else share.size

    def _first(self, path: bytes) -> int:
        """Which session, from 0, has a path or the first share of it."""
        digest = hashlib.blake2b(path, digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.sessions
