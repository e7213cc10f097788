"""What the manager and its fork server say to each other."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.fasp.spawn_protocol import (
    MAX_REQUEST,
    Ended,
    Ready,
    Refused,
    ReportReader,
    Request,
    RequestReader,
    SpawnProtocolError,
    Started,
    encode_report,
    encode_request,
)

any_text = st.binary(max_size=30).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
requests = st.builds(
    Request,
    st.integers(1, 2**40),
    st.lists(any_text, max_size=5).map(tuple),
    st.dictionaries(any_text, any_text, max_size=3),
    st.none() | any_text,
)
ids = st.integers(1, 2**40)
reports = st.one_of(
    st.builds(Ready),
    st.builds(Started, ids, ids),
    st.builds(Refused, ids, st.text(max_size=30)),
    st.builds(Ended, ids, ids, st.integers(-64, 255)),
)


@given(st.lists(requests, max_size=4), st.integers(1, 50))
def test_requests_are_read_back_however_the_stream_is_cut(sent: list[Request], step: int) -> None:
    data = b"".join(encode_request(request) for request in sent)
    reader = RequestReader()
    read = [r for at in range(0, len(data), step) for r in reader.feed(data[at : at + step])]
    assert read == sent


@given(st.lists(reports, max_size=5), st.integers(1, 50))
def test_reports_are_read_back_however_the_stream_is_cut(
    sent: list[Ready | Started | Refused | Ended], step: int
) -> None:
    data = b"".join(encode_report(report) for report in sent)
    reader = ReportReader()
    read = [r for at in range(0, len(data), step) for r in reader.feed(data[at : at + step])]
    assert read == sent


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b'{"id": 1}', b"null", b"{"])
def test_a_request_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(SpawnProtocolError, match="not the expected JSON"):
        RequestReader().feed(struct.pack(">I", len(body)) + body)


def test_a_request_that_is_too_long_is_neither_written_nor_waited_for() -> None:
    with pytest.raises(SpawnProtocolError, match="longer than"):
        encode_request(Request(1, ("x" * MAX_REQUEST,)))
    with pytest.raises(SpawnProtocolError, match="longer than"):
        RequestReader().feed(struct.pack(">I", MAX_REQUEST + 1))


@pytest.mark.parametrize(
    "line", [b"", b"[]", b"{}", b"\xff", b'{"report": "dinner"}', b'{"report": "started"}']
)
def test_a_report_that_is_none_is_refused(line: bytes) -> None:
    with pytest.raises(SpawnProtocolError, match="is not a report"):
        ReportReader().feed(line + b"\n")


def test_the_environment_is_not_shown() -> None:
    assert "pa55" not in repr(Request(1, ("a",), {"ASPERA_SCP_PASS": "pa55"}))
