"""A file that the receiving half is to write."""

from __future__ import annotations

import stat
from typing import NamedTuple, Protocol

from asperacentral.openascp.exchange import holes
from asperacentral.openascp.exchange.checkpoint import Identity, extents_without
from asperacentral.openascp.exchange.dealing import Share
from asperacentral.openascp.exchange.holes import Extents
from asperacentral.openascp.exchange.messages import Entry


class Left(Protocol):
    """What a former session left of a file: the blocks that are `present`, `size` bytes, to be read at `descriptor`."""

    descriptor: int
    present: list[int]

    @property
    def size(self) -> int:
        """The bytes that are there."""
        ...

    def forget(self, indexes: set[int]) -> None:
        """These blocks are wrong. OSError, Failure."""
        ...

    def close(self) -> None:
        """It is not wanted any more; it stays where it is."""
        ...


class Target(NamedTuple):
    """A file to be written: `missing` are the extents it lacks, the others are in `leftover`.

    `identity` is set when the file is worth a checkpoint; `clear` is where the file is decrypted to, if it has to be.
    With a `share` this session writes no more than that. `fresh` tells that this session has made the folder it is in.
    """

    entry: Entry
    place: bytes
    partial: bytes
    checkpoint: bytes
    identity: Identity | None
    missing: Extents
    leftover: Left | None = None
    clear: bytes = b""
    share: Share | None = None
    fresh: bool = False

    @property
    def kept(self) -> int:
        """How many bytes are there already, or are holes."""
        if self.share is None:
            return self.entry.size - sum(length for _, length in self.missing)
        return self.leftover.size if self.leftover is not None else 0

    @property
    def holes(self) -> Extents:
        """Those that are left out."""
        return self.entry.holes if self.share is None else ()

    def resuming(self, leftover: Left) -> Target:
        """The same, with what `leftover` has."""
        start, end = (0, self.entry.size) if self.share is None else (self.share.start, self.share.end)
        missing = tuple(holes.without(extents_without(leftover.present, end, start), self.holes))
        return self._replace(missing=missing, leftover=leftover)

    @property
    def executable(self) -> bool:
        """Whether its owner may execute the source."""
        return bool(self.entry.mode & stat.S_IXUSR)
