"""How the names of a session are put together. Pure."""

from __future__ import annotations

import posixpath

_FOLDER_WORDS = (b"", b".", b"..")


def joined(folder: bytes, name: bytes) -> bytes:
    """A name in a folder; no name is the folder itself, and the working directory or the root add nothing."""
    return before(folder) + name if name else folder


def before(folder: bytes) -> bytes:
    """What the names in a folder begin with."""
    if folder in (b"", b"."):
        return b""
    return folder if folder.endswith(b"/") else folder + b"/"


def parted(place: bytes) -> tuple[bytes, bytes]:
    """The folder that a place is in, and its name there: what `joined` has put together."""
    cut = place.rfind(b"/")
    return place[: max(cut, 0) or cut + 1], place[cut + 1 :]


def own_name(source: bytes) -> bytes:
    """The name a source has at a destination that is a folder; empty when its contents are meant."""
    name = posixpath.basename(source.rstrip(b"/"))
    return b"" if name in _FOLDER_WORDS else name
