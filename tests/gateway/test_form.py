"""The multipart form of an upload: read in pieces of any size, and never further than it is right."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.gateway.form import FormError, UploadForm, escaped, meanings
from asperacentral.gateway.spec import SpecError
from tests.gateway.site import BOUNDARY, form

KIND = f"multipart/form-data; boundary={BOUNDARY}".encode()


class Reader:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.specs: list[bytes] = []
        self.files: list[tuple[str, int | None, bytearray, bool]] = []

    def spec(self, text: bytes) -> None:
        self.specs.append(text)

    def begin_file(self, name: str, size: int | None) -> None:
        self.files.append((name, size, bytearray(), False))

    def file_data(self, data: bytes) -> None:
        self.files[-1][2].extend(data)

    def end_file(self) -> None:
        name, size, data, _ = self.files[-1]
        self.files[-1] = (name, size, data, True)


def read(body: bytes, cuts: list[int]) -> Reader:
    reader = Reader()
    reading = UploadForm(KIND, reader)
    places = sorted({cut % (len(body) + 1) for cut in cuts})
    for start, end in zip([0, *places], [*places, len(body)], strict=True):
        reading.feed(body[start:end])
    reading.finish()
    return reader


names = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='\\"%'), min_size=1)


@given(
    st.dictionaries(names, st.binary(max_size=300) | st.just(b"\r\n--" + BOUNDARY.encode()[:-1]), max_size=4),
    st.lists(st.integers(0, 10_000), max_size=8),
    st.booleans(),
)
def test_every_form_is_read_the_same_however_it_is_cut(
    files: dict[str, bytes], cuts: list[int], lengths: bool
) -> None:
    spec: Any = {"paths": []}
    body, _ = form(spec, files, lengths=lengths)
    reader = read(body, cuts)
    assert reader.specs == [json.dumps(spec).encode()]
    expected = [(name, len(data) if lengths else None, data, True) for name, data in files.items()]
    assert [(name, size, bytes(data), ended) for name, size, data, ended in reader.files] == expected


@given(st.binary(max_size=2000))
def test_what_is_no_form_is_a_form_error(data: bytes) -> None:
    reading = UploadForm(KIND, Reader())
    with pytest.raises((FormError, SpecError)):
        reading.feed(data)
        reading.finish()


@pytest.mark.parametrize("kind", [b"", b"text/plain", b"multipart/form-data", b"multipart/mixed; boundary=x"])
def test_another_type_is_refused(kind: bytes) -> None:
    with pytest.raises(FormError):
        UploadForm(kind, Reader())


def test_a_spec_without_end_is_not_kept() -> None:
    reading = UploadForm(KIND, Reader())
    reading.feed(f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="x-aspera-spec"\r\n\r\n'.encode())
    with pytest.raises(SpecError, match="too long"):
        for _ in range(10):
            reading.feed(b"x" * 1_000_000)


SPEC = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=x-aspera-spec\r\n\r\n{{}}\r\n"


def named(disposition: str) -> str:
    """The name of a file whose part begins so."""
    part = f"--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n1\r\n--{BOUNDARY}--"
    return read(f"{SPEC}{part}".encode(), []).files[0][0]


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="%"), min_size=1))
def test_every_name_that_a_browser_writes_can_be_meant(name: str) -> None:
    assert name in meanings(named(f'name="file"; filename="{escaped(name)}"'))


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_every_name_that_a_program_writes_with_backslashes_can_be_meant(name: str) -> None:
    written = name.replace("\\", "\\\\").replace('"', '\\"')
    assert name in meanings(named(f'filename="{written}"; name="file"'))


@pytest.mark.parametrize("end", ["", "; name=file"])
def test_a_name_that_ends_with_a_backslash_is_that(end: str) -> None:
    first = "" if end else 'name="file"; '
    assert named(f'{first}filename="a\\"{end}') == "a\\"


def test_what_escapes_stand_for() -> None:
    assert escaped('a"b%22\r\n') == "a%22b%22%0D%0A"
    assert meanings('a%22b\\"') == ('a%22b\\"', 'a"b\\"', 'a%22b"')
