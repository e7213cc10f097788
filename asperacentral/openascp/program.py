"""A client's session as a program: reads the command line, sets up logging and signals, runs one session.

The fork server imports all of it, asyncssh above all, before sessions are asked for (`warm_up`): a start costs a fork.
A program of its own imports while it waits: for TCP with what speaks SSH, for SSH with the session. One that has
managers begins with them, and with nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from asperacentral import interpreter, logs
from asperacentral.fasp import messages
from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.console import Console
from asperacentral.openascp.dialing import Dialing
from asperacentral.openascp.link import ManagementLink
from asperacentral.openascp.managers import ManagerUnreachableError
from asperacentral.openascp.options import Options, Secrets, UsageError, manager_of, parse, session_id_of

if TYPE_CHECKING:
    from asperacentral.openascp.session import Session

_LEVELS = (logging.INFO, logs.STEPS, logs.MESSAGES, logs.BODIES)
_LOG_SIZE = 10 << 20
_END_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SESSION = "asperacentral.openascp.session"
_OFTEN = 0.0005
"""Seconds a thread may run before others do, while one imports and another answers the far side."""


def main(argv: list[str] | None = None, dialing: Dialing | None = None) -> int:
    """Run one session with the arguments after the program's name; return the exit status, 0 or 1. `dialing` is the
    connection they will ask for, if somebody has foreseen that.
    """
    secrets = Secrets.take(os.environ)
    arguments = sys.argv[1:] if argv is None else argv
    try:
        options = parse(arguments)
        secrets = _complete(secrets, options)
        _set_up_logging(options)
    except UsageError as error:
        sys.stderr.write(f"openascp: {error}\n")
        asyncio.run(_refuse(arguments, error, secrets.management_key))
        return 1
    try:
        return asyncio.run(_run(options, secrets, dialing))
    except ManagerUnreachableError as missing:
        sys.stderr.write(
            f"required management connection to port localhost:{missing.port} failed\n"
            "failed to connect to management socket, exiting\n"
        )
        return 1


def warm_up() -> None:
    """Do what takes long only the first time: the fork server does it once for all sessions."""
    from asperacentral.openascp import session, warming  # noqa: F401 - the session is imported to be there

    warming.warm_up()


async def _run(options: Options, secrets: Secrets, dialing: Dialing | None) -> int:
    session = await _session(options, secrets, dialing)
    interpreter.begin()
    loop = asyncio.get_running_loop()
    for number in _END_SIGNALS:
        loop.add_signal_handler(number, session.cancel)
    try:
        return await session.run()
    finally:
        for number in _END_SIGNALS:  # a manager may send one when it has seen the end; that changes nothing
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)


async def _session(options: Options, secrets: Secrets, dialing: Dialing | None) -> Session:
    """A session, and its connection on the way to the host if nothing else has to come first."""
    console = Console(quiet=options.quiet)
    if _SESSION in sys.modules or options.managers:
        return _imported()(options, secrets, console)
    if dialing is None or not dialing.is_to(options.host, options.port, ipv6=options.ipv6):
        dialing = Dialing(options.host, options.port, ipv6=options.ipv6)
    from asperacentral.openascp import ahead, reaching

    opening = ahead.Opening(ahead.command(options.remote_program))
    task = asyncio.create_task(reaching.reach(options, secrets, opening, dialing))
    task.add_done_callback(lambda done: done.cancelled() or done.exception())  # it may be that nobody asks
    interval = sys.getswitchinterval()
    sys.setswitchinterval(_OFTEN)
    made = await asyncio.to_thread(_imported)
    sys.setswitchinterval(interval)
    return made(options, secrets, console, (task, opening))


def _imported() -> type[Session]:
    from asperacentral.openascp.session import Session

    return Session


def _complete(secrets: Secrets, options: Options) -> Secrets:
    """The secrets with those of the command line. UsageError when one is missing that an option needs."""
    if options.file_crypt and not secrets.file_passphrase:
        raise UsageError("--file-crypt needs a passphrase in ASPERA_SCP_FILEPASS")
    return replace(secrets, token=options.token or secrets.token)


async def _refuse(arguments: list[str], error: UsageError, key: str) -> None:
    """Tell the manager, if the command line names one, why there is no session."""
    manager, user_str = manager_of(arguments)
    if manager is None or len(user_str.splitlines()) > 1:
        return
    identity = messages.Identity(session_id_of(user_str), user_str)
    direction = messages.RECEIVING if "--mode=recv" in arguments else messages.SENDING
    link = ManagementLink(
        greeting=lambda _: [messages.init(identity, direction=direction)], command=lambda _: None, key=key
    )
    with contextlib.suppress(OSError):
        await link.dial(*manager)
        await link.finish(
            messages.error(
                identity,
                direction=direction,
                code=FaspCode.USAGE,
                description=str(error),
                progress=messages.Progress(),
                tally=messages.Tally(),
            )
        )


def _set_up_logging(options: Options) -> None:
    """Log to the terminal or a file in a folder, or only errors when no place is named. UsageError."""
    level = _LEVELS[min(options.debug, len(_LEVELS) - 1)]
    try:
        if options.log == "-" or (options.debug and not options.log):
            logs.configure(level, None)
        elif options.log:
            logs.configure(level, Path(options.log), name="openascp", size=options.log_size or _LOG_SIZE)
        else:
            logging.getLogger().handlers[:] = [logging.NullHandler()]
    except OSError as error:
        raise UsageError(f"the log cannot be written in {options.log}: {error.strerror}") from None
