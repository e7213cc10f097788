"""How the names of a session are put together. Pure."""

from __future__ import annotations

import posixpath

_FOLDER_WORDS = (b"", b".", b"..")


def joined(folder: bytes, name: bytes) -> bytes:
    """A name in a folder; no name is the folder itself, and the working directory or the root add nothing."""
    if not name:
        return folder
    if folder in (b"", b"."):
        return name
    return folder + name if folder.endswith(b"/") else folder + b"/" + name


def own_name(source: bytes) -> bytes:
    """The name a source has at a destination that is a folder; empty when its contents are meant."""
    name = posixpath.basename(source.rstrip(b"/"))
    return b"" if name in _FOLDER_WORDS else name
