"""`asperacentral token`: what it prints is what a server half takes."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from asperacentral.cli import main
from asperacentral.openascp.token import Permission, check_key, verify


@pytest.fixture
def key(tmp_path: Path) -> Path:
    assert main(["token", "--make-key", str(tmp_path / "token.key")]) == 0
    return tmp_path / "token.key"


def permission(key: Path, token: str, way: str, user: str = "") -> Permission:
    return verify(token, [check_key(key.read_bytes())], now=time.time(), user=user, direction=way)


def test_a_token_permits_what_the_command_says(key: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = ["--path", "/in/alice/", "--path", os.fsdecode(b"\xff/x")]
    arguments = [
        "token",
        "--key",
        str(key),
        "--direction",
        "send",
        *paths,
        "--expires",
        "12h",
        "--user",
        "xfer",
    ]
    assert main(arguments) == 0
    token = capsys.readouterr().out.strip()
    given = permission(key, token, "send", "xfer")
    assert given.paths == (b"in/alice", b"\xff/x")
    assert given.expires - given.issued == 12 * 3600


@pytest.mark.parametrize("when", ["2100-01-31T12:00:00", "2100-01-31T12:00:00Z", "2100-01-31T14:00:00+02:00"])
def test_the_end_may_be_a_time_which_is_utc_unless_it_says_otherwise(
    key: Path, when: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["token", "--key", str(key), "--direction", "recv", "--path", "a", "--expires", when]) == 0
    assert permission(key, capsys.readouterr().out.strip(), "recv").expires == 4105080000


@pytest.mark.parametrize(
    ("expires", "path", "said"),
    [
        ("soon", "a", "neither like 12h"),
        ("2001-01-01", "a", "expired when it is issued"),
        ("0s", "a", "expired when it is issued"),
        ("1h", "x" * 300, "longer than 255 bytes"),
    ],
)
def test_what_would_be_no_permission_is_one_line(
    key: Path, expires: str, path: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["token", "--key", str(key), "--direction", "send", "--path", path, "--expires", expires]
    assert main(arguments) == 1
    out, err = capsys.readouterr()
    assert not out
    assert said in err
    assert err.count("\n") == 1


def test_what_is_missing_is_named(key: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", "--key", str(key), "--direction", "send"]) == 2
    assert "--path" in capsys.readouterr().err


def test_a_key_is_readable_by_its_owner_only_and_never_overwritten(
    key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert key.stat().st_mode & 0o777 == 0o600
    before = key.read_bytes()
    assert main(["token", "--make-key", str(key)]) == 1
    assert key.read_bytes() == before
    assert "exists" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, b"short", b"everybody can read this one"])
def test_a_key_that_is_missing_short_or_readable_by_all_is_refused(
    tmp_path: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "token.key"
    if content is not None:
        file.write_bytes(content)
        file.chmod(0o644 if content.startswith(b"every") else 0o600)
    assert main(["token", "--key", str(file), "--direction", "send", "--path", "a", "--expires", "1h"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
