"""Lines in a coordinate system, as SVG: small, readable in light and dark, without a library."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

Points = Sequence[tuple[float, float]]

_WIDTH, _HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 150, 36, 48
_COLOURS = ("#0b7285", "#e8590c", "#5f3dc4", "#2b8a3e", "#c2255c", "#868e96")


def lines(
    place: Path,
    title: str,
    axes: tuple[str, str],
    series: Mapping[str, Points],
    *,
    limit: float | None = None,
    logarithmic: bool = False,
) -> None:
    """Draw each series by its name; `limit` is a dashed line across, such as a link's rate."""
    all_x = [x for points in series.values() for x, _ in points]
    all_y = [y for points in series.values() for _, y in points] + ([limit] if limit else [])
    low_y = 1.0 if logarithmic else 0.0
    high_y = max([*all_y, low_y * 10]) * 1.08
    low_x, high_x = min(all_x), max([*all_x, min(all_x) + 1e-9])

    def at(x: float, y: float) -> tuple[float, float]:
        share = (x - low_x) / (high_x - low_x)
        height = math.log(max(y, low_y) / low_y) / math.log(high_y / low_y) if logarithmic else y / high_y
        return (
            round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1),
            round(_HEIGHT - _BOTTOM - height * (_HEIGHT - _TOP - _BOTTOM), 1),
        )

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"'
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        _text(_LEFT, 20, title, size=14),
        _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 10, axes[0], anchor="middle"),
        _text(8, _TOP - 6, axes[1]),
    ]
    ticks = [10**power for power in range(6) if 10**power <= high_y] if logarithmic else _ticks(high_y)
    for tick in ticks:
        x, y = at(low_x, tick)
        parts.append(f'<path d="M{x} {y}H{_WIDTH - _RIGHT}" stroke="#dee2e6"/>')
        parts.append(_text(x - 6, y + 4, f"{tick:g}", anchor="end"))
    for each in sorted(set(all_x)) if len(set(all_x)) <= 8 else _ticks(high_x):
        x, y = at(each, low_y)
        parts.append(_text(x, y + 16, f"{each:g}", anchor="middle"))
    if limit:
        x, y = at(low_x, limit)
        parts.append(f'<path d="M{x} {y}H{_WIDTH - _RIGHT}" stroke="#495057" stroke-dasharray="5 4"/>')
        parts.append(_text(_WIDTH - _RIGHT + 6, y + 4, "link"))
    for index, (name, points) in enumerate(series.items()):
        colour = _COLOURS[index % len(_COLOURS)]
        path = " ".join(f"{x},{y}" for x, y in (at(*point) for point in sorted(points)))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(_text(_WIDTH - _RIGHT + 6, _TOP + 40 + 18 * index, name, colour=colour))
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("\n".join([*parts, "</svg>", ""]))


def _ticks(high: float) -> list[float]:
    step = 10 ** math.floor(math.log10(max(high, 1e-9)))
    if high / step < 3:
        step /= 4
    elif high / step < 6:
        step /= 2
    return [step * number for number in range(int(high / step) + 1)]


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", size: int = 12, colour: str = "#212529"
) -> str:
    return (
        f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">'
        f"{escape(text)}</text>"
    )
