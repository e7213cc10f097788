"""What sessions add up to, held against numbers that real transfers told."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.fasp import statistics
from asperacentral.fasp.management import Message, MessageType
from asperacentral.fasp.statistics import Accumulator, FileState


def accumulated(*messages: tuple[str, Mapping[str, object]]) -> Accumulator:
    sums = Accumulator()
    for kind, fields in messages:
        sums.take(Message(kind, {name: str(value) for name, value in fields.items()}))
    return sums


MIB4 = 4194304
RESUMED: list[tuple[str, Mapping[str, object]]] = [
    ("INIT", {"Direction": "Send"}),
    ("SESSION", {"Rate": 100000, "Host": "far.example", "Encryption": "Yes", "Cipher": "aes-128"}),
    ("STATS", {"File": "/2", "Size": MIB4, "TransferBytes": 0, "StartByte": 2172544, "FileBytes": 0}),
    (
        "STATS",
        {"File": "/2", "Size": MIB4, "TransferBytes": 689920, "StartByte": 2172544, "FileBytes": 2862464},
    ),
    ("DONE", {"TransferBytes": 10410368, "FileBytes": 12582912}),
]


def test_a_resumed_file_counts_what_an_earlier_session_had_brought_as_existing() -> None:
    sums = accumulated(*RESUMED[:4])
    assert (sums.session.transferred_bytes, sums.session.existing_bytes) == (689920, 2172544)
    assert sums.files["/2"].start_byte == 2172544


def test_at_the_end_of_a_resumed_session_moved_and_existing_make_the_whole_job() -> None:
    session = accumulated(*RESUMED).session
    assert session.transferred_bytes + session.existing_bytes == 3 * MIB4
    assert session.state == "Finished"


def test_a_part_of_a_file_that_sessions_share_counts_nothing_as_existing() -> None:
    session = accumulated(
        ("INIT", {}),
        ("STATS", {"File": "/a", "StartByte": 2096512, "TransferBytes": 702592, "FileBytes": 702592}),
    ).session
    assert (session.transferred_bytes, session.existing_bytes) == (702592, 0)


def test_a_file_found_whole_is_existing_though_neither_number_tells_it() -> None:
    whole = {"File": "/a", "Size": MIB4, "StartByte": MIB4, "TransferBytes": 0, "FileBytes": 0}
    sums = accumulated(("INIT", {}), ("STOP", whole))
    assert (sums.session.transferred_bytes, sums.session.existing_bytes) == (0, MIB4)
    assert sums.files["/a"].state is FileState.FINISHED
    assert sums.session.files_complete == 1


def test_the_average_rate_of_a_recorded_upload_is_what_was_recorded() -> None:
    told = {"TransferBytes": 14219392, "Elapsedusec": 2003695, "Loss": 1408}
    session = accumulated(("INIT", {}), ("STATS", told)).session
    assert int(session.average_rate) == 56772
    assert session.lost_bytes == 1408
    end = accumulated(("INIT", {}), ("STATS", {"TransferBytes": 30000000, "Elapsedusec": 3627748})).session
    assert int(end.average_rate) == 66156


def test_the_total_is_the_one_told_first() -> None:
    session = accumulated(
        ("INIT", {}),
        ("NOTIFICATION", {"PreTransferBytes": 3000, "PreTransferFiles": 3}),
        ("NOTIFICATION", {"PreTransferBytes": 1000, "PreTransferFiles": 1}),
    ).session
    assert (session.total_bytes, session.total_files) == (3000, 3)


@pytest.mark.parametrize(
    ("kind", "state", "complete", "skipped", "failed"),
    [("STOP", "Finished", 1, 0, 0), ("SKIP", "Skipped", 1, 1, 0), ("FILEERROR", "Failed", 0, 0, 1)],
)
def test_files_are_counted_by_how_they_ended(
    kind: str, state: str, complete: int, skipped: int, failed: int
) -> None:
    end: Mapping[str, object] = {"File": "/a", "Size": 7, "Code": 5, "Description": "denied"}
    sums = accumulated(("INIT", {}), ("START", {"File": "/a", "Size": 7}), (kind, end), (kind, end))
    session = sums.session
    assert (session.files_complete, session.files_skipped, session.files_failed) == (
        complete,
        skipped,
        failed,
    )
    assert sums.files["/a"].state == state
    assert sums.files["/a"].error_code == (5 if failed else 0)


def test_a_session_that_fails_keeps_its_code_and_reason() -> None:
    session = accumulated(("INIT", {}), ("ERROR", {"Code": 19, "Description": "who are you"})).session
    assert (session.state, session.error_code, session.error_description) == ("Failed", 19, "who are you")


def test_files_that_ended_long_ago_are_forgotten_but_stay_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "KEPT_FILES", 3)
    sums = accumulated(*(("STOP", {"File": f"/{number}", "Size": 1, "Written": 1}) for number in range(10)))
    assert list(sums.files) == ["/7", "/8", "/9"]
    assert sums.session.files_complete == 10


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*MessageType, "HELLO"]),
            st.dictionaries(
                st.sampled_from(["File", "Size", "TransferBytes", "FileBytes", "StartByte", "Rate", "Code"]),
                st.sampled_from(["", "0", "5", "50%", "-1", "1:2", "9" * 40, "x"]),
            ),
        )
    )
)
def test_nothing_a_process_says_breaks_the_sums(said: list[tuple[str, Mapping[str, object]]]) -> None:
    session = accumulated(*said).session
    assert session.existing_bytes >= 0
    assert session.files_complete >= session.files_skipped
