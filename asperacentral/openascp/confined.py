"""Files beneath a root: the only way in which a half of a transfer reaches files.

A path is bytes, relative to the root, as `names.beneath_root` (what a person wrote) or `names.checked` (what a
program sent) return it; empty means the root itself. Links that stay inside work, links that lead outside are
BadPathError, and so is any other way out; who changes folders meanwhile gains nothing (see `beneath`). All other
errors are those of the operating system. Every method may be used from several threads.

    with confined(b"/srv/alice") as files:
        descriptor = files.open_file(b"in/report.txt", os.O_RDONLY)

`confined(None)` is the whole file system, for a half that runs with its own user's rights: paths are as the kernel
takes them, relative ones start at the working directory.
"""

# Paths are bytes here, which pathlib does not take.
# ruff: noqa: PTH101, PTH116, PTH120

from __future__ import annotations

import contextlib
import errno
import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator
from types import TracebackType

from asperacentral.openascp.beneath import Root
from asperacentral.openascp.folder import Folder, rename_at
from asperacentral.openascp.names import BadPathError, beneath_root, parts_of

__all__ = ["BadPathError", "Files", "confined"]

_ENTRY = os.O_PATH | os.O_NOFOLLOW
_FOLDER = os.O_PATH | os.O_DIRECTORY
_SAFE = os.O_NONBLOCK | os.O_NOCTTY
"""So that opening a pipe does not wait, nor a terminal become ours, before they are refused."""

Place = tuple[int | None, bytes]
"""A folder's descriptor (None = the working directory) and a name in it."""


def confined(root: bytes | None, *, use_openat2: bool = True) -> Files:
    """Files beneath `root`, an existing folder; None = the whole file system. OSError when there is no such folder.

    Without `use_openat2` all ways are walked part by part, as on kernels that have no openat2.
    """
    return _WholeFileSystem() if root is None else _Beneath(Root.of(root, use_openat2=use_openat2))


class Files(ABC):
    """Files beneath a root; close it, or use it as a context manager."""

    root: bytes | None
    """The root's absolute name, without links; None for the whole file system."""
    changeable = True
    """Whether anything may be made, written, renamed or removed; else that is PermissionError."""

    def __enter__(self) -> Files:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Let go of the root; nothing may be asked any more."""

    @abstractmethod
    def below(self, path: bytes) -> Files:
        """The folder `path`, which must not be a link itself, as a root of its own."""

    @abstractmethod
    def named(self, name: bytes) -> bytes:
        """The path that a name means as a person wrote it: from the root on, wherever it seems to lead."""

    @abstractmethod
    def open(self, path: bytes, flags: int, mode: int = 0o666) -> int:
        """A descriptor, as os.open gives it, closed on exec; links are followed but with O_NOFOLLOW."""

    @abstractmethod
    def resolve(self, path: bytes) -> bytes:
        """The path without links of what `path` leads to; its last parts need not exist."""

    @abstractmethod
    def _place(self, path: bytes) -> contextlib.AbstractContextManager[Place]:
        """Where the entry `path`, to be changed, is: links on the way are followed, the entry itself is not."""

    @abstractmethod
    def check_link(self, text: bytes, path: bytes) -> None:
        """BadPathError when a link `path` that holds `text` would lead outside."""

    def _may_change(self) -> None:
        if not self.changeable:
            raise PermissionError(errno.EACCES, "this user may not change anything")

    # Files

    def open_file(self, path: bytes, flags: int, mode: int = 0o666) -> int:
        """As `open`, for regular files only: IsADirectoryError for a folder, PermissionError for what is special."""
        descriptor = self.open(path, flags | _SAFE, mode)
        try:
            kind = os.fstat(descriptor).st_mode
            if stat.S_ISDIR(kind):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if not stat.S_ISREG(kind):
                raise PermissionError(errno.EACCES, "not a regular file")
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def remove(self, path: bytes) -> None:
        """Remove a file, or a link itself."""
        with self._place(path) as (folder, name):
            os.unlink(name, dir_fd=folder)

    def rename(self, path: bytes, target: bytes, *, replace: bool = True) -> None:
        """Give an entry another name; without `replace` FileExistsError when that is taken, in one step."""
        with self._place(path) as (folder, name), self._place(target) as (target_folder, target_name):
            rename_at(folder, name, target_folder, target_name, replace=replace)

    def link(self, path: bytes, target: bytes) -> None:
        """Give a file (a link: the link itself) the second name `target`."""
        with self._place(path) as (folder, name), self._place(target) as (target_folder, target_name):
            os.link(name, target_name, src_dir_fd=folder, dst_dir_fd=target_folder, follow_symlinks=False)

    # Attributes

    def stat(self, path: bytes, *, follow: bool = True) -> os.stat_result:
        """Attributes of what `path` leads to; without `follow` those of the entry, a link perhaps."""
        descriptor = self.open(path, os.O_PATH if follow else _ENTRY)
        try:
            return os.fstat(descriptor)
        finally:
            os.close(descriptor)

    def exists(self, path: bytes) -> bool:
        """Whether there is an entry `path`, a link that leads nowhere perhaps."""
        try:
            self.stat(path, follow=False)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    @contextlib.contextmanager
    def pinned(self, path: bytes, *, follow: bool = True, change: bool = False) -> Iterator[bytes]:
        """A name that means this very file while it is held, however folders change: for what needs a name.

        Without `follow` the entry itself, to be used with `follow_symlinks=True` all the same: this name is never
        the link. Extended attributes of a link itself cannot be reached by it. Say `change` to change something.
        """
        if change:
            self._may_change()
        descriptor = self.open(path, os.O_PATH if follow else _ENTRY)
        try:
            yield b"/proc/self/fd/%d" % descriptor
        finally:
            os.close(descriptor)

    def set_mode(self, path: bytes, mode: int) -> None:
        """Permission bits of what `path` leads to."""
        with self.pinned(path, change=True) as name:
            os.chmod(name, mode)

    def set_times(self, path: bytes, accessed: int, modified: int, *, follow: bool = True) -> None:
        """Times in nanoseconds since the epoch."""
        if follow:
            with self.pinned(path, change=True) as name:
                os.utime(name, ns=(accessed, modified))
            return
        with self._place(path) as (folder, name):
            os.utime(name, ns=(accessed, modified), dir_fd=folder, follow_symlinks=False)

    def set_owner(self, path: bytes, user: int, group: int, *, follow: bool = True) -> None:
        """Numbers of user and group; -1 leaves one as it is."""
        if follow:
            with self.pinned(path, change=True) as name:
                os.chown(name, user, group)
            return
        with self._place(path) as (folder, name):
            os.chown(name, user, group, dir_fd=folder, follow_symlinks=False)

    # Folders

    def folder(self, path: bytes, *, change: bool = False) -> Folder:
        """A folder held open for many files in it, to be closed; say `change` to change something in it."""
        if change:
            self._may_change()
        return Folder(self.open(path, _FOLDER))

    def entries(self, path: bytes) -> list[tuple[bytes, os.stat_result]]:
        """Names in a folder and their own attributes (links not followed), sorted; what vanishes is left out."""
        descriptor = self.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            found = []
            with os.scandir(descriptor) as listing:
                for entry in listing:
                    with contextlib.suppress(FileNotFoundError):
                        found.append((os.fsencode(entry.name), entry.stat(follow_symlinks=False)))
            return sorted(found, key=lambda pair: pair[0])
        finally:
            os.close(descriptor)

    def make_folder(self, path: bytes, mode: int = 0o777) -> None:
        """Make one folder. FileExistsError when the name is taken."""
        with self._place(path) as (folder, name):
            os.mkdir(name, mode, dir_fd=folder)

    def make_folders(self, path: bytes, mode: int = 0o777) -> None:
        """Make a folder and those above it, as far as they are missing; a file in the way is NotADirectoryError."""
        try:
            if not stat.S_ISDIR(self.stat(path).st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            return
        except FileNotFoundError:
            pass
        above = os.path.dirname(path)
        if above != path:
            self.make_folders(above, mode)
        with contextlib.suppress(FileExistsError):
            self.make_folder(path, mode)

    def remove_folder(self, path: bytes) -> None:
        """Remove an empty folder."""
        with self._place(path) as (folder, name):
            os.rmdir(name, dir_fd=folder)

    # Links

    def read_link(self, path: bytes) -> bytes:
        """The text of a link, as it is: it may lead outside, to where nothing will follow it."""
        descriptor = self.open(path, _ENTRY)
        try:
            if not stat.S_ISLNK(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, "not a link")
            return os.readlink(b"", dir_fd=descriptor)
        finally:
            os.close(descriptor)

    def make_link(self, text: bytes, path: bytes) -> None:
        """Make the link `path` that holds `text`. BadPathError when it would lead outside."""
        self.check_link(text, path)
        with self._place(path) as (folder, name):
            os.symlink(text, name, dir_fd=folder)


class _Beneath(Files):
    def __init__(self, root: Root) -> None:
        self._root = root
        self.root = root.texts[0]

    def close(self) -> None:
        os.close(self._root.descriptor)

    def below(self, path: bytes) -> Files:
        return _Beneath(self._root.below(path))

    def named(self, name: bytes) -> bytes:
        return beneath_root(name)

    def open(self, path: bytes, flags: int, mode: int = 0o666) -> int:
        return self._root.open(path, flags, mode)

    def resolve(self, path: bytes) -> bytes:
        return self._root.resolve(path)

    def check_link(self, text: bytes, path: bytes) -> None:
        self._root.check_link(text, path)

    @contextlib.contextmanager
    def _place(self, path: bytes) -> Iterator[Place]:
        if not path:
            raise BadPathError("the root itself cannot be changed")
        *above, name = parts_of(path)
        folder = self._root.open(b"/".join(above), _FOLDER)
        try:
            yield folder, name
        finally:
            os.close(folder)


class _WholeFileSystem(Files):
    root = None

    def close(self) -> None:
        pass

    def below(self, path: bytes) -> Files:
        return _Beneath(Root.of(_possible(path)))

    def named(self, name: bytes) -> bytes:
        return _possible(name)

    def open(self, path: bytes, flags: int, mode: int = 0o666) -> int:
        return os.open(_possible(path), flags | os.O_CLOEXEC, mode)

    def stat(self, path: bytes, *, follow: bool = True) -> os.stat_result:
        return os.stat(_possible(path), follow_symlinks=follow)

    def resolve(self, path: bytes) -> bytes:
        return os.path.realpath(_possible(path))

    def check_link(self, text: bytes, path: bytes) -> None:
        _possible(text)

    @contextlib.contextmanager
    def _place(self, path: bytes) -> Iterator[Place]:
        yield None, _possible(path)


def _possible(path: bytes) -> bytes:
    """The empty path is the working directory, as the root is elsewhere."""
    beneath_root(path)
    return path or b"."
