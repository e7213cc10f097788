"""The tables of the measurement in docs/performance.md, each part between markers of its own.

What was measured in pieces is put together: rows of a table that was written before stay, if it had the same title
and columns, unless the first two cells of a new row are theirs.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from bench.report import Cell, Report, Table

_END = "<!-- end -->"
_BUSY = re.compile(r"meanwhile (?:at most )?([0-9.]+) cores")


def written(text: str, part: str, report: Report, *, whole: bool) -> str:
    """The document with the report's tables; `whole`: nothing of those that are there stays."""
    start = f"<!-- bench wan {part} -->"
    if start not in text:
        text = f"{text.rstrip()}\n\n{start}\n{_END}\n"
    head, _, rest = text.partition(start)
    before, _, tail = rest.partition(_END)
    if not whole:
        report = _joined(before, report)
    return f"{head}{start}\n\n{report.markdown()}\n\n{_END}{tail}"


def write(document: Path, part: str, report: Report, *, whole: bool) -> None:
    """Put the tables into the document, between the markers of the part, at the end if they are not there."""
    document.write_text(written(document.read_text(), part, report, whole=whole))


def _joined(before: str, report: Report) -> Report:
    tables = [_with_rows_of(before, table) for table in report.tables]
    if all(new is table for new, table in zip(tables, report.tables, strict=True)):
        return report
    busiest = max(map(float, _BUSY.findall(before + report.conditions)), default=0.0)
    told = _BUSY.sub(f"meanwhile at most {busiest:.1f} cores", report.conditions)
    return replace(report, conditions=told, tables=tables)


def _with_rows_of(before: str, table: Table) -> Table:
    """The table with the rows that it had in the document and that were not measured anew, in their old order."""
    lines = before.splitlines()
    beginning = table.markdown().splitlines()[:4]
    places = [at for at in range(len(lines)) if lines[at : at + 4] == beginning]
    if not places:
        return table
    rows: dict[str, list[Cell]] = {}
    for line in lines[places[0] + 4 :]:
        if not line.startswith("| "):
            break
        cells: list[Cell] = list(line.strip("| ").split(" | "))
        rows[_key(line)] = cells
    for row, line in zip(table.rows, table.markdown().splitlines()[4:], strict=False):
        rows[_key(line)] = list(row)
    return replace(table, rows=list(rows.values()))


def _key(line: str) -> str:
    return " | ".join(line.split(" | ")[:2])
