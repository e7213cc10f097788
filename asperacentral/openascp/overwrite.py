"""When a file that exists at the destination is replaced: ascp's --overwrite and -k, as pure decisions."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto

from asperacentral.openascp.filesystem import NANOSECONDS, Attributes

RULES = ("never", "always", "diff", "older", "diff+older")

SAMPLE = 64 * 1024
SAMPLES = 10
WHOLE_BELOW = 512 * 1024


class Decision(Enum):
    """What to do with one file."""

    MOVE = auto()
    SKIP = auto()
    COMPARE_SAMPLES = auto()
    COMPARE_ALL = auto()


def decide(rule: str, level: int, source: Attributes, target: Attributes | None) -> Decision:
    """Tell what `rule` and resume level 0..3 ask for. After a comparison: move what differs, skip what is equal."""
    if target is None or rule == "always":
        return Decision.MOVE
    if rule == "never":
        return Decision.SKIP
    if "older" in rule and target.modified // NANOSECONDS >= source.modified // NANOSECONDS:
        return Decision.SKIP
    if rule == "older" or level == 0 or source.size != target.size:
        return Decision.MOVE
    if level == 1 or source.size == 0:
        return Decision.SKIP
    return Decision.COMPARE_SAMPLES if level == 2 else Decision.COMPARE_ALL


def ranges(decision: Decision, size: int, block: int) -> Iterator[tuple[int, int]]:
    """Offsets and lengths to compare: all bytes, or the first, the last and evenly spread blocks of 64 KiB."""
    if decision is Decision.COMPARE_SAMPLES and size >= WHOLE_BELOW:
        for index in range(SAMPLES):
            yield (size - SAMPLE) * index // (SAMPLES - 1), SAMPLE
    else:
        for offset in range(0, size, block):
            yield offset, min(block, size - offset)
