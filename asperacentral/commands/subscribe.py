"""`asperacentral subscribe`: print events as they come. Starts an observer, subscribes it, and ends both tidily."""

from __future__ import annotations

import argparse
import queue
import signal
import sys
import time
from http import HTTPStatus

from asperacentral.central.model import ALL
from asperacentral.central.topics import JOB_TOPICS, SESSION_TOPICS, canonical
from asperacentral.commands.client import CentralClient, CentralProblem, add_url_argument, with_client
from asperacentral.commands.notification import Notification, describe, new_events
from asperacentral.commands.observer import Observer
from asperacentral.commands.terminal import Terminal

HELP = "print the events of jobs or sessions as they come"

DESCRIPTION = f"""\
Subscribe to events and print each as one line, until Ctrl-C (or for --duration seconds). The events are sent by the
daemon to a small server that this command runs, on --address; the daemon must be able to reach it there.

Topics of jobs:     {", ".join(JOB_TOPICS)}
Topics of sessions: {", ".join(SESSION_TOPICS)}
Without --topics: all but Statistics, which comes each second for each session.

Examples:
    asperacentral subscribe
    asperacentral subscribe --sessions --topics Started,Statistics,Stopped
    asperacentral subscribe --job 8f1d5e0c-3c4b-4a53-9d0e-2f6b7c1a9e44 --duration 600
"""

_LEASE = 600
"""Seconds a subscription without --duration is for; it is renewed at half of that. A crash leaves it that long."""

_COLOURS = {
    "Error": "red",
    "Failed": "red",
    "Completed": "green",
    "Retrying": "yellow",
    "Cancelled": "yellow",
}


class _Usage(Exception):
    """The options do not go together."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--jobs", action="store_true", help="events of jobs (default: of jobs and sessions)")
    parser.add_argument("--sessions", action="store_true", help="events of sessions")
    parser.add_argument("--job", metavar="ID", help="events of this job only")
    parser.add_argument("--session", metavar="ID", help="events of this session only")
    parser.add_argument("--topics", metavar="T,T...", type=_words, default=(), help="only these (see above)")
    parser.add_argument("--duration", metavar="S", type=_seconds, help="end after S seconds")
    parser.add_argument(
        "--address", default="127.0.0.1", help="listen for events here (default: %(default)s)"
    )
    add_url_argument(parser)


def run(args: argparse.Namespace) -> int:
    """0 after Ctrl-C or when the time is over, 1 with one line if it does not work, 2 for wrong use."""
    try:
        subjects = choose_subjects(args.jobs, args.sessions, args.job, args.session, args.topics)
    except _Usage as problem:
        print(f"asperacentral subscribe: {problem}", file=sys.stderr)
        return 2
    return with_client(args.url, lambda client: _subscribe(client, args, subjects))


def choose_subjects(
    jobs: bool, sessions: bool, job: str | None, session: str | None, topics: tuple[str, ...]
) -> dict[str, tuple[str, tuple[str, ...]]]:
    """What to subscribe to: by kind, the subject and the topics. A kind that has none of the topics is left out."""
    wanted = {"job": jobs or job is not None, "session": sessions or session is not None}
    if not any(wanted.values()):
        wanted = {"job": True, "session": True}
    subjects = {"job": job or ALL, "session": session or ALL}
    chosen = {}
    for kind, is_wanted in wanted.items():
        if is_wanted:
            try:
                chosen[kind] = (subjects[kind], canonical(kind, topics))
            except ValueError as problem:
                reason = str(problem)
    if not chosen:
        raise _Usage(reason)
    return chosen


def _subscribe(
    client: CentralClient, args: argparse.Namespace, subjects: dict[str, tuple[str, tuple[str, ...]]]
) -> int:
    arrived: queue.Queue[Notification] = queue.Queue()

    def accept(notification: Notification) -> int:
        arrived.put(notification)
        return HTTPStatus.OK

    try:
        observer = Observer(args.address, respond=accept, keep=False)
    except OSError as problem:
        raise CentralProblem(f"cannot listen on {args.address}: {problem.strerror or problem}") from None
    former = signal.signal(signal.SIGTERM, _interrupt)
    subscriptions: list[tuple[str, str]] = []
    with observer:
        try:
            for kind, (subject, topics) in subjects.items():
                duration = args.duration or _LEASE
                subscriptions.append((kind, client.subscribe(kind, observer.url, duration, topics, subject)))
            print(f"subscribed; listening at {observer.url}", file=sys.stderr, flush=True)
            _print_events(client, arrived, subscriptions, args.duration)
        except KeyboardInterrupt:
            pass
        finally:
            signal.signal(signal.SIGTERM, former)
            _end(client, subscriptions)
    return 0


def _print_events(
    client: CentralClient,
    arrived: queue.Queue[Notification],
    subscriptions: list[tuple[str, str]],
    duration: int | None,
) -> None:
    """Print what arrives, until `duration` seconds are over; without it renew the subscriptions for ever."""
    terminal = Terminal(sys.stdout)
    is_new = new_events()
    due = time.monotonic() + (duration or _LEASE / 2)
    while True:
        try:
            notification = arrived.get(timeout=max(0.0, due - time.monotonic()))
        except queue.Empty:
            if duration is not None:
                return
            for kind, subscription in subscriptions:
                client.renew(kind, subscription, _LEASE)
            due = time.monotonic() + _LEASE / 2
            continue
        if is_new(notification):
            line = describe(notification)
            colour = _COLOURS.get(notification.topic)
            terminal.line(terminal.paint(line, colour) if colour else line)


def _end(client: CentralClient, subscriptions: list[tuple[str, str]]) -> None:
    """Unsubscribe; what cannot be ended now ends by itself."""
    for kind, subscription in subscriptions:
        try:
            client.unsubscribe(kind, subscription)
        except CentralProblem as problem:
            print(f"asperacentral: not unsubscribed: {problem}", file=sys.stderr)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _seconds(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return int(text)
