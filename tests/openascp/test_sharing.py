"""Several sessions of one transfer (`-C m:n`): each moves its share, and together they move everything once."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.openascp.conftest import Run
from tests.openascp.manager import Openascp

pytestmark = pytest.mark.sshd
BOTH = pytest.mark.parametrize("mode", ["send", "recv"])

Start = Callable[..., list[Openascp]]


@pytest.fixture
def several(run: Run) -> Start:
    """several(count, mode, sources, destination, *options): starts all sessions of a transfer."""

    def start(
        count: int,
        mode: str,
        sources: list[Path | str],
        destination: Path | str,
        *options: str,
        **more: object,
    ) -> list[Openascp]:
        return [
            run(mode, sources, destination, "-C", f"{number}:{count}", *options, **more)
            for number in range(1, count + 1)
        ]

    return start


def tree(folder: Path) -> dict[str, bytes | str]:
    """All that is below a folder, by its name there."""
    found: dict[str, bytes | str] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = str(path.readlink())
        else:
            found[name] = "folder" if path.is_dir() else path.read_bytes()
    return found


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Folders, empty ones too, small files, empty files and links."""
    folder = tmp_path / "source"
    chance = random.Random(7)
    for name in ("a", "b/c/d", "empty/within"):
        (folder / name).mkdir(parents=True)
    for number in range(30):
        place = folder / ("a", "b", "b/c/d")[number % 3]
        (place / f"file {number}").write_bytes(chance.randbytes(chance.randrange(5000)))
        (place / f"empty {number}").touch()
        (place / f"link {number}").symlink_to(f"file {number}")
    return folder


@BOTH
def test_three_sessions_move_everything_and_each_thing_once(
    several: Start, tmp_path: Path, source: Path, mode: str
) -> None:
    (target := tmp_path / "target").mkdir()
    ends = [
        session.done()
        for session in several(3, mode, [source], target, "--symbolic-links=copy", "--overwrite=never")
    ]
    assert tree(target / "source") == tree(source)
    passed = [end.integer("TransfersPassed") for end in ends]
    assert sum(passed) == 60
    assert all(passed)
    assert sum(end.integer("TransferBytes") for end in ends) == sum(
        path.stat().st_size for path in source.rglob("file *")
    )
    assert all(end.integer("TransfersSkipped") == 0 for end in ends)
    assert sum(end.integer("FileScansCompleted") for end in ends) == 60


def test_a_session_says_which_of_how_many_it_is(run: Run, tmp_path: Path, source: Path) -> None:
    (target := tmp_path / "target").mkdir()
    process = run("send", [source], target, "-C", "2:3")
    process.done()
    said = process.listener.of_type("SESSION")[0]
    assert (said.integer("ClusterNodeId"), said.integer("ClusterNumNodes")) == (2, 3)


@BOTH
def test_folders_get_their_times_though_all_sessions_change_them(
    several: Start, tmp_path: Path, source: Path, mode: str
) -> None:
    for folder in sorted((path for path in source.rglob("*") if path.is_dir()), reverse=True):
        os.utime(folder, (1_600_000_000, 1_600_000_000))
    (target := tmp_path / "target").mkdir()
    for session in several(3, mode, [source], target, "--preserve-times"):
        session.done()
    times = {path.stat().st_mtime for path in (target / "source").rglob("*") if path.is_dir()}
    assert times == {1_600_000_000}


def test_sources_are_cleared_away_by_all_together(several: Start, tmp_path: Path, source: Path) -> None:
    (target := tmp_path / "target").mkdir()
    before = tree(source)
    options = ("--symbolic-links=copy", "--remove-after-transfer", "--remove-empty-source-directory")
    for session in several(3, "send", [source], target, *options):
        session.done()
    assert tree(target / "source") == before
    assert not source.exists()


def test_what_cannot_be_moved_is_told_by_one_session(several: Start, tmp_path: Path, source: Path) -> None:
    (target := tmp_path / "target").mkdir()
    (source / "a" / "nowhere").symlink_to("nothing")
    sessions = several(3, "send", [source], target)
    for session in sessions:
        session.end()
    told = [message.text("File") for session in sessions for message in session.listener.of_type("FILEERROR")]
    assert told == [f"{source}/a/nowhere"]


def test_two_sources_of_one_name_are_found_out(several: Start, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "same").write_text(name)
    (target := tmp_path / "target").mkdir()
    sessions = several(2, "send", [tmp_path / "one" / "same", tmp_path / "two" / "same"], target)
    for session in sessions:
        session.end()
    told = [
        message.integer("Code") for session in sessions for message in session.listener.of_type("FILEERROR")
    ]
    assert len(told) == 1
    assert (target / "same").read_text() == "one"


def test_a_folder_needs_a_destination_about_which_all_sessions_agree(
    run: Run, tmp_path: Path, source: Path
) -> None:
    process = run("send", [source], tmp_path / "nowhere", "-C", "1:2")
    assert process.error() == 4
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("plane", ["sftp"])
def test_over_sftp_it_is_refused_with_the_reason(run: Run, tmp_path: Path, source: Path, plane: str) -> None:
    process = run("send", [source], tmp_path, "-C", "1:2")
    assert process.error() == 8
    text = process.listener.of_type("ERROR")[0].text("Description")
    assert text.startswith("-C:")
    assert "the far side has no openascp (no-openascp-here ended with status 127" in text
    assert "have it installed there, or leave the option out" in text
