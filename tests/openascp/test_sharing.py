"""Several sessions of one transfer (`-C m:n`): each moves its share, and together they move everything once."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from asperacentral.commands.local import LocalNode
from asperacentral.fasp.management import Message
from asperacentral.openascp.exchange.checkpoint import BLOCK
from tests.openascp.conftest import Run
from tests.openascp.manager import Openascp

pytestmark = pytest.mark.sshd
LARGE = 8 * BLOCK + 4321
CUT = "--multi-session-threshold=2M"
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


def test_folders_get_their_times_though_all_sessions_change_them(
    several: Start, tmp_path: Path, source: Path
) -> None:
    for folder in sorted((path for path in source.rglob("*") if path.is_dir()), reverse=True):
        os.utime(folder, (1_600_000_000, 1_600_000_000))
    (target := tmp_path / "target").mkdir()
    for session in several(2, "send", [source], target, "--preserve-times"):
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


# Files that are cut.


@pytest.fixture
def with_large(source: Path) -> Path:
    """The same with a large file."""
    (source / "b" / "large").write_bytes(random.Random(8).randbytes(LARGE))
    os.utime(source / "b" / "large", (1_700_000_000, 1_700_000_000))
    return source


def part_of(session: Openascp, name: str = "large") -> tuple[int, int, int]:
    """First and last byte of the session's part of a file, and how many bytes of it came."""
    end = next(each for each in session.listener.of_type("STOP") if each.text("File").endswith(name))
    return end.integer("StartByte"), end.integer("EndByte"), end.integer("Written")


def one_block_has_moved(message: Message) -> bool:
    return message.type == "STATS" and message.integer("TransferBytes") > BLOCK


@pytest.mark.parametrize(("mode", "level"), [("send", 0), ("recv", 2)])
def test_three_sessions_move_one_large_file_and_many_small_ones(
    several: Start, tmp_path: Path, with_large: Path, mode: str, level: int
) -> None:
    (target := tmp_path / "target").mkdir()
    options = (CUT, f"-k{level}", "--symbolic-links=copy", "--preserve-times", "--file-checksum=sha-256")
    sessions = several(3, mode, [with_large], target, *options)
    ends = [session.done() for session in sessions]
    assert tree(target / "source") == tree(with_large)
    assert (target / "source" / "b" / "large").stat().st_mtime == 1_700_000_000
    parts = sorted(part_of(session) for session in sessions)
    assert parts[0][0] == 0 and parts[-1][1] == LARGE - 1
    assert all(one[1] + 1 == other[0] for one, other in pairwise(parts))
    assert [end - first + 1 for first, end, _ in parts] == [written for _, _, written in parts]
    files = (path for path in with_large.rglob("*") if path.is_file() and not path.is_symlink())
    size = sum(path.stat().st_size for path in files)
    assert sum(end.integer("TransferBytes") for end in ends) == size
    assert sum(end.integer("FileBytes") for end in ends) == size


@pytest.mark.parametrize(("mode", "level"), [("send", 0), ("send", 1), ("recv", 3)])
def test_one_of_three_is_killed_and_tried_again_alone(
    run: Run, tmp_path: Path, with_large: Path, mode: str, level: int
) -> None:
    (target := tmp_path / "target").mkdir()
    large = with_large / "b" / "large"
    options = ("-C", "2:3", CUT, f"-k{level}")
    victim = run(mode, [large], target, *options, "-l", "6m")
    others = [run(mode, [large], target, "-C", f"{number}:3", CUT, f"-k{level}") for number in (1, 3)]
    victim.listener.wait_for(one_block_has_moved)
    victim.kill()
    for other in others:
        other.done()
    assert not (target / "large").exists()
    end = run(mode, [large], target, *options).done()
    assert (target / "large").read_bytes() == large.read_bytes()
    assert [path.name for path in target.iterdir()] == ["large"]
    share = LARGE - sum(part_of(other)[2] for other in others)
    assert end.integer("FileBytes") == share
    assert (end.integer("TransferBytes") < share) == (level > 0)


def test_a_session_that_had_brought_its_part_sends_nothing_again(
    run: Run, tmp_path: Path, with_large: Path
) -> None:
    """Its small files are still under way when it is killed; the large one has been made whole meanwhile."""
    (target := tmp_path / "target").mkdir()
    (slow := tmp_path / "slow").mkdir()
    large = with_large / "b" / "large"
    for number in range(40):
        (slow / f"{number}").write_bytes(bytes(200_000))
    sources, options = [large, slow], (CUT, "-k1", "--overwrite=always")
    victim = run("send", sources, target, "-C", "1:2", *options, "-l", "16m")
    victim.listener.wait_for(
        lambda message: message.type == "STOP" and message.text("File").endswith("large")
    )
    victim.kill()
    run("send", sources, target, "-C", "2:2", *options).done()
    assert (target / "large").read_bytes() == large.read_bytes()
    inode = (target / "large").stat().st_ino
    run("send", sources, target, "-C", "1:2", *options).done()
    assert (target / "large").stat().st_ino == inode
    assert sorted(path.name for path in target.iterdir()) == ["large", "slow"]
    assert tree(target / "slow") == tree(slow)


@BOTH
@pytest.mark.parametrize(
    ("rule", "new"), [("never", False), ("always", True), ("diff", True), ("older", False)]
)
def test_overwrite_rules_hold_for_what_was_there_before_not_for_what_the_others_bring(
    several: Start, tmp_path: Path, with_large: Path, mode: str, rule: str, new: bool
) -> None:
    (target := tmp_path / "target").mkdir()
    large = with_large / "b" / "large"
    (target / "large").write_bytes(b"old")
    for session in several(2, mode, [large], target, CUT, f"--overwrite={rule}"):
        session.done()
    assert ((target / "large").read_bytes() == large.read_bytes()) is new
    assert [path.name for path in target.iterdir()] == ["large"]


def test_the_source_of_a_cut_file_goes_when_it_is_whole_and_not_before(
    run: Run, tmp_path: Path, with_large: Path
) -> None:
    (target := tmp_path / "target").mkdir()
    large = with_large / "b" / "large"
    run("send", [large], target, "-C", "1:2", CUT, "--remove-after-transfer").done()
    assert large.exists()
    run("send", [large], target, "-C", "2:2", CUT, "--remove-after-transfer").done()
    assert not large.exists()
    assert (target / "large").stat().st_size == LARGE


def test_parts_of_two_versions_of_a_source_never_make_a_file(
    run: Run, tmp_path: Path, with_large: Path
) -> None:
    (target := tmp_path / "target").mkdir()
    large = with_large / "b" / "large"
    run("send", [large], target, "-C", "1:2", CUT).done()
    large.write_bytes(random.Random(9).randbytes(LARGE))
    run("send", [large], target, "-C", "2:2", CUT).done()
    assert not (target / "large").exists()
    run("send", [large], target, "-C", "1:2", CUT).done()
    assert (target / "large").read_bytes() == large.read_bytes()


@BOTH
def test_with_the_node_as_far_side(tmp_path: Path, with_large: Path, mode: str) -> None:
    (root := tmp_path / "root").mkdir()
    (here := tmp_path / "here").mkdir()
    with_large.rename((here if mode == "send" else root) / "source")
    goal = "/in" if mode == "send" else here / "in"
    source = here / "source" if mode == "send" else "/source"
    with LocalNode(tmp_path, root, "far", "secret") as node:
        sessions = [
            Openascp(
                *(f"--mode={mode}", "--host=127.0.0.1", "--user=far", "-P", str(node.port), "-q", "-d"),
                *(f"--known-hosts={tmp_path}/hosts{number}", "-l", "1g", "-C", f"{number}:3", CUT),
                *("--symbolic-links=copy", source, goal),
                password="secret",
            )
            for number in (1, 2, 3)
        ]
        try:
            ends = [session.done() for session in sessions]
        finally:
            for session in sessions:
                session.__exit__(None, None, None)
    near, far = here / "source", root / "in" / "source"
    if mode == "recv":
        near, far = here / "in" / "source", root / "source"
    assert tree(near) == tree(far)
    assert all(end.integer("TransferBytes") > 2 * BLOCK for end in ends)
