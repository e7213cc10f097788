"""`asperacentral rate`: change rate or policy of what is running."""

from __future__ import annotations

import argparse
import sys

from asperacentral.commands.client import CentralClient, CentralProblem, add_url_argument, with_client

HELP = "change the rate or policy of a running session"

DESCRIPTION = """\
Change the target rate, the minimum rate or the policy of a job's session while it runs. Rates are in Kbps
(1,000 bit/s); a target rate of 0 pauses. The change holds for this session; a retry starts with the order's rates.

Examples:
    asperacentral rate 8f1d5e0c-3c4b-4a53-9d0e-2f6b7c1a9e44 50000
    asperacentral rate 8f1d5e0c-3c4b-4a53-9d0e-2f6b7c1a9e44 --policy fair --minimum 1000
"""

POLICIES = ("fixed", "high", "fair", "low")
_MOST_KBPS = 2**32 - 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("id", metavar="JOB", help="the job's id, as `submit` printed it and `jobs` lists it")
    parser.add_argument("target", metavar="KBPS", type=_kbps, nargs="?", help="target rate in Kbps; 0 pauses")
    parser.add_argument("--minimum", metavar="KBPS", type=_kbps, help="minimum rate in Kbps")
    parser.add_argument(
        "--policy", choices=POLICIES, help="how the session shares the link with other traffic"
    )
    parser.add_argument("--session", action="store_true", help="the id is a session's, not a job's")
    add_url_argument(parser)


def run(args: argparse.Namespace) -> int:
    """0 when changed, 1 with one line if not, 2 if there is nothing to change."""
    if args.target is None and args.minimum is None and args.policy is None:
        print("asperacentral rate: say what to change: KBPS, --minimum or --policy", file=sys.stderr)
        return 2

    def work(client: CentralClient) -> int:
        session = args.id if args.session else client.job_session(args.id)
        if not session:
            raise CentralProblem(f"job {args.id} has had no session yet")
        client.set_rate(session, args.target, args.minimum, args.policy)
        print(f"changed session {session}")
        return 0

    return with_client(args.url, work)


def _kbps(text: str) -> int:
    if not text.isdecimal() or int(text) > _MOST_KBPS:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a rate in Kbps (a whole number, 0 to {_MOST_KBPS})"
        )
    return int(text)
