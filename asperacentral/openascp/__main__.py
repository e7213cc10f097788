"""The program `openascp`: a client's session, or with `--server` the far side of one.

The far side starts anew for each session and touches no SSH, so nothing is imported for it that it does not need. A
client dials before it imports anything else: the network works while it does.
"""

from __future__ import annotations

import os
import sys

from asperacentral import interpreter


def main(argv: list[str] | None = None) -> int:
    """Run with the arguments after the program's name; return the exit status, 0 or 1."""
    interpreter.start()
    arguments = sys.argv[1:] if argv is None else argv
    if arguments[:1] == ["--server"]:
        return _serve(arguments[1:])
    from asperacentral.openascp.dialing import foreseen

    dialing = foreseen(arguments)
    from asperacentral.openascp.program import main as run

    return run(arguments, dialing)


def _serve(more: list[str]) -> int:
    import argparse
    import asyncio
    import logging

    from asperacentral.openascp.exchange.server import serve

    parser = argparse.ArgumentParser(
        prog="openascp --server",
        description="The far side of a session; started by an SSH server.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--token-required",
        action="store_true",
        help="serve nobody without a token: for the forced command of a key that many share",
    )
    parser.add_argument("--config", metavar="FILE", help="read this aspera.conf")
    given = parser.parse_args(more)
    if given.config:
        os.environ["ASPERA_CONF"] = given.config
    logging.getLogger().handlers[:] = [logging.NullHandler()]
    return asyncio.run(serve(os.environ, token_required=given.token_required))


if __name__ == "__main__":
    sys.exit(main())
