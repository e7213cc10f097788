"""`asperacentral deadletters`: notifications that were given up, listed, told again, or forgotten."""

from __future__ import annotations

import argparse
import sys

from asperacentral.commands.client import CentralClient, CentralProblem, add_url_argument, with_client
from asperacentral.commands.terminal import Terminal, table

HELP = "list, replay or drop notifications that were given up"

DESCRIPTION = """\
A notification that could not be delivered for a day, or whose subscription has ended, is given up: a dead letter. It is
kept as long as ended sessions are. `list` shows them, oldest first; `replay` has them told again; `drop` forgets them.
Both need to be told which: by id, by observer, or all of them.

Examples:
    asperacentral deadletters
    asperacentral deadletters replay --observer http://10.0.0.7:8080/events
    asperacentral deadletters drop 17 18
"""

_HEADS = ("ID", "WHEN", "EVENT", "SUBJECT", "TRIED", "OBSERVER", "REASON")
_RIGHT = ("ID", "TRIED")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("action", nargs="?", choices=("list", "replay", "drop"), default="list")
    parser.add_argument("ids", metavar="ID", nargs="*", type=int, help="only these, as `list` shows them")
    parser.add_argument("--observer", metavar="ADDRESS", help="only those for this observer's address")
    parser.add_argument("--all", action="store_true", help="replay or drop whatever there is")
    add_url_argument(parser)


def run(args: argparse.Namespace) -> int:
    """0 when done, 1 with one line if not."""

    def work(client: CentralClient) -> int:
        if args.action == "list":
            _list(client, args.observer, args.ids)
            return 0
        if not (args.ids or args.observer or args.all):
            raise CentralProblem(f"say which to {args.action}: ids, --observer ADDRESS, or --all")
        change = client.replay_dead_letters if args.action == "replay" else client.drop_dead_letters
        count = change(args.observer, args.ids)
        done = "to be told again" if args.action == "replay" else "dropped"
        print(f"{count} dead letter{'' if count == 1 else 's'} {done}")
        return 0

    return with_client(args.url, work)


def _list(client: CentralClient, observer: str | None, ids: list[int]) -> None:
    rows = [
        (
            str(letter.id),
            f"{letter.time:%Y-%m-%d %H:%M:%S}",
            letter.event,
            letter.subject,
            str(letter.attempts),
            letter.observer,
            letter.reason,
        )
        for letter in client.dead_letters(observer)
        if not ids or letter.id in ids
    ]
    terminal = Terminal(sys.stdout)
    first, *others = table(_HEADS, rows, _RIGHT)
    terminal.line(terminal.paint(first, "bold"))
    for line in others:
        terminal.line(line)
