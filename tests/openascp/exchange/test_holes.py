"""Holes of sparse files do not travel, and are holes again at the destination."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.openascp.exchange import holes
from asperacentral.openascp.exchange.checkpoint import BLOCK
from asperacentral.openascp.exchange.holes import Extents
from tests.openascp.exchange.pair import Pair


def sparse(path: Path, size: int, *data: tuple[int, bytes]) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
        for place, some in data:
            file.seek(place)
            file.write(some)
    return path


def found(path: Path) -> Extents:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return holes.found(descriptor, path.stat().st_size)
    finally:
        os.close(descriptor)


@pytest.fixture(autouse=True)
def holes_are_told(tmp_path: Path) -> None:
    """The file system of these tests has them."""
    if not found(sparse(tmp_path / "probe", 2 * BLOCK)):
        pytest.skip("this file system does not tell where holes are")


ALL = st.lists(st.booleans(), max_size=12).map(
    lambda blocks: tuple((place * BLOCK, BLOCK) for place, hole in enumerate(blocks) if hole)
)


@given(ALL, st.lists(st.tuples(st.integers(0, 12 * BLOCK), st.integers(1, BLOCK)), max_size=6))
def test_what_is_left_is_all_that_is_in_no_hole(gone: Extents, drawn: list[tuple[int, int]]) -> None:
    extents, end = [], 0
    for distance, length in drawn:
        extents.append((end + distance, length))
        end += distance + length
    left = list(holes.without(extents, gone))
    marks = sorted({place for start, length in (*extents, *gone, *left) for place in (start, start + length)})
    for place in marks:
        wanted = _holds(extents, place) and not _holds(gone, place)
        assert _holds(left, place) == wanted
    assert all(length > 0 for _, length in left)
    assert left == sorted(left)


def _holds(extents: list[tuple[int, int]] | Extents, place: int) -> bool:
    return any(start <= place < start + length for start, length in extents)


@pytest.mark.parametrize(
    ("gone", "size"),
    [
        (((-BLOCK, BLOCK),), BLOCK),
        (((0, 0),), BLOCK),
        (((0, BLOCK), (0, BLOCK)), 2 * BLOCK),
        (((1, BLOCK),), 2 * BLOCK),
        (((0, 5),), BLOCK),
        (((0, 2 * BLOCK),), BLOCK),
        (tuple((2 * each * BLOCK, BLOCK) for each in range(holes.MOST + 1)), 4 * holes.MOST * BLOCK),
    ],
)
def test_what_cannot_be_the_holes_of_a_file_is_refused(gone: Extents, size: int) -> None:
    with pytest.raises(ValueError, match="hole"):
        holes.check(gone, size)


def test_holes_are_told_in_whole_blocks(tmp_path: Path) -> None:
    file = sparse(tmp_path / "file", 10 * BLOCK + 5, (3 * BLOCK + 7, b"here"), (6 * BLOCK, b"x" * BLOCK))
    assert found(file) == ((0, 3 * BLOCK), (4 * BLOCK, 2 * BLOCK), (7 * BLOCK, 3 * BLOCK + 5))
    holes.check(found(file), 10 * BLOCK + 5)


@pytest.mark.parametrize("level", [0, 3])
def test_sparse_files_arrive_as_they_are_and_only_their_data_travels(tmp_path: Path, level: int) -> None:
    noise = os.urandom(BLOCK)
    source = tmp_path / "source"
    source.mkdir()
    sparse(source / "both ends", 40 * BLOCK + 9, (5 * BLOCK, noise), (20 * BLOCK - 3, b"across"))
    sparse(source / "nothing else", 30 * BLOCK)
    sparse(source / "last", 8 * BLOCK, (7 * BLOCK, noise))
    (tmp_path / "there").mkdir()
    pair = Pair([source], tmp_path / "there", resume_level=level, checksum="sha1")
    pair.run()
    for file in source.iterdir():
        copy = tmp_path / "there" / "source" / file.name
        assert copy.read_bytes() == file.read_bytes()
        assert copy.stat().st_blocks * 512 < 4 * BLOCK
    moved = [arguments[1] for name, arguments in pair.sender.heard if name == "moved"]
    assert sum(moved) < 6 * BLOCK


@pytest.mark.parametrize("fault", [errno.EIO, errno.EINVAL])
def test_a_disk_that_cannot_tell_has_no_holes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: int
) -> None:
    file = sparse(tmp_path / "file", 4 * BLOCK, (3 * BLOCK, b"data"))
    true = os.lseek

    def lseek(descriptor: int, place: int, what: int) -> int:
        if what == (os.SEEK_DATA if fault == errno.EIO else os.SEEK_HOLE):
            raise OSError(fault, os.strerror(fault))
        return true(descriptor, place, what)

    monkeypatch.setattr(os, "lseek", lseek)
    if fault == errno.EINVAL:
        assert found(file) == ()
    pair = Pair([file], tmp_path / "there")
    pair.run()
    assert (tmp_path / "there" / "file").read_bytes() == file.read_bytes()
    moved = [arguments[1] for name, arguments in pair.sender.heard if name == "moved"]
    assert sum(moved) == 4 * BLOCK


def test_what_a_former_session_left_in_a_hole_is_gone(tmp_path: Path) -> None:
    file = sparse(tmp_path / "file", 6 * BLOCK, (0, b"data"), (2 * BLOCK + 5, b"left"), (5 * BLOCK, b"end"))
    descriptor = os.open(file, os.O_RDWR)
    try:
        holes.leave(descriptor, ((BLOCK, 3 * BLOCK),), 7 * BLOCK)
    finally:
        os.close(descriptor)
    content = file.read_bytes()
    assert content[:4] == b"data"
    assert not any(content[BLOCK : 4 * BLOCK])
    assert content[5 * BLOCK :] == b"end".ljust(2 * BLOCK, b"\0")
