"""The program `openascp`: a client's session, or with `--server` the far side of one.

The far side starts anew for each session and touches no SSH, so nothing is imported for it that it does not need.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys

_USAGE = "openascp: --server takes no arguments\n"


def main(argv: list[str] | None = None) -> int:
    """Run with the arguments after the program's name; return the exit status, 0 or 1."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments[:1] == ["--server"]:
        return _serve(arguments[1:])
    from asperacentral.openascp.program import main as run

    return run(arguments)


def _serve(more: list[str]) -> int:
    from asperacentral.openascp.exchange.server import serve

    if more:
        sys.stderr.write(_USAGE)
        return 1
    logging.getLogger().handlers[:] = [logging.NullHandler()]
    return asyncio.run(serve(os.environ))


if __name__ == "__main__":
    sys.exit(main())
