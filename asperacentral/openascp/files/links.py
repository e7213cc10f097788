"""What becomes of symbolic links: ascp's --symbolic-links, as pure decisions.

`follow` moves what the link leads to under the link's name; `copy` makes the same link at the destination unless its
name is taken; `copy+force` replaces a file or link of that name, never a folder; `skip` leaves links out.
"""

from __future__ import annotations

from enum import Enum, auto

POLICIES = ("follow", "copy", "copy+force", "skip")


class Source(Enum):
    """What the scan does with a link."""

    FOLLOW = auto()
    COPY = auto()
    SKIP = auto()


class Target(Enum):
    """What is done where the link is to be made."""

    MAKE = auto()
    REPLACE = auto()
    LEAVE = auto()


_AT_SOURCE = {
    "follow": Source.FOLLOW,
    "copy": Source.COPY,
    "copy+force": Source.COPY,
    "skip": Source.SKIP,
}


def at_source(policy: str) -> Source:
    """Tell what the scan does with a link."""
    return _AT_SOURCE[policy]


def at_target(policy: str, *, exists: bool, folder: bool) -> Target:
    """Tell what is done at the destination; `exists` and `folder` are about the name there, not followed."""
    if not exists:
        return Target.MAKE
    if policy == "copy+force" and not folder:
        return Target.REPLACE
    return Target.LEAVE
