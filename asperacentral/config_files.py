"""Where aspera.conf and what belongs to it are: for programs that start often, most of which find none to read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

CONFIG_FILES = (Path("/opt/aspera/etc/aspera.conf"), Path("/etc/asperacentral/aspera.conf"))
"""Looked for in this order where $ASPERA_CONF names none."""

RUN_FOLDER = "var/run/aspera"
"""Below the prefix: port files."""


def configured(environ: Mapping[str, str]) -> bool:
    """Whether there is a file, or one is named that should be there; it may be one that cannot be read."""
    if environ.get("ASPERA_CONF"):
        return True
    for file in CONFIG_FILES:
        try:
            file.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            pass
        return True
    return False


def user_prefix(environ: Mapping[str, str]) -> Path:
    """The base of all derived paths where there is no file."""
    state = Path(environ.get("XDG_STATE_HOME", ""))
    if state.is_absolute():
        return state / "asperacentral"
    home = Path(environ.get("HOME", ""))
    if not home.is_absolute():
        home = Path("~").expanduser()
    return home / ".local/state/asperacentral"
