"""Times, owners and extended attributes travel with files of this machine."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.openascp.files import attributes
from asperacentral.openascp.files.attributes import Metadata, MetadataError, Preserve

ACL = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", tag, permissions, owner)
    for tag, permissions, owner in [
        (1, 6, 0xFFFFFFFF),
        (2, 4, 4711),
        (4, 4, 0xFFFFFFFF),
        (16, 4, 0xFFFFFFFF),
        (32, 0, 0xFFFFFFFF),
    ]
)
"""What `setfacl -m u:4711:r` makes of rw-r-----."""


def copied(source: Path, target: Path, preserve: Preserve) -> Metadata:
    target.touch()
    reading, writing = os.open(source, os.O_RDONLY), os.open(target, os.O_WRONLY)
    try:
        found = attributes.read(reading, preserve)
        attributes.apply(writing, found, preserve)
    finally:
        os.close(reading)
        os.close(writing)
    return found


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(b"x")
    try:
        os.setxattr(path, "user.colour", b"blue\0")
    except OSError:
        pytest.skip("this file system keeps no extended attributes")
    os.utime(path, ns=(1_000_000_000_000_000_001, 1_100_000_000_000_000_002))
    return path


@pytest.mark.parametrize(
    ("preserve", "modified", "accessed"),
    [
        (Preserve(modification_time=True), True, False),
        (Preserve(access_time=True), False, True),
        (Preserve(modification_time=True, access_time=True), True, True),
        (Preserve(source_access_time=True), False, False),
    ],
)
def test_times_are_kept_to_the_nanosecond_when_asked(
    source: Path, tmp_path: Path, preserve: Preserve, modified: bool, accessed: bool
) -> None:
    copied(source, tmp_path / "copy", preserve)
    found = (tmp_path / "copy").stat()
    assert (found.st_mtime_ns == 1_100_000_000_000_000_002) is modified
    assert (found.st_atime_ns == 1_000_000_000_000_000_001) is accessed


def test_extended_attributes_are_kept_natively_when_asked(source: Path, tmp_path: Path) -> None:
    copied(source, tmp_path / "plain", Preserve())
    assert os.listxattr(tmp_path / "plain") == []
    copied(source, tmp_path / "copy", Preserve(xattrs="native"))
    assert os.getxattr(tmp_path / "copy", "user.colour") == b"blue\0"


def test_access_lists_are_kept_natively_when_asked(source: Path, tmp_path: Path) -> None:
    try:
        os.setxattr(source, "system.posix_acl_access", ACL)
    except OSError:
        pytest.skip("this file system keeps no access lists")
    copied(source, tmp_path / "copy", Preserve(acls="native"))
    assert os.getxattr(tmp_path / "copy", "system.posix_acl_access") == ACL


def test_owner_and_group_that_are_right_already_need_no_rights(source: Path, tmp_path: Path) -> None:
    copied(source, tmp_path / "copy", Preserve(uid=True, gid=True))
    assert (tmp_path / "copy").stat().st_uid == source.stat().st_uid


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_owner_and_group_are_kept_when_asked(source: Path, tmp_path: Path) -> None:
    os.chown(source, 4711, 4712)
    copied(source, tmp_path / "copy", Preserve(uid=True, gid=True))
    found = (tmp_path / "copy").stat()
    assert (found.st_uid, found.st_gid) == (4711, 4712)


def test_attributes_of_other_name_spaces_are_never_taken_from_the_other_side(tmp_path: Path) -> None:
    (tmp_path / "copy").touch()
    hostile = Metadata(
        xattrs=(("security.capability", b"x"), ("trusted.x", b"y"), ("user.", b"z"), ("user.ok", b"1"))
    )
    writing = os.open(tmp_path / "copy", os.O_WRONLY)
    try:
        attributes.apply(writing, hostile, Preserve(xattrs="native"))
    except OSError:
        pytest.skip("this file system keeps no extended attributes")
    finally:
        os.close(writing)
    assert os.listxattr(tmp_path / "copy") == ["user.ok"]


def test_the_access_time_of_a_source_can_be_given_back(source: Path) -> None:
    reading = os.open(source, os.O_RDONLY)
    os.utime(source)
    attributes.restore_access_time(reading, 5)
    os.close(reading)
    assert source.stat().st_atime_ns == 5


@given(
    st.dictionaries(st.text(min_size=1, max_size=20).map("user.".__add__), st.binary(max_size=50), max_size=5)
)
def test_a_metafile_brings_back_what_was_put_in(xattrs: dict[str, bytes]) -> None:
    metadata = Metadata(mode=0o640, xattrs=tuple(xattrs.items()), acls=(("system.posix_acl_access", ACL),))
    found = attributes.from_metafile(
        attributes.metafile(metadata, Preserve(xattrs="metafile", acls="metafile"))
    )
    assert dict(found.xattrs) == xattrs
    assert (found.acls, found.mode) == (metadata.acls, 0o640)


def test_no_metafile_is_made_of_nothing() -> None:
    assert attributes.metafile(Metadata(), Preserve(xattrs="metafile", acls="metafile")) == b""
    assert attributes.metafile(Metadata(xattrs=(("user.a", b"b"),)), Preserve(xattrs="native")) == b""
    assert attributes.metafile_name(b"d/f") == b"d/f.aspera-meta"


@given(
    st.one_of(
        st.binary(max_size=60),
        st.sampled_from(
            [
                b"{}",
                b"[]",
                b"[" * 20_000,
                b'{"version":2}',
                b'{"version":1,"xattrs":[1]}',
                b'{"version":1,"xattrs":{"user.a":"#"}}',
            ]
        ),
    )
)
def test_what_is_no_metafile_is_refused(data: bytes) -> None:
    with pytest.raises(MetadataError):
        attributes.from_metafile(data)
