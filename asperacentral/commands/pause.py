"""`asperacentral pause`: let a job or session move nothing for now."""

from __future__ import annotations

import argparse

from asperacentral.commands.client import CentralClient
from asperacentral.commands.target import act, add_target_arguments

HELP = "let a job or session move nothing for now"

DESCRIPTION = """\
Pause a job, or one session. The session stays connected and moves no bytes until it is resumed; what was moved
is kept. A job that is paused while it waits for a retry starts its next session paused.

Example:
    asperacentral pause 8f1d5e0c-3c4b-4a53-9d0e-2f6b7c1a9e44
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_target_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """0 when done, 1 with one line if not."""
    return act(args, "paused", CentralClient.pause_job, CentralClient.pause_session)
