"""The dialogue of WebSocket uploads: exactly one acknowledgement for each, and files that end with their last byte."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.gateway.slices import Acknowledge, Begin, Data, End, SliceDialogue, Spec, Step
from asperacentral.gateway.spec import SpecError

TAKEN, RECORD = Acknowledge("end upload"), Acknowledge("end_slice_upload")


def record(
    name: str, size: int | None, number: int, total: int, index: int = 0, data: bytes | None = None
) -> str:
    fields: dict[str, Any] = {"name": name, "type": "", "size": size, "slice": number, "total_slices": total}
    if data is not None:
        fields["data"] = base64.b64encode(data).decode()
    return json.dumps({"slice_upload": {**fields, "fileIndex": index}})


def begun() -> SliceDialogue:
    dialogue = SliceDialogue()
    steps = list(dialogue.text('{"transfer_spec": {}}'))
    assert steps == [Spec({"transfer_spec": {}}), TAKEN]
    return dialogue


def test_version_2_ends_a_file_with_its_last_byte_and_takes_the_record_that_closes_it() -> None:
    dialogue = begun()
    assert list(dialogue.text(record("a", 5, 0, 2))) == [Begin("a", 5), RECORD]
    assert list(dialogue.binary(b"123")) == [Data(b"123"), TAKEN]
    assert list(dialogue.binary(b"45")) == [Data(b"45"), End(), TAKEN]
    assert list(dialogue.text(record("a", 5, 1, 2))) == [RECORD]


def test_a_file_of_one_slice_has_two_records_that_are_the_same() -> None:
    dialogue = begun()
    said = record("a", 1, 0, 1)
    assert list(dialogue.text(said)) == [Begin("a", 1), RECORD]
    assert list(dialogue.binary(b"1")) == [Data(b"1"), End(), TAKEN]
    assert list(dialogue.text(said)) == [RECORD]
    assert list(dialogue.text(said)) == [Begin("a", 1), RECORD]


def test_without_a_size_the_closing_record_ends_the_file() -> None:
    dialogue = begun()
    assert list(dialogue.text(record("a", None, 0, 1))) == [Begin("a", None), RECORD]
    assert list(dialogue.binary(b"1")) == [Data(b"1"), TAKEN]
    assert list(dialogue.text(record("a", None, 0, 1))) == [End(), RECORD]


def test_an_empty_file_ends_with_its_second_record() -> None:
    dialogue = begun()
    assert list(dialogue.text(record("a", 0, 0, 0))) == [Begin("a", 0), RECORD]
    assert list(dialogue.text(record("a", 0, 0, 0))) == [End(), RECORD]


def test_version_1_has_all_in_records() -> None:
    dialogue = begun()
    assert list(dialogue.text(record("a", 3, 0, 2, data=b"12"))) == [Begin("a", 3), Data(b"12"), TAKEN]
    assert list(dialogue.text(record("a", 3, 1, 2, data=b"3"))) == [Data(b"3"), End(), TAKEN]
    assert list(dialogue.text(record("b", None, 0, 1, 1, b"x"))) == [
        Begin("b", None),
        Data(b"x"),
        End(),
        TAKEN,
    ]


files = st.lists(st.tuples(st.binary(max_size=40), st.integers(1, 7)), max_size=5)


@given(files, st.booleans(), st.booleans())
def test_any_files_in_any_slices_come_whole_with_an_acknowledgement_for_each(
    given_files: list[tuple[bytes, int]], sizes: bool, version_1: bool
) -> None:
    dialogue = begun()
    came: dict[str, bytes] = {}
    ended: list[str] = []
    slices = taken = 0
    current = ""

    def note(steps: list[Step]) -> None:
        nonlocal current, taken
        assert isinstance(steps[-1], Acknowledge)
        for step in steps:
            match step:
                case Begin():
                    current = step.name
                    came[current] = b""
                case Data():
                    came[current] += step.data
                case End():
                    ended.append(current)
                case Acknowledge():
                    taken += step == TAKEN

    for index, (data, width) in enumerate(given_files):
        cuts = [data[at : at + width] for at in range(0, len(data), width)] or [b""]
        size = len(data) if sizes else None
        if not version_1:
            note(list(dialogue.text(record("f", size, 0, len(cuts), index).replace('"f"', f'"f{index}"'))))
        for number, piece in enumerate(cuts):
            slices += 1
            if version_1:
                note(list(dialogue.text(record(f"f{index}", size, number, len(cuts), index, piece))))
            else:
                note(list(dialogue.binary(piece)))
        if not version_1:
            note(list(dialogue.text(record(f"f{index}", size, len(cuts) - 1, len(cuts), index))))
    assert came == {f"f{index}": data for index, (data, _) in enumerate(given_files)}
    assert ended == list(came)
    assert taken == slices


@pytest.mark.parametrize(
    "messages",
    [
        [b"data before anything"],
        ["{}"],
        ['{"slice_upload": 5}'],
        [record("a", 5, 0, 1), record("b", 5, 0, 1)],
        [record("a", 1, 0, 1), b"12", b"3"],
        [record("a", 1, 0, 1, data=b"1"), b"3"],
        ['{"slice_upload": {"name": 5}}'],
        ['{"slice_upload": {"name": "a", "size": -1}}'],
        ['{"slice_upload": {"name": "a", "data": "%%%"}}'],
        ['{"slice_upload": {"name": "a", "data": 5}}'],
        ["[" * 100_000],
    ],
)
def test_what_is_out_of_order_or_no_record_is_refused(messages: list[str | bytes]) -> None:
    dialogue = begun()
    with pytest.raises(SpecError):
        for message in messages:
            list(dialogue.binary(message) if isinstance(message, bytes) else dialogue.text(message))
