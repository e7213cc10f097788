"""--delete-before-transfer: the destination keeps what the source has, whatever else there is goes, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from asperacentral.openascp.confined import Files
from asperacentral.openascp.exchange import listing
from asperacentral.openascp.exchange.terms import Terms, UnknownTermError
from tests.openascp.conftest import Run, names
from tests.openascp.exchange.pair import Pair

BOTH = pytest.mark.parametrize(
    ("mode", "plane"), [("send", "exchange"), ("recv", "exchange"), ("recv", "sftp")]
)
DELETE = "--delete-before-transfer"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """source/{a.txt,sub/{c.txt,d.pdf}}"""
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    for name in ("a.txt", "sub/c.txt", "sub/d.pdf"):
        (source / name).write_text(name * 1000)
    return source


@pytest.mark.sshd
@BOTH
def test_what_the_source_does_not_have_is_deleted_before_when_asked(run: Run, tree: Path, mode: str) -> None:
    copy = tree.parent / "copy"
    (copy / "old" / "er").mkdir(parents=True)
    (copy / "old" / "er" / "f").touch()
    (copy / "a.txt").touch()
    (copy / "kept.tmp").touch()
    (tree / "x.tmp").touch()
    # The contents of the source are meant: their place is the destination itself.
    run(mode, [f"{tree}/."], copy, "--delete-before-transfer", "-E", "*.tmp").done()
    assert not [name for name in names(copy) if name.startswith("old")]
    assert (copy / "a.txt").read_bytes() == (tree / "a.txt").read_bytes()


@pytest.mark.sshd
@pytest.mark.parametrize("mode", ["send", "recv"])
def test_nothing_is_deleted_when_the_source_cannot_be_read_whole(run: Run, tree: Path, mode: str) -> None:
    (tree / "broken").symlink_to("nowhere")
    copy = tree.parent / "copy"
    copy.mkdir()
    (copy / "extra").touch()
    assert run(mode, [f"{tree}/."], copy, DELETE).error() == 27
    assert (copy / "extra").exists()
    assert (copy / "sub" / "c.txt").exists()


def test_what_links_lead_to_and_what_is_excluded_stays(tree: Path, tmp_path: Path) -> None:
    copy = tmp_path / "to" / "source"
    outside = tmp_path / "outside"
    for folder in (copy, outside, tree / "left", copy / "left"):
        folder.mkdir(parents=True, exist_ok=True)
    (outside / "c.txt").write_text("mine")
    (outside / "mine").write_text("mine")
    (copy / "left" / "kept").touch()
    (copy / "gone").symlink_to(outside)
    (copy / "sub").symlink_to(outside)
    pair = Pair([tree], tmp_path / "to", delete_before=True, rules=[[b"left", True]])
    pair.run()
    assert (outside / "mine").read_text() == "mine"
    assert not (copy / "gone").is_symlink()
    assert (copy / "left" / "kept").exists()


def test_partial_files_of_the_job_stay_and_those_of_other_names_go(tree: Path, tmp_path: Path) -> None:
    copy = tmp_path / "to" / "source"
    copy.mkdir(parents=True)
    for name in ("a.txt.job.partial", "a.txt.ckpt.job.partial", "b.txt.job.partial", "a.txt.other.partial"):
        (copy / name).touch()
    Pair([tree], tmp_path / "to", delete_before=True, partial_tag=b"job", rules=[[b"a.txt", True]]).run()
    assert names(copy) == ["a.txt.ckpt.job.partial", "a.txt.job.partial", "sub/", "sub/c.txt", "sub/d.pdf"]


def test_folders_of_many_names_come_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "_NAMES", 3)
    monkeypatch.setattr(listing, "MOST_LISTINGS", 2)
    source, copy = tmp_path / "source", tmp_path / "to" / "source"
    for folder in (source, copy):
        for number in range(20):
            (folder / str(number % 4)).mkdir(parents=True, exist_ok=True)
            (folder / str(number % 4) / f"f{number}").write_text(str(number))
    (copy / "2" / "more").touch()
    (copy / "5" / "6").mkdir(parents=True)
    Pair([source], tmp_path / "to", delete_before=True).run()
    assert names(copy) == names(source)


def test_what_cannot_be_deleted_is_told_on_both_sides(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "to" / "source").mkdir(parents=True)
    (tmp_path / "to" / "source" / "old").touch()
    real = Files.remove

    def remove(files: Files, path: bytes) -> None:
        if path.endswith(b"/old"):
            raise PermissionError(13, "no")
        real(files, path)

    monkeypatch.setattr(Files, "remove", remove)
    pair = Pair([tree], tmp_path / "to", delete_before=True)
    pair.run()
    for witness in (pair.sender, pair.receiver):
        ((path, failure),) = [said for name, said in witness.heard if name == "path_failed"]
        assert path.endswith(b"/old")
        assert failure.code == 5


def test_a_persistent_session_cannot_delete_before_it_knows_its_sources() -> None:
    with pytest.raises(UnknownTermError, match="persistent"):
        Terms.read({"destination": b"to", "persistent": True, "delete_before": True})
