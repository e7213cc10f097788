"""Bodies of datagrams: what is encoded is decoded, what is broken is refused."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.openascp.udp.packets import (
    LARGEST_REPORT,
    Answer,
    Confirm,
    MalformedBody,
    Probe,
    Report,
    fitting,
)

NUMBER = st.integers(0, (1 << 63) - 1)
SMALL = st.integers(0, (1 << 32) - 1)


@st.composite
def windows(draw: st.DrawFn) -> tuple[int, int, tuple[tuple[int, int], ...]]:
    low = place = draw(st.integers(0, 1 << 60))
    missing = []
    for skip, count in draw(
        st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(1, 1 << 20)), max_size=60)
    ):
        missing.append((place + skip, place + skip + count))
        place += skip + count
    return low, place + draw(st.integers(0, 1 << 20)), tuple(missing)


@given(windows(), NUMBER, NUMBER, SMALL, NUMBER, SMALL, SMALL, SMALL)
def test_a_report_survives_its_encoding(
    window: tuple[int, int, tuple[tuple[int, int], ...]],
    echo: int,
    arrived: int,
    held: int,
    received: int,
    duplicates: int,
    backlog: int,
    room: int,
) -> None:
    low, after, missing = window
    report = Report(low, after, missing, echo, arrived, held, received, duplicates, backlog, room)

    assert Report.decode(report.encode()) == report


@given(windows())
def test_as_many_ranges_as_are_said_to_fit_do_fit(
    window: tuple[int, int, tuple[tuple[int, int], ...]],
) -> None:
    low, after, missing = window
    count = fitting(low, missing)

    body = Report(low, after, missing[:count], 0, 0, 0, 0, 0, 0, 0).encode()
    assert len(body) <= LARGEST_REPORT
    if count < len(missing):
        longer = Report(low, after, missing[: count + 1], 0, 0, 0, 0, 0, 0, 0).encode()
        assert len(longer) > LARGEST_REPORT


@given(st.binary(max_size=200))
def test_any_bytes_are_a_body_or_refused(body: bytes) -> None:
    for kind in (Report, Answer, Confirm, Probe):
        try:
            kind.decode(body)
        except MalformedBody:
            continue


@given(windows(), st.integers(1, 40))
def test_a_report_that_is_cut_off_is_refused_or_says_less(
    window: tuple[int, int, tuple[tuple[int, int], ...]], cut: int
) -> None:
    low, after, missing = window
    body = Report(low, after, missing, 0, 0, 0, 0, 0, 0, 0).encode()[:-cut]
    with suppress(MalformedBody):
        assert set(Report.decode(body).missing) < set(missing)


def test_a_report_that_names_what_it_does_not_describe_is_refused() -> None:
    body = Report(10, 20, ((15, 25),), 0, 0, 0, 0, 0, 0, 0).encode()
    with pytest.raises(MalformedBody, match="outside"):
        Report.decode(body)


def test_a_window_that_ends_before_it_begins_is_refused() -> None:
    body = Report(10, 9, (), 0, 0, 0, 0, 0, 0, 0).encode()
    with pytest.raises(MalformedBody, match="ends before"):
        Report.decode(body)


@given(NUMBER, NUMBER, st.integers(0, 100))
def test_padding_does_not_matter(cookie: int, buffer: int, padding: int) -> None:
    answer = Answer(cookie, buffer)
    assert Answer.decode(answer.encode() + bytes(padding)) == answer
    confirm = Confirm(buffer & 0xFFFF, cookie)
    assert Confirm.decode(confirm.encode() + bytes(padding)) == confirm
    probe = Probe(cookie, 1)
    assert Probe.decode(probe.encode() + bytes(padding)) == probe
