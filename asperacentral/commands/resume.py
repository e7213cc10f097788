"""`asperacentral resume`: let a paused job or session go on."""

from __future__ import annotations

import argparse

from asperacentral.commands.client import CentralClient
from asperacentral.commands.target import act, add_target_arguments

HELP = "let a paused job or session go on"

DESCRIPTION = """\
Resume a paused job, or one paused session, at the target rate it had before.

Example:
    asperacentral resume 8f1d5e0c-3c4b-4a53-9d0e-2f6b7c1a9e44
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_target_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """0 when done, 1 with one line if not."""
    return act(args, "resumed", CentralClient.resume_job, CentralClient.resume_session)
