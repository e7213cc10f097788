"""A file that the receiving half is to write."""

from __future__ import annotations

import stat
from dataclasses import dataclass, replace

from asperacentral.openascp.exchange.checkpoint import Identity, extents_without
from asperacentral.openascp.exchange.messages import Entry
from asperacentral.openascp.exchange.resuming import Leftover

Extents = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Target:
    """A file to be written: `missing` are the extents it lacks, the others are in `leftover`.

    `identity` is set when the file is worth a checkpoint; `clear` is where the file is decrypted to, if it has to be.
    """

    entry: Entry
    place: bytes
    partial: bytes
    checkpoint: bytes
    identity: Identity | None
    missing: Extents
    leftover: Leftover | None = None
    clear: bytes = b""

    @property
    def kept(self) -> int:
        """How many bytes are there already."""
        return self.leftover.size if self.leftover is not None else 0

    def resuming(self, leftover: Leftover) -> Target:
        """The same, with what `leftover` has."""
        missing = tuple(extents_without(leftover.present, self.entry.size))
        return replace(self, missing=missing, leftover=leftover)

    @property
    def executable(self) -> bool:
        """Whether its owner may execute the source."""
        return bool(self.entry.mode & stat.S_IXUSR)
