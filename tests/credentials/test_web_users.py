"""The users of web pages: what a file may say, and what is told when it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from asperacentral.credentials.passwords import hash_password
from asperacentral.credentials.users import WebUsersError, read_web_users, users_for

HASH = hash_password("right")


def write(folder: Path, text: str) -> Path:
    file = folder / "users.toml"
    file.write_text(text)
    return file


def test_users_look_and_those_with_control_may_act(tmp_path: Path) -> None:
    users = read_web_users(
        write(
            tmp_path,
            f'[users.looks]\npassword = "{HASH}"\n[users.acts]\npassword = "{HASH}"\ncontrol = true\n',
        )
    )
    assert {name: user.control for name, user in users.items()} == {"looks": False, "acts": True}
    assert users["acts"].password.matches("right")
    assert HASH not in repr(users)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no table [users.NAME]"),
        ("users = 3", "no table [users.NAME]"),
        ("[user.x]\n", "unknown entry 'user'"),
        ("[users]\nx = 1", "users.x: not a table"),
        ("[users.x]\n", "users.x: no password"),
        ('[users.x]\npassword = "plain"', "users.x: password: not a scrypt hash"),
        (f'[users.x]\npassword = "{HASH}"\ncontrol = "yes"', "control must be true or false"),
        (f'[users.x]\npassword = "{HASH}"\ndocroot = "/"', "unknown key 'docroot'"),
        (f'[users."a b"]\npassword = "{HASH}"', "'a b' is not a user name"),
        ("[users.x\n", "users.toml: "),
    ],
)
def test_a_mistake_is_told_with_file_and_user_and_without_the_password(
    tmp_path: Path, text: str, said: str
) -> None:
    file = write(tmp_path, text)
    with pytest.raises(WebUsersError) as caught:
        read_web_users(file)
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(file))
    assert "plain" not in str(caught.value)


def test_where_users_are_needed_a_file_must_be_named(tmp_path: Path) -> None:
    assert users_for("", None) is None
    with pytest.raises(WebUsersError, match="<metrics> says users, and <web_users> names no file"):
        users_for("<metrics> says users", None)
    with pytest.raises(WebUsersError, match="No such file"):
        users_for("", tmp_path / "none")
