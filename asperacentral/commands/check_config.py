"""`asperacentral check-config`: what a configuration file means to the daemon, without starting one."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from asperacentral import config
from asperacentral.commands.terminal import Terminal, table
from asperacentral.config import ConfigError, Settings
from asperacentral.config_table import NOT_IN_EFFECT, OPTIONS
from asperacentral.credentials.users import WebUsersError, users_for
from asperacentral.openascp import policy_conf
from asperacentral.openascp.policy_conf import ServerPolicy

HELP = "explain a configuration file: values, sources, what is unknown"

DESCRIPTION = """\
Read a configuration as the daemon would and show every option with the value in effect, where it is from
(FILE:LINE or default), whether it has an effect, the paths that follow, what was passed over as unknown, and what
the server half lets users do.
The exit status is 1, with one line that tells file, line and reason, when a daemon would not start with it.

Examples:
    asperacentral check-config                                  # the file that a daemon would read
    asperacentral check-config --config etc/aspera.conf && systemctl reload asperacentral
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        help="read FILE, not $ASPERA_CONF, /opt/aspera/etc/aspera.conf or /etc/asperacentral/aspera.conf",
    )


def run(args: argparse.Namespace) -> int:
    """0 when a daemon would take the file, 1 with one line if not."""
    try:
        settings = config.load(args.config, os.environ)
        policy = policy_conf.load(args.config, os.environ)
        users_for(settings.needs_web_users, settings.web_users_path)
    except (ConfigError, WebUsersError) as error:
        print(f"asperacentral: {error}", file=sys.stderr)
        return 1
    terminal = Terminal(sys.stdout)
    for line in explanation(settings, policy):
        terminal.line(line)
    return 0


def explanation(settings: Settings, policy: ServerPolicy) -> Iterator[str]:
    """The lines that tell everything about the settings, and what the server half lets users do."""
    yield f"file    {settings.file or 'none; these are the defaults'}"
    yield f"prefix  {settings.prefix}"
    rows = []
    for group, options in OPTIONS.items():
        for option in options:
            value = option.kind.show(getattr(settings, option.field))
            effect = "no effect in this version" if option.field in NOT_IN_EFFECT else "in effect"
            rows.append(
                (f"<{group}><{option.element}>", value or "-", settings.sources[option.field], effect)
            )
    yield ""
    yield from table(("OPTION", "VALUE", "SOURCE", "EFFECT"), rows)
    yield ""
    yield from table(("PATH", "WHERE"), _paths(settings))
    yield ""
    yield "What openascp --server lets users do; a user's own values count before a group's, and those before all's:"
    yield from table(("WHO", "ELEMENT", "VALUE", "SOURCE"), list(policy_conf.explained(policy)))
    yield ""
    yield from (*settings.warnings, *policy.warnings) or ("Nothing was passed over.",)


def _paths(settings: Settings) -> list[tuple[str, str]]:
    store = [("store", "in memory")]
    if settings.persistent_store:
        store = [
            ("store", str(settings.store_path)),
            ("key of the store's secrets", str(settings.secrets_key_path)),
        ]
    return [
        *store,
        ("known hosts", str(settings.known_hosts_path)),
        ("log, unless -L says otherwise", str(settings.log_directory / "asperacentral.log")),
        ("address of SOAP", str(settings.soap_address_file)),
        ("port of management", str(settings.management_port_file)),
    ]
