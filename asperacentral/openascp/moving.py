"""Moves a file or link to another place, also on another file system: the source goes when its copy is on the disk."""

from __future__ import annotations

import contextlib
import errno
import os
import posixpath
import secrets
import stat

from asperacentral.openascp.confined import Files

_BLOCK = 1024 * 1024


def move(files: Files, path: bytes, target: bytes) -> None:
    """Give `path` the name `target`, which is replaced. OSError, and then `path` is still there."""
    try:
        files.rename(path, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _move_across(files, path, target)


def _move_across(files: Files, path: bytes, target: bytes) -> None:
    folder = posixpath.dirname(target)
    copy = posixpath.join(folder, b".moving-" + secrets.token_hex(8).encode())
    found = files.stat(path, follow=False)
    try:
        if stat.S_ISLNK(found.st_mode):
            files.make_link(files.read_link(path), copy)
        else:
            _copy(files, path, copy, found)
        files.rename(copy, target)
    except BaseException:
        with contextlib.suppress(OSError):
            files.remove(copy)
        raise
    _sync_folder(files, folder)
    files.remove(path)


def _copy(files: Files, path: bytes, copy: bytes, found: os.stat_result) -> None:
    """A whole copy on the disk, with mode, times and as far as allowed the owner. OSError, also when it changes."""
    source = files.open_file(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        made = files.open_file(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            while data := os.read(source, _BLOCK):
                view = memoryview(data)
                while view:
                    view = view[os.write(made, view) :]
            after = os.fstat(source)
            if (after.st_size, after.st_mtime_ns, after.st_ino) != (
                found.st_size,
                found.st_mtime_ns,
                found.st_ino,
            ):
                raise OSError(errno.EBUSY, "the file changed while it was moved")
            with contextlib.suppress(PermissionError):
                os.fchown(made, found.st_uid, found.st_gid)
            os.fchmod(made, stat.S_IMODE(found.st_mode))
            os.utime(made, ns=(found.st_atime_ns, found.st_mtime_ns))
            os.fsync(made)
        finally:
            os.close(made)
    finally:
        os.close(source)


def _sync_folder(files: Files, folder: bytes) -> None:
    descriptor = files.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
