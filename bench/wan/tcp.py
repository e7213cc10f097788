"""A TCP flow on the simulated path, with CUBIC: what the policies have to get along with.

Sends without end; what is lost is not sent again, as nobody looks at the bytes. Selective acknowledgements are taken
for granted, so that a loss is known when three later segments have arrived.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

SEGMENT = 1472
_BETA, _C = 0.7, 0.4
_REORDER = 3
_TIMEOUT = 1.0


class Cubic:
    """`send` puts a segment on the path, `back` is how many seconds acknowledgements take."""

    def __init__(self, send: Callable[[bytes, float], None], back: float, now: float) -> None:
        self.received = 0
        self._send = send
        self._back = back
        self._window = 10.0
        self._threshold = float("inf")
        self._next = 0
        self._sent: dict[int, float] = {}
        self._acknowledgements: deque[tuple[float, int]] = deque()
        self._heard = now
        self._newest = -1
        self._recovered = 0
        self._rtt = 0.1
        self._most = 0.0
        self._epoch: float | None = None
        self._reno = 0.0

    def arrived(self, segment: bytes, now: float) -> None:
        """The path has delivered a segment."""
        self.received += len(segment)
        self._acknowledgements.append((now + self._back, int.from_bytes(segment[:8], "big")))

    def step(self, now: float) -> None:
        """Take what was acknowledged, and send what the window allows."""
        while self._acknowledgements and self._acknowledgements[0][0] <= now:
            self._acknowledged(self._acknowledgements.popleft()[1], now)
        if self._sent and now - self._heard > _TIMEOUT:
            self._sent.clear()
            self._window, self._threshold, self._epoch = 2.0, max(self._threshold / 2, 2.0), None
            self._heard = now
        while len(self._sent) < self._window:
            self._sent[self._next] = now
            self._send(self._next.to_bytes(8, "big") + bytes(SEGMENT - 8), now)
            self._next += 1

    def _acknowledged(self, segment: int, now: float) -> None:
        self._heard = now
        sent = self._sent.pop(segment, None)
        if sent is None:
            return
        self._rtt += (now - sent - self._rtt) / 8
        self._newest = max(self._newest, segment)
        lost = []
        for each in self._sent:  # in the order of sending
            if each >= self._newest - _REORDER:
                break
            lost.append(each)
        for each in lost:
            del self._sent[each]
        if lost and lost[-1] >= self._recovered:
            self._recovered = self._next
            self._most = self._window if self._window > self._most else self._window * (1 + _BETA) / 2
            self._window = self._threshold = max(self._window * _BETA, 2.0)
            self._epoch = None
        elif not lost:
            self._grow(now)

    def _grow(self, now: float) -> None:
        if self._window < self._threshold:
            self._window += 1
            return
        if self._epoch is None:
            self._epoch, self._reno = now, self._window
            self._most = max(self._most, self._window)
            self._after = ((self._most - self._window) / _C) ** (1 / 3)
        self._reno += 3 * (1 - _BETA) / (1 + _BETA) / self._window
        cubic = self._most + _C * (now - self._epoch + self._rtt - self._after) ** 3
        target = min(max(cubic, self._reno), 1.5 * self._window)
        self._window += max(0.0, target - self._window) / self._window
