from __future__ import annotations

from pathlib import Path

import pytest

from asperacentral.node.hostkey import HostKeyError, load_or_make_host_key


def test_the_first_start_makes_a_key_only_its_owner_can_read(tmp_path: Path) -> None:
    file = tmp_path / "state" / "key"
    load_or_make_host_key(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in file.parent.iterdir()] == ["key"]


def test_later_starts_use_the_same_key(tmp_path: Path) -> None:
    first = load_or_make_host_key(tmp_path / "key").get_fingerprint()
    assert load_or_make_host_key(tmp_path / "key").get_fingerprint() == first


def test_a_key_others_can_read_is_refused(tmp_path: Path) -> None:
    load_or_make_host_key(tmp_path / "key")
    (tmp_path / "key").chmod(0o640)
    with pytest.raises(HostKeyError, match="chmod 600"):
        load_or_make_host_key(tmp_path / "key")


def test_a_file_that_is_no_key_is_named(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("nonsense")
    file.chmod(0o600)
    with pytest.raises(HostKeyError, match="not a private key"):
        load_or_make_host_key(file)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HostKeyError, match=r"the host key .*Not a directory"):
        load_or_make_host_key(tmp_path / "file" / "key")
