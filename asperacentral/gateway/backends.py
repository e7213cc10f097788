"""What the gateway's protocols need of a place for files, wherever that is. See `docroot` and `transfer_server`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from twisted.internet.defer import Deferred


class Receiver(Protocol):
    """Takes the files of one upload, one after the other. Any method may raise what `errors.told` knows."""

    def begin(self, path: bytes, size: int | None) -> None:
        """The file that is to be at `path` (from the docroot on) begins; `size` in bytes if that is known."""

    def write(self, data: bytes) -> None:
        """More of it."""

    def end(self) -> None:
        """It is whole."""

    def behind(self) -> Deferred[None] | None:
        """Fires when more should come; None when it may come at once. What is under way comes all the same."""

    def finish(self) -> Deferred[None] | None:
        """All files have come; the upload is done when this returns or the Deferred fires."""

    def abandon(self) -> None:
        """There will be no more: remove what is not whole."""


@dataclass(frozen=True, slots=True)
class Offered:
    """A file that a download brings: its path from the docroot on, its name in a ZIP, its bytes, and when it was
    changed last, in nanoseconds since the epoch.

    `open` gives a descriptor to read it, for the caller to close. OSError.
    """

    path: bytes
    name: str
    size: int
    modified: int
    open: Callable[[], int]


class Selection(Protocol):
    """The files of one download; to be closed when they have been sent."""

    files: Sequence[Offered]
    alone: bool
    """Whether it is one file, asked for by its name."""
    refused: Sequence[tuple[bytes, str]]
    """What was found in folders and is not sent, and why."""

    def close(self) -> None:
        """Let go of them."""
