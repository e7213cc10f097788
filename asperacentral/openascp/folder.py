"""One folder held open, for many files in it: nobody walks there again, nor can it become another one meanwhile.

Names are single parts, and links are never followed: a name that is one is an OSError of the system's.
"""

from __future__ import annotations

import errno
import os

from asperacentral.openascp import kernel

_NEVER_WAIT = os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | _NEVER_WAIT
_OLD = os.O_RDONLY | _NEVER_WAIT


class Folder:
    """Owns `descriptor`; close it."""

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def close(self) -> None:
        """Let go of it; nothing may be asked any more."""
        os.close(self._descriptor)

    def open(self, name: bytes) -> int:
        """A descriptor to read what has this name; it may be special, but opening it does not wait. OSError."""
        return os.open(_part(name), _OLD, dir_fd=self._descriptor)

    def create(self, name: bytes, mode: int = 0o666) -> int:
        """A descriptor of a new file. FileExistsError when there is anything of that name."""
        return os.open(_part(name), _NEW, mode, dir_fd=self._descriptor)

    def is_still(self, name: bytes, descriptor: int) -> bool:
        """Whether the name means this open file. OSError."""
        try:
            named = os.stat(_part(name), dir_fd=self._descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return os.path.samestat(named, os.fstat(descriptor))

    def rename(self, name: bytes, target: bytes, *, replace: bool = True) -> None:
        """Give an entry another name; without `replace` FileExistsError when that is taken, in one step."""
        rename_at(self._descriptor, _part(name), self._descriptor, _part(target), replace=replace)

    def remove(self, name: bytes) -> None:
        """Remove a file, or a link itself."""
        os.unlink(_part(name), dir_fd=self._descriptor)


def rename_at(
    folder: int | None, name: bytes, target_folder: int | None, target: bytes, *, replace: bool
) -> None:
    """Give an entry another name, in folders by their descriptors (None: where we work).

    On a file system that cannot rename without replacing, a file is linked and unlinked instead.
    """
    if replace:
        os.replace(name, target, src_dir_fd=folder, dst_dir_fd=target_folder)
    elif not kernel.rename_without_replacing(folder, name, target_folder, target):
        os.link(name, target, src_dir_fd=folder, dst_dir_fd=target_folder, follow_symlinks=False)
        os.unlink(name, dir_fd=folder)


def _part(name: bytes) -> bytes:
    if b"/" in name or b"\0" in name or name in (b"", b".", b".."):
        raise OSError(errno.EINVAL, "not the name of a file in a folder")
    return name
