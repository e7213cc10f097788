"""Links, checksums, names of backups, manifests, and what happens before and after a session."""

from __future__ import annotations

import hashlib
import posixpath
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.openascp.files import backups, checksums, links
from asperacentral.openascp.files.afterwards import Afterwards, superfluous
from asperacentral.openascp.files.checksums import Checksum
from asperacentral.openascp.files.links import Source, Target
from asperacentral.openascp.files.manifest import Manifest

MOMENT = 1_700_000_000 * 1_000_000_000
"""2023-11-14 22:13:20 UTC"""


def test_links_are_followed_copied_or_left_out() -> None:
    assert [links.at_source(policy) for policy in links.POLICIES] == [
        Source.FOLLOW,
        Source.COPY,
        Source.COPY,
        Source.SKIP,
    ]


@pytest.mark.parametrize(
    ("policy", "exists", "folder", "target"),
    [
        ("copy", False, False, Target.MAKE),
        ("copy", True, False, Target.LEAVE),
        ("copy+force", True, False, Target.REPLACE),
        ("copy+force", True, True, Target.LEAVE),
        ("copy+force", False, False, Target.MAKE),
    ],
)
def test_only_force_replaces_and_never_a_folder(
    policy: str, exists: bool, folder: bool, target: Target
) -> None:
    assert links.at_target(policy, exists=exists, folder=folder) is target


@pytest.mark.parametrize(
    ("text", "path", "inside"),
    [
        (b"f", b"link", True),
        (b"./a/f", b"link", True),
        (b"../f", b"d/link", True),
        (b"../f", b"link", False),
        (b"../../f", b"d/link", False),
        (b"/etc", b"d/link", False),
        (b"a/../../f", b"d/link", False),
        (b"other/..", b"link", False),
        (b".", b"link", True),
        (b"..", b".", False),
    ],
)
def test_links_of_others_stay_inside_the_destination(text: bytes, path: bytes, inside: bool) -> None:
    assert links.stays_inside(text, path) is inside


@given(st.lists(st.sampled_from([b"..", b".", b"", b"a", b"b"]), max_size=6))
def test_a_link_that_stays_inside_never_climbs_above_the_root(parts: list[bytes]) -> None:
    text = b"/".join(parts)
    if links.stays_inside(text, b"d/e/link"):
        assert not posixpath.normpath(b"d/e/" + text).startswith(b"..")


@pytest.mark.parametrize("name", checksums.NAMES[1:])
@given(pieces=st.lists(st.binary(max_size=100), max_size=10))
def test_a_checksum_does_not_depend_on_the_pieces(name: str, pieces: list[bytes]) -> None:
    checksum = Checksum(name)
    for piece in pieces:
        checksum.update(piece)
    whole = b"".join(pieces)
    assert checksum.hexdigest() == hashlib.new(name.replace("-", ""), whole).hexdigest()
    assert (
        checksums.of_bytes(name, lambda at, size: whole[at : at + size], len(whole)) == checksum.hexdigest()
    )


def test_a_file_that_ends_too_early_has_no_checksum() -> None:
    with pytest.raises(EOFError):
        checksums.of_bytes("md5", lambda at, size: b"abc"[at : at + size], 4)


def test_none_is_no_checksum() -> None:
    with pytest.raises(ValueError, match="none"):
        Checksum("none")


def test_a_backup_is_named_by_the_time_of_its_last_change() -> None:
    found = backups.names(b"/to/a.tar.gz", MOMENT)
    assert next(found) == b"/to/a.tar.2023.11.14.22.13.20.0.gz"
    assert next(found) == b"/to/a.tar.2023.11.14.22.13.20.1.gz"


def test_a_backup_with_a_suffix_keeps_its_name() -> None:
    found = backups.names(b"a.txt", MOMENT, b".old")
    assert [next(found), next(found)] == [b"a.txt.old", b"a.txt.1.old"]


@given(st.binary(min_size=1, max_size=255).filter(lambda name: b"/" not in name), st.binary(max_size=20))
def test_backups_stay_in_their_folder_and_fit(name: bytes, suffix: bytes) -> None:
    suffix = suffix.replace(b"/", b"")
    found = [next(backups.names(b"d/" + name, MOMENT, suffix))]
    for path in found:
        assert path.startswith(b"d/")
        assert b"/" not in path[2:]
        assert len(path[2:]) <= 255


def test_a_manifest_has_its_name_only_when_the_session_has_ended(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path / "new", "1-2", heading="send")
    manifest.add("completed", 7, "md5:abc", b"/a\tb\nc\\", b"t\xff")
    assert [path.name for path in (tmp_path / "new").iterdir()] == [
        "aspera-transfer-1-2.manifest.txt.aspera-inprogress"
    ]
    manifest.close("completed")
    manifest.close("again")
    assert manifest.path.read_bytes().splitlines()[2:] == [
        b"completed\t7\tmd5:abc\t/a\\tb\\nc\\\\\tt\xff",
        b"# session completed",
    ]
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_a_manifest_in_progress_can_have_another_suffix(tmp_path: Path) -> None:
    Manifest(tmp_path, "s", suffix=".busy")
    assert (tmp_path / "aspera-transfer-s.manifest.txt.busy").exists()


def test_files_go_away_only_when_asked() -> None:
    assert not Afterwards().concerns(skipped=False)
    assert Afterwards(remove=True).concerns(skipped=False)
    assert not Afterwards(remove=True).concerns(skipped=True)
    assert Afterwards(move_to=b"/done", remove_skipped=True).concerns(skipped=True)
    assert Afterwards(move_to=b"/done").place_for(b"/a/b") == b"/done/a/b"


def test_empty_folders_go_deepest_first_and_sources_only_when_asked() -> None:
    folders = [(b"/s", True), (b"/s/a", False), (b"/s/a/b", False)]
    assert list(Afterwards(remove_empty=True).empty_folders(folders)) == [b"/s/a/b", b"/s/a"]
    assert list(Afterwards(remove_empty=True, remove_source_folder=True).empty_folders(folders)) == [
        b"/s/a/b",
        b"/s/a",
        b"/s",
    ]
    assert list(Afterwards(remove=True).empty_folders(folders)) == []


def test_what_the_source_does_not_have_is_superfluous_but_for_what_is_protected() -> None:
    there = [
        (b"a", True),
        (b"a/old", False),
        (b"a/new", False),
        (b"b", True),
        (b"b/c", True),
        (b"b/c/x", False),
    ]
    assert list(superfluous(there, {b"a", b"a/new"}, {b"b/c/x"})) == [(b"a/old", False)]
    assert list(superfluous(there, {b"a", b"a/new"})) == [
        (b"b/c/x", False),
        (b"a/old", False),
        (b"b/c", True),
        (b"b", True),
    ]
