"""Names as others write them, made safe to use beneath a root: pure text work, no file is looked at.

Two sorts of names come from outside. What a *person* writes (a source, a destination, a token's path) is taken as
a shell in a chroot would take it: it starts at the root whatever it looks like, and `..` ends there. What a
*program* sends (the entries of a transfer) has one form only, and anything else is an attack or a mistake. Both
may hold every byte but NUL: newlines, escapes and bytes that are not UTF-8 are parts of names.
"""

from __future__ import annotations

import errno

LONGEST = 4095
"""Bytes of a path that the kernel takes (PATH_MAX without its NUL)."""
LONGEST_PART = 255
"""Bytes of one part of a path (NAME_MAX of every usual file system)."""


class BadPathError(OSError):
    """The name leads outside the root, or cannot be a name: BAD_PATH of the FASP table. `strerror` is one line."""

    def __init__(self, reason: str) -> None:
        super().__init__(errno.EACCES, reason)


def beneath_root(name: bytes) -> bytes:
    """What a person's name stands for beneath the root: no leading `/`, no `.`, no `..`; empty = the root itself.

    BadPathError for a name that cannot be one.
    """
    _refuse_impossible(name)
    parts: list[bytes] = []
    for part in name.split(b"/"):
        if part == b"..":
            del parts[-1:]
        elif part not in (b"", b"."):
            parts.append(part)
    return b"/".join(parts)


def checked(name: bytes) -> bytes:
    """A program's name, unchanged: relative, at least one part, none of them empty, `.` or `..`.

    BadPathError for every other.
    """
    _refuse_impossible(name)
    for part in name.split(b"/"):
        if part == b"..":
            raise BadPathError("a name with .. in it is refused")
        if part in (b"", b"."):
            raise BadPathError("a name that is absolute, empty or has empty parts is refused")
    return name


def parts_of(path: bytes) -> list[bytes]:
    """The parts of a path beneath the root; none for the root itself. BadPathError as in `checked`."""
    return checked(path).split(b"/") if path else []


def is_within(path: bytes, folder: bytes) -> bool:
    """Whether `path` is `folder` or below it: by whole parts, so `a/bc` is not within `a/b`.

    Both as `beneath_root` returns them; everything is within the root.
    """
    return not folder or path == folder or path.startswith(folder + b"/")


def _refuse_impossible(name: bytes) -> None:
    if b"\0" in name:
        raise BadPathError("a name cannot hold a NUL character")
    if len(name) > LONGEST:
        raise BadPathError(f"a name longer than {LONGEST} bytes is refused")
    if len(name) > LONGEST_PART and any(len(part) > LONGEST_PART for part in name.split(b"/")):
        raise BadPathError(f"a name with a part longer than {LONGEST_PART} bytes is refused")
