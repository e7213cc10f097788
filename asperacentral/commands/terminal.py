"""What is written for people: sizes, rates, times, bars, tables, colours, and one line that is redrawn.

Knows nothing of jobs. Colour and redrawing happen on a terminal only; the variable NO_COLOR turns colour off.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from typing import TextIO

_SIZES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_RATES = ("bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s")
_COLOURS = {"red": 31, "green": 32, "yellow": 33, "blue": 34, "grey": 90, "bold": 1}
_ERASE_LINE = "\r\x1b[K"


def human_size(count: float) -> str:
    """Bytes, in steps of 1,024: `1.5 MiB`."""
    return _scaled(count, 1024, _SIZES)


def human_rate(bits_per_second: float) -> str:
    """A rate, in steps of 1,000: `98.3 Mbit/s`."""
    return _scaled(bits_per_second, 1000, _RATES)


def human_time(seconds: float) -> str:
    """Seconds as `0:07`, `12:30` or `2:05:00`."""
    minutes, second = divmod(max(0, round(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def bar(fraction: float, width: int) -> str:
    """A bar of `width` characters, filled to `fraction` (0 to 1)."""
    filled = round(min(1.0, max(0.0, fraction)) * width)
    return "█" * filled + "░" * (width - filled)


def safe(text: str) -> str:
    """The text with control characters made visible, so that no name or message can steer the terminal."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text
    )


def table(heads: Sequence[str], rows: Collection[Sequence[str]], right: Collection[str] = ()) -> list[str]:
    """Lines of a table; the columns named in `right` are aligned to the right."""
    cells = [list(heads), *([safe(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    lines = []
    for row in cells:
        aligned = (
            cell.rjust(width) if head in right else cell.ljust(width)
            for cell, width, head in zip(row, widths, heads, strict=True)
        )
        lines.append("  ".join(aligned).rstrip())
    return lines


class Terminal:
    """Where lines go. `line` writes one for good; `live` one that the next call replaces (on a terminal only)."""

    def __init__(self, stream: TextIO, environment: Mapping[str, str] = os.environ) -> None:
        self._stream = stream
        self.redraws = stream.isatty() and environment.get("TERM") != "dumb"
        self._colours = self.redraws and not environment.get("NO_COLOR")
        self._live = ""

    def paint(self, text: str, colour: str) -> str:
        """The text in a colour, where there are colours."""
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if self._colours else text

    def line(self, text: str) -> None:
        """Write a line; a live line stays below it."""
        if self._live:
            self._stream.write(_ERASE_LINE)
        self._stream.write(_encodable(text, self._stream) + "\n" + self._live)
        self._stream.flush()

    def live(self, text: str) -> None:
        """Show `text` (without colours) in place of the live line, cut to the terminal's width."""
        if self.redraws:
            width = shutil.get_terminal_size().columns - 1
            self._live = _encodable(text[:width], self._stream)
            self._stream.write(_ERASE_LINE + self._live)
            self._stream.flush()

    def end_live(self) -> None:
        """Take the live line away."""
        if self._live:
            self._live = ""
            self._stream.write(_ERASE_LINE)
            self._stream.flush()


def _scaled(number: float, step: int, units: Sequence[str]) -> str:
    scaled, unit = float(number), units[0]
    for unit in units:
        # 999.95 would be shown as 1000.0 of its unit.
        if abs(scaled) < step - 0.05 or unit == units[-1]:
            break
        scaled /= step
    return f"{scaled:.0f} {unit}" if unit == units[0] else f"{scaled:.1f} {unit}"


def _encodable(text: str, stream: TextIO) -> str:
    """The text as far as the stream's encoding goes; an ASCII terminal gets `#` for bars and `?` for the rest."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        plain = text.replace("█", "#").replace("░", ".")
        return plain.encode(encoding, "replace").decode(encoding)
    return text
