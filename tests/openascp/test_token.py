from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.openascp.names import beneath_root
from asperacentral.openascp.token import (
    CLOCK_SKEW,
    RECEIVE,
    SEND,
    Permission,
    TokenError,
    TokenKeyError,
    check_key,
    issue,
    verify,
)

KEY = b"a key of sixteen bytes or more"
NOW = 1_800_000_000
PERMISSION = Permission(SEND, (b"in/alice",), NOW, NOW + 600, "alice")


def proved(
    token: str, *, key: bytes = KEY, now: float = NOW, user: str = "alice", way: str = SEND
) -> Permission:
    return verify(token, [key], now=now, user=user, direction=way)


@given(
    st.builds(
        Permission,
        st.sampled_from([SEND, RECEIVE]),
        st.lists(
            st.binary(max_size=20).filter(lambda name: b"\0" not in name).map(beneath_root), min_size=1
        ).map(tuple),
        st.integers(0, NOW),
        st.integers(NOW + 1, 2**40),
        st.text(max_size=5),
    )
)
def test_a_token_permits_what_it_was_issued_for(permission: Permission) -> None:
    token = issue(KEY, permission)
    assert proved(token, user=permission.user, way=permission.direction) == permission


def test_paths_are_those_beneath_the_docroot_however_they_are_written() -> None:
    written = replace(PERMISSION, paths=(b"/in//alice/", b"../../x/./y", b"/"))
    assert proved(issue(KEY, written)).paths == (b"in/alice", b"x/y", b"")


@pytest.mark.parametrize(
    ("path", "covered"),
    [
        (b"in/alice", True),
        (b"in/alice/deep/er", True),
        (b"in/alicex", False),
        (b"in/alice.txt", False),
        (b"in", False),
        (b"", False),
        (b"other", False),
    ],
)
def test_a_path_is_covered_by_whole_parts(path: bytes, covered: bool) -> None:
    assert PERMISSION.covers(path) == covered


def test_it_counts_from_its_issue_until_it_expires_and_clocks_may_differ_a_little() -> None:
    token = issue(KEY, PERMISSION)
    proved(token, now=NOW - CLOCK_SKEW)
    proved(token, now=NOW + 599)
    with pytest.raises(TokenError, match="expired"):
        proved(token, now=NOW + 600)
    with pytest.raises(TokenError, match="future"):
        proved(token, now=NOW - CLOCK_SKEW - 1)


def test_a_server_may_limit_how_long_tokens_live_whoever_signed_them() -> None:
    token = issue(KEY, PERMISSION)
    verify(token, [KEY], now=NOW, user="alice", direction=SEND, longest_life=600)
    with pytest.raises(TokenError, match="longer"):
        verify(token, [KEY], now=NOW, user="alice", direction=SEND, longest_life=599)


def test_it_counts_for_its_direction_and_its_user_only() -> None:
    token = issue(KEY, PERMISSION)
    with pytest.raises(TokenError, match="receive"):
        proved(token, way=RECEIVE)
    with pytest.raises(TokenError, match="another user"):
        proved(token, user="bob")
    assert proved(issue(KEY, replace(PERMISSION, user="")), user="bob").user == ""


def test_another_key_proves_nothing_and_one_of_several_is_enough() -> None:
    token = issue(KEY, PERMISSION)
    with pytest.raises(TokenError, match="not valid"):
        proved(token, key=b"another key of sixteen bytes")
    verify(token, [b"another key of sixteen bytes", KEY], now=NOW, user="alice", direction=SEND)
    with pytest.raises(TokenError, match="no key"):
        verify(token, [], now=NOW, user="alice", direction=SEND)


def test_no_character_of_a_token_can_be_changed() -> None:
    token = issue(KEY, PERMISSION)
    for index in range(len(token)):
        for other in "A.b-":
            if token[index] != other:
                with pytest.raises(TokenError):
                    proved(token[:index] + other + token[index + 1 :])


@given(st.text(max_size=60) | st.text("act1.-_AQ=", max_size=60).map("act1.".__add__))
def test_no_text_is_a_token_by_chance(text: str) -> None:
    with pytest.raises(TokenError):
        proved(text)


def test_wider_claims_with_the_mark_of_another_token_are_refused() -> None:
    version, payload, mark = issue(KEY, PERMISSION).split(".")
    fields = json.loads(base64.urlsafe_b64decode(payload + "=="))
    fields["p"] = [""]
    forged = base64.urlsafe_b64encode(json.dumps(fields).encode()).decode().rstrip("=")
    with pytest.raises(TokenError, match="not valid"):
        proved(f"{version}.{forged}.{mark}")


def test_what_would_be_no_permission_is_not_issued() -> None:
    for wrong in (
        replace(PERMISSION, paths=()),
        replace(PERMISSION, direction="both"),
        replace(PERMISSION, expires=NOW),
        replace(PERMISSION, paths=(b"x" * 200,) * 200),
    ):
        with pytest.raises(ValueError):
            issue(KEY, wrong)
    with pytest.raises(OSError, match="NUL"):
        issue(KEY, replace(PERMISSION, paths=(b"a\0b",)))


def test_a_key_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(TokenKeyError):
        check_key(b"  fifteen bytes..\n")
    assert check_key(b" sixteen bytes...\n") == b"sixteen bytes..."
