"""What only a far side with openascp can keep: extended attributes and access lists."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from tests.openascp.conftest import Run

pytestmark = pytest.mark.sshd
BOTH = pytest.mark.parametrize("mode", ["send", "recv"])
_ACCESS_LIST = "system.posix_acl_access"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "file").write_text("x")
    try:
        os.setxattr(folder / "file", "user.colour", b"blue\0green")
        os.setxattr(folder, "user.kind", b"folder")
    except OSError:
        pytest.skip("the file system has no extended attributes")
    return folder


@BOTH
def test_extended_attributes_are_kept_on_files_and_folders(run: Run, tree: Path, mode: str) -> None:
    options = ["--preserve-xattrs=native", "--remote-preserve-xattrs=native"]
    run(mode, [tree], tree.parent / "copy", *options).done()
    assert os.getxattr(tree.parent / "copy" / "file", "user.colour") == b"blue\0green"
    assert os.getxattr(tree.parent / "copy", "user.kind") == b"folder"


def test_extended_attributes_go_into_a_file_beside_when_asked(run: Run, tree: Path) -> None:
    run("send", [tree], tree.parent / "copy", "--remote-preserve-xattrs=metafile").done()
    assert os.listxattr(tree.parent / "copy" / "file") == []
    assert "user.colour" in (tree.parent / "copy" / "file.aspera-meta").read_text()


def test_nothing_is_kept_that_was_not_asked_for(run: Run, tree: Path) -> None:
    run("send", [tree], tree.parent / "copy").done()
    assert os.listxattr(tree.parent / "copy" / "file") == []


@BOTH
def test_access_lists_are_kept(run: Run, tree: Path, mode: str) -> None:
    everyone = struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", tag, permission, who)
        for tag, permission, who in (
            (1, 6, 2**32 - 1),
            (2, 7, 4711),
            (4, 4, 2**32 - 1),
            (16, 7, 2**32 - 1),
            (32, 0, 2**32 - 1),
        )
    )
    try:
        os.setxattr(tree / "file", _ACCESS_LIST, everyone)
    except OSError:
        pytest.skip("the file system has no access lists")
    options = ["--preserve-acls=native", "--remote-preserve-acls=native"]
    run(mode, [tree], tree.parent / "copy", *options).done()
    assert os.getxattr(tree.parent / "copy" / "file", _ACCESS_LIST) == everyone


def test_over_sftp_it_is_refused_by_name(run: Run, tree: Path) -> None:
    process = run(
        "send", [tree], tree.parent / "copy", "--remote-preserve-xattrs=native", "-S", "nothing-here"
    )
    last = process.end()
    assert last.integer("Code") == 8
    assert "--preserve-xattrs" in last.text("Description")
