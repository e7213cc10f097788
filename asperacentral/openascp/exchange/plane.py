"""What moves a session's stream of bytes: the interface of planes. They know nothing of files.

The sending half is a `StreamSource`, the receiving half a `StreamSink`; a plane takes from the one on one machine and
gives to the other on the other, no faster than the target rate. Both may be called from a plane's own thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class StreamSource(Protocol):
    """The stream as the sending half has it. One thread at a time reads, and may have to wait for a disk."""

    def read(self, size: int) -> bytes | None:
        """The next bytes of the stream, `size` at most; empty when there are none after a short wait, None at the end.

        The wait is some ten milliseconds, so that a plane can just ask again.
        """
        ...


class StreamSink(Protocol):
    """The stream as the receiving half wants it."""

    def write(self, offset: int, data: bytes) -> None:
        """Take bytes of the stream, in any order, never the same byte twice. Returns at once."""
        ...

    @property
    def backlog(self) -> int:
        """Bytes taken and not yet on their way to a disk; a plane makes its peer wait when this grows."""
        ...


@dataclass(frozen=True, slots=True)
class PlaneFacts:
    """What a plane tells for the statistics: bytes, milliseconds, Kbps. `None` is not known."""

    sent: int = 0
    lost: int = 0
    rtt: int | None = None
    rate: int | None = None
    queue_delay: int | None = None
