"""What becomes of symbolic links: ascp's --symbolic-links, as pure decisions.

`follow` moves what the link leads to under the link's name; `copy` makes the same link at the destination unless its
name is taken; `copy+force` replaces a file or link of that name, never a folder; `skip` leaves links out. A link that
comes from another machine must not lead out of the destination: what is received later could be written through it.
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


def stays_inside(text: bytes, path: bytes) -> bool:
    """Tell whether a link at `path`, relative to the destination's root, leads to a place below that root.

    `..` may stand at the beginning only: after a name that is itself a link it would lead anywhere.
    """
    parts = [part for part in text.split(b"/") if part not in (b"", b".")]
    ups = 0
    while ups < len(parts) and parts[ups] == b"..":
        ups += 1
    above = [part for part in path.split(b"/") if part not in (b"", b".")][:-1]
    return not text.startswith(b"/") and b".." not in parts[ups:] and ups <= len(above)
