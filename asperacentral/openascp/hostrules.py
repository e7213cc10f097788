"""What the aspera.conf of this machine says of every session here, whichever end of it: shared caps, and UDP.

Both halves read it, each on its own machine. Most machines say nothing of it; then nothing is parsed.
"""

from __future__ import annotations

import contextlib
import grp
import logging
import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from asperacentral.config_files import CONFIG_FILES
from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.failures import SessionFailure
from asperacentral.openascp.managers import RUN_DIRECTORY, USUAL_RUN_DIRECTORY
from asperacentral.openascp.sharing import Pool

_CONCERNED = (b"<aggregate", b"<protocol_options")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HostRules:
    """Of one session. `udp` is allow, deny or require; `run_directory` is where sessions find each other."""

    pools: tuple[Pool, ...] = ()
    udp: str = "allow"
    run_directory: Path = USUAL_RUN_DIRECTORY


def of_session(environ: Mapping[str, str], *, incoming: bool, name: str = "") -> HostRules:
    """The rules for a session of user `name`, by default the account of this process. SessionFailure when the
    configuration cannot be used.

    `incoming` means that files come to this machine.
    """
    file = _concerned(environ)
    named = environ.get(RUN_DIRECTORY)
    if file is None:
        return HostRules(run_directory=Path(named or USUAL_RUN_DIRECTORY))
    from asperacentral import config  # a parser that most sessions do not need
    from asperacentral.openascp import policy_conf

    try:
        policy = policy_conf.load(file, environ)
        run_directory = named or config.load(file, environ).run_directory
    except config.ConfigError as error:
        raise SessionFailure(FaspCode.BAD_CONFIGURATION, str(error)) from error
    account, groups = account_and_groups()
    name = name or account.pw_name
    return HostRules(
        policy.pools(name, groups, incoming=incoming), policy.udp(name, groups), Path(run_directory)
    )


def account_and_groups() -> tuple[pwd.struct_passwd, list[str]]:
    """The account of this process, and the names of its groups."""
    groups = []
    for number in os.getgroups():
        with contextlib.suppress(KeyError):
            groups.append(grp.getgrgid(number).gr_name)
    return pwd.getpwuid(os.getuid()), groups


def _concerned(environ: Mapping[str, str]) -> Path | None:
    """The configuration file, if there is one with a word on what is read here."""
    named = environ.get("ASPERA_CONF")
    for file in (Path(named),) if named else CONFIG_FILES:
        try:
            text = file.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            log.warning(
                "%s cannot be read, so caps that sessions share do not hold: %s", file, error.strerror
            )
            return None
        return file if any(word in text for word in _CONCERNED) else None
    return None
