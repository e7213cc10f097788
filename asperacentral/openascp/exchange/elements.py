"""How many values a msgpack text holds, counted before any of them is made. Pure.

An empty list is one byte on the wire and sixty in memory: a message that is short enough may still be too much.
"""

from __future__ import annotations


def _kinds() -> tuple[tuple[int, int], ...]:
    """For each first byte: how many bytes of length follow it, and how many other bytes besides (-1: no msgpack)."""
    kinds = [(0, 0)] * 256
    for byte in range(0xA0, 0xC0):
        kinds[byte] = (0, byte - 0xA0)
    kinds[0xC1] = (0, -1)
    for first, extra in ((0xC4, 0), (0xC7, 1), (0xD9, 0)):  # bytes, extensions, texts
        for place, size in enumerate((1, 2, 4)):
            kinds[first + place] = (size, extra)
    for byte, extra in zip(range(0xCA, 0xD9), (4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 3, 5, 9, 17), strict=True):
        kinds[byte] = (0, extra)
    for byte, extra in (
        (0xDC, 2),
        (0xDD, 4),
        (0xDE, 2),
        (0xDF, 4),
    ):  # lists and tables: what is in them follows
        kinds[byte] = (0, extra)
    return tuple(kinds)


_KINDS = _kinds()


def more_than(most: int, text: bytes) -> bool:
    """Whether `text` holds more than `most` values, each list, table and key counted as one.

    Where it is no msgpack, counting ends: whoever reads it will find out.
    """
    place, end, left = 0, len(text), most
    while place < end:
        if left == 0:
            return True
        left -= 1
        size, extra = _KINDS[text[place]]
        if extra < 0:
            return False
        place += 1 + size + extra + (int.from_bytes(text[place + 1 : place + 1 + size]) if size else 0)
    return False
