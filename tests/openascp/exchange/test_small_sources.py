"""Small files are read by their folder, and by their whole names where that is not the way."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from asperacentral.openascp.confined import BadPathError, Files, confined
from asperacentral.openascp.exchange.contents import Contents
from asperacentral.openascp.exchange.messages import FILE, Argument
from asperacentral.openascp.exchange.scanning import Found, Scanner
from asperacentral.openascp.exchange.small_sources import CHANGED, SmallSources
from asperacentral.openascp.exchange.terms import Terms
from asperacentral.openascp.failures import Failure
from asperacentral.openascp.restricted import restricted


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """`out` with a file `a`, a folder with a file `b`, and links to both files."""
    out = tmp_path / "out"
    (out / "in").mkdir(parents=True)
    (out / "a").write_text("file a")
    os.utime(out / "a", ns=(10**18, 10**18))
    (out / "in" / "b").write_text("file b")
    (out / "link").symlink_to("a")
    (out / "in" / "up").symlink_to("../in/b")
    return tmp_path


@pytest.fixture(params=["rooted", "everywhere"])
def files(root: Path, request: pytest.FixtureRequest) -> Iterator[Files]:
    with confined(bytes(root) if request.param == "rooted" else None) as files:
        yield files


def found(files: Files, source: bytes) -> list[Found]:
    """The files below a source."""
    scanned = Scanner(files, Terms(b"")).scan(Argument(0, source, b"", b""))
    return [each for each in scanned if isinstance(each, Found) and each.entry.kind == FILE]


def source_of(files: Files, root: Path) -> bytes:
    return b"out" if files.root is not None else bytes(root / "out")


def test_files_are_read_in_all_folders_and_behind_links(files: Files, root: Path) -> None:
    sources = SmallSources(files, Contents(), restore=False)
    read = {each.entry.path: sources.read(each) for each in found(files, source_of(files, root))}
    sources.close()
    assert read == {b"a": b"file a", b"link": b"file a", b"in/b": b"file b", b"in/up": b"file b"}


def test_a_file_is_read_where_nothing_but_the_file_is_permitted(root: Path) -> None:
    with restricted(confined(bytes(root)), paths=[b"out/a"]) as files:
        (only,) = found(files, b"out/a")
        sources = SmallSources(files, Contents(), restore=False)
        assert sources.read(only) == b"file a"
        sources.close()


def replaced_by_a_link(file: Path) -> None:
    file.rename(file.with_name("other"))
    file.symlink_to("/etc/passwd")


def replaced_by_a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def replaced_by_a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (Path.unlink, FileNotFoundError),
        (replaced_by_a_folder, IsADirectoryError),
        (replaced_by_a_pipe, PermissionError),
        (lambda file: file.write_text("file A"), CHANGED),
        (lambda file: file.write_text("short"), CHANGED),
        (lambda file: file.write_text("longer than before"), CHANGED),
    ],
)
def test_what_is_not_any_more_what_was_found_is_refused_with_the_reason(
    files: Files, root: Path, spoil: Callable[[Path], object], error: type[OSError] | str
) -> None:
    first = found(files, source_of(files, root))[0]
    assert first.entry.path == b"a"
    sources = SmallSources(files, Contents(), restore=False)
    spoil(root / "out" / "a")
    if isinstance(error, str):
        with pytest.raises(Failure, match=error):
            sources.read(first)
    else:
        with pytest.raises(error):
            sources.read(first)
    sources.close()


def test_a_link_to_beyond_the_walls_is_not_followed_though_it_came_after_the_scan(root: Path) -> None:
    with confined(bytes(root)) as files:
        first = found(files, b"out")[0]
        replaced_by_a_link(root / "out" / "a")
        sources = SmallSources(files, Contents(), restore=False)
        with pytest.raises(BadPathError, match="leads out"):
            sources.read(first)
        sources.close()


def test_access_times_are_given_back(files: Files, root: Path) -> None:
    os.utime(root / "out" / "a", ns=(10**18, 2 * 10**18))
    preserve = [False, False, True, False, False, "none", "none"]
    scanned = Scanner(files, Terms(b"", preserve=preserve)).scan(
        Argument(0, source_of(files, root) + b"/a", b"", b"")
    )
    (only,) = (each for each in scanned if isinstance(each, Found))
    sources = SmallSources(files, Contents(), restore=True)
    os.utime(root / "out" / "a", ns=(3 * 10**18, 2 * 10**18))
    assert sources.read(only) == b"file a"
    sources.close()
    assert (root / "out" / "a").stat().st_atime_ns == 10**18
