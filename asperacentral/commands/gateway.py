"""`asperacentral gateway`: run the HTTP Gateway. Options, log and start only; the gateway is in `gateway/`."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from asperacentral import __version__, config, daemonize, logs

if TYPE_CHECKING:
    from asperacentral.config import Settings
    from asperacentral.daemonize import Ready

HELP = "serve files to browsers over HTTP"

DESCRIPTION = """\
Run the HTTP Gateway: uploads and downloads for pages that use Aspera's JavaScript library, without a plug-in. It
goes to the background once it listens. Its settings are <http_gateway> in aspera.conf (asperacentral check-config
explains them); users are those of aspera.conf, with tokens, or of a users file as asperacentral node has it. Central is
told of each transfer by the port file that the daemon leaves.

Examples:
    asperacentral gateway
    asperacentral gateway --no-daemon -L- --config etc/aspera.conf
    asperacentral gateway --no-daemon -L- --users users.toml --docroot /srv/packages --port 8443
"""

_LEVELS = {1: logs.STEPS, 2: logs.MESSAGES, 3: logs.BODIES}

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--no-daemon", action="store_true", help="stay in the foreground")
    parser.add_argument("-D", dest="debug", action="count", default=0, help="log more; may be repeated")
    parser.add_argument("-L", dest="log", metavar="DIR", help="log in DIR; `-L-` logs on standard error")
    parser.add_argument("--config", metavar="FILE", type=Path, help="read FILE, as the daemon would")
    parser.add_argument("--pid-file", metavar="FILE", type=Path, help="write the process id to FILE")
    parser.add_argument("--address", help="listen here, whatever the configuration says")
    parser.add_argument("--port", type=_port, help="TCP port; 0 = any free one")
    parser.add_argument("--users", metavar="FILE", type=Path, help="who may transfer (TOML)")
    parser.add_argument("--docroot", metavar="DIR", type=Path, help="where users' folders are")


def run(args: argparse.Namespace) -> int:
    """0 when it runs in the background, or has run; 1 with one line if it cannot start."""
    try:
        settings = _with_options(config.load(args.config, os.environ), args)
    except config.ConfigError as error:
        print(f"asperacentral gateway: {error}", file=sys.stderr)
        return 1
    pid_file = (args.pid_file or settings.gateway_pid_file).absolute()
    directory = Path(args.log).absolute() if args.log and args.log != "-" else settings.gateway_log_directory
    to_stderr = args.log == "-"

    def work(ready: Ready) -> int:
        return _serve(settings, pid_file, None if to_stderr else directory, ready)

    if args.no_daemon:
        return daemonize.in_foreground(work)
    return daemonize.in_background(work, keep_stderr=to_stderr)


def _serve(settings: Settings, pid_file: Path, directory: Path | None, ready: Ready) -> int:
    try:
        logs.configure(
            settings.log_level,
            directory,
            size=settings.log_size,
            count=settings.log_count,
            name="httpgateway",
        )
    except OSError as error:
        raise daemonize.StartError(f"cannot write a log in {directory}: {error.strerror}") from None
    log.info(
        "asperacentral gateway %s starts, configured by %s", __version__, settings.file or "its defaults"
    )
    logs.capture_twisted()
    with daemonize.PidFile(pid_file):
        from asperacentral.gateway.service import run_gateway

        try:
            return run_gateway(settings, ready=ready)
        except daemonize.StartError as error:
            log.error("cannot start: %s", error)
            raise


def _with_options(settings: Settings, args: argparse.Namespace) -> Settings:
    given: dict[str, object] = {}
    if args.debug:
        given["log_level"] = _LEVELS[min(args.debug, 3)]
    if args.address is not None:
        given["gateway_address"] = args.address
    if args.port is not None:
        given["gateway_port"] = args.port
    for name in ("users", "docroot"):
        if getattr(args, name) is not None:
            given[f"gateway_{name}"] = str(getattr(args, name).absolute())
    return replace(settings, **given)  # type: ignore[arg-type]


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError("a port is 0 to 65535")
    return port
