from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.commands.terminal import Terminal, bar, human_rate, human_size, human_time, safe, table


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536 * 1024, "1.5 MiB"),
        (1024**3 - 1, "1.0 GiB"),
        (5 * 1024**6, "5.0 EiB"),
        (5000 * 1024**6, "5000.0 EiB"),
    ],
)
def test_sizes_are_told_in_steps_of_1024(count: int, text: str) -> None:
    assert human_size(count) == text


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (0, "0 bit/s"),
        (999, "999 bit/s"),
        (1000, "1.0 kbit/s"),
        (98_340_000, "98.3 Mbit/s"),
        (999_990, "1.0 Mbit/s"),
    ],
)
def test_rates_are_told_in_steps_of_1000(rate: float, text: str) -> None:
    assert human_rate(rate) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0:00"), (0, "0:00"), (7.4, "0:07"), (59.6, "1:00"), (750, "12:30"), (7500, "2:05:00")],
)
def test_times_are_told_in_minutes_and_hours(seconds: float, text: str) -> None:
    assert human_time(seconds) == text


@given(st.floats(-1, 2), st.integers(1, 80))
def test_a_bar_is_as_wide_as_asked_and_fills_from_the_left(fraction: float, width: int) -> None:
    drawn = bar(fraction, width)
    assert len(drawn) == width
    assert drawn == "█" * drawn.count("█") + "░" * drawn.count("░")


def test_a_bar_is_empty_at_nothing_and_full_at_all() -> None:
    assert bar(0, 4) == "░░░░"
    assert bar(0.5, 4) == "██░░"
    assert bar(1, 4) == "████"


@given(st.text())
def test_no_text_can_steer_the_terminal(text: str) -> None:
    assert safe(text).isprintable()


def test_ordinary_text_is_shown_as_it_is() -> None:
    assert safe("Übung 日本.txt") == "Übung 日本.txt"
    assert safe("a\x1b[2Jb\n") == "a\\x1b[2Jb\\n"


def test_a_table_has_aligned_columns_and_no_trailing_blanks() -> None:
    assert table(("NAME", "SIZE", "X"), [("a", "10", ""), ("longer", "5", "y")], right={"SIZE"}) == [
        "NAME    SIZE  X",
        "a         10",
        "longer     5  y",
    ]


def test_a_table_of_nothing_is_its_heads() -> None:
    assert table(("A", "B"), []) == ["A  B"]


def test_on_a_terminal_the_live_line_stays_below_what_is_written() -> None:
    screen = Screen()
    terminal = Terminal(screen, {})
    terminal.live("50 %")
    terminal.line("note")
    terminal.end_live()
    terminal.line("end")
    assert screen.getvalue() == "\r\x1b[K50 %" + "\r\x1b[Knote\n50 %" + "\r\x1b[K" + "end\n"


def test_elsewhere_there_is_no_live_line_and_no_colour() -> None:
    stream = io.StringIO()
    terminal = Terminal(stream, {})
    terminal.live("50 %")
    terminal.line(terminal.paint("note", "red"))
    terminal.end_live()
    assert stream.getvalue() == "note\n"


@pytest.mark.parametrize(
    ("environment", "painted"),
    [
        ({}, "\x1b[31mx\x1b[0m"),
        ({"NO_COLOR": "1"}, "x"),
        ({"NO_COLOR": ""}, "\x1b[31mx\x1b[0m"),
        ({"TERM": "dumb"}, "x"),
    ],
)
def test_colour_is_for_terminals_that_want_it(environment: dict[str, str], painted: str) -> None:
    assert Terminal(Screen(), environment).paint("x", "red") == painted


def test_an_ascii_stream_gets_ascii() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    Terminal(stream, {}).line("██░ ü")
    assert raw.getvalue() == b"##. ?\n"
