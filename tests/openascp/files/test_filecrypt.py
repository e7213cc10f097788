"""Encrypted files come back as they were, from any place, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asperacentral.openascp.files import filecrypt
from asperacentral.openascp.files.filecrypt import (
    CHUNK,
    HEADER,
    Decryption,
    Encryption,
    FileCryptError,
    Header,
    Passphrase,
    WrongPassphrase,
    clear_size,
    sealed_size,
)

CHEAP = (4, 1, 1)
SALT = filecrypt.salt_of(b"host", b"/to")
PASSPHRASE = Passphrase("correct horse")
SIZES = st.one_of(
    st.integers(0, 3 * CHUNK), st.sampled_from([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 1])
)


def header(name: bytes = b"file") -> Header:
    return Header(SALT, filecrypt.file_id_of(SALT, name), CHEAP)


def pattern(size: int, seed: int = 0) -> bytes:
    return bytes((seed + place * 7) % 251 for place in range(min(size, 251))) * (size // 251 + 1)


def encrypted(clear: bytes, *, name: bytes = b"file", passphrase: Passphrase = PASSPHRASE) -> bytes:
    pieces: list[bytes] = []
    filecrypt.encrypt(
        lambda at, size: clear[at : at + size], pieces.append, len(clear), header(name), passphrase
    )
    return b"".join(pieces)


def decrypted(sealed: bytes, passphrase: Passphrase = PASSPHRASE) -> bytes:
    pieces: list[bytes] = []
    filecrypt.decrypt(lambda at, size: sealed[at : at + size], pieces.append, len(sealed), passphrase)
    return b"".join(pieces)


@given(SIZES, st.integers(0, 250))
@settings(deadline=None)
def test_what_was_encrypted_is_decrypted(size: int, seed: int) -> None:
    clear = pattern(size, seed)[:size]
    sealed = encrypted(clear)
    assert len(sealed) == sealed_size(size)
    assert clear_size(len(sealed)) == size
    assert decrypted(sealed) == clear
    assert size < 64 or clear[:64] not in sealed


@given(SIZES, st.data())
@settings(deadline=None)
def test_any_part_of_either_form_can_be_made_alone(size: int, data: st.DataObject) -> None:
    clear = pattern(size)[:size]
    sealed = encrypted(clear)
    encryption = Encryption(header(), PASSPHRASE, size)
    offset = data.draw(st.integers(0, len(sealed)))
    count = data.draw(st.integers(0, len(sealed)))
    start, needed = encryption.span(offset, count)
    assert encryption.part(offset, count, clear[start : start + needed]) == sealed[offset : offset + count]
    decryption = Decryption(header(), PASSPHRASE, len(sealed))
    start, needed = decryption.span(offset, count)
    assert decryption.part(offset, count, sealed[start : start + needed]) == clear[offset : offset + count]


@given(SIZES.filter(lambda size: size > 0), st.data())
@settings(deadline=None)
def test_no_changed_byte_goes_unnoticed(size: int, data: st.DataObject) -> None:
    sealed = bytearray(encrypted(pattern(size)[:size]))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(FileCryptError):
        decrypted(bytes(sealed))


@given(SIZES, st.data())
@settings(deadline=None)
def test_a_file_that_is_cut_off_is_noticed(size: int, data: st.DataObject) -> None:
    sealed = encrypted(pattern(size)[:size])
    with pytest.raises(FileCryptError):
        decrypted(sealed[: data.draw(st.integers(0, len(sealed) - 1))])


def test_chunks_cannot_be_swapped_dropped_repeated_or_taken_from_another_file() -> None:
    clear = pattern(3 * CHUNK)[: 3 * CHUNK]
    sealed = encrypted(clear)
    length = (len(sealed) - HEADER) // 3
    top, first, second, third = (
        sealed[:HEADER],
        *(sealed[HEADER + i * length : HEADER + (i + 1) * length] for i in range(3)),
    )
    other = encrypted(clear, name=b"other")[HEADER : HEADER + length]
    for parts in ((second, first, third), (first, second), (first, third), (first, first, third)):
        with pytest.raises(FileCryptError):
            decrypted(top + b"".join(parts))
    with pytest.raises(FileCryptError):
        decrypted(top + other + second + third)


def test_the_wrong_passphrase_is_told_from_damage() -> None:
    sealed = encrypted(b"text")
    with pytest.raises(WrongPassphrase):
        decrypted(sealed, Passphrase("wrong"))
    with pytest.raises(FileCryptError, match="not a file that was encrypted"):
        decrypted(b"plain text" * 20)


def test_encrypting_again_gives_the_same_bytes_so_that_a_broken_transfer_can_go_on() -> None:
    assert encrypted(b"x" * 100_000) == encrypted(b"x" * 100_000, passphrase=Passphrase("correct horse"))


def test_a_changed_chunk_changes_its_nonce_too() -> None:
    one, other = encrypted(b"a" * 100), encrypted(b"b" * 100)
    assert one[HEADER : HEADER + 12] != other[HEADER : HEADER + 12]


def test_places_and_files_have_salts_and_keys_of_their_own() -> None:
    assert filecrypt.salt_of(b"a", b"bc") != filecrypt.salt_of(b"ab", b"c")
    assert encrypted(b"x", name=b"one")[HEADER:] != encrypted(b"x", name=b"two")[HEADER:]


def test_a_header_cannot_ask_for_endless_work() -> None:
    sealed = bytearray(encrypted(b"text"))
    for place, value in ((10, 40), (10, 0), (11, 255), (12, 200)):
        hostile = sealed.copy()
        hostile[place] = value
        with pytest.raises(FileCryptError, match=r"more (work|memory)"):
            decrypted(bytes(hostile))


def test_the_passphrase_is_shown_by_nobody() -> None:
    assert "correct" not in repr(PASSPHRASE)


@pytest.mark.parametrize(
    ("sealed", "clear"),
    [(b"a.txt.aspera-env", b"a.txt"), (b"a.txt", b"a.txt"), (b".aspera-env", b".aspera-env")],
)
def test_the_extension_comes_and_goes(sealed: bytes, clear: bytes) -> None:
    assert filecrypt.clear_name(sealed) == clear
    assert filecrypt.clear_name(filecrypt.sealed_name(clear)) == clear
