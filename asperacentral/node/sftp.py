"""SFTP (version 3) within one user's docroot: each request's names are mapped, its rights checked, then done.

Knows no logins and no network. Requests are done one after the other, in the event loop: file calls go to the
page cache and are short, and no other request can change a folder between check and use.
"""

# Names are bytes, as on the wire, and pathlib takes text only.
# ruff: noqa: PTH101, PTH102, PTH104, PTH105, PTH106, PTH107, PTH115, PTH116, PTH211

from __future__ import annotations

import errno
import io
import logging
import os
import stat
from collections.abc import AsyncIterator, Callable
from functools import wraps
from typing import Any, NoReturn, TypeVar, cast

import asyncssh
from asyncssh import (
    FXF_APPEND,
    FXF_CREAT,
    FXF_EXCL,
    FXF_READ,
    FXF_TRUNC,
    FXF_WRITE,
    SFTPAttrs,
    SFTPName,
)

from asperacentral.node.docroot import Docroot, OutsideDocrootError
from asperacentral.node.users import User

log = logging.getLogger(__name__)

SFTP_VERSION = 3
"""What every client speaks; later versions open files by other means, which stay shut here."""

_LONGEST_READ = 4 * 1024 * 1024
"""Bytes one answer may hold; a client that asks for more gets these and asks again."""

_FARTHEST = (1 << 63) - 1
"""Where a file can end at most."""

_CHANGES = FXF_WRITE | FXF_APPEND | FXF_CREAT | FXF_TRUNC | FXF_EXCL
_SAFE_OPEN = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_PERMISSIONS = 0o777
"""Permission bits a client may set: none of set-user-id, set-group-id, sticky."""

_Method = TypeVar("_Method", bound=Callable[..., Any])


def _within_docroot(method: _Method) -> _Method:
    """Turn a name that leads outside into the client's "permission denied"."""

    @wraps(method)
    def guarded(*args: Any) -> Any:
        try:
            return method(*args)
        except OutsideDocrootError as refusal:
            raise asyncssh.SFTPPermissionDenied(str(refusal)) from None

    return cast(_Method, guarded)


class DocrootSFTPServer(asyncssh.SFTPServer):
    """What one SFTP channel of `user` may do."""

    def __init__(self, chan: asyncssh.SSHServerChannel[bytes], user: User) -> None:
        super().__init__(chan)
        self._user = user
        self._docroot = Docroot(user.docroot)

    # Names and rights

    @_within_docroot
    def map_path(self, path: bytes) -> bytes:
        """The local path, links followed. Whatever the base class does with a name goes through here."""
        return self._docroot.resolve(path)

    @_within_docroot
    def reverse_map_path(self, path: bytes) -> bytes:
        """The client's name of a local path."""
        return self._docroot.shown(path)

    @_within_docroot
    def _entry(self, path: bytes) -> bytes:
        return self._docroot.entry(path)

    def _must_read(self) -> None:
        if not self._user.read:
            raise asyncssh.SFTPPermissionDenied("this user may not read")

    def _must_write(self) -> None:
        if not self._user.write:
            raise asyncssh.SFTPPermissionDenied("this user may not write")

    # Open files

    def open(self, path: bytes, pflags: int, attrs: SFTPAttrs) -> io.FileIO:
        """Open a regular file; anything else (a folder, a pipe, a device) is refused."""
        writing = bool(pflags & (FXF_WRITE | FXF_APPEND))
        reading = bool(pflags & FXF_READ) or not writing
        if reading:
            self._must_read()
        if pflags & _CHANGES:
            self._must_write()
        flags = _SAFE_OPEN | (os.O_RDWR if reading and writing else os.O_WRONLY if writing else os.O_RDONLY)
        for bit, flag in _OPEN_FLAGS:
            if pflags & bit:
                flags |= flag
        permissions = 0o666 if attrs.permissions is None else attrs.permissions & _PERMISSIONS
        descriptor = os.open(self.map_path(path), flags, permissions)
        try:
            _refuse_special(os.fstat(descriptor).st_mode)
        except BaseException:
            os.close(descriptor)
            raise
        log.debug("%s opened %r", self._user.name, path)
        return io.FileIO(descriptor, "r+" if reading and writing else "w" if writing else "r")

    def open56(self, path: bytes, desired_access: int, flags: int, attrs: SFTPAttrs) -> NoReturn:
        """Refuse what only SFTP 5 and later ask for."""
        raise asyncssh.SFTPOpUnsupported("SFTP version 3 only")

    def close(self, file_obj: object) -> None:
        """Close an open file."""
        cast(io.FileIO, file_obj).close()

    def read(self, file_obj: object, offset: int, size: int) -> bytes:
        """Bytes from `offset`, `size` at most; none at the end of the file."""
        if offset > _FARTHEST:
            return b""
        return os.pread(cast(io.FileIO, file_obj).fileno(), min(size, _LONGEST_READ), offset)

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        """Write all of `data` at `offset`, or raise."""
        if offset + len(data) > _FARTHEST:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        descriptor = cast(io.FileIO, file_obj).fileno()
        written = os.pwrite(descriptor, data, offset)
        while written < len(data):
            written += os.pwrite(descriptor, data[written:], offset + written)
        return written

    def fsetstat(self, file_obj: object, attrs: SFTPAttrs) -> None:
        """Set size, permissions and times of an open file."""
        self._must_write()
        _set_attributes(cast(io.FileIO, file_obj).fileno(), attrs)

    def fsync(self, file_obj: object) -> None:
        """Have the file's data on disk."""
        os.fsync(cast(io.FileIO, file_obj).fileno())

    # Attributes by name

    def stat(self, path: bytes) -> os.stat_result:
        """Attributes of what the name leads to."""
        return os.stat(self.map_path(path))

    def lstat(self, path: bytes) -> os.stat_result:
        """Attributes of the entry itself, a link perhaps."""
        if path.strip(b"/.") == b"":
            return self.stat(path)
        return os.lstat(self._entry(path))

    def setstat(self, path: bytes, attrs: SFTPAttrs) -> None:
        """Set size, permissions and times of what the name leads to."""
        self._must_write()
        local = self.map_path(path)
        if attrs.size is not None:
            _refuse_special(os.stat(local).st_mode)
        _set_attributes(local, attrs)

    def lsetstat(self, path: bytes, attrs: SFTPAttrs) -> None:
        """Set the times of a link; of anything else, what `setstat` sets."""
        self._must_write()
        entry = self._entry(path)
        if not stat.S_ISLNK(os.lstat(entry).st_mode):
            self.setstat(path, attrs)
        elif attrs.size is not None or attrs.permissions is not None:
            raise asyncssh.SFTPOpUnsupported("a link has neither size nor permissions of its own")
        else:
            _set_attributes(entry, attrs, follow_symlinks=False)

    @_within_docroot
    def realpath(self, path: bytes) -> bytes:
        """The client's name of what the name leads to."""
        return self._docroot.shown(self._docroot.resolve(path))

    # Folders and entries

    def scandir(self, path: bytes) -> AsyncIterator[SFTPName]:
        """The entries of a folder; what vanishes while it is read is left out."""
        self._must_read()
        local = self.map_path(path)
        if not stat.S_ISDIR(os.stat(local).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        return _entries(local)

    def format_user(self, uid: int | None) -> str:
        """Shown in long listings: the login, not an account of this machine."""
        return self._user.name

    def format_group(self, gid: int | None) -> str:
        """Shown in long listings."""
        return self._user.name

    def mkdir(self, path: bytes, attrs: SFTPAttrs) -> None:
        """Make a folder."""
        self._must_write()
        permissions = 0o777 if attrs.permissions is None else attrs.permissions & _PERMISSIONS
        os.mkdir(self._entry(path), permissions)

    def rmdir(self, path: bytes) -> None:
        """Remove an empty folder."""
        self._must_write()
        os.rmdir(self._entry(path))

    def remove(self, path: bytes) -> None:
        """Remove a file, or a link itself."""
        self._must_write()
        os.remove(self._entry(path))
        log.debug("%s removed %r", self._user.name, path)

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Give an entry another name that is still free."""
        self._must_write()
        old, new = self._entry(oldpath), self._entry(newpath)
        if os.path.lexists(new):
            raise asyncssh.SFTPFileAlreadyExists("the new name exists already")
        os.rename(old, new)
        log.debug("%s renamed %r to %r", self._user.name, oldpath, newpath)

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Give an entry another name, replacing in one step what has that name."""
        self._must_write()
        os.replace(self._entry(oldpath), self._entry(newpath))
        log.debug("%s renamed %r to %r", self._user.name, oldpath, newpath)

    # Links

    @_within_docroot
    def readlink(self, path: bytes) -> bytes:
        """Where a link points, in the client's terms."""
        self._must_read()
        entry = self._docroot.entry(path)
        return self._docroot.shown_link(os.readlink(entry), entry)

    @_within_docroot
    def symlink(self, oldpath: bytes, newpath: bytes) -> None:
        """Make the link `newpath` to `oldpath`, unless that would point outside."""
        self._must_write()
        entry = self._docroot.entry(newpath)
        os.symlink(self._docroot.link_text(oldpath, entry), entry)

    def link(self, oldpath: bytes, newpath: bytes) -> None:
        """Give a regular file a second name."""
        self._must_write()
        old = self.map_path(oldpath)
        _refuse_special(os.stat(old).st_mode)
        os.link(old, self._entry(newpath))


_OPEN_FLAGS = (
    (FXF_APPEND, os.O_APPEND),
    (FXF_CREAT, os.O_CREAT),
    (FXF_TRUNC, os.O_TRUNC),
    (FXF_EXCL, os.O_EXCL),
)


def _refuse_special(mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise asyncssh.SFTPFailure("this is a folder")
    if not stat.S_ISREG(mode):
        raise asyncssh.SFTPPermissionDenied("only regular files can be opened here")


async def _entries(local: bytes) -> AsyncIterator[SFTPName]:
    with os.scandir(local) as found:
        for entry in found:
            try:
                attributes = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            yield SFTPName(entry.name, attrs=SFTPAttrs.from_local(attributes))


def _set_attributes(target: int | bytes, attrs: SFTPAttrs, *, follow_symlinks: bool = True) -> None:
    """Size, permissions and times. The owner stays who runs this server."""
    if attrs.uid is not None or attrs.gid is not None:
        raise asyncssh.SFTPPermissionDenied("owner and group cannot be changed here")
    if attrs.size is not None:
        os.truncate(target, min(attrs.size, _FARTHEST))
    if attrs.permissions is not None:
        os.chmod(target, attrs.permissions & _PERMISSIONS)
    if attrs.atime is not None and attrs.mtime is not None:
        os.utime(target, (attrs.atime, attrs.mtime), follow_symlinks=follow_symlinks)
