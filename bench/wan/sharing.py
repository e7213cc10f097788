"""Who shares a link with whom, and how: sessions of each policy alone, beside each other and beside TCP.

What the link itself has counted is what tells: bytes that came through, how long packets waited in its queue, and
what the queue dropped. Only two sessions beside each other are told apart by what their receivers say.
"""

from __future__ import annotations

import argparse
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bench.report import Cell, Table
from bench.wan.cases import Case, chosen
from bench.wan.path import Path
from bench.wan.transfers import PlaneTransfer, Result

_LOSSY = (Case(200, 50, 0.5, 0, 0), Case(500, 100, 1, 0, 0), Case(200, 160, 0.5, 0, 0))
_CLEAN = (Case(200, 50, 0, 0, 0), Case(500, 100, 0, 0, 0), Case(200, 160, 0, 0, 0))
_TCP = ("CUBIC", "BBR")
_LOOK_SECONDS = 0.1
_START_UP, _ALONE = 6.0, 10.0
_LATER, _SETTLING, _SETTLING_SLOW, _COUNTED = 4.0, 16.0, 24.0, 8.0
_TCP_ALONE = (4.0, 8.0)
"""Seconds: a session alone starts up and is then looked at; a second one comes later, and when both have settled they
are looked at. TCP is looked at alone between these before a session comes."""


@dataclass(frozen=True)
class Looked:
    """What the link counted between two moments of the monotonic clock."""

    since: float
    at: float
    counts: dict[str, Any]


@dataclass
class Shares:
    """Mbit/s of both, of TCP before the session came; ms that packets waited, and per cent that the queue dropped."""

    rate: float
    other: float = 0.0
    before: float = 0.0
    longest: float = 0.0
    mean: float = 0.0
    dropped: float = 0.0

    @property
    def ratio(self) -> float:
        """Of the first to the second; 0 if there is none."""
        return self.rate / self.other if self.other else 0.0

    @property
    def left(self) -> float:
        """Per cent that TCP has of what it had alone; 0 if there is none."""
        return 100 * self.other / self.before if self.before else 0.0


@dataclass(frozen=True)
class Aim:
    """In words, and whether shares on a path hold it."""

    words: str
    held: Callable[[Shares, Case], bool]


_FULL = Aim(
    "88 % of the link, queue < 30 ms, dropped < 0.1 %",
    lambda got, case: got.rate >= 0.88 * case.rate and got.longest < 30 and got.dropped < 0.1,
)
_EQUAL = Aim("ratio 0.9 to 1.1", lambda got, _: 0.9 <= got.ratio <= 1.1)
_TWICE = Aim("ratio 1.7 to 2.3", lambda got, _: 1.7 <= got.ratio <= 2.3)
_YIELDS = Aim("TCP keeps 90 %", lambda got, _: got.left >= 90)
_LIVES = Aim("each a fifth of the link", lambda got, case: min(got.rate, got.other) >= 0.2 * case.rate)


@dataclass(frozen=True)
class Company:
    """A session of policy `first` beside `second`: nobody, a session of another policy, CUBIC or BBR."""

    first: str
    second: str
    path: Case
    aim: Aim | None

    def __str__(self) -> str:
        return f"{self.first}, {self.second}" if self.second else f"{self.first} alone"


COMPANIES = tuple(
    company
    for lossy, clean in zip(_LOSSY, _CLEAN, strict=True)
    for company in (
        Company("fair", "", lossy, _FULL),
        Company("fair", "fair", lossy, _EQUAL),
        Company("high", "fair", lossy, _TWICE),
        Company("low", "CUBIC", clean, _YIELDS),
        Company("fair", "CUBIC", clean, _LIVES),
        Company("fair", "BBR", clean, None),
    )
)


def policies(options: argparse.Namespace) -> list[Table]:
    """A row for each company."""
    table = Table(
        f"Who shares a link with whom, target twice the link, median of {options.rounds}",
        [
            "sessions",
            "path",
            "Mbit/s",
            "Mbit/s of the other",
            "ratio",
            "% left to TCP",
            "longest queue ms",
            "mean queue ms",
            "dropped by the queue %",
            "aim",
            "held",
        ],
        note=f"After start-up: a session alone is looked at for {_ALONE:.0f} s after {_START_UP:.0f} s. The session "
        f"named first comes {_LATER:.0f} s after another one, {_TCP_ALONE[1]:.0f} s after TCP; {_SETTLING:.0f} s "
        f"later (beside TCP and over 100 ms or more {_SETTLING_SLOW:.0f} s) {_COUNTED:.0f} s count. "
        "The link's queue holds 50 ms. Bytes of the stream; beside TCP, bytes on the wire. TCP's % are of what "
        "it had when it was alone.",
    )
    for company in chosen(COMPANIES, options.cases):
        rounds = [_round(company) for _ in range(options.rounds)]
        print(company, company.path, *rounds, sep="\n  ", flush=True)
        table.rows.append(_row(company, rounds))
    return [table]


def _row(company: Company, rounds: list[Shares]) -> list[Cell]:
    got = sorted(rounds, key=lambda each: each.ratio or each.rate)[len(rounds) // 2]
    beside = [got.other, got.ratio] if company.second else ["-", "-"]
    return [
        str(company),
        str(company.path),
        got.rate,
        *beside,
        got.left if got.before else "-",
        got.longest,
        got.mean,
        got.dropped,
        company.aim.words if company.aim else "-",
        "-" if company.aim is None else "yes" if company.aim.held(got, company.path) else "no",
    ]


def _round(company: Company) -> Shares:
    case = company.path
    with Path() as path:
        path.set(rate=case.rate, rtt=case.rtt, loss=case.loss)
        if not company.second:
            return _alone(path, company)
        if company.second in _TCP:
            return _beside_tcp(path, company)
        return _together(path, company)


def _settling(company: Company) -> float:
    slow = company.path.rtt >= 100 or company.second in _TCP
    return _SETTLING_SLOW if slow else _SETTLING


def session(path: Path, policy: str, rate: float, seconds: float) -> PlaneTransfer:
    """A session whose target is twice the link; starts at once and goes on for so long."""
    return PlaneTransfer(path, rate=int(rate * 2000), policy=policy, seconds=seconds)


def _alone(path: Path, company: Company) -> Shares:
    began = time.monotonic()
    mine = session(path, company.first, company.path.rate, _START_UP + _ALONE + 1)
    looked = watch(path, _START_UP + _ALONE)
    window = (began + _START_UP, began + _START_UP + _ALONE)
    return _shares(looked, window, _rate_of(mine.result(), window))


def _together(path: Path, company: Company) -> Shares:
    """The first of the two is the one that comes later."""
    rate, whole = company.path.rate, _LATER + _settling(company) + _COUNTED
    began = time.monotonic()
    other = session(path, company.second, rate, whole + 1)
    looked = watch(path, _LATER)
    mine = session(path, company.first, rate, whole - _LATER + 1)
    looked += watch(path, whole - (time.monotonic() - began))
    window = (began + whole - _COUNTED, began + whole)
    return _shares(looked, window, _rate_of(mine.result(), window), _rate_of(other.result(), window))


def _beside_tcp(path: Path, company: Company) -> Shares:
    whole = _TCP_ALONE[1] + _settling(company) + _COUNTED
    with tcp(path, company.second, whole + 1):
        began = time.monotonic()
        looked = watch(path, _TCP_ALONE[1])
        started = session(path, company.first, company.path.rate, whole - _TCP_ALONE[1] + 1)
        looked += watch(path, whole - (time.monotonic() - began))
        started.result()
    window = (began + whole - _COUNTED, began + whole)
    alone = (began + _TCP_ALONE[0], began + _TCP_ALONE[1])
    before = on_the_wire(looked, alone, "tcp")
    mine = on_the_wire(looked, window, "bytes") - on_the_wire(looked, window, "tcp")
    return _shares(looked, window, mine, on_the_wire(looked, window, "tcp"), before)


@contextmanager
def tcp(path: Path, control: str, seconds: float) -> Iterator[None]:
    """A TCP stream from a to b meanwhile; stopped when left."""
    server = path.start("b", ["iperf3", "-s", "-1"], stdout=subprocess.DEVNULL)
    time.sleep(0.3)
    words = ["iperf3", "-c", path.addresses["b"], "-t", str(int(seconds)), "-C", control.lower()]
    client = path.start("a", words, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        client.wait()
        server.wait()


def watch(path: Path, seconds: float) -> list[Looked]:
    """Look at the link's counters for so long."""
    path.counters()
    now = time.monotonic()
    end = now + seconds
    looked: list[Looked] = []
    while now < end:
        time.sleep(min(_LOOK_SECONDS, end - now))
        counts = path.counters()["there"]
        since, now = now, time.monotonic()
        looked.append(Looked(since, now, counts))
    return looked


def on_the_wire(looked: list[Looked], window: tuple[float, float], kind: str) -> float:
    """Mbit/s that came through in a window of time; `kind` is bytes or tcp."""
    inside = _inside(looked, window)
    size: int = sum(each.counts[kind] for each in inside)
    return size * 8e-6 / (inside[-1].at - inside[0].since)


def _inside(looked: list[Looked], window: tuple[float, float]) -> list[Looked]:
    return [each for each in looked if window[0] < each.at <= window[1]]


def _shares(
    looked: list[Looked], window: tuple[float, float], rate: float, other: float = 0.0, before: float = 0.0
) -> Shares:
    counts = [each.counts for each in _inside(looked, window)]
    came, took = (max(1, sum(each[name] for each in counts)) for name in ("packets", "took"))
    return Shares(
        rate,
        other,
        before,
        longest=max(each["queue_ms"] for each in counts),
        mean=sum(each["waited_ms"] for each in counts) / took,
        dropped=100 * sum(each["dropped"] for each in counts) / came,
    )


def _rate_of(result: Result, window: tuple[float, float]) -> float:
    """Mbit/s of the stream's bytes that arrived in a window of time."""
    inside = [mark for mark in result.marks if window[0] < mark[0] <= window[1]]
    (early, less), (late, more) = inside[0], inside[-1]
    return (more - less) * 8e-6 / (late - early)
