from __future__ import annotations

import os
from pathlib import Path

import pytest

from asperacentral.node import UsersFileError, one_user, read_users
from asperacentral.openascp.policy import Authorization

from .support import KEY, PASSWORD, password_hash

HASH = "scrypt$ln=1,r=1,p=1$c2FsdHNhbHQ=$" + "A" * 43 + "="
PUBLIC = KEY.export_public_key().decode().strip()


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "users.toml"
    file.write_text(text)
    return file


def test_a_user_has_hash_keys_folder_and_rights(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    file = write(
        tmp_path,
        f'[users.alice]\npassword = "{HASH}"\nauthorized_keys = ["{PUBLIC}"]\n'
        f'docroot = "{tmp_path}/a"\nread = true\nwrite = false\n',
    )
    alice = read_users(file, None)["alice"]
    assert alice.docroot == tmp_path / "a"
    assert alice.password is not None
    assert alice.authorized_keys is not None
    assert (alice.read, alice.write) == (True, False)


def test_keys_may_be_in_a_file_beside_the_users_file(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"# alice's\n{PUBLIC}\n")
    file = write(tmp_path, '[users.alice]\nauthorized_keys = "keys"\n')
    assert read_users(file, tmp_path / "root")["alice"].authorized_keys is not None


def test_without_a_docroot_of_its_own_a_user_gets_a_private_folder_below_the_common_one(
    tmp_path: Path,
) -> None:
    file = write(tmp_path, f'[users.alice]\npassword = "{HASH}"\n')
    folder = read_users(file, tmp_path / "root")["alice"].docroot
    assert folder == tmp_path / "root" / "alice"
    assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", r"no table \[users.NAME\]"),
        ("users = 3", r"no table \[users.NAME\]"),
        ("[user.alice]\n", "unknown entry 'user'"),
        ("[users.alice\n", "users.toml"),
        ("[users]\nalice = 3\n", "users.alice: not a table"),
        ("[users.alice]\n", "neither password nor authorized_keys"),
        ("[users.'../x']\npassword = 'p'\n", "not a user name"),
        ("[users.alice]\npasword = 'p'\n", "unknown key 'pasword'"),
        ("[users.alice]\npassword = 'plain'\n", "--hash-password"),
        ("[users.alice]\npassword = 3\n", "password: not a text"),
        (
            f"[users.alice]\npassword = '{HASH}'\ndocroot = '/tmp'\nread = 'yes'\n",
            "read: neither true nor false",
        ),
        (f"[users.alice]\npassword = '{HASH}'\ndocroot = 3\n", "docroot: not a text"),
        (f"[users.alice]\npassword = '{HASH}'\ndocroot = '/no/such'\n", "/no/such is not a folder"),
        (f"[users.alice]\npassword = '{HASH}'\n", "no --docroot"),
        ("[users.alice]\nauthorized_keys = ['nonsense']\n", "authorized_keys"),
        ("[users.alice]\nauthorized_keys = 'no-such-file'\n", "no-such-file"),
        ("[users.alice]\nauthorized_keys = 3\n", "neither a list of keys nor a file"),
    ],
)
def test_a_users_file_that_will_not_do_is_refused_with_place_and_reason(
    tmp_path: Path, text: str, reason: str
) -> None:
    with pytest.raises(UsersFileError, match=reason):
        read_users(write(tmp_path, text), None)


def test_a_missing_users_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsersFileError, match=r"absent\.toml: No such file"):
        read_users(tmp_path / "absent.toml", None)


def test_one_user_sees_the_whole_docroot(tmp_path: Path) -> None:
    demo = one_user("demo", PASSWORD, tmp_path)["demo"]
    assert demo.docroot == tmp_path
    assert demo.password is not None and demo.password.matches(PASSWORD)
    assert password_hash().matches(PASSWORD)


def test_one_user_needs_a_folder_and_a_name(tmp_path: Path) -> None:
    with pytest.raises(UsersFileError, match="not a folder"):
        one_user("demo", PASSWORD, tmp_path / "absent")
    with pytest.raises(UsersFileError, match="not a user name"):
        one_user("", PASSWORD, tmp_path)


def test_a_user_with_a_token_key_transfers_with_tokens_only(tmp_path: Path) -> None:
    (tmp_path / "token.key").write_text("a key of sixteen bytes or more\n")
    file = write(
        tmp_path, f'[users.xfer]\nauthorized_keys = ["{PUBLIC}"]\ntoken_key = "token.key"\nwrite = false\n'
    )
    xfer = read_users(file, tmp_path / "root")["xfer"]
    policy = xfer.policy()
    assert policy.docroot == os.fsencode(tmp_path / "root" / "xfer")
    assert policy.incoming.authorization is policy.outgoing.authorization is Authorization.TOKEN
    assert policy.token_keys == (b"a key of sixteen bytes or more",)
    assert (policy.read, policy.write) == (True, False)
    assert "sixteen" not in repr(xfer)


@pytest.mark.parametrize(
    ("key", "said"), [("7", "name of a file"), ('"none"', "No such file"), ('"short"', "16 bytes")]
)
def test_a_token_key_that_cannot_be_used_is_told(tmp_path: Path, key: str, said: str) -> None:
    (tmp_path / "short").write_text("short")
    file = write(tmp_path, f'[users.xfer]\nauthorized_keys = ["{PUBLIC}"]\ntoken_key = {key}\n')
    with pytest.raises(UsersFileError, match=said):
        read_users(file, tmp_path / "root")
