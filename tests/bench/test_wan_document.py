"""What is measured in pieces is put together in the document, and what is measured whole takes the place of all."""

from __future__ import annotations

from bench.report import Report, Table
from bench.wan.document import written

COLUMNS = ["path", "MB", "Mbit/s"]
TEXT = "# Performance\n\nWords.\n\n<!-- bench wan files -->\n<!-- end -->\n\nMore words.\n"


def report(*rows: tuple[str, int, float], title: str = "Files, median of 3", busy: float = 0.0) -> Report:
    told = f"2026-01-01, a machine; meanwhile {busy:.1f} cores were busy with other things."
    return Report("wan files", told, [Table(title, COLUMNS, list(rows), note="A note.")])


def rows(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("| ") and "---" not in line][1:]


def test_tables_go_between_the_markers_of_their_part() -> None:
    text = written(TEXT, "files", report(("near", 10, 1.5)), whole=True)
    assert text.startswith("# Performance\n\nWords.\n\n<!-- bench wan files -->\n\n2026-01-01")
    assert text.endswith("A note.\n\n<!-- end -->\n\nMore words.\n")
    assert rows(text) == ["| near | 10 | 1.5 |"]


def test_a_part_without_markers_is_added_at_the_end() -> None:
    text = written(TEXT, "small", report(("near", 10, 1.5)), whole=True)
    assert text.startswith(TEXT)
    assert text.endswith("<!-- end -->\n")


def test_rows_that_were_not_measured_anew_stay_in_their_places() -> None:
    text = written(TEXT, "files", report(("near", 10, 1.5), ("far", 10, 2.5), ("far", 20, 3.5)), whole=True)
    text = written(text, "files", report(("far", 10, 7.5), ("further", 10, 8.5)), whole=False)
    assert rows(text) == [
        "| near | 10 | 1.5 |",
        "| far | 10 | 7.5 |",
        "| far | 20 | 3.5 |",
        "| further | 10 | 8.5 |",
    ]
    assert text.count("A note.") == 1


def test_a_whole_measurement_leaves_nothing_of_the_earlier_one() -> None:
    text = written(TEXT, "files", report(("near", 10, 1.5), ("far", 10, 2.5)), whole=True)
    assert rows(written(text, "files", report(("near", 10, 4.5)), whole=True)) == ["| near | 10 | 4.5 |"]


def test_rows_of_another_title_are_not_joined_with_the_new_ones() -> None:
    text = written(TEXT, "files", report(("near", 10, 1.5), title="Files, median of 1"), whole=True)
    assert rows(written(text, "files", report(("far", 10, 4.5)), whole=False)) == ["| far | 10 | 4.5 |"]


def test_the_conditions_of_joined_rows_name_the_busiest_time() -> None:
    text = written(TEXT, "files", report(("near", 10, 1.5), busy=0.4), whole=True)
    text = written(text, "files", report(("far", 10, 2.5), busy=0.1), whole=False)
    assert "meanwhile at most 0.4 cores were busy" in text
    text = written(text, "files", report(("far", 20, 2.5), busy=0.6), whole=False)
    assert "meanwhile at most 0.6 cores were busy" in text
    assert text.count("cores were busy") == 1
