"""Reading aspera.conf again while the daemon runs: what changed in it, and what of that can change without a restart.

Values that came from the command line stay. This module tells; who uses the settings applies them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from asperacentral import config
from asperacentral.config import COMMAND_LINE, Settings
from asperacentral.config_table import OPTIONS

AT_ONCE = frozenset(
    {
        "log_level",
        "observer_allow",
        "persistent_store_max_age",
        "files_per_session",
        "file_errors",
        "ignore_empty_files",
        "ignore_skipped_files",
        "ignore_no_transfer_files",
        "post_transfer_validation",
        "validation_timeout",
    }
)
"""Fields of Settings that a running daemon takes anew."""


@dataclass(frozen=True, slots=True)
class Reread:
    """The settings as they are to be in effect now, and what differs, as elements such as `<logging><level>`."""

    settings: Settings
    at_once: tuple[str, ...]
    at_restart: tuple[str, ...]


def reread(current: Settings) -> Reread:
    """Read again the file that `current` is from; without one nothing changes. Raises ConfigError."""
    if current.file is None:
        return Reread(current, (), ())
    fresh = config.load(current.file, {})
    values: dict[str, Any] = {"warnings": fresh.warnings}
    sources = dict(current.sources)
    at_once: list[str] = []
    at_restart: list[str] = []
    for group, options in OPTIONS.items():
        for option in options:
            field = option.field
            if sources[field] == COMMAND_LINE:
                continue
            changed = getattr(fresh, field) != getattr(current, field)
            if field in AT_ONCE:
                values[field] = getattr(fresh, field)
                sources[field] = fresh.sources[field]
            if changed:
                names = at_once if field in AT_ONCE else at_restart
                names.append(f"<{group}><{option.element}>")
    return Reread(replace(current, sources=sources, **values), tuple(at_once), tuple(at_restart))
