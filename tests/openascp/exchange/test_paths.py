"""Places are taken apart as they were put together."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.openascp.exchange.paths import joined, parted

NAMES = st.binary(min_size=1, max_size=5).filter(lambda name: b"/" not in name)
FOLDERS = st.builds(
    lambda root, parts: root + b"/".join(parts), st.sampled_from([b"", b"/"]), st.lists(NAMES, max_size=4)
).filter(lambda folder: folder != b".")


@given(FOLDERS, NAMES)
def test_what_was_joined_is_parted_again(folder: bytes, name: bytes) -> None:
    assert parted(joined(folder, name)) == (folder, name)
    assert parted(joined(folder, name)) == posixpath.split(joined(folder, name))


@pytest.mark.parametrize(
    ("folder", "name", "place"),
    [(b"", b"a", b"a"), (b".", b"a", b"a"), (b"/", b"a", b"/a"), (b"a/", b"b", b"a/b"), (b"a", b"", b"a")],
)
def test_the_working_directory_and_the_root_add_nothing(folder: bytes, name: bytes, place: bytes) -> None:
    assert joined(folder, name) == place
