"""Very many rows: however many there are, each is there once, in its latest version."""

from __future__ import annotations

import dataclasses

import pytest

from asperacentral.central.model import FileRecord
from asperacentral.central.query import FileTransferFilter
from asperacentral.store.bulk import SIZES
from tests.store.test_store import Open, a_file


@pytest.mark.parametrize(
    "count", [0, 1, 3, SIZES[0] - 1, SIZES[0], SIZES[0] + SIZES[1] + 1, 3 * SIZES[0] + 79]
)
def test_as_many_rows_as_were_written_come_back_as_they_were(opened: Open, count: int) -> None:
    files = tuple(a_file(number, f"/{number}") for number in range(1, count + 1))
    opened.write(files=files)
    assert _found(opened) == list(files)


def test_the_later_version_of_a_row_wins_even_in_one_write(opened: Open) -> None:
    files = [a_file(number) for number in range(1, 301)]
    again = [dataclasses.replace(file, status="completed", change=file.change + 1000) for file in files]
    opened.write(files=tuple(files))
    opened.write(files=(*again, dataclasses.replace(again[0], size=7)))
    assert _found(opened) == [dataclasses.replace(again[0], size=7), *again[1:]]


def test_what_is_no_text_does_not_keep_others_from_being_written(opened: Open) -> None:
    odd = dataclasses.replace(a_file(1), error_description="caf\udce9 \udcff", checksum="\u00e9")
    opened.write(files=(odd, a_file(2)))
    first, second = _found(opened)
    assert (first.error_description, first.checksum, second.local_id) == ("caf\\xe9 \\xff", "\u00e9", 2)


def _found(opened: Open) -> list[FileRecord]:
    found = opened.wait(opened.store.files(FileTransferFilter(), 0, 10**9, 10_000)).items
    return list(found)
