"""A checkpoint tells which blocks are there, and whatever damages it only makes blocks be sent again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.openascp.exchange.checkpoint import (
    BLOCK,
    HEADER,
    RECORD,
    BlockTally,
    Checkpoint,
    Identity,
    extents_without,
    span,
)

SOURCE = Identity(10 * BLOCK + 5, 1_700_000_000_000_000_001, b"/data/reel", 4711)
BOOT, NEXT_BOOT, NONCE = b"boot 1", b"boot 2", bytes(range(16))


def noted(blocks: dict[int, bool], identity: Identity = SOURCE) -> bytearray:
    """The file of a checkpoint that has these blocks (whether synced)."""
    checkpoint = Checkpoint(identity, NONCE, BOOT)
    data = bytearray(checkpoint.header)
    for index, synced in blocks.items():
        place, record = checkpoint.record(index, synced=synced)
        data.extend(bytes(max(0, place + RECORD - len(data))))
        data[place : place + RECORD] = record
    return data


def found(data: bytes, *, boot: bytes = BOOT, identity: Identity = SOURCE) -> list[int] | None:
    checkpoint = Checkpoint.read(data, identity, boot)
    return None if checkpoint is None else checkpoint.present(data)


BLOCKS = st.dictionaries(st.integers(0, 10), st.booleans())


@given(BLOCKS)
def test_blocks_are_found_as_they_were_noted(blocks: dict[int, bool]) -> None:
    assert found(bytes(noted(blocks))) == sorted(blocks)


@given(BLOCKS)
def test_after_another_boot_only_what_was_synced_is_there(blocks: dict[int, bool]) -> None:
    assert found(bytes(noted(blocks)), boot=NEXT_BOOT) == sorted(i for i, synced in blocks.items() if synced)


@given(BLOCKS, st.data())
def test_damage_never_makes_a_block_appear_that_is_not_there(
    blocks: dict[int, bool], data: st.DataObject
) -> None:
    file = noted(blocks)
    for _ in range(data.draw(st.integers(1, 20))):
        place = data.draw(st.integers(0, len(file) - 1))
        file[place] ^= data.draw(st.integers(1, 255))
    file = file[: data.draw(st.integers(0, len(file)))]
    assert set(found(bytes(file)) or []) <= set(blocks)


@given(st.binary(max_size=400))
def test_noise_is_no_checkpoint(noise: bytes) -> None:
    assert found(noise) is None


@pytest.mark.parametrize(
    "other",
    [
        Identity(SOURCE.size + 1, SOURCE.modified, SOURCE.path, SOURCE.inode),
        Identity(SOURCE.size, SOURCE.modified + 1, SOURCE.path, SOURCE.inode),
        Identity(SOURCE.size, SOURCE.modified, b"/data/other", SOURCE.inode),
        Identity(SOURCE.size, SOURCE.modified, SOURCE.path, SOURCE.inode + 1),
    ],
)
def test_the_checkpoint_of_another_source_or_partial_file_is_foreign(other: Identity) -> None:
    assert found(bytes(noted({0: True, 1: True})), identity=other) is None


def test_a_record_is_good_for_its_own_block_and_checkpoint_only() -> None:
    file = noted({0: True})
    record = file[HEADER : HEADER + RECORD]
    assert found(bytes(file) + bytes(record)) == [0]
    other = Checkpoint(SOURCE, bytes(16), BOOT)
    assert found(other.header + bytes(record)) == []


def test_a_block_can_be_taken_back() -> None:
    file = noted({0: True, 1: True})
    place, record = Checkpoint.missing(0)
    file[place : place + RECORD] = record
    assert found(bytes(file)) == [1]


@given(st.integers(1, 10 * BLOCK), st.data())
def test_what_is_missing_and_what_is_there_make_the_file(size: int, data: st.DataObject) -> None:
    last = (size - 1) // BLOCK
    present = data.draw(st.sets(st.integers(0, last)))
    pieces = sorted([*extents_without(present, size), *(span(index, size) for index in present)])
    end = 0
    for offset, length in pieces:
        assert offset == end and length > 0
        end += length
    assert end == size


@given(st.integers(1, 4 * BLOCK), st.lists(st.integers(1, 2 * BLOCK)), st.randoms())
def test_blocks_are_whole_when_all_their_bytes_were_told_in_any_order(
    size: int, lengths: list[int], chance: object
) -> None:
    pieces, start = [], 0
    for length in [*lengths, size]:
        part = min(length, size - start)
        pieces.append((start, part))
        start += part
    chance.shuffle(pieces)  # type: ignore[attr-defined]
    tally, whole = BlockTally(size), []
    for offset, length in pieces:
        whole += tally.add(offset, length)
    assert sorted(whole) == list(range((size - 1) // BLOCK + 1))
