from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asperacentral.credentials.passwords import PasswordError, PasswordHashError, hash_password, read_hash

CHEAP = "scrypt$ln=1,r=1,p=1$c2FsdHNhbHQ=$" + "A" * 43 + "="


def test_a_password_matches_its_hash_and_no_other_does() -> None:
    stored = read_hash(hash_password("sesame"))
    assert stored.matches("sesame")
    assert not stored.matches("Sesame")


def test_two_hashes_of_one_password_differ() -> None:
    assert hash_password("sesame") != hash_password("sesame")


def test_neither_hash_nor_repr_shows_the_password_or_key() -> None:
    text = hash_password("sesame")
    assert "sesame" not in text
    assert repr(read_hash(text)) == "<PasswordHash>"


@pytest.mark.parametrize("password", ["", "tab\tinside", "nul\0inside"])
def test_what_cannot_be_a_password_is_refused(password: str) -> None:
    with pytest.raises(PasswordError):
        hash_password(password)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sesame",
        "scrypt$ln=14,r=8,p=1$only-one-part",
        "bcrypt$ln=14,r=8,p=1$c2FsdHNhbHQ=$a2V5",
        CHEAP.replace("ln=1", "ln=0"),
        CHEAP.replace("ln=1", "ln=40"),
        CHEAP.replace("r=1", "r=0"),
        CHEAP.replace("p=1", "p=0"),
        CHEAP.replace("c2FsdHNhbHQ=", "c2FsdA=="),
        CHEAP.replace("c2FsdHNhbHQ=", "c2F"),
        "scrypt$ln=1,r=1,p=1$c2FsdHNhbHQ=$QUFB",
    ],
)
def test_a_text_that_is_no_usable_hash_is_refused(text: str) -> None:
    with pytest.raises(PasswordHashError):
        read_hash(text)


@given(st.text(max_size=60))
@settings(max_examples=100)
def test_any_text_is_either_a_hash_or_refused_with_a_reason(text: str) -> None:
    with pytest.raises(PasswordHashError, match=r"."):
        read_hash(text)
