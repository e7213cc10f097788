"""Both ends of the fast plane on a simulated path: no sockets, no clock, the same every time for a seed.

Time goes in steps of half a millisecond. Several flows may share the path. What arrives is compared with what was
sent, byte for byte; `Misdelivered` is raised where it differs or comes twice.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from asperacentral.openascp.udp.boxes import Inbox, Outbox
from asperacentral.openascp.udp.holes import Holes
from asperacentral.openascp.udp.keys import Cipher, Direction, DirectionKeys
from asperacentral.openascp.udp.rates import Policy, RateControl
from asperacentral.openascp.udp.receiving import ReceivingEnd
from asperacentral.openascp.udp.sending import SendingEnd
from bench.wan.tcp import Cubic

STEP = 0.0005
HEADERS = 28
_PATTERN = random.Random(7).randbytes(1_000_003)


class Misdelivered(AssertionError):
    """What came out is not what went in."""


@dataclass(frozen=True)
class Conditions:
    """Of one direction of a path: Mbit/s (0: no limit), seconds, and shares of datagrams."""

    rate: float = 0.0
    delay: float = 0.05
    queue: float = 0.05
    """How long the queue is, in seconds at the rate."""
    loss: float = 0.0
    burst: float = 1.0
    """Mean length of a run of losses."""
    reorder: float = 0.0
    late: float = 0.005
    """How much later a reordered datagram arrives, at most."""
    duplicate: float = 0.0
    corrupt: float = 0.0


class OneWay:
    """One direction of the path."""

    def __init__(self, conditions: Conditions, dice: random.Random) -> None:
        self.conditions = conditions
        self._dice = dice
        self._free = 0.0
        self._bad = False
        self._count = 0
        self._under_way: list[tuple[float, int, int, bytes]] = []
        self.dropped = 0
        self.lost = 0
        self.passed = 0
        self.longest_queue = 0.0

    def send(self, flow: int, datagram: bytes, now: float) -> None:
        c, dice = self.conditions, self._dice
        due = now
        if c.rate:
            self._free = max(self._free, now)
            if self._free - now > c.queue:
                self.dropped += 1
                return
            self._free += (len(datagram) + HEADERS) * 8e-6 / c.rate
            due = self._free
            self.longest_queue = max(self.longest_queue, due - now)
        if c.loss and self._loses(c, dice):
            self.lost += 1
            return
        if c.reorder and dice.random() < c.reorder:
            due += dice.random() * c.late
        if c.corrupt and dice.random() < c.corrupt:
            place = dice.randrange(len(datagram))
            flipped = datagram[place] ^ (1 << dice.randrange(8))
            datagram = datagram[:place] + bytes([flipped]) + datagram[place + 1 :]
        self._put(due + c.delay, flow, datagram)
        if c.duplicate and dice.random() < c.duplicate:
            self._put(due + c.delay + dice.random() * 0.2, flow, datagram)

    def arrived(self, now: float) -> list[tuple[int, bytes]]:
        found = []
        while self._under_way and self._under_way[0][0] <= now:
            _, _, flow, datagram = heapq.heappop(self._under_way)
            found.append((flow, datagram))
        self.passed += len(found)
        return found

    @property
    def waiting(self) -> float:
        """Seconds until the queue is empty, counted from zero."""
        return self._free

    def _put(self, due: float, flow: int, datagram: bytes) -> None:
        self._count += 1
        heapq.heappush(self._under_way, (due, self._count, flow, datagram))

    def _loses(self, c: Conditions, dice: random.Random) -> bool:
        if c.burst <= 1:
            return dice.random() < c.loss
        if self._bad:
            self._bad = dice.random() >= 1 / c.burst
        else:
            self._bad = dice.random() < c.loss / (1 - c.loss) / c.burst
        return self._bad


@dataclass
class Flow:
    """One session: what it sends, and how far it is."""

    sender: SendingEnd
    receiver: ReceivingEnd
    length: int | None
    start: float
    drain: float | None
    """Bytes a second that the receiver's disk takes; None: any."""
    chunk: int
    skew: Callable[[float], float]
    """From the simulation's time to the receiver's clock."""
    stays_open: bool = False
    """More may come after `length` bytes: the sender is not told that it was all, and is done when all arrived."""
    fed: int = 0
    backlog: float = 0.0
    most_backlog: float = 0.0
    got: Holes = field(default_factory=Holes)
    done: float | None = None

    def feed(self) -> None:
        while self.sender.hungry:
            if self.length is not None and self.fed >= self.length:
                self.sender.feed(b"" if self.stays_open else None)
                return
            size = self.chunk if self.length is None else min(self.chunk, self.length - self.fed)
            self.sender.feed(pattern(self.fed, size))
            self.fed += size

    def accept(self, runs: list[tuple[int, bytes]]) -> None:
        for offset, data in runs:
            if self.got.add(offset, offset + len(data)) != [(offset, offset + len(data))]:
                raise Misdelivered(f"{len(data)} bytes at {offset} came twice")
            if data != pattern(offset, len(data)):
                raise Misdelivered(f"{len(data)} bytes at {offset} are wrong")
            if self.drain is not None:
                self.backlog += len(data)
                self.most_backlog = max(self.most_backlog, self.backlog)


def pattern(offset: int, size: int) -> bytes:
    """The bytes of every simulated stream."""
    place = offset % len(_PATTERN)
    data = _PATTERN[place : place + size]
    while len(data) < size:
        data += _PATTERN[: size - len(data)]
    return data


def whole(volley: list[bytes]) -> list[bytes]:
    """The datagrams of a volley, which come in two pieces each, unless it is a probe."""
    if len(volley) == 1:
        return volley
    return [header + body for header, body in zip(volley[::2], volley[1::2], strict=True)]


class Simulation:
    """A path and the flows on it. `back` are the conditions of the reports' way: as those there, without a queue."""

    def __init__(self, there: Conditions, back: Conditions | None = None, seed: int = 1) -> None:
        self._dice = random.Random(seed)
        back = back if back is not None else replace(there, rate=0.0)
        self.there = OneWay(there, random.Random(seed + 1))
        self.back = OneWay(back, random.Random(seed + 2))
        self.flows: list[Flow] = []
        self.rivals: list[Cubic] = []
        self.now = 1000.0

    def add(
        self,
        *,
        target: int,
        policy: Policy = Policy.FIXED,
        minimum: int = 0,
        length: int | None = None,
        start: float = 0.0,
        size: int = 1472,
        cipher: Cipher = Cipher.AES128,
        first: int = 0,
        drain: float | None = None,
        room: int = 64 << 20,
        chunk: int = 1 << 20,
        skew: Callable[[float], float] = lambda now: now,
        stays_open: bool = False,
    ) -> Flow:
        """Another session; rates in Kbps, times in seconds from now, `first` is its first sequence number."""
        secret = self._dice.randbytes(32)
        begin = self.now + start
        ways = [DirectionKeys(secret, cipher, direction) for direction in Direction for _ in (0, 1)]
        inbox = Inbox(ways[1])
        inbox.arrived.end = first
        sender = SendingEnd(
            Inbox(ways[3]),
            Outbox(ways[0], first),
            RateControl(policy, target, minimum, begin),
            size=size,
            headers=HEADERS,
            buffer=4 << 20,
            now=begin,
            rtt=max(2 * self.there.conditions.delay, 0.001),
        )
        receiver = ReceivingEnd(inbox, Outbox(ways[2]), room=room, early=512 << 10, now=skew(begin))
        flow = Flow(sender, receiver, length, begin, drain, chunk, skew, stays_open)
        self.flows.append(flow)
        return flow

    def add_tcp(self) -> Cubic:
        """A TCP flow that shares the path from now on."""
        number = -1 - len(self.rivals)
        rival = Cubic(
            lambda segment, now: self.there.send(number, segment, now), self.back.conditions.delay, self.now
        )
        self.rivals.append(rival)
        return rival

    def run(self, seconds: float) -> bool:
        """Let time pass until all flows are done, `seconds` at most; whether they are."""
        end = self.now + seconds
        while self.now < end:
            self.now += STEP
            self._step()
            if all(flow.done is not None for flow in self.flows):
                return True
        return False

    def _step(self) -> None:
        now = self.now
        for rival in self.rivals:
            rival.step(now)
        for index, flow in enumerate(self.flows):
            if flow.start <= now and flow.done is None:
                flow.feed()
                while volleys := flow.sender.burst(now):
                    for datagram in (each for volley in volleys for each in whole(volley)):
                        self.there.send(index, datagram, now)
                    flow.feed()
        self._deliver(self.there.arrived(now), now)
        for index, flow in enumerate(self.flows):
            if flow.drain is not None:
                flow.backlog = max(0.0, flow.backlog - flow.drain * STEP)
            if flow.start <= now:
                for report in flow.receiver.reports(flow.skew(now), int(flow.backlog)):
                    self.back.send(index, report, now)
        sorted_out: dict[int, list[bytes]] = {}
        for index, datagram in self.back.arrived(now):
            sorted_out.setdefault(index, []).append(datagram)
        for index, datagrams in sorted_out.items():
            flow = self.flows[index]
            flow.sender.take_in(datagrams, now)
            if flow.sender.complete and flow.done is None:
                flow.done = now
                if not flow.receiver.complete or flow.got.first_missing != flow.length:
                    raise Misdelivered("the sender takes the stream for whole, but it is not")

    def _deliver(self, arrived: list[tuple[int, bytes]], now: float) -> None:
        sorted_out: dict[int, list[bytes]] = {}
        for index, datagram in arrived:
            if index < 0:
                if -1 - index < len(self.rivals):
                    self.rivals[-1 - index].arrived(datagram, now)
            else:
                sorted_out.setdefault(index, []).append(datagram)
        for index, datagrams in sorted_out.items():
            flow = self.flows[index]
            flow.accept(flow.receiver.take(datagrams, flow.skew(now), int(flow.backlog)))
            if flow.stays_open and flow.done is None and flow.got.first_missing == flow.length:
                flow.done = now
