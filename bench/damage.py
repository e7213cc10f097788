"""What may become of files between two sessions: bytes that flip, files that are cut, emptied, lost or another's.

Each resume level has to notice some of it. Level 1 looks at attributes: any damage to a checkpoint, a partial file that
is shorter, longer, lost or another one, a complete file of another size. Level 2 looks at samples too: the first block,
and a file whose bytes are all others. Level 3 looks at every byte.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from asperacentral.openascp.exchange.checkpoint import BLOCK

_Harm = Callable[[Path, random.Random], None]


@dataclass(frozen=True)
class Files:
    """What is at a destination between two sessions: a large file's, and files that are complete."""

    partial: Path
    checkpoint: Path
    complete: Sequence[Path]


def anything(level: int, files: Files, chance: random.Random) -> Path | None:
    """Harm one of the files as far as `level` is to find it; which one, None when there is nothing to harm."""
    if chance.random() < 0.5 and (harmed := hardest(level, files, chance)) is not None:
        return harmed
    lower = [each for below in range(1, level) for each in _ways(below, files, chance)]
    return _one(lower + [(files.checkpoint, harm) for harm in _CHECKPOINT], chance)


def hardest(level: int, files: Files, chance: random.Random) -> Path | None:
    """Harm a file in a way that no lower level would find."""
    return _one(_ways(level, files, chance), chance)


def _ways(level: int, files: Files, chance: random.Random) -> list[tuple[Path, _Harm]]:
    ways = [(files.partial, harm) for harm in _PARTIAL[level - 1]]
    if files.complete:
        ways += [(chance.choice(files.complete), harm) for harm in _COMPLETE[level - 1]]
    return ways


def _one(ways: Sequence[tuple[Path, _Harm]], chance: random.Random) -> Path | None:
    there = [(path, harm) for path, harm in ways if path.exists() and path.stat().st_size]
    if not there:
        return None
    path, harm = chance.choice(there)
    harm(path, chance)
    return path


def _flip(path: Path, chance: random.Random) -> None:
    _flip_before(path, path.stat().st_size, chance)


def _flip_first_block(path: Path, chance: random.Random) -> None:
    _flip_before(path, min(BLOCK, path.stat().st_size), chance)


def _flip_before(path: Path, end: int, chance: random.Random) -> None:
    with path.open("r+b") as file:
        place = chance.randrange(end)
        file.seek(place)
        (byte,) = file.read(1)
        file.seek(place)
        file.write(bytes([byte ^ 1 << chance.randrange(8)]))


def _cut(path: Path, chance: random.Random) -> None:
    with path.open("r+b") as file:
        file.truncate(chance.randrange(path.stat().st_size))


def _grow(path: Path, chance: random.Random) -> None:
    with path.open("ab") as file:
        file.write(chance.randbytes(chance.randrange(1, 300 * BLOCK) if chance.random() < 0.1 else 5))


def _empty(path: Path, _: random.Random) -> None:
    with path.open("r+b") as file:
        file.truncate(0)


def _lose(path: Path, _: random.Random) -> None:
    path.unlink()


def _scramble(path: Path, chance: random.Random) -> None:
    """Other bytes, the same length, the same file."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        while (left := size - file.tell()) > 0:
            file.write(chance.randbytes(min(left, BLOCK)))


def _put_zeros(path: Path, chance: random.Random) -> None:
    """The end of it becomes a hole, as after a power failure."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(chance.randrange(size))
        file.truncate(size)


def _exchange(path: Path, chance: random.Random) -> None:
    """Another file of the same size takes its place."""
    size = path.stat().st_size
    other = path.with_name("another")
    with other.open("wb") as file:
        while (left := size - file.tell()) > 0:
            file.write(chance.randbytes(min(left, BLOCK)))
    other.replace(path)


_CHECKPOINT: Sequence[_Harm] = (_flip, _cut, _grow, _empty, _lose, _scramble, _exchange)
_PARTIAL: Sequence[Sequence[_Harm]] = (
    (_cut, _grow, _empty, _lose, _exchange),
    (_flip_first_block, _scramble),
    (_flip, _put_zeros, _flip),
)
_COMPLETE: Sequence[Sequence[_Harm]] = ((_cut, _lose), (_scramble,), (_flip,))
