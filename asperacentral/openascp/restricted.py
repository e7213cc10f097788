"""Files with further walls: only beneath some of the root's paths, without changes, or without lists of folders.

Names stay those beneath the whole root. A link beneath one path must stay beneath that path, else a client that may
write there could make one and reach the rest of the root. The paths themselves are not followed when they are
links, for the same reason.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
from collections.abc import Iterator, Sequence

from asperacentral.openascp.confined import BadPathError, Files, Place
from asperacentral.openascp.names import beneath_root, is_within, parts_of

_CHANGES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def restricted(
    files: Files, *, paths: Sequence[bytes] | None, change: bool = True, list_folders: bool = True
) -> Files:
    """`files`, narrowed; closing it closes them. `paths` None leaves all of them, and they have to have a root.

    What is not beneath `paths` is BadPathError; what the other walls stop is PermissionError.
    """
    if paths is not None and files.root is None:
        raise ValueError("paths need a root")
    return _Restricted(files, paths, change, list_folders)


class _Restricted(Files):
    def __init__(self, files: Files, paths: Sequence[bytes] | None, change: bool, list_folders: bool) -> None:
        self.root = files.root
        self._files = files
        self._paths = None if paths is None else tuple(sorted(map(beneath_root, paths), key=len))
        self.changeable = change
        self._list = list_folders
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
        if flags & _CHANGES:
            self._may_change()
        files, name = self._where(path)
        if not self._is_permitted_itself(path):
            return files.open(name, flags, mode)
        descriptor = files.open(name, flags | os.O_NOFOLLOW, mode)
        if not flags & os.O_NOFOLLOW and stat.S_ISLNK(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise BadPathError("the permitted path itself is a link, which is not followed")
        return descriptor

    def resolve(self, path: bytes) -> bytes:
        files, name = self._where(path)
        above = path[: len(path) - len(name)]
        return path if self._is_permitted_itself(path) else (above + files.resolve(name)).rstrip(b"/")

    def check_link(self, text: bytes, path: bytes) -> None:
        files, name = self._where(path)
        files.check_link(text, name)

    def entries(self, path: bytes) -> list[tuple[bytes, os.stat_result]]:
        if not self._list:
            raise PermissionError(errno.EACCES, "this user may not list folders")
        return super().entries(path)

    def make_folders(self, path: bytes, mode: int = 0o777) -> None:
        """Those above a permitted path are made too: without them it could never be used."""
        self._may_change()
        permitted = self._permitted(path)
        if permitted:
            self._files.make_folders(permitted, mode)
        if path != permitted:
            super().make_folders(path, mode)

    @contextlib.contextmanager
    def _place(self, path: bytes) -> Iterator[Place]:
        self._may_change()
        files, name = self._where(path)
        with files._place(name) as place:
            yield place

    def _permitted(self, path: bytes) -> bytes:
        """The permitted path that `path` is or is beneath; the outermost, empty when all is permitted."""
        checked_path = b"/".join(parts_of(path))
        if self._paths is None:
            return b""
        for permitted in self._paths:
            if is_within(checked_path, permitted):
                return permitted
        raise BadPathError("the token does not permit this path")

    def _is_permitted_itself(self, path: bytes) -> bool:
        return path != b"" and path == self._permitted(path)

    def _where(self, path: bytes) -> tuple[Files, bytes]:
        """Files that hold `path`, and its name in them: the permitted path's own, but for that path itself."""
        permitted = self._permitted(path)
        if path == permitted or not permitted:
            return self._files, path
        with self._lock:
            if permitted not in self._below:
                self._below[permitted] = self._files.below(permitted)
        return self._below[permitted], path[len(permitted) + 1 :]
