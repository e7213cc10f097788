"""Whole small files get their names at once in folders of this session, and are nobody else's meanwhile."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.confined import Files, confined
from asperacentral.openascp.exchange import partial
from asperacentral.openascp.exchange.finishing import Finisher
from asperacentral.openascp.exchange.messages import FILE, Entry
from asperacentral.openascp.exchange.small_targets import SmallTargets
from asperacentral.openascp.exchange.target import Target
from asperacentral.openascp.exchange.terms import Terms
from asperacentral.openascp.failures import Failure

CONTENT = b"a few bytes"


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    (tmp_path / "in").mkdir()
    with confined(bytes(tmp_path)) as files:
        yield files


def target(name: bytes = b"in/file", *, mode: int = 0o644, fresh: bool = True) -> Target:
    terms = Terms(b"in")
    entry = Entry(0, 0, name, FILE, len(CONTENT), 10**18, mode)
    names = partial.partial_name(name, terms), partial.checkpoint_name(name, terms)
    return Target(entry, name, *names, None, ((0, len(CONTENT)),), fresh=fresh)


def put(files: Files, wanted: Target, **terms: object) -> bool:
    targets = SmallTargets(files, Finisher(files, Terms(b"in", **terms)))  # type: ignore[arg-type]
    try:
        return targets.put(wanted, memoryview(CONTENT))
    finally:
        targets.close()


def there(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (root / "in").iterdir()}


def test_a_file_is_there_whole_under_its_name_only(files: Files, tmp_path: Path) -> None:
    assert put(files, target(mode=0o755))
    assert there(tmp_path) == {"file": CONTENT}
    assert os.access(tmp_path / "in" / "file", os.X_OK)


def test_times_are_kept_if_they_are_to_be(files: Files, tmp_path: Path) -> None:
    assert put(files, target(), preserve=[True, False, False, False, False, "none", "none"])
    assert (tmp_path / "in" / "file").stat().st_mtime_ns == 10**18


@pytest.mark.parametrize("terms", [{"checksum": "md5"}, {"save": True, "save_suffix": b"old"}])
def test_what_needs_more_than_its_name_goes_the_longer_way(
    files: Files, tmp_path: Path, terms: dict[str, object]
) -> None:
    assert not put(files, target(), **terms)
    assert not put(files, target(fresh=False))
    assert there(tmp_path) == {}


def test_what_somebody_has_begun_is_left_to_the_longer_way(files: Files, tmp_path: Path) -> None:
    (tmp_path / "in" / "file..partial").write_bytes(b"somebody's")
    assert not put(files, target())
    assert not put(files, target(b"none/file"))
    assert there(tmp_path) == {"file..partial": b"somebody's"}


def lost(root: Path) -> Callable[[int, int], bool]:
    """A successor has the lock first."""

    def is_locked(_descriptor: int, _kind: int) -> bool:
        other = os.open(root / "in" / "file..partial", os.O_RDWR)
        fcntl.flock(other, fcntl.LOCK_EX)
        os.write(other, b"the successor's")
        return False

    return is_locked


def over(root: Path) -> Callable[[int, int], bool]:
    """A successor has had the lock first and is through with the file."""

    def is_locked(_descriptor: int, _kind: int) -> bool:
        file = root / "in" / "file..partial"
        file.write_bytes(b"the successor's")
        file.rename(root / "in" / "file")
        return True

    return is_locked


@pytest.mark.parametrize(("successor", "name"), [(lost, "file..partial"), (over, "file")])
def test_what_a_successor_has_taken_is_not_touched(
    files: Files,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    successor: Callable[[Path], Callable[[int, int], bool]],
    name: str,
) -> None:
    monkeypatch.setattr(partial, "is_locked", successor(tmp_path))
    assert not put(files, target())
    assert there(tmp_path) == {name: b"the successor's"}


def test_a_file_that_may_not_be_replaced_is_not_and_nothing_is_left(files: Files, tmp_path: Path) -> None:
    (tmp_path / "in" / "file").write_bytes(b"was there first")
    with pytest.raises(Failure) as caught:
        put(files, target(), overwrite="never")
    assert caught.value.code in (FaspCode.CANNOT_RENAME_PARTIAL, FaspCode.ALREADY_EXISTS)
    assert there(tmp_path) == {"file": b"was there first"}
