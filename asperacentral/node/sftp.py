"""SFTP (version 3) within one user's docroot: each request's rights are checked, then it is done.

A name starts at the docroot whatever it looks like, and `..` ends there; what keeps it inside, whatever links there
are and whoever changes them, is `openascp.confined`. Knows no logins and no network. Requests are done one after the
other, in the event loop: file calls go to the page cache and are short.
"""

# Names are bytes, as on the wire, and pathlib takes text only.
# ruff: noqa: PTH101

from __future__ import annotations

import errno
import io
import logging
import os
import posixpath
import stat
from collections.abc import AsyncIterator
from typing import NoReturn, cast

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

from asperacentral.node.users import User
from asperacentral.openascp.confined import Files, confined

log = logging.getLogger(__name__)

SFTP_VERSION = 3
"""What every client speaks; later versions open files by other means, which stay shut here."""

_LONGEST_READ = 4 * 1024 * 1024
"""Bytes one answer may hold; a client that asks for more gets these and asks again."""

_FARTHEST = (1 << 63) - 1
"""Where a file can end at most."""

_CHANGES = FXF_WRITE | FXF_APPEND | FXF_CREAT | FXF_TRUNC | FXF_EXCL
_NANOSECONDS = 1_000_000_000
_PERMISSIONS = 0o777
"""Permission bits a client may set: none of set-user-id, set-group-id, sticky."""


class DocrootSFTPServer(asyncssh.SFTPServer):
    """What one SFTP channel of `user` may do."""

    def __init__(self, chan: asyncssh.SSHServerChannel[bytes], user: User) -> None:
        super().__init__(chan)
        self._user = user
        self._files = confined(os.fsencode(user.docroot))

    def exit(self) -> None:
        """The channel is closed."""
        self._files.close()

    # Names and rights

    def map_path(self, path: bytes) -> NoReturn:
        """Nothing of the base class may use a name as it is."""
        raise asyncssh.SFTPOpUnsupported("not supported")

    def _named(self, path: bytes) -> bytes:
        return self._files.named(path)

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
        flags = os.O_RDWR if reading and writing else os.O_WRONLY if writing else os.O_RDONLY
        for bit, flag in _OPEN_FLAGS:
            if pflags & bit:
                flags |= flag
        permissions = 0o666 if attrs.permissions is None else attrs.permissions & _PERMISSIONS
        descriptor = self._files.open_file(self._named(path), flags, permissions)
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
        return self._files.stat(self._named(path))

    def lstat(self, path: bytes) -> os.stat_result:
        """Attributes of the entry itself, a link perhaps."""
        return self._files.stat(self._named(path), follow=False)

    def setstat(self, path: bytes, attrs: SFTPAttrs) -> None:
        """Set size, permissions and times of what the name leads to."""
        self._must_write()
        name = self._named(path)
        if attrs.size is not None:
            _refuse_special(self._files.stat(name).st_mode)
        with self._files.pinned(name, change=True) as pinned:
            _set_attributes(pinned, attrs)

    def lsetstat(self, path: bytes, attrs: SFTPAttrs) -> None:
        """Set the times of a link; of anything else, what `setstat` sets."""
        self._must_write()
        if not stat.S_ISLNK(self.lstat(path).st_mode):
            self.setstat(path, attrs)
        elif attrs.size is not None or attrs.permissions is not None:
            raise asyncssh.SFTPOpUnsupported("a link has neither size nor permissions of its own")
        elif attrs.atime is not None and attrs.mtime is not None:
            accessed, modified = int(attrs.atime) * _NANOSECONDS, int(attrs.mtime) * _NANOSECONDS
            self._files.set_times(self._named(path), accessed, modified, follow=False)

    def realpath(self, path: bytes) -> bytes:
        """The client's name of what the name leads to."""
        return b"/" + self._files.resolve(self._named(path))

    def statvfs(self, path: bytes) -> os.statvfs_result:
        """Of the file system that holds what the name leads to."""
        with self._files.pinned(self._named(path)) as pinned:
            return os.statvfs(pinned)

    # Folders and entries

    def scandir(self, path: bytes) -> AsyncIterator[SFTPName]:
        """The entries of a folder; what vanishes while it is read is left out."""
        self._must_read()
        return _entries(self._files.open(self._named(path), os.O_RDONLY | os.O_DIRECTORY))

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
        self._files.make_folder(self._named(path), permissions)

    def rmdir(self, path: bytes) -> None:
        """Remove an empty folder."""
        self._must_write()
        self._files.remove_folder(self._named(path))

    def remove(self, path: bytes) -> None:
        """Remove a file, or a link itself."""
        self._must_write()
        self._files.remove(self._named(path))
        log.debug("%s removed %r", self._user.name, path)

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Give an entry another name that is still free."""
        self._must_write()
        try:
            self._files.rename(self._named(oldpath), self._named(newpath), replace=False)
        except FileExistsError:
            raise asyncssh.SFTPFileAlreadyExists("the new name exists already") from None
        log.debug("%s renamed %r to %r", self._user.name, oldpath, newpath)

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Give an entry another name, replacing in one step what has that name."""
        self._must_write()
        self._files.rename(self._named(oldpath), self._named(newpath))
        log.debug("%s renamed %r to %r", self._user.name, oldpath, newpath)

    # Links

    def readlink(self, path: bytes) -> bytes:
        """Where a link points, in the client's terms; not told when that is outside."""
        self._must_read()
        name = self._named(path)
        text = self._files.read_link(name)
        self._files.check_link(text, name)
        return b"/" + self._files.resolve(name) if text.startswith(b"/") else text

    def symlink(self, oldpath: bytes, newpath: bytes) -> None:
        """Make the link `newpath` to `oldpath`, unless that would point outside. An absolute one starts at the
        docroot and is stored as a relative one, so that the docroot can be moved."""
        self._must_write()
        name = self._named(newpath)
        self._files.make_link(_relative(self._files, oldpath, name), name)

    def link(self, oldpath: bytes, newpath: bytes) -> None:
        """Give a regular file a second name."""
        self._must_write()
        old = self._files.resolve(self._named(oldpath))
        _refuse_special(self._files.stat(old, follow=False).st_mode)
        self._files.link(old, self._named(newpath))


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


async def _entries(descriptor: int) -> AsyncIterator[SFTPName]:
    try:
        with os.scandir(descriptor) as found:
            for entry in found:
                try:
                    attributes = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                yield SFTPName(os.fsencode(entry.name), attrs=SFTPAttrs.from_local(attributes))
    finally:
        os.close(descriptor)


def _relative(files: Files, target: bytes, link: bytes) -> bytes:
    """What the link is to hold to lead to a client's `target`."""
    if not target.startswith(b"/"):
        return target
    folder = files.resolve(posixpath.dirname(link))
    return posixpath.relpath(b"/" + files.resolve(files.named(target)), b"/" + folder)


def _set_attributes(target: int | bytes, attrs: SFTPAttrs) -> None:
    """Size, permissions and times. The owner stays who runs this server."""
    if attrs.uid is not None or attrs.gid is not None:
        raise asyncssh.SFTPPermissionDenied("owner and group cannot be changed here")
    if attrs.size is not None:
        os.truncate(target, min(attrs.size, _FARTHEST))
    if attrs.permissions is not None:
        os.chmod(target, attrs.permissions & _PERMISSIONS)
    if attrs.atime is not None and attrs.mtime is not None:
        os.utime(target, (attrs.atime, attrs.mtime))
