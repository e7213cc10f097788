"""What is under way: datagrams that were sent and whose fate is not known, in the order of their numbers.

Pure. Datagrams that were sent together with neighbouring bytes of the stream are kept as one run, so that the work is
one for each call to the kernel, not one for each datagram.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from asperacentral.openascp.udp.keys import Buffer

_TIDY = 1000


class _Run:
    """Datagrams with the numbers from `first` to before `after`, of `step` bytes each but the last."""

    __slots__ = ("after", "at", "content", "first", "offset", "step")

    def __init__(self, first: int, after: int, offset: int, content: Buffer, step: int, at: float) -> None:
        self.first = first
        self.after = after
        self.offset = offset
        self.content = content
        self.step = step
        self.at = at


class Flight:
    """Datagrams under way. They are added, and leave, by ascending sequence numbers."""

    def __init__(self) -> None:
        self.bytes = 0
        """Bytes of the stream under way."""
        self._runs: list[_Run] = []
        self._starts: list[int] = []
        self._head = 0

    def __bool__(self) -> bool:
        """Whether anything is under way."""
        return self._head < len(self._runs)

    def add(self, first: int, count: int, offset: int, content: Buffer, step: int, at: float) -> None:
        """Datagrams were sent; without `content` it is one, and `offset` says what it was."""
        self._runs.append(_Run(first, first + count, offset, content, step, at))
        self._starts.append(first)
        self.bytes += len(content)

    def sent_at(self, sequence: int) -> float | None:
        """When a datagram was sent; None when it is not under way."""
        index = bisect_right(self._starts, sequence, self._head) - 1
        if index < self._head or sequence >= self._runs[index].after:
            return None
        return self._runs[index].at

    def leave(self, before: int) -> Iterator[tuple[int, Buffer]]:
        """All that has numbers before this one, as offset and bytes, neighbours that were sent together as one."""
        while self._head < len(self._runs):
            run = self._runs[self._head]
            if run.after <= before:
                self._head += 1
                content, run.content = run.content, b""
            elif run.first < before:
                size = (before - run.first) * run.step
                content, run.content = run.content[:size], run.content[size:]
                run.first = before
            else:
                break
            offset = run.offset
            run.offset += len(content)
            self.bytes -= len(content)
            yield offset, content
        if self._head > _TIDY and 2 * self._head > len(self._runs):
            del self._runs[: self._head], self._starts[: self._head]
            self._head = 0
