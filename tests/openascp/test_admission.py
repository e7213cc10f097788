"""The gate and the walls behind it, with real files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.admission import admit
from asperacentral.openascp.confined import BadPathError, Files, confined
from asperacentral.openascp.failures import SessionFailure
from asperacentral.openascp.policy import Authorization, DirectionPolicy, UserPolicy
from asperacentral.openascp.restricted import restricted
from asperacentral.openascp.token import RECEIVE, SEND, Permission, issue

KEY = b"a key of sixteen bytes or more"
NOW = 1_800_000_000
TOKEN_ONLY = DirectionPolicy(Authorization.TOKEN)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("a/b/deep", "a/bc", "other"):
        (tmp_path / "root" / folder).mkdir(parents=True)
    for name in ("a/b/file", "a/bc/secret", "a/secret", "other/secret"):
        (tmp_path / "root" / name).write_text(name)
    return tmp_path / "root"


@pytest.fixture
def policy(root: Path) -> UserPolicy:
    return UserPolicy("alice", os.fsencode(root), incoming=TOKEN_ONLY, outgoing=TOKEN_ONLY, token_keys=(KEY,))


def token(*paths: bytes, way: str = SEND, user: str = "") -> str:
    return issue(KEY, Permission(way, paths, NOW - 10, NOW + 10, user))


def enter(policy: UserPolicy, shown: str, *, incoming: bool = True, cipher: str = "none") -> Files:
    return admit(policy, incoming=incoming, token=shown, cipher=cipher, now=NOW)


def refusal(
    policy: UserPolicy, shown: str, *, incoming: bool = True, cipher: str = "none"
) -> tuple[FaspCode, str]:
    with pytest.raises(SessionFailure) as raised:
        enter(policy, shown, incoming=incoming, cipher=cipher)
    return raised.value.code, str(raised.value)


# The gate


@pytest.mark.parametrize("crypt", ["", "decrypt"])
def test_where_protection_is_required_only_encrypted_files_come_in_and_all_go_out(
    policy: UserPolicy, crypt: str
) -> None:
    protected = replace(
        policy,
        protection_required=True,
        incoming=DirectionPolicy(),
        outgoing=DirectionPolicy(),
        token_keys=(),
    )
    with pytest.raises(SessionFailure, match="--file-crypt=encrypt") as raised:
        admit(protected, incoming=True, token="", cipher="none", now=NOW, crypt=crypt)
    assert raised.value.code is FaspCode.NO_PERMS
    admit(protected, incoming=True, token="", cipher="none", now=NOW, crypt="encrypt").close()
    admit(protected, incoming=False, token="", cipher="none", now=NOW, crypt=crypt).close()


def test_with_a_token_the_session_sees_what_it_permits_and_nothing_else(policy: UserPolicy) -> None:
    with enter(policy, token(b"/a/b"), incoming=True) as files:
        assert [name for name, _ in files.entries(b"a/b")] == [b"deep", b"file"]
        for name in (b"a/secret", b"a/bc/secret", b"a/bc", b"other/secret", b"a", b""):
            with pytest.raises(BadPathError, match="token"):
                files.stat(name)


@pytest.mark.parametrize(
    ("shown", "code", "said"),
    [
        ("", FaspCode.AUTH, "a token is needed"),
        ("nonsense", FaspCode.AUTH, "not valid"),
        (token(b"a", way=RECEIVE), FaspCode.AUTH, "does not permit to send"),
        (token(b"a", user="bob"), FaspCode.AUTH, "another user"),
        (
            issue(b"somebody else's own key", Permission(SEND, (b"a",), NOW, NOW + 9)),
            FaspCode.AUTH,
            "not valid",
        ),
        (issue(KEY, Permission(SEND, (b"a",), NOW - 9, NOW - 1)), FaspCode.AUTH, "expired"),
    ],
)
def test_without_a_good_token_nobody_enters(
    policy: UserPolicy, shown: str, code: FaspCode, said: str
) -> None:
    assert refusal(policy, shown)[0] == code
    assert said in refusal(policy, shown)[1]


def test_a_token_narrows_also_what_would_be_allowed_without_one(policy: UserPolicy) -> None:
    allowed = replace(policy, incoming=DirectionPolicy())
    with enter(allowed, "") as files:
        assert files.stat(b"other/secret")
    with enter(allowed, token(b"a/b")) as files, pytest.raises(BadPathError):
        files.stat(b"other/secret")
    assert refusal(allowed, "nonsense")[0] == FaspCode.AUTH


def test_a_token_that_nobody_asked_for_and_nobody_can_prove_says_nothing(root: Path) -> None:
    with enter(UserPolicy("alice", os.fsencode(root)), "from another product") as files:
        assert files.stat(b"other/secret")


def test_a_token_opens_no_direction_that_is_denied_and_no_right_that_is_missing(policy: UserPolicy) -> None:
    denied = replace(policy, incoming=DirectionPolicy(Authorization.DENY))
    assert refusal(denied, token(b"a"))[0] == FaspCode.NO_PERMS
    assert refusal(replace(policy, write=False), token(b"a"))[0] == FaspCode.NO_PERMS
    assert (
        refusal(replace(policy, read=False), token(b"a", way=RECEIVE), incoming=False)[0] == FaspCode.NO_PERMS
    )


def test_ciphers_and_a_missing_docroot_are_told(policy: UserPolicy) -> None:
    assert refusal(replace(policy, cipher="aes-128"), token(b"a"))[0] == FaspCode.INSECURE_CONNECTION
    gone = replace(policy, docroot=b"/no/such/folder")
    code, said = refusal(gone, token(b"a"))
    assert (code, "/no/such" in said) == (FaspCode.NO_SUCH_FILE, False)


def test_with_a_token_and_no_docroot_paths_begin_at_the_root_of_the_machine(
    root: Path, policy: UserPolicy
) -> None:
    path = os.fsencode(root / "a" / "b")
    with enter(replace(policy, docroot=None), token(path)) as files:
        assert files.named(path) == path[1:]
        assert files.stat(path[1:] + b"/file")
        with pytest.raises(BadPathError):
            files.stat(b"etc/passwd")


# The walls


@pytest.fixture
def narrow(root: Path) -> Iterator[Files]:
    with restricted(confined(os.fsencode(root)), paths=[b"a/b", b"new/er/folder"]) as files:
        yield files


@pytest.mark.parametrize("text", ["../secret", "../bc", "../../other", "/etc", ".."])
def test_a_link_beneath_a_permitted_path_must_stay_beneath_it(narrow: Files, root: Path, text: str) -> None:
    with pytest.raises(BadPathError):
        narrow.make_link(os.fsencode(text), b"a/b/link")
    (root / "a" / "b" / "link").symlink_to(text)
    calls: list[Callable[[], object]] = [
        lambda: narrow.stat(b"a/b/link"),
        lambda: narrow.open_file(b"a/b/link/secret", os.O_RDONLY),
        lambda: narrow.open_file(b"a/b/link/new", os.O_WRONLY | os.O_CREAT),
        lambda: narrow.rename(b"a/b/file", b"a/b/link/new"),
        lambda: narrow.set_mode(b"a/b/link", 0o777),
        lambda: narrow.resolve(b"a/b/link/x"),
    ]
    for call in calls:
        with pytest.raises(BadPathError):
            call()


def test_links_that_stay_beneath_work_and_keep_the_names_of_the_whole_root(narrow: Files, root: Path) -> None:
    narrow.make_link(b"../file", b"a/b/deep/link")
    assert narrow.resolve(b"a/b/deep/link") == b"a/b/file"
    assert narrow.resolve(b"a/b") == b"a/b"
    assert narrow.read_link(b"a/b/deep/link") == b"../file"
    (root / "a" / "b" / "absolute").symlink_to(root / "a" / "b" / "deep")
    assert narrow.resolve(b"a/b/absolute/x") == b"a/b/deep/x"


def test_a_permitted_path_that_is_a_link_is_not_followed(root: Path) -> None:
    (root / "door").symlink_to("other")
    with restricted(confined(os.fsencode(root)), paths=[b"door"]) as files:
        for name in (b"door", b"door/secret"):
            with pytest.raises(OSError):
                files.open(name, os.O_PATH)
        with pytest.raises(OSError):
            files.entries(b"door")


def test_a_permitted_folder_that_is_missing_can_be_made_with_those_above_it(
    narrow: Files, root: Path
) -> None:
    assert not narrow.exists(b"new/er/folder")
    narrow.make_folders(b"new/er/folder/and/below")
    os.close(narrow.open_file(b"new/er/folder/and/below/x", os.O_WRONLY | os.O_CREAT))
    assert (root / "new" / "er" / "folder" / "and" / "below" / "x").exists()
    with pytest.raises(BadPathError):
        narrow.make_folders(b"new/er/other")


def test_a_permitted_path_may_be_a_single_file(root: Path) -> None:
    with restricted(confined(os.fsencode(root)), paths=[b"a/secret"]) as files:
        os.close(files.open_file(b"a/secret", os.O_RDONLY))
        assert files.stat(b"a/secret").st_size == len("a/secret")
        with pytest.raises(BadPathError):
            files.stat(b"a/secret.partial")


def test_names_that_try_to_leave_are_refused_before_they_are_compared(narrow: Files) -> None:
    for name in (b"a/b/../secret", b"/a/b/file", b"a//b/file", b"a/b/", b"a/b\0"):
        with pytest.raises(BadPathError):
            narrow.stat(name)


def test_where_nothing_may_be_changed_nothing_is(root: Path) -> None:
    before = sorted((str(path), path.lstat().st_mtime_ns, path.lstat().st_mode) for path in root.rglob("*"))
    with restricted(confined(os.fsencode(root)), paths=None, change=False) as files:
        calls: list[Callable[[], object]] = [
            lambda: files.open_file(b"a/secret", os.O_WRONLY),
            lambda: files.open_file(b"a/secret", os.O_RDONLY | os.O_TRUNC),
            lambda: files.open_file(b"new", os.O_RDONLY | os.O_CREAT),
            lambda: files.make_folder(b"new"),
            lambda: files.make_folders(b"new"),
            lambda: files.remove(b"a/secret"),
            lambda: files.remove_folder(b"a/b/deep"),
            lambda: files.rename(b"a/secret", b"new"),
            lambda: files.link(b"a/secret", b"new"),
            lambda: files.make_link(b"a/secret", b"new"),
            lambda: files.set_mode(b"a/secret", 0o777),
            lambda: files.set_times(b"a/secret", 0, 0),
            lambda: files.set_times(b"a/secret", 0, 0, follow=False),
            lambda: files.set_owner(b"a/secret", 0, 0),
        ]
        for call in calls:
            with pytest.raises(PermissionError, match="may not change"):
                call()
        os.close(files.open_file(b"a/secret", os.O_RDONLY))
    assert before == sorted(
        (str(path), path.lstat().st_mtime_ns, path.lstat().st_mode) for path in root.rglob("*")
    )


def test_where_folders_may_not_be_listed_files_are_still_found_by_name(root: Path) -> None:
    with restricted(confined(os.fsencode(root)), paths=None, list_folders=False) as files:
        with pytest.raises(PermissionError, match="list"):
            files.entries(b"a")
        os.close(files.open_file(b"a/secret", os.O_RDONLY))


def test_paths_need_a_root_to_begin_at() -> None:
    with pytest.raises(ValueError, match="root"):
        restricted(confined(None), paths=[b"a"])
