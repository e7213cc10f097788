"""`asperacentral jobs`: a table of jobs."""

from __future__ import annotations

import argparse
import sys

from asperacentral.commands.client import CentralClient, add_url_argument, with_client
from asperacentral.commands.progress import JOB_TABLE_HEADS, JOB_TABLE_RIGHT, job_rows, latest_by_job
from asperacentral.commands.terminal import Terminal, table

HELP = "list the jobs of a daemon"

DESCRIPTION = """\
List the jobs that have not ended, each with its latest session; with --all also those that ended and whose
sessions the daemon still remembers. BYTES is what is on disk, RATE the session's average.

Example:
    asperacentral jobs --all
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--all", action="store_true", help="also jobs that have ended")
    add_url_argument(parser)


def run(args: argparse.Namespace) -> int:
    """0 when listed, 1 with one line if not."""

    def work(client: CentralClient) -> int:
        active = client.list_jobs()
        sessions = client.sessions(None if args.all else active)
        ended = [job for job in latest_by_job(sessions) if job not in set(active)] if args.all else []
        lines = table(JOB_TABLE_HEADS, job_rows(ended + active, sessions), JOB_TABLE_RIGHT)
        terminal = Terminal(sys.stdout)
        terminal.line(terminal.paint(lines[0], "bold"))
        for line in lines[1:]:
            terminal.line(line)
        return 0

    return with_client(args.url, work)
