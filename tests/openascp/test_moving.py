"""Files that are moved to another file system are copied, and lost by nothing that can happen on the way."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from asperacentral.openascp import moving
from asperacentral.openascp.confined import confined
from tests.openascp.conftest import ON_BOTH, Run

MEMORY = Path("/dev/shm")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder of another file system."""
    if (
        not MEMORY.is_dir()
        or MEMORY.stat().st_dev == tmp_path.stat().st_dev
        or not os.access(MEMORY, os.W_OK)
    ):
        pytest.skip("needs a second file system")
    folder = Path(tempfile.mkdtemp(dir=MEMORY))
    yield folder
    shutil.rmtree(folder)


def move(path: Path, target: Path) -> None:
    with confined(None) as files:
        moving.move(files, bytes(path), bytes(target))


def test_a_file_arrives_with_its_bytes_mode_and_times(tmp_path: Path, elsewhere: Path) -> None:
    source = tmp_path / "a"
    data = os.urandom(3_000_000)
    source.write_bytes(data)
    source.chmod(0o640)
    os.utime(source, (1_500_000_000, 1_400_000_000))
    (elsewhere / "a").write_text("old")
    move(source, elsewhere / "a")
    found = (elsewhere / "a").stat()
    assert (elsewhere / "a").read_bytes() == data
    assert (found.st_mode & 0o777, found.st_mtime) == (0o640, 1_400_000_000)
    assert not source.exists()
    assert [path.name for path in elsewhere.iterdir()] == ["a"]


def test_a_link_arrives_as_it_is(tmp_path: Path, elsewhere: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    move(tmp_path / "link", elsewhere / "link")
    assert (elsewhere / "link").readlink() == Path("nowhere")
    assert not (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("what", ["write", "fsync", "replace"])
def test_a_file_that_cannot_be_copied_stays_where_it_is(
    tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    (tmp_path / "a").write_text("a")
    real = getattr(os, what)

    def fail(first: object, *more: object, **named: object) -> object:
        if what == "replace" and str(first).endswith("/a'"):
            return real(first, *more, **named)
        raise OSError(errno.ENOSPC, "no space left")

    with monkeypatch.context() as patched:
        patched.setattr(os, what, fail)
        with pytest.raises(OSError, match="no space"):
            move(tmp_path / "a", elsewhere / "a")
    assert (tmp_path / "a").read_text() == "a"
    assert not list(elsewhere.iterdir())


@ON_BOTH
@pytest.mark.sshd
def test_sources_are_moved_to_another_file_system_after_the_transfer(
    run: Run, tmp_path: Path, elsewhere: Path
) -> None:
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    for name in ("a", "sub/b"):
        (source / name).write_text(name)
    run("send", [source], tmp_path / "copy", f"--move-after-transfer={elsewhere}").done()
    for folder in (tmp_path / "copy", elsewhere / "source"):
        assert {path.name: path.read_text() for path in folder.rglob("*") if path.is_file()} == {
            "a": "a",
            "b": "sub/b",
        }
    assert not [path for path in source.rglob("*") if path.is_file()]
