"""Where a client's half writes what another machine names: nothing goes through a link to beyond the destination.

A client works with its user's rights on the whole file system, and follows its user's links. Where links are copied,
though, the far side could send one that leads elsewhere, in this session or an earlier one, and then a file beneath
it. So then each destination is a root of its own for what lies beneath it: links that lead out of it are neither made
nor followed.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence

from asperacentral.openascp.confined import Files, Place


def landing(files: Files, destinations: Sequence[bytes]) -> Files:
    """`files`, which have no root, with walls around each of these folders; closing it closes them."""
    return _Landing(files, destinations)


class _Landing(Files):
    root = None

    def __init__(self, files: Files, destinations: Sequence[bytes]) -> None:
        self._files = files
        self._destinations = tuple(dict.fromkeys(destinations))
        self._below: dict[bytes, Files] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        for files in self._below.values():
            files.close()
        self._files.close()

    def below(self, path: bytes) -> Files:
        files, name = self._where(path)
        return files.below(name)

    def named(self, name: bytes) -> bytes:
        return self._files.named(name)

    def open(self, path: bytes, flags: int, mode: int = 0o666) -> int:
        files, name = self._where(path)
        return files.open(name, flags, mode)

    def resolve(self, path: bytes) -> bytes:
        return self._files.resolve(path)

    def check_link(self, text: bytes, path: bytes) -> None:
        files, name = self._where(path)
        files.check_link(text, name)

    @contextlib.contextmanager
    def _place(self, path: bytes) -> Iterator[Place]:
        files, name = self._where(path)
        with files._place(name) as place:
            yield place

    def _where(self, path: bytes) -> tuple[Files, bytes]:
        """Files that hold `path`, and its name in them: the destination's own for what is beneath one."""
        for destination in self._destinations:
            name = _beneath(path, destination)
            if name:
                with self._lock:
                    if destination not in self._below:
                        self._below[destination] = self._files.below(destination)
                return self._below[destination], name
        return self._files, path


def _beneath(path: bytes, folder: bytes) -> bytes:
    """The name of `path` in `folder`, as texts; empty when it is not beneath it. Empty and `.` are where we work."""
    if folder in (b"", b"."):
        return b"" if path.startswith(b"/") or path in (b"", b".") else path
    rest = path.removeprefix(folder.rstrip(b"/"))
    return rest.lstrip(b"/") if rest != path and rest.startswith(b"/") else b""
