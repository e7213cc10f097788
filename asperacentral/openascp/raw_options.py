"""Options that an order hands over as they are: whether the transfer process takes them beside those of the order.

The process's own parser judges. What says who the session is, what it moves, and whom it trusts stays as the order
and the configuration have it. Nothing is started here.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import replace
from pathlib import Path

from asperacentral.fasp.command_line import Extensions, arguments
from asperacentral.fasp.errors import LaunchError
from asperacentral.fasp.order import JobOrder
from asperacentral.openascp.options import Options, UsageError, parse

FIXED = (
    "mode",
    "host",
    "port",
    "user",
    "sources",
    "destination",
    "several",
    "placed",
    "token",
    "remote_program",
    "managers",
    "manager_port_file",
    "no_port_files",
    "keepalive",
    "part",
    "user_str",
    "session_id",
    "partial_tag",
    "known_hosts",
    "host_key_policy",
)
"""Fields of Options that no raw option may change."""

_ANYWHERE = Extensions(Path("port"), Path("known_hosts"))


def refusal(order: JobOrder) -> str | None:
    """Why the raw options of `order` cannot be taken, in one line; None when they can."""
    try:
        before, after = _parsed(replace(order, raw_options=())), _parsed(order)
    except (UsageError, LaunchError) as wrong:
        return str(wrong)
    except SystemExit:
        return "help and version are no options for an order"
    changed = [name for name in FIXED if getattr(before, name) != getattr(after, name)]
    if changed:
        return f"they would change the session's {', '.join(changed).replace('_', ' ')}"
    return None


def _parsed(order: JobOrder) -> Options:
    # The parser prints help and version before it leaves.
    with contextlib.redirect_stdout(io.StringIO()):
        return parse(arguments(order, 1, _ANYWHERE))
