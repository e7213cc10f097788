"""What came of the stream, as runs of bytes that follow each other in one file, and how a run is written."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from asperacentral.openascp.exchange.checkpoint import BLOCK
from asperacentral.openascp.exchange.layout import Layout, Piece

_MOST_BUFFERS = 256
"""In one system call; the system takes up to 1,024."""


class Bytes(NamedTuple):
    """Bytes of the stream, beginning at `offset`."""

    offset: int
    data: bytes


def runs(layout: Layout, batch: Iterable[Bytes]) -> Iterator[tuple[Piece, list[memoryview]]]:
    """The bytes of a batch as runs that follow each other in one block of one file.

    A block is noted right after a run has completed it, so that no more than one is ever written and not noted.
    """
    run: Piece | None = None
    buffers: list[memoryview] = []
    for each in batch:
        view = memoryview(each.data)
        for whole in layout.locate(each.offset, len(view)):
            for piece in _by_block(whole):
                start = piece.stream - each.offset
                part = view[start : start + piece.length]
                if run is not None and _follows(run, piece) and len(buffers) < _MOST_BUFFERS:
                    run = Piece(run.file, run.offset, run.length + piece.length, run.stream)
                    buffers.append(part)
                    continue
                if run is not None:
                    yield run, buffers
                run, buffers = piece, [part]
    if run is not None:
        yield run, buffers


def _by_block(piece: Piece) -> Iterator[Piece]:
    """The piece, cut where a block ends."""
    done = 0
    while done < piece.length:
        offset = piece.offset + done
        length = min(piece.length - done, BLOCK - offset % BLOCK)
        yield Piece(piece.file, offset, length, piece.stream + done)
        done += length


def _follows(run: Piece, piece: Piece) -> bool:
    return piece.file == run.file and piece.offset == run.offset + run.length and piece.offset % BLOCK != 0


def write_fully(descriptor: int, buffers: list[memoryview], offset: int) -> None:
    """Write all buffers, one after the other, from `offset` on. OSError."""
    while buffers:
        count = os.pwritev(descriptor, buffers, offset)
        offset += count
        while buffers and count >= len(buffers[0]):
            count -= len(buffers.pop(0))
        if count:
            buffers[0] = buffers[0][count:]
