"""How two ends find each other: hello, answer, confirm.

The caller speaks first, so that it may sit behind an address translation. It sends hellos of several sizes, and each is
answered with a datagram of the same size: what comes back fits the path both ways, and nobody gets more bytes than he
sent. The answer holds a cookie for the address it goes to; only who can name it from there is sent a stream, so a
hello that somebody copies and sends in another's name draws nothing on him.

Pure: what is returned is to be sent; time is seconds of a clock that does not go back.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Hashable

from asperacentral.openascp.udp.boxes import Inbox, Outbox
from asperacentral.openascp.udp.packets import OVERHEAD, VERSION, Answer, Confirm, Kind, MalformedBody

SIZES = (1232, 1452, 1464, 1472, 8952, 8972, 32_000, 61_000)
"""Bytes of datagrams to try: what fits every IPv6 path, Ethernet over IPv6, over PPPoE, Ethernet, jumbo frames, and
the loopback interface. Those that the own interface does not take are left out."""

SMALLEST = SIZES[0]
SMALLEST_LIMIT = 200
LARGEST_LIMIT = 65_507

_GRACE = 0.015
_FIRST_AGAIN = 0.02
_LONGEST_BETWEEN = 0.2
_SHORTEST_MEETING = 2.5
_LONGEST_MEETING = 15.0
_ROUND_TRIPS = 6
_MOST_ADDRESSES = 16
_CONFIRMATIONS = 2


def patience(rtt: float) -> float:
    """Seconds to wait for an answer where TCP has seen a round trip of `rtt` seconds, 0 for unknown; after that UDP is
    taken to be blocked. Up to 400 ms that is known within three seconds, with the last look at what has come; beyond,
    so many hellos are still answered in time that 30 per cent of loss both ways do not stop them.
    """
    return min(max(_SHORTEST_MEETING, _ROUND_TRIPS * rtt), _LONGEST_MEETING)


def sizes_up_to(largest: int | None) -> tuple[int, ...]:
    """The sizes to try when an order limits them; the limit itself is one. ValueError when nothing fits into it."""
    if largest is None:
        return SIZES
    if not SMALLEST_LIMIT <= largest <= LARGEST_LIMIT:
        raise ValueError(f"datagrams of {largest} bytes are not between {SMALLEST_LIMIT} and {LARGEST_LIMIT}")
    return (*(size for size in SIZES if size < largest), largest)


class Caller:
    """The end that speaks first. `buffer` is how many bytes its socket holds."""

    def __init__(
        self, inbox: Inbox, outbox: Outbox, buffer: int, now: float, sizes: tuple[int, ...] = SIZES
    ) -> None:
        self._inbox = inbox
        self._outbox = outbox
        self._buffer = buffer
        self._sizes = list(sizes)
        self._next_time = now
        self._interval = _FIRST_AGAIN
        self._sent_at: dict[int, float] = {}
        self._answered_at: float | None = None
        self._cookie = 0
        self.size = 0
        """The largest datagram that went there and came back."""
        self.peer_buffer = 0
        """Bytes the other socket holds."""
        self.rtt: float | None = None
        """Seconds from a hello to its answer."""

    def refused(self, size: int) -> None:
        """The own interface does not take datagrams of this size."""
        self._sizes = [each for each in self._sizes if each < size] or [SMALLEST]

    def hellos(self, now: float) -> list[bytes]:
        """The hellos that are due, largest first: when its answer comes, no other needs to be waited for."""
        if self.size or now < self._next_time:
            return []
        self._next_time = now + self._interval
        self._interval = min(2 * self._interval, _LONGEST_BETWEEN)
        for size in self._sizes:
            self._sent_at.setdefault(size, now)
        version = VERSION.to_bytes(2, "big")
        return [self._outbox.seal(Kind.HELLO, size, version, size) for size in reversed(self._sizes)]

    def take_in(self, datagram: bytes | memoryview, now: float) -> None:
        """A datagram arrived."""
        packet = self._inbox.open(datagram, now)
        if packet is None or packet[0] != Kind.ANSWER:
            return
        try:
            answer = Answer.decode(packet[3])
        except MalformedBody:
            return
        size = packet[2]
        if self._answered_at is None:
            self._answered_at = now
            self.rtt = now - self._sent_at.get(size, now)
        self._cookie = answer.cookie
        self.peer_buffer = answer.buffer
        self.size = max(self.size, size)

    def ready(self, now: float) -> bool:
        """Whether the largest datagram was answered, or was waited for long enough."""
        if self._answered_at is None:
            return False
        return self.size >= self._sizes[-1] or now >= self._answered_at + self._grace

    def wait(self, now: float) -> float:
        """Seconds until there is something to do, if nothing arrives before."""
        until = self._next_time if self._answered_at is None else self._answered_at + self._grace
        return max(0.0, until - now)

    @property
    def _grace(self) -> float:
        return _GRACE + (self.rtt or 0.0) / 4

    def confirm(self, challenge: int | None = None) -> list[bytes]:
        """Say that the answer came, to be repeated until something else of the answerer arrives; or a challenge."""
        body = Confirm(self.size, self._buffer).encode()
        cookie = self._cookie if challenge is None else challenge
        return [self._outbox.seal(Kind.CONFIRM, cookie, body) for _ in range(_CONFIRMATIONS)]


class Answerer:
    """The end that is called; it sends nothing to who has not proved to know the keys."""

    def __init__(
        self, inbox: Inbox, outbox: Outbox, buffer: int, cookies: Callable[[int], int] = secrets.randbits
    ) -> None:
        self._inbox = inbox
        self._outbox = outbox
        self._buffer = buffer
        self._new_cookie = cookies
        self._cookies: dict[Hashable, int] = {}
        self.caller: Hashable | None = None
        """The caller's address, once it has confirmed that it receives there."""
        self.confirmed: Confirm | None = None

    def take_in(self, datagram: bytes | memoryview, address: Hashable, now: float) -> bytes | None:
        """A datagram arrived; what to answer to its address, never more bytes than it had."""
        # What is opened counts as arrived: data that overtakes the confirmation must stay closed, and comes again.
        if len(datagram) < OVERHEAD or datagram[0] not in (Kind.HELLO, Kind.CONFIRM):
            return None
        packet = self._inbox.open(datagram, now)
        if packet is None:
            return None
        kind, _, argument, body = packet
        if kind == Kind.HELLO and argument == len(datagram):
            return self._answer(address, len(datagram))
        if kind == Kind.CONFIRM and self.caller is None and self._cookies.get(address) == argument:
            try:
                confirmed = Confirm.decode(body)
            except MalformedBody:
                return None
            if SMALLEST_LIMIT <= confirmed.size <= LARGEST_LIMIT:
                self.caller, self.confirmed = address, confirmed
        return None

    def _answer(self, address: Hashable, size: int) -> bytes | None:
        if address not in self._cookies:
            if len(self._cookies) >= _MOST_ADDRESSES:
                return None
            self._cookies[address] = self._new_cookie(64)
        answer = Answer(self._cookies[address], self._buffer)
        return self._outbox.seal(Kind.ANSWER, size, answer.encode(), size)
