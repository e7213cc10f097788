"""`python -m bench.wan`: the fast plane over emulated paths, against scp, rsync, rclone and lftp on the same ones.

Writes the tables of each part into docs/performance.md between its own markers, and the figures to docs/figures,
unless told otherwise. With --cases only those rows are measured, and the others stay as they are in the document.
`--scale 0.2 --rounds 1` is a short version.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path as File

from bench.report import Report, Table, conditions
from bench.wan import drawn, plane, sharing, whole
from bench.wan.document import write
from bench.wan.path import Path

_DOCUMENT = File(__file__).resolve().parents[2] / "docs" / "performance.md"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--scale", type=float, default=1.0, help="share of the bytes of each case")
    parser.add_argument("--rounds", type=int, default=3, help="times each case runs; the median counts")
    parser.add_argument("--limit", type=float, default=20.0, help="seconds after which a program is stopped")
    parser.add_argument("--parts", default=",".join(PARTS), help="what to measure")
    parser.add_argument(
        "--cases", default="", help="which rows or figures of a part, as numbers from 0; else all"
    )
    parser.add_argument("--no-write", action="store_true", help="print only")
    options = parser.parse_args()
    for part in options.parts.split(","):
        with conditions() as told:
            tables = PARTS[part](options)
            place = "loopback" if part == "loopback" else "emulated path"
            report = Report(f"wan {part}", told().replace("loopback", place), tables)
        print(report.markdown(), report.json(), sep="\n\n", flush=True)
        if not options.no_write and tables:
            write(_DOCUMENT, part, report, whole=not options.cases)


def _on_path(
    run: Callable[[Path, argparse.Namespace], list[Table]],
) -> Callable[[argparse.Namespace], list[Table]]:
    def part(options: argparse.Namespace) -> list[Table]:
        with Path() as path:
            return run(path, options)

    return part


PARTS: dict[str, Callable[[argparse.Namespace], list[Table]]] = {
    "files": whole.files,
    "small": whole.small,
    "loopback": whole.loopback,
    "spread": whole.spread,
    "others": whole.others,
    "steering": _on_path(plane.steering),
    "plane": _on_path(plane.plane),
    "policies": sharing.policies,
    "figures": _on_path(drawn.draw),
}


if __name__ == "__main__":
    main()
