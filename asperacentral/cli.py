"""The command line: the daemon's options, and the commands that talk to a daemon.

Imports are late: help and version must be there at once, and the reactor may only be imported after the daemon
has gone to the background. This module knows no rules; what a command does is in `asperacentral.commands`.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asperacentral import __version__, logs

if TYPE_CHECKING:
    from asperacentral.config import Settings
    from asperacentral.daemonize import Ready

COMMANDS = {
    "demo": "show a whole transfer on this machine, with a fault on the way",
    "submit": "submit an order to a daemon",
    "jobs": "list the jobs of a daemon",
    "watch": "show how a job gets on",
    "pause": "let a job or session move nothing for now",
    "resume": "let a paused job or session go on",
    "cancel": "end a job or session for good",
    "rate": "change the rate or policy of a running session",
    "subscribe": "print the events of jobs or sessions as they come",
    "check-config": "explain a configuration file: values, sources, what is unknown",
    "deadletters": "list, replay or drop notifications that were given up",
    "token": "make a token that permits a transfer with this server",
    "shell": "push and pull by hand from a prompt, several transfers at once, without a daemon",
    "gateway": "serve files to browsers over HTTP, without a plug-in",
    "node": "serve files over SSH to transfers, without an sshd",
    "desktop": "run the local transfer client: web pages send and receive files through it",
}
"""Each is `asperacentral.commands.NAME`, with _ for -; the line stands in the program's help without importing it."""

_LEVELS = {1: logs.STEPS, 2: logs.MESSAGES, 3: logs.BODIES}

log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status: 0 well, 1 failed (one line on stderr), 2 wrong usage (by exit)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        if arguments and arguments[0] in COMMANDS:
            return _command(arguments[0], arguments[1:])
        return _daemon(arguments)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nobody reads; spare Python's complaint at exit
        return 1


def _command(name: str, arguments: Sequence[str]) -> int:
    from importlib import import_module

    command = import_module(f"asperacentral.commands.{name.replace('-', '_')}")
    parser = argparse.ArgumentParser(
        prog=f"asperacentral {name}",
        description=command.DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.add_arguments(parser)
    status: int = command.run(parser.parse_args(arguments))
    return status


def _daemon_parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name:{width}}  {text}" for name, text in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="asperacentral",
        usage="%(prog)s [--no-daemon] [-D|-DD|-DDD] [-L DIR | -L-] [--config FILE] [--pid-file FILE]\n"
        "       %(prog)s COMMAND ...",
        description="Take orders over SOAP, move files over SSH, tell observers about it.\n"
        "Without a command this is the daemon: it goes to the background once it listens.",
        epilog=f"commands, each with its own --help:\n{commands}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--no-daemon", action="store_true", help="stay in the foreground")
    parser.add_argument(
        "-D",
        dest="debug",
        action="count",
        default=0,
        help="log more: -D steps, -DD messages, -DDD whole SOAP bodies and management frames",
    )
    parser.add_argument("-L", dest="log", metavar="DIR", help="log in DIR; `-L-` logs on standard error")
    parser.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        help="read FILE, not $ASPERA_CONF, /opt/aspera/etc/aspera.conf or /etc/asperacentral/aspera.conf",
    )
    parser.add_argument("--pid-file", metavar="FILE", type=Path, help="write the process id to FILE")
    parser.add_argument("--version", action="version", version=f"asperacentral {__version__}")
    parser.add_argument("command", nargs="?", help=argparse.SUPPRESS)
    return parser


def _daemon(arguments: Sequence[str]) -> int:
    parser = _daemon_parser()
    args = parser.parse_args(arguments)
    if args.command in COMMANDS:
        parser.error(f"the command must come first: asperacentral {args.command} ...")
    if args.command is not None:
        parser.error(f"unknown command {args.command!r}; there are: {', '.join(COMMANDS)}")
    if args.debug > max(_LEVELS):
        parser.error("-DDD is the most there is to log")
    if args.log == "":
        parser.error("-L needs a directory, or - for standard error")

    from asperacentral import config, daemonize

    try:
        settings = _with_options(config.load(args.config, os.environ), args)
    except config.ConfigError as error:
        sys.stderr.write(f"asperacentral: {error}\n")
        return 1
    pid_file = (args.pid_file or settings.pid_file).absolute()
    to_stderr = args.log == "-"

    def work(ready: Ready) -> int:
        return _serve(settings, pid_file, None if to_stderr else settings.log_directory, ready)

    if args.no_daemon:
        return daemonize.in_foreground(work)
    return daemonize.in_background(work, keep_stderr=to_stderr)


def _with_options(settings: Settings, args: argparse.Namespace) -> Settings:
    """The settings of the file as the command line overrides them; paths are absolute, a daemon works in `/`."""
    from dataclasses import replace

    from asperacentral.config import COMMAND_LINE

    given: dict[str, Any] = {}
    if args.debug:
        given["log_level"] = _LEVELS[args.debug]
    if args.log not in (None, "-"):
        given["logging_directory"] = str(Path(args.log).absolute())
    sources = {**settings.sources, **dict.fromkeys(given, COMMAND_LINE)}
    return replace(settings, sources=sources, **given)


def _serve(settings: Settings, pid_file: Path, log_directory: Path | None, ready: Ready) -> int:
    """What the daemon's process does, from its log and pid file to its end."""
    from asperacentral.daemonize import PidFile, StartError

    try:
        logs.configure(settings.log_level, log_directory, size=settings.log_size, count=settings.log_count)
    except OSError as error:
        raise StartError(f"cannot write a log in {log_directory}: {error.strerror}") from None
    log.info("asperacentral %s starts, configured by %s", __version__, settings.file or "its defaults")
    for warning in settings.warnings:
        log.warning("%s", warning)
    logs.capture_twisted()
    if settings.file is not None:  # what the daemon starts reads the same file
        os.environ["ASPERA_CONF"] = str(settings.file)
    try:
        with PidFile(pid_file):
            gc.disable()  # What is imported stays: looking for garbage in it takes a fifth of the start.
            from asperacentral.daemon import run_daemon

            gc.freeze()
            gc.enable()
            status: int = run_daemon(settings, ready=ready)
    except StartError as error:
        log.error("cannot start: %s", error)
        raise
    except Exception:
        log.exception("ended by an internal error")
        raise
    log.info("asperacentral has ended with status %d", status)
    return status
