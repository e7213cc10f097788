"""When a source is done with, and what became of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from asperacentral.openascp.exchange.messages import DONE, PART, SKIPPED


@dataclass(slots=True)
class ArgumentCounts:
    """Of one source: files tried, and how they ended; `size` is the bytes of all that were found."""

    attempted: int = 0
    failed: int = 0
    passed: int = 0
    skipped: int = 0
    size: int = 0


class ArgumentTally:
    """Counts the entries of each source until all are settled."""

    def __init__(self) -> None:
        self._counts: dict[int, ArgumentCounts] = {}
        self._open: dict[int, int] = {}
        self._scanned = -1
        self._over = -1

    def begun(self, argument: int, size: int) -> None:
        """One more entry was found."""
        self._open[argument] = self._open.get(argument, 0) + 1
        self._of(argument).size += size

    def lost(self, argument: int) -> None:
        """A path could not be taken at all."""
        counts = self._of(argument)
        counts.attempted += 1
        counts.failed += 1

    def ended(self, argument: int, outcome: str, *, is_file: bool) -> None:
        """An entry was settled."""
        self._open[argument] -= 1
        counts = self._of(argument)
        if is_file or outcome not in (DONE, SKIPPED):
            counts.attempted += 1
            counts.passed += outcome in (DONE, PART)
            counts.skipped += outcome == SKIPPED
            counts.failed += outcome not in (DONE, PART, SKIPPED)

    def scanned(self, argument: int) -> None:
        """All entries of the sources up to this one are known."""
        self._scanned = max(self._scanned, argument)

    def over(self) -> list[tuple[int, ArgumentCounts]]:
        """The sources that are done with since the last call, in order."""
        ended = []
        while self._over < self._scanned and not self._open.get(self._over + 1):
            self._over += 1
            self._open.pop(self._over, None)
            ended.append((self._over, self._counts.pop(self._over, ArgumentCounts())))
        return ended

    def _of(self, argument: int) -> ArgumentCounts:
        if (counts := self._counts.get(argument)) is None:
            counts = self._counts[argument] = ArgumentCounts()
        return counts
