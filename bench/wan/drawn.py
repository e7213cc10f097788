"""The figures: goodput against loss and distance, and rates over time while TCP comes and goes."""

from __future__ import annotations

import argparse
import time
from pathlib import Path as File

from bench.report import Table
from bench.wan import figures
from bench.wan.cases import BY_DISTANCE, BY_LOSS, Case, chosen
from bench.wan.path import Path
from bench.wan.plane import measure
from bench.wan.sharing import Looked, on_the_wire, session, tcp, watch

_PLACE = File(__file__).resolve().parents[2] / "docs" / "figures"
_TCP_SECONDS = 8.0
_SHARED = Case(200, 50, 0, 0, 0)
_COMES, _STAYS, _AFTER = 8.0, 20.0, 12.0
"""Seconds."""
_BIN_SECONDS = 0.5


def draw(path: Path, options: argparse.Namespace) -> list[Table]:
    """All of them, or those with the numbers of --cases."""
    for name in chosen(("loss", "rtt", "fair", "low"), options.cases):
        place = _PLACE / f"wan-{name}.svg" if not options.no_write else File(f"/tmp/wan-{name}.svg")
        if name in ("loss", "rtt"):
            _goodput(path, options, name, place)
        else:
            _over_time(path, name, place)
    return []


def _goodput(path: Path, options: argparse.Namespace, name: str, place: File) -> None:
    """By the plane and by one TCP stream each."""
    cases, axis, rest = {
        "loss": (BY_LOSS, "loss, %", "100 ms"),
        "rtt": (BY_DISTANCE, "round trip, ms", "1 % loss"),
    }[name]
    series: dict[str, list[tuple[float, float]]] = {
        "fast plane": [],
        "one TCP, BBR": [],
        "one TCP, CUBIC": [],
    }
    for case in cases:
        where = getattr(case, name)
        series["fast plane"].append((where, measure(path, case, options).goodput))
        for control in ("BBR", "CUBIC"):
            series[f"one TCP, {control}"].append((where, _tcp_alone(path, control)))
    title = f"Goodput over 500 Mbit/s, {rest}"
    figures.lines(place, title, (axis, "Mbit/s"), series, limit=500, logarithmic=True)


def _tcp_alone(path: Path, control: str) -> float:
    """Mbit/s on the wire of a TCP stream in the last half of some seconds."""
    with tcp(path, control, _TCP_SECONDS):
        time.sleep(_TCP_SECONDS / 2)
        looked = watch(path, _TCP_SECONDS / 2)
    return on_the_wire(looked, (looked[0].since, looked[-1].at), "tcp")


def _over_time(path: Path, policy: str, place: File) -> None:
    """A session, and a TCP stream that comes and goes."""
    path.set(rate=_SHARED.rate, rtt=_SHARED.rtt, loss=_SHARED.loss)
    started = session(path, policy, _SHARED.rate, _COMES + _STAYS + _AFTER)
    looked = watch(path, _COMES)
    with tcp(path, "CUBIC", _STAYS):
        looked += watch(path, _STAYS)
    looked += watch(path, _AFTER - 2)
    started.result()
    series = {
        f"fast plane, {policy}": _rates(looked, tcp_bytes=False),
        "TCP, CUBIC": _rates(looked, tcp_bytes=True),
    }
    title = f"{policy} over {_SHARED.rate:g} Mbit/s, {_SHARED.rtt:g} ms, while TCP comes and goes"
    figures.lines(place, title, ("seconds", "Mbit/s"), series, limit=_SHARED.rate)


def _rates(looked: list[Looked], *, tcp_bytes: bool) -> list[tuple[float, float]]:
    """Seconds since the first look, and Mbit/s on the wire since the point before."""
    begin = looked[0].since
    points, size, since = [], 0, begin
    for each in looked:
        size += each.counts["tcp"] if tcp_bytes else each.counts["bytes"] - each.counts["tcp"]
        if each.at - since >= _BIN_SECONDS:
            points.append(((since + each.at) / 2 - begin, size * 8e-6 / (each.at - since)))
            size, since = 0, each.at
    return points
