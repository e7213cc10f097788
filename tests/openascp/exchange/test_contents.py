"""What travels of a file, read in any pieces."""

from __future__ import annotations

import os
import tempfile
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asperacentral.openascp.exchange.contents import Contents
from asperacentral.openascp.exchange.messages import FILE, Entry
from asperacentral.openascp.exchange.scanning import Found
from asperacentral.openascp.failures import Failure
from asperacentral.openascp.files.filecrypt import CHUNK, Passphrase, decrypt, sealed_size

PASSPHRASE = Passphrase("open sesame")
DATA = os.urandom(3 * CHUNK + 17)
SIZES = st.integers(0, len(DATA))


def found(start: int, size: int, sealed: bool) -> Found:
    told = sealed_size(size) if sealed else size
    return Found(Entry(0, 0, b"", FILE, told, 1, 0o644), b"place", b"place", start, len(DATA))


@given(SIZES, SIZES, st.lists(st.integers(1, 2 * CHUNK), max_size=5), st.booleans())
@settings(max_examples=40, deadline=None)
def test_pieces_make_the_whole(one: int, other: int, steps: list[int], sealed: bool) -> None:
    start, end = sorted((one, other))
    clear = DATA[start:end]
    with tempfile.TemporaryFile() as file:
        file.write(DATA)
        file.flush()
        contents = Contents(PASSPHRASE, b"s" * 16) if sealed else Contents()
        what = found(start, len(clear), sealed)
        content = contents.of(file.fileno(), what)
        size, offset, whole = what.entry.size, 0, b""
        for step in (*steps, size):
            part = content.read(offset, min(step, size - offset))
            whole, offset = whole + part, offset + len(part)
        assert content.read(size // 3, size - size // 3) == whole[size // 3 :]
    if sealed:
        opened = BytesIO()
        decrypt(lambda at, count: whole[at : at + count], opened.write, len(whole), PASSPHRASE)
        whole = opened.getvalue()
    assert whole == clear


@pytest.mark.parametrize("sealed", [False, True])
def test_a_file_that_became_shorter_fails(sealed: bool) -> None:
    contents = Contents(PASSPHRASE, b"s" * 16) if sealed else Contents()
    with tempfile.TemporaryFile() as file:
        file.write(DATA[:-1])
        file.flush()
        what = found(0, len(DATA), sealed)
        with pytest.raises(Failure, match="shorter"):
            contents.of(file.fileno(), what).read(0, what.entry.size)
