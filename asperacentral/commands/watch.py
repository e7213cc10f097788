"""`asperacentral watch`: follow a job until it ends. It asks and shows; what answers mean is in `progress`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

from asperacentral.commands.client import CentralClient, NotReachable, add_url_argument, with_client
from asperacentral.commands.progress import JobWatch, Outcome, Progress
from asperacentral.commands.terminal import Terminal

HELP = "show how a job gets on"

DESCRIPTION = """\
Follow a job until it ends: a live line with bytes, rate, files and time left on a terminal, a plain line every few
seconds otherwise. When a session fails and another follows, both are told.

The exit status tells how the job ended: 0 completed, 1 error (or the daemon is gone), 3 cancelled.

Example:
    asperacentral watch 8f1d5e0c-3c4b-4a53-9d0e-2f6b7c1a9e44 && echo all there
"""

_INTERVAL = 1.0
"""Seconds between looks."""

_PLAIN_INTERVAL = 5.0
"""Seconds between progress lines where nothing can be redrawn."""

_PATIENCE = 60.0
"""Seconds for which a daemon may be away (restarted, say) before the watch is given up."""

_COLOURS = {Outcome.COMPLETED: "green", Outcome.ERROR: "red", Outcome.CANCELLED: "yellow"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("id", metavar="JOB", help="the job's id, as `submit` printed it and `jobs` lists it")
    add_url_argument(parser)


def run(args: argparse.Namespace) -> int:
    """The job's outcome as exit status: 0 completed, 1 error, 3 cancelled."""
    return with_client(args.url, lambda client: watch(client, args.id, Terminal(sys.stdout)))


def watch(
    client: CentralClient,
    job: str,
    terminal: Terminal,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Tell how `job` gets on until it ends; the exit status. Refused if there is no such job."""
    client.job_session(job)
    follower, shown = JobWatch(), _Shown(terminal)
    last_answer = clock()
    try:
        while True:
            try:
                active = job in client.list_jobs()
                sessions = client.sessions([job])
            except NotReachable as problem:
                if clock() - last_answer > _PATIENCE:
                    raise
                shown.away(str(problem))
            else:
                last_answer = clock()
                progress = follower.look(last_answer, active, sessions)
                shown.show(last_answer, progress)
                if progress.outcome is not None:
                    return progress.outcome
            sleep(_INTERVAL)
    finally:
        terminal.end_live()


class _Shown:
    """What was written already, so that nothing is told twice."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._away = False
        self._plain_line = ""
        self._plain_due = 0.0

    def away(self, problem: str) -> None:
        """The daemon does not answer just now."""
        if not self._away:
            self._away = True
            self._terminal.line(self._terminal.paint(f"{problem} (waiting for it)", "yellow"))

    def show(self, now: float, progress: Progress) -> None:
        """Write the notes, and the progress line if it is time."""
        if self._away:
            self._away = False
            self._terminal.line("the daemon is back")
        if progress.outcome is not None:
            self._terminal.end_live()
        for note in progress.notes:
            self._terminal.line(self._terminal.paint(note, "grey"))
        if progress.outcome is not None:
            self._terminal.line(self._terminal.paint(progress.summary, _COLOURS[progress.outcome]))
        elif self._terminal.redraws:
            self._terminal.live(progress.line)
        elif progress.line != self._plain_line and (now >= self._plain_due or progress.notes):
            self._plain_line, self._plain_due = progress.line, now + _PLAIN_INTERVAL
            self._terminal.line(progress.line)
