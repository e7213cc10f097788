"""What ascp's options promise about files, seen on real files, pushed to and pulled from a real SSH server."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path

import pytest

from tests.bulk import bulky
from tests.openascp.conftest import ON_BOTH, Run, names

pytestmark = pytest.mark.sshd
BOTH = pytest.mark.parametrize(
    ("mode", "plane"), [("send", "exchange"), ("recv", "exchange"), ("recv", "sftp")]
)
"""Of SFTP one direction is enough: the same code reads and writes on both sides."""


@BOTH
def test_patterns_choose_what_is_moved_from_left_to_right(run: Run, tree: Path, mode: str) -> None:
    process = run(mode, [tree], tree.parent / "copy", "-N", "c.txt", "-E", "*.txt", "-E", "empty/")
    assert process.done().integer("PathScansExcluded") == 2
    assert names(tree.parent / "copy") == ["b.pdf", "sub/", "sub/c.txt", "sub/d.pdf"]


@pytest.mark.parametrize("mode", ["send"])
def test_times_choose_what_is_moved(run: Run, tree: Path, mode: str) -> None:
    os.utime(tree / "a.txt", (1_000, 1_000))
    os.utime(tree / "b.pdf", (2_000, 2_000))
    run(mode, [tree], tree.parent / "new", "--exclude-older-than=-3600").done()
    assert names(tree.parent / "new") == ["empty/", "sub/", "sub/c.txt", "sub/d.pdf"]
    run(mode, [tree], tree.parent / "old", "--exclude-newer-than=1500").done()
    assert names(tree.parent / "old") == ["a.txt", "empty/", "sub/"]


@BOTH
def test_links_are_followed_copied_forced_or_skipped(run: Run, tree: Path, mode: str) -> None:
    (tree / "link").symlink_to("a.txt")
    (tree / "sub" / "broken").symlink_to("nowhere")
    copy, contents = tree.parent / "copy", f"{tree}/."
    run(mode, [contents], copy, "-d", "--symbolic-links=skip").done()
    assert "link" not in names(copy)
    (copy / "link").write_text("in the way")
    run(mode, [contents], copy, "--symbolic-links=copy").done()
    assert (copy / "link").read_text() == "in the way"
    assert (copy / "sub" / "broken").readlink() == Path("nowhere")
    run(mode, [contents], copy, "--symbolic-links=copy+force").done()
    assert (copy / "link").readlink() == Path("a.txt")
    followed = tree.parent / "followed"
    (tree / "sub" / "broken").unlink()
    run(mode, [tree], followed, "--symbolic-links=follow").done()
    assert (followed / "link").read_bytes() == (tree / "a.txt").read_bytes()
    assert not (followed / "link").is_symlink()


@ON_BOTH
def test_a_link_from_the_far_side_cannot_lead_out_of_the_destination(run: Run, tree: Path) -> None:
    (tree / "out").symlink_to("/etc")
    (tree / "up").symlink_to("../../..")
    process = run("recv", [f"{tree}/."], tree.parent / "copy", "-d", "--symbolic-links=copy")
    assert process.error() == 27
    assert {message.integer("Code") for message in process.listener.of_type("FILEERROR")} == {41}
    assert names(tree.parent / "copy") == [*names(tree)[:2], "empty/", "sub/", "sub/c.txt", "sub/d.pdf"]


@BOTH
def test_special_files_fail_or_are_skipped(run: Run, tree: Path, mode: str) -> None:
    with socket.socket(socket.AF_UNIX) as special:
        special.bind(str(tree / "special"))
        assert run(mode, [tree], tree.parent / "one").error() in (21, 27)
        run(mode, [tree], tree.parent / "two", "--skip-special-files").done()


@pytest.mark.parametrize("mode", ["recv"])
def test_folders_that_several_links_lead_to_are_scanned_once_if_asked(
    run: Run, tree: Path, mode: str
) -> None:
    (tree / "zweit").symlink_to("sub")
    run(mode, [tree], tree.parent / "copy", "--skip-dir-traversal-dupes").done()
    assert "zweit/" not in names(tree.parent / "copy")


@BOTH
@pytest.mark.parametrize("option", ["-p", "--preserve-modification-time", "--preserve-access-time"])
def test_times_are_preserved_when_asked(run: Run, tree: Path, mode: str, option: str) -> None:
    for path in (tree / "a.txt", tree / "sub"):
        os.utime(path, (1_500_000_000, 1_400_000_000))
    run(mode, [tree / "a.txt", tree / "sub"], tree.parent / "copy", "-d", option).done()
    for name in ("a.txt", "sub"):
        found = (tree.parent / "copy" / name).stat()
        assert (found.st_mtime == 1_400_000_000) is (option != "--preserve-access-time")
        if name == "a.txt":  # reading a folder in the test changes when it was read
            assert (found.st_atime == 1_500_000_000) is (option != "--preserve-modification-time")


def test_the_access_time_of_a_source_can_be_preserved(run: Run, tree: Path) -> None:
    os.utime(tree / "a.txt", (5, 1_400_000_000))
    run("send", [tree / "a.txt"], tree.parent / "copy", "--preserve-source-access-time").done()
    assert (tree / "a.txt").stat().st_atime == 5


@BOTH
@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_owner_and_group_are_preserved_when_asked(run: Run, tree: Path, mode: str) -> None:
    os.chown(tree / "a.txt", 4711, 4712)
    options = ["--preserve-file-owner-uid", "--preserve-file-owner-gid"]
    run(mode, [tree / "a.txt"], tree.parent / "copy", *options).done()
    found = (tree.parent / "copy").stat()
    assert (found.st_uid, found.st_gid) == (4711, 4712)


@BOTH
def test_what_would_be_overwritten_is_kept_when_asked(run: Run, tree: Path, mode: str) -> None:
    copy = tree.parent / "copy"
    copy.write_text("old")
    os.utime(copy, (1_700_000_000, 1_700_000_000))
    run(mode, [tree / "a.txt"], copy, "--save-before-overwrite").done()
    assert (tree.parent / "copy.2023.11.14.22.13.20.0").read_text() == "old"
    assert copy.read_bytes() == (tree / "a.txt").read_bytes()
    run(mode, [tree / "b.pdf"], copy, "--save-suffix=.old").done()
    assert (tree.parent / "copy.old").read_bytes() == (tree / "a.txt").read_bytes()


@pytest.mark.parametrize(("mode", "name"), [("send", "md5"), ("recv", "sha-256")])
def test_checksums_are_told_with_each_file(run: Run, tree: Path, mode: str, name: str) -> None:
    process = run(mode, [tree / "a.txt"], tree.parent / "copy", f"--file-checksum={name}")
    process.done()
    (stop,) = process.listener.of_type("STOP")
    expected = hashlib.new(name.replace("-", ""), (tree / "a.txt").read_bytes()).hexdigest()
    assert (stop.text("FileChecksum"), stop.text("FileChecksumType")) == (expected, name)


@BOTH
def test_a_manifest_lists_what_was_moved(run: Run, tree: Path, mode: str) -> None:
    (tree / "missing").symlink_to("nowhere")
    options = ["--file-manifest=text", f"--file-manifest-path={tree.parent / 'm'}", "--file-checksum=md5"]
    process = run(mode, [tree], tree.parent / "copy", *options)
    assert process.error() == 27
    path = Path(process.listener.of_type("ERROR")[0].text("ManifestFile") or "")
    assert [path] == list((tree.parent / "m").iterdir())
    lines = [line.split("\t") for line in path.read_text().splitlines() if not line.startswith("#")]
    assert sorted(line[0] for line in lines) == ["completed"] * 4
    digest = hashlib.md5((tree / "a.txt").read_bytes()).hexdigest()
    assert [f"md5:{digest}"] == [line[2] for line in lines if line[3].endswith("/a.txt")]


def test_the_far_side_keeps_a_manifest_of_what_was_pushed(run: Run, tree: Path) -> None:
    (tree / "missing").symlink_to("nowhere")
    options = ["--file-manifest=text", f"--file-manifest-path={tree.parent / 'm'}", "--file-checksum=md5"]
    process = run("send", [f"{tree}/."], tree.parent / "copy", "-d", *options, "-k1")
    assert process.error() == 27
    (ours,), (theirs,) = (
        list(folder.glob("*.manifest.txt")) for folder in (tree.parent / "m", tree.parent / "copy")
    )
    assert ours.name == theirs.name
    lines = [line.split("\t") for line in theirs.read_text().splitlines() if not line.startswith("#")]
    assert [line[0] for line in lines] == ["completed"] * 4
    by_name = {line[4]: line[2] for line in lines}
    digest = hashlib.md5((tree / "a.txt").read_bytes()).hexdigest()
    assert by_name[str(tree.parent / "copy" / "a.txt")] == f"md5:{digest}"
    assert theirs.read_text().splitlines()[-1].startswith("# session ")


def test_the_far_sides_manifest_says_that_a_file_failed(run: Run, tree: Path) -> None:
    (tree.parent / "copy" / "a.txt").mkdir(parents=True)  # no file gets this name
    process = run("send", [f"{tree}/."], tree.parent / "copy", "-d", "--file-manifest=text")
    assert process.error() == 27
    (theirs,) = (tree.parent / "copy").glob("*.manifest.txt")
    lines = theirs.read_text().splitlines()
    assert sorted(line.split("\t")[0] for line in lines if not line.startswith("#")) == ["completed"] * 3 + [
        "failed"
    ]
    assert lines[-1] == "# session failed with code 27"


def test_a_pull_leaves_no_manifest_at_its_source(run: Run, tree: Path) -> None:
    before = names(tree)
    run("recv", [f"{tree}/."], tree.parent / "copy", "-d", "--file-manifest=text").done()
    assert names(tree) == before
    assert len(list((tree.parent / "copy").glob("*.manifest.txt"))) == 1


def test_an_unfinished_manifest_of_the_far_side_has_its_suffix(run: Run, tree: Path) -> None:
    bulky(tree / "z.big", 1 << 30)
    options = ["--file-manifest=text", "--file-manifest-inprogress-suffix=.busy", "-l", "10m"]
    process = run("send", [f"{tree}/."], tree.parent / "copy", "-d", *options)
    process.listener.wait_for("STOP")
    assert [path.suffix for path in (tree.parent / "copy").glob("aspera-transfer-*")] == [".busy"]
    process.kill()


@BOTH
def test_sources_are_removed_after_the_transfer(run: Run, tree: Path, mode: str) -> None:
    kept = names(tree)
    options = ["--remove-after-transfer", "--remove-empty-directories", "-E", "d.pdf"]
    run(mode, [tree], tree.parent / "copy", *options).done()
    assert names(tree) == ["sub/", "sub/d.pdf"]
    assert names(tree.parent / "copy") == [name for name in kept if name != "sub/d.pdf"]


@pytest.mark.parametrize("mode", ["send"])
def test_an_emptied_source_folder_is_removed_when_asked(run: Run, tree: Path, mode: str) -> None:
    options = ["--remove-after-transfer", "--remove-empty-source-directory"]
    run(mode, [tree], tree.parent / "copy", *options).done()
    assert not tree.exists()


@pytest.mark.parametrize("mode", ["send"])
def test_skipped_sources_are_removed_only_when_asked(run: Run, tree: Path, mode: str) -> None:
    run(mode, [tree / "a.txt"], tree.parent / "copy").done()
    options = ["-k1", "--remove-after-transfer"]
    run(mode, [tree / "a.txt"], tree.parent / "copy", *options).done()
    assert (tree / "a.txt").exists()
    run(mode, [tree / "a.txt"], tree.parent / "copy", *options, "--remove-skipped").done()
    assert not (tree / "a.txt").exists()


@BOTH
def test_sources_are_moved_after_the_transfer(run: Run, tree: Path, mode: str) -> None:
    before = names(tree)
    archive = tree.parent / "archive"
    options = [f"--move-after-transfer={archive}", "--remove-empty-directories"]
    run(mode, [tree], tree.parent / "copy", *options).done()
    assert names(tree) == []
    assert names(archive / "source") == [name for name in before if name != "empty/"]
    assert names(tree.parent / "copy") == before


@pytest.mark.parametrize("mode", ["recv"])
def test_folders_below_a_base_are_kept(run: Run, tree: Path, mode: str) -> None:
    run(
        mode, [tree / "sub" / "c.txt", tree / "a.txt"], tree.parent / "copy", "-d", f"--src-base={tree}"
    ).done()
    assert names(tree.parent / "copy") == ["a.txt", "sub/", "sub/c.txt"]


@pytest.mark.parametrize("mode", ["send"])
def test_a_pair_list_names_the_targets(run: Run, tree: Path, mode: str) -> None:
    pairs = tree.parent / "pairs"
    pairs.write_text(f"{tree / 'a.txt'}\nnew/name\n{tree / 'sub'}\nother\n")
    run(mode, [], tree.parent / "copy", "-d", f"--file-pair-list={pairs}").done()
    assert names(tree.parent / "copy") == ["new/", "new/name", "other/", "other/c.txt", "other/d.pdf"]


@pytest.mark.parametrize("mode", ["recv"])
def test_blocks_are_no_larger_than_asked(run: Run, tree: Path, mode: str) -> None:
    run(mode, [tree], tree.parent / "copy", "-g", "1000", "-G", "700").done()
    assert (tree.parent / "copy" / "a.txt").read_bytes() == (tree / "a.txt").read_bytes()


@BOTH
def test_a_rate_in_percent_is_of_what_was_measured(run: Run, tree: Path, mode: str) -> None:
    bulky(tree / "big", 20 << 30)
    options = ["-w", "r", "-l", "1%", "--rate-cap=400000"]
    process = run(mode, [tree / "big"], tree.parent / "copy", *options)
    measured = process.listener.wait_for(lambda message: "BWMeasurement" in message.fields)
    capacity = measured.integer("BWMeasurement")
    told = process.listener.wait_for(
        lambda message: message.type == "NOTIFICATION" and message.text("Rate") == str(round(capacity / 100))
    )
    assert told.integer("Rate") > 0


@BOTH
def test_the_log_tells_of_session_and_files_in_ascps_words_and_no_secret(
    run: Run, tree: Path, mode: str
) -> None:
    folder = tree.parent / "log"
    secret = {
        "ASPERA_SCP_TOKEN": "t0ken",
        "ASPERA_SCP_FILEPASS": "passphr4se",
        "ASPERA_SCP_COOKIE": "a b\nLOG x",
    }
    run(mode, [tree / "a.txt"], tree.parent / "copy", "-L", str(folder), environment=secret).done()
    text = (folder / "openascp.log").read_text()
    for line in (
        "Session Start uuid=",
        "Session Params uuid=",
        "Transfer Start uuid=",
        "Transfer Stop uuid=",
    ):
        assert f" LOG FASP {line}" in text
    assert f"op={mode} status=success code" not in text
    assert "LOG FASP Session Statistics" in text
    assert "targetrate=10000000000" in text
    assert not [word for word in ("t0ken", "passphr4se") if word in text]
    assert not [line for line in text.splitlines() if line.startswith("LOG x")]
