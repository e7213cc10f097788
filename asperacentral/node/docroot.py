"""Names as a client writes them, and where they are on this machine: nothing outside the docroot has a name.

Pure but for looking at symbolic links. A client's name starts at the docroot whatever it looks like; `..` is
taken away before links are followed, and ends at the docroot. Every link on the way is followed here, and a
name that leaves the docroot is refused. What comes out holds no more links, so later use of it follows none.
Whoever can change the docroot by other means than this server is trusted not to swap folders meanwhile.
"""

from __future__ import annotations

import os
import posixpath
from pathlib import Path


class OutsideDocrootError(Exception):
    """The name leads out of the docroot, or cannot be a name."""


class Docroot:
    """One user's folder. Names are bytes, as on the wire."""

    def __init__(self, folder: Path) -> None:
        self._root = os.path.realpath(os.fsencode(folder))
        self._inside = self._root.rstrip(b"/") + b"/"

    def resolve(self, name: bytes) -> bytes:
        """The local path a client's name stands for, links followed to the end. It need not exist."""
        return self._checked(os.path.realpath(self._join(name)))

    def entry(self, name: bytes) -> bytes:
        """The local path of a name's entry in its folder: the link itself if it is one. Never the docroot."""
        joined = self._join(name)
        if joined == self._root:
            raise OutsideDocrootError("the document root itself cannot be changed")
        folder, last = posixpath.split(joined)
        return posixpath.join(self._checked(os.path.realpath(folder)), last)

    def shown(self, local: bytes) -> bytes:
        """The client's name of a local path."""
        return b"/" + self._checked(local)[len(self._inside) :]

    def link_text(self, target: bytes, entry: bytes) -> bytes:
        """What to write into the link `entry` (a local path) to make it point to the client's `target`.

        Always relative, so that the docroot can be moved. OutsideDocrootError if it would point outside.
        """
        self._refuse_nul(target)
        folder = posixpath.dirname(entry)
        if target.startswith(b"/"):
            return os.path.relpath(self.resolve(target), folder)
        self._checked(os.path.realpath(posixpath.join(folder, target)))
        return target

    def shown_link(self, text: bytes, entry: bytes) -> bytes:
        """What a client is told that the link `entry` (a local path) holds, given what it does hold."""
        end = self._checked(os.path.realpath(posixpath.join(posixpath.dirname(entry), text)))
        return self.shown(end) if text.startswith(b"/") else text

    def _join(self, name: bytes) -> bytes:
        self._refuse_nul(name)
        below = posixpath.normpath(b"/" + name).lstrip(b"/")
        return self._inside + below if below else self._root

    def _checked(self, local: bytes) -> bytes:
        if local != self._root and not local.startswith(self._inside):
            raise OutsideDocrootError("the name leads out of the document root")
        return local

    @staticmethod
    def _refuse_nul(name: bytes) -> None:
        if b"\0" in name:
            raise OutsideDocrootError("a name cannot hold a NUL character")
