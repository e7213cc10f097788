"""`python -m bench`: every measurement, its tables written to docs/performance.md between the markers.

What stands outside of the markers stays. The results as JSON go to stdout, one line for each.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path

from bench import first_byte, gateway, metrics, push, sessions, small_files, soap, store, volume
from bench.report import Report

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "performance.md"

MEASUREMENTS: dict[
    str, tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], Report]]
] = {
    "soap": (soap.add_arguments, soap.run),
    "first_byte": (first_byte.add_arguments, first_byte.run),
    "sessions": (sessions.add_arguments, sessions.run),
    "small_files": (small_files.add_arguments, small_files.run),
    "push": (push.add_arguments, push.run),
    "volume": (volume.add_arguments, volume.run),
    "gateway": (gateway.add_arguments, gateway.run),
    "store": (store.add_arguments, store.run),
    "metrics": (metrics.add_arguments, metrics.run),
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        epilog="Each measurement has options of its own: python -m bench.NAME --help.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MEASUREMENTS)}; none: all")
    parser.add_argument("--document", type=Path, default=DOCUMENT, help="where the tables go")
    args = parser.parse_args()
    unknown = set(args.names) - set(MEASUREMENTS)
    if unknown:
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    for name in args.names or MEASUREMENTS:
        print(f"bench.{name} ...", file=sys.stderr, flush=True)
        add_arguments, run = MEASUREMENTS[name]
        options = argparse.ArgumentParser()
        add_arguments(options)
        report = run(options.parse_args([]))
        print(report.json(), flush=True)
        text = args.document.read_text("utf-8")
        args.document.write_text(replaced(text, name, report.markdown()), "utf-8")
    return 0


def replaced(text: str, name: str, content: str) -> str:
    """The document with `content` between the markers of `name`. ValueError if it has none."""
    begin, end = f"<!-- bench {name} -->", "<!-- end -->"
    pattern = re.compile(re.escape(begin) + r".*?" + re.escape(end), re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"no marker {begin} in the document")
    return pattern.sub(lambda _: f"{begin}\n\n{content}\n\n{end}", text, count=1)


if __name__ == "__main__":
    sys.exit(main())
