"""Files and folders arrive whole, in both directions, whatever they are called."""

from __future__ import annotations

import os
import random
import stat
from pathlib import Path

import pytest

from tests.openascp.conftest import ON_BOTH, Run

pytestmark = [pytest.mark.sshd, ON_BOTH]
BOTH = pytest.mark.parametrize("mode", ["send", "recv"])

AWKWARD = [
    b"plain",
    b"with space",
    b" leading and trailing ",
    b"line\nbreak",
    b"carriage\rreturn",
    b"escape\x1bn",
    b"-l",
    b"--host=evil",
    b"quote'\"`$(x)",
    b"back\\slash",
    b"semi;colon:colon",
    b"*?[glob]",
    b"~",
    b"#hash",
    b"...",
    b"%41",
    "ünïcødé 漢字 🎈".encode(),
    b"not utf-8 \xff\xfe",
    b"x" * 255,
    ("é" * 127).encode(),
    b"already.partial",
]


def contents(folder: Path) -> dict[bytes, bytes | None]:
    """All names below a folder with what is in the files."""
    return {
        os.fsencode(path.relative_to(folder)): None if path.is_dir() else path.read_bytes()
        for path in folder.rglob("*")
    }


@BOTH
def test_awkward_names_and_empty_files_and_folders_arrive(run: Run, tmp_path: Path, mode: str) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for number, name in enumerate(AWKWARD):
        (source / os.fsdecode(name)).write_bytes(name * number)
    (source / "empty").touch()
    (source / "folder" / "empty folder").mkdir(parents=True)
    process = run(mode, [source], tmp_path / "copy")
    done = process.done()
    assert contents(tmp_path / "copy") == contents(source)
    assert done.integer("TransfersPassed") == len(AWKWARD) + 1
    told = {message.text("File") for message in process.listener.of_type("STOP")}
    assert told == {str(source / os.fsdecode(name)) for name in [*AWKWARD, b"empty"]}


@BOTH
def test_a_large_file_arrives_with_its_bytes_in_place(run: Run, tmp_path: Path, mode: str) -> None:
    data = random.Random(1).randbytes(20_000_001)
    (tmp_path / "source").write_bytes(data)
    run(mode, [tmp_path / "source"], tmp_path / "copy").done()
    assert (tmp_path / "copy").read_bytes() == data


@BOTH
def test_many_small_files_arrive(run: Run, tmp_path: Path, mode: str) -> None:
    for number in range(300):
        place = tmp_path / "source" / str(number % 7)
        place.mkdir(parents=True, exist_ok=True)
        (place / str(number)).write_bytes(os.urandom(number * 10))
    process = run(mode, [tmp_path / "source"], tmp_path / "new" / "place", "-d")
    done = process.done()
    assert contents(tmp_path / "new" / "place" / "source") == contents(tmp_path / "source")
    assert done.integer("TransferBytes") == done.integer("FileBytes") == sum(n * 10 for n in range(300))
    ids = {message.text("FaspFileID") for message in process.listener.of_type("START")}
    assert len(ids) == 300


@BOTH
def test_the_execute_permission_stays_and_others_follow_the_umask(
    run: Run, tmp_path: Path, mode: str
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "program").touch(mode=0o700)
    (source / "data").touch(mode=0o600)
    run(mode, [source], tmp_path / "copy").done()
    for name in ("program", "data"):
        kept = (tmp_path / "copy" / name).stat().st_mode & stat.S_IXUSR
        assert bool(kept) == (name == "program")
    assert (tmp_path / "copy" / "data").stat().st_mode & 0o777 == 0o666 & ~current_umask()


def current_umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


@BOTH
def test_several_sources_and_a_file_list_go_into_a_folder(run: Run, tmp_path: Path, mode: str) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    (tmp_path / "list").write_text("a\nb\n")
    run(mode, [tmp_path / "a", tmp_path / "b"], tmp_path / "first", "-d").done()
    options = ["-d", f"--file-list={tmp_path / 'list'}", f"--source-prefix={tmp_path}"]
    run(mode, [], tmp_path / "second", *options).done()
    assert contents(tmp_path / "first") == contents(tmp_path / "second") == {b"a": b"a", b"b": b"b"}


def test_files_that_fail_are_told_and_the_others_arrive(run: Run, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "copy"
    source.mkdir()
    (target / "taken").mkdir(parents=True)
    for name in ("good", "taken"):
        (source / name).write_text(name)
    os.mkfifo(source / "pipe")
    process = run("send", [f"{source}/.", tmp_path / "missing"], target)
    last = process.end()
    assert (last.type, last.integer("Code")) == ("ERROR", 27)
    failed = {Path(m.text("File")).name: m.integer("Code") for m in process.listener.of_type("FILEERROR")}
    assert failed == {"pipe": 21, "missing": 4, "taken": 7}
    assert (target / "good").read_text() == "good"
    assert last.integer("TransfersPassed") == 1
    assert last.integer("TransfersFailed") == 1
    assert last.integer("PathScansFailed") == 2
    assert last.integer("PathScansIrregular") == 1


@BOTH
@pytest.mark.parametrize(
    ("prepare", "code"),
    [("no source", 4), ("no folder", 4), ("file in the way", 6), ("folder in the way", 7)],
)
def test_when_nothing_can_move_the_session_ends_with_the_reason(
    run: Run, tmp_path: Path, mode: str, prepare: str, code: int
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    if prepare != "no source":
        source.write_text("x")
    if prepare == "no folder":
        target = tmp_path / "no" / "target"
    elif prepare == "file in the way":
        target.write_text("old")
    elif prepare == "folder in the way":
        (target / "source").mkdir(parents=True)
    into = ["-d"] if prepare == "file in the way" else []
    assert run(mode, [source], target, *into).error() == code
    assert not any(path.name.endswith(".partial") for path in tmp_path.rglob("*"))


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_a_source_that_may_not_be_read_ends_with_code_5(run: Run, tmp_path: Path) -> None:
    (tmp_path / "source").touch(mode=0)
    assert run("send", [tmp_path / "source"], tmp_path / "copy").error() == 5


def test_an_empty_list_is_nothing_to_transfer(run: Run, tmp_path: Path) -> None:
    (tmp_path / "list").touch()
    assert run("send", [], tmp_path, f"--file-list={tmp_path / 'list'}").error() == 20


@BOTH
def test_equal_files_are_skipped_and_told_as_such(run: Run, tmp_path: Path, mode: str) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("same", "changed"):
        (source / name).write_bytes(b"x" * 700_000)
    run(mode, [source], tmp_path / "copies", "-d").done()
    (source / "changed").write_bytes(b"x" * 699_999 + b"y")
    process = run(mode, [source], tmp_path / "copies", "-k2")
    done = process.done()
    assert contents(tmp_path / "copies" / "source") == contents(source)
    assert [done.integer(f"Transfers{what}") for what in ("Attempted", "Passed", "Skipped")] == [2, 1, 1]
    assert done.integer("TransferBytes") == done.integer("FileBytes") == 700_000
    skipped = [m for m in process.listener.of_type("STOP") if m.text("File").endswith("same")]
    assert [m.integer("StartByte") for m in skipped] == [700_000]


@BOTH
def test_never_leaves_what_is_there(run: Run, tmp_path: Path, mode: str) -> None:
    (tmp_path / "source").write_text("new")
    (tmp_path / "copy").write_text("old one")
    done = run(mode, [tmp_path / "source"], tmp_path / "copy", "--overwrite=never").done()
    assert (tmp_path / "copy").read_text() == "old one"
    assert done.integer("TransfersSkipped") == 1


@BOTH
def test_a_stale_partial_of_the_same_tag_is_replaced_and_others_stay(
    run: Run, tmp_path: Path, mode: str
) -> None:
    (tmp_path / "source").write_text("new")
    target = tmp_path / "target"
    target.mkdir()
    for name in ("source.job1.partial", "source.job1~.partial", "source.job2.partial"):
        (target / name).write_text("stale")
    run(mode, [tmp_path / "source"], target, "--partial-tag=job1").done()
    assert sorted(path.name for path in target.iterdir()) == ["source", "source.job2.partial"]
    assert (target / "source").read_text() == "new"


@BOTH
def test_a_rate_is_kept(run: Run, tmp_path: Path, mode: str) -> None:
    (tmp_path / "source").write_bytes(bytes(250_000))
    done = run(mode, [tmp_path / "source"], tmp_path / "copy", "-l", "1000").done()
    seconds = done.integer("Elapsedusec") / 1e6
    assert 1.8 <= seconds < 20  # 2 s at 1,000 Kbps, the first burst, the login and a busy machine aside
