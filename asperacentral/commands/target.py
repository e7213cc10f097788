"""What `pause`, `resume` and `cancel` have in common: an id, of a job or of a session, and something done to it."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from asperacentral.commands.client import CentralClient, add_url_argument, with_client

Action = Callable[[CentralClient, str], None]


def add_target_arguments(parser: argparse.ArgumentParser) -> None:
    """The id, and what it is the id of."""
    parser.add_argument("id", metavar="JOB", help="the job's id, as `submit` printed it and `jobs` lists it")
    parser.add_argument("--session", action="store_true", help="the id is a session's, not a job's")
    add_url_argument(parser)


def act(args: argparse.Namespace, done: str, on_job: Action, on_session: Action) -> int:
    """Do it and say that it is done."""

    def work(client: CentralClient) -> int:
        (on_session if args.session else on_job)(client, args.id)
        print(f"{done} {'session' if args.session else 'job'} {args.id}")
        return 0

    return with_client(args.url, work)
