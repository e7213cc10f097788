"""Which host keys are accepted, refused and recorded."""

from __future__ import annotations

import base64
import contextlib
import hashlib
from pathlib import Path

import asyncssh
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.openascp.failures import SessionFailure
from asperacentral.openascp.hostkeys import Fingerprint, FingerprintError, HostKeyCheck

KEY = asyncssh.generate_private_key("ssh-ed25519").convert_to_public()
OTHER = asyncssh.generate_private_key("ssh-ed25519").convert_to_public()


def check(file: Path, *, policy: str = "tofu", port: int = 22, fingerprint: str = "") -> HostKeyCheck:
    given_one = Fingerprint.parse(fingerprint) if fingerprint else None
    return HostKeyCheck("server", port, fingerprint=given_one, file=file, policy=policy)


def spellings() -> dict[str, str]:
    data = KEY.public_data
    md5, sha1 = hashlib.md5(data).hexdigest(), hashlib.sha1(data).hexdigest()
    sha256 = base64.b64encode(hashlib.sha256(data).digest()).decode()
    pairs = ":".join(md5[place : place + 2] for place in range(0, 32, 2))
    return {
        "sha1": sha1,
        "SHA1": sha1.upper(),
        "md5": md5,
        "md5 in pairs": pairs,
        "md5 with label": f"MD5:{pairs}",
        "sha256": f"SHA256:{sha256}",
        "sha256 without padding": f"SHA256:{sha256.rstrip('=')}",
    }


@pytest.mark.parametrize("spelling", sorted(spellings()))
def test_a_fingerprint_decides_alone_in_every_spelling(tmp_path: Path, spelling: str) -> None:
    checked = check(tmp_path / "none", policy="strict", fingerprint=spellings()[spelling])
    assert checked.accepts(KEY)
    assert not checked.accepts(OTHER)
    checked.record(KEY)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("text", ["", "abc", "SHA256:abc", "zz" * 20, "SHA256:" + "%" * 43, "f" * 39])
def test_what_is_no_fingerprint_is_refused(text: str) -> None:
    with pytest.raises(FingerprintError):
        Fingerprint.parse(text)


@given(st.text())
def test_no_text_breaks_the_fingerprint_reader(text: str) -> None:
    with contextlib.suppress(FingerprintError):
        assert not Fingerprint.parse(text).matches(KEY)


def test_an_unknown_host_is_accepted_once_and_recorded(tmp_path: Path) -> None:
    file = tmp_path / "new folder" / "known_hosts"
    first = check(file, port=2222)
    assert first.accepts(KEY)
    first.record(KEY)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text().startswith("[server]:2222 ssh-ed25519 ")
    again = check(file, port=2222)
    assert again.accepts(KEY)
    assert not again.accepts(OTHER)
    assert again.refusal().code == 51


def test_another_port_is_another_host(tmp_path: Path) -> None:
    check(tmp_path / "file").record(KEY)
    assert check(tmp_path / "file", port=2222).accepts(OTHER)
    assert not check(tmp_path / "file", port=22).accepts(OTHER)


def test_recording_keeps_what_is_there(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("# mine\nother ssh-ed25519 AAAA")
    check(file).record(KEY)
    assert file.read_text().startswith("# mine\nother ssh-ed25519 AAAA\nserver ssh-ed25519 ")
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"] == ["file"]


def test_of_two_first_meetings_with_different_keys_the_second_is_refused(tmp_path: Path) -> None:
    first, second = check(tmp_path / "file"), check(tmp_path / "file")
    assert first.accepts(KEY)
    assert second.accepts(OTHER)
    first.record(KEY)
    with pytest.raises(SessionFailure) as refused:
        second.record(OTHER)
    assert refused.value.code == 51


def test_strict_refuses_unknown_hosts_and_records_nothing(tmp_path: Path) -> None:
    strict = check(tmp_path / "file", policy="strict")
    assert not strict.accepts(KEY)
    assert "is not in" in str(strict.refusal())
    check(tmp_path / "file").record(KEY)
    assert check(tmp_path / "file", policy="strict").accepts(KEY)


def test_any_takes_every_key(tmp_path: Path) -> None:
    check(tmp_path / "file").record(KEY)
    assert check(tmp_path / "file", policy="any").accepts(OTHER)


def test_a_revoked_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"@revoked server " + KEY.export_public_key())
    assert not check(tmp_path / "file").accepts(KEY)


def test_a_file_that_cannot_be_used_refuses_the_session(tmp_path: Path) -> None:
    with pytest.raises(SessionFailure) as refused:
        check(tmp_path)
    assert refused.value.code == 51
    (tmp_path / "bad").write_text("@what is this\n")
    with pytest.raises(SessionFailure, match="not a known_hosts file"):
        check(tmp_path / "bad")
    unwritable = check(tmp_path / "file" / "below")
    (tmp_path / "file").write_text("")
    with pytest.raises(SessionFailure, match="cannot be recorded"):
        unwritable.record(KEY)
