"""`asperacentral cancel`: end a job or session for good."""

from __future__ import annotations

import argparse

from asperacentral.commands.client import CentralClient
from asperacentral.commands.target import act, add_target_arguments

HELP = "end a job or session for good"

DESCRIPTION = """\
Cancel a job: its session is stopped and no other follows. With --session, stop one session; since that was the
user's wish, its job is not retried either. Files already complete stay.

Example:
    asperacentral cancel 8f1d5e0c-3c4b-4a53-9d0e-2f6b7c1a9e44
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_target_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """0 when done, 1 with one line if not."""
    return act(args, "cancelled", CentralClient.cancel_job, CentralClient.cancel_session)
