"""What is kept of a file besides its bytes: times, owner, group, extended attributes and access lists.

Read from and applied to open files and folders, so that no name can be swapped in between. Times are nanoseconds since
the epoch. Access lists are POSIX ones, carried as the kernel gives them. `native` keeps attributes and lists on the
file itself, `metafile` in a file beside it, called like it with the extension `.aspera-meta`.
"""

from __future__ import annotations

import base64
import binascii
import errno
import json
import os
import stat
from dataclasses import dataclass
from typing import Any

STORAGES = ("none", "native", "metafile")
METAFILE_EXTENSION = b".aspera-meta"
LARGEST = 256 * 1024
"""Bytes that the extended attributes and access lists of one file may have together."""
_ACLS = ("system.posix_acl_access", "system.posix_acl_default")
_UNSUPPORTED = (errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENODATA)

Named = tuple[tuple[str, bytes], ...]
"""Extended attributes: names and values."""


class MetadataError(ValueError):
    """Attributes that cannot be taken as they are: too large, or not readable. One line."""


@dataclass(frozen=True, slots=True)
class Preserve:
    """What a session keeps. `xattrs` and `acls` are one of STORAGES and say how the receiving side stores them."""

    modification_time: bool = False
    access_time: bool = False
    source_access_time: bool = False
    uid: bool = False
    gid: bool = False
    xattrs: str = "none"
    acls: str = "none"

    @property
    def times(self) -> bool:
        """Tell whether a time of the copy is set."""
        return self.modification_time or self.access_time


@dataclass(frozen=True, slots=True)
class Metadata:
    """Of one file or folder; what was not asked for is empty."""

    modified: int = 0
    accessed: int = 0
    uid: int = -1
    gid: int = -1
    mode: int = 0
    xattrs: Named = ()
    acls: Named = ()


def read(descriptor: int, preserve: Preserve) -> Metadata:
    """What `preserve` asks for of an open file. OSError, MetadataError."""
    found = os.fstat(descriptor)
    return Metadata(
        found.st_mtime_ns,
        found.st_atime_ns,
        found.st_uid,
        found.st_gid,
        stat.S_IMODE(found.st_mode),
        _listed(descriptor, user=True) if preserve.xattrs != "none" else (),
        _listed(descriptor, user=False) if preserve.acls != "none" else (),
    )


def apply(descriptor: int, metadata: Metadata, preserve: Preserve) -> None:
    """Give an open file what `preserve` asks for; what goes into a metafile is not done here. OSError.

    Times come last, since all else may change them. Owner and group are left alone when they are right already, so
    that an account that may not change them can still receive its own files.
    """
    _apply_owner(descriptor, metadata, preserve)
    if preserve.acls == "native":
        os.fchmod(descriptor, metadata.mode & 0o777)
        _set_all(descriptor, _known_acls(metadata.acls))
    if preserve.xattrs == "native":
        _set_all(descriptor, _user_only(metadata.xattrs))
    if preserve.times:
        now = os.fstat(descriptor)
        accessed = metadata.accessed if preserve.access_time else now.st_atime_ns
        modified = metadata.modified if preserve.modification_time else now.st_mtime_ns
        os.utime(descriptor, ns=(accessed, modified))


def restore_access_time(descriptor: int, accessed: int) -> None:
    """Give a source that was read its former access time back. OSError."""
    os.utime(descriptor, ns=(accessed, os.fstat(descriptor).st_mtime_ns))


def metafile_name(path: bytes) -> bytes:
    """Where the attributes of `path` are kept beside it."""
    return path + METAFILE_EXTENSION


def metafile(metadata: Metadata, preserve: Preserve) -> bytes:
    """The contents of a metafile; empty when nothing is to be kept in one."""
    kept: dict[str, Any] = {}
    if preserve.xattrs == "metafile" and metadata.xattrs:
        kept["xattrs"] = _encoded(metadata.xattrs)
    if preserve.acls == "metafile" and metadata.acls:
        kept["acls"] = _encoded(metadata.acls)
        kept["mode"] = metadata.mode
    return json.dumps({"version": 1, **kept}, sort_keys=True).encode() if kept else b""


def from_metafile(data: bytes) -> Metadata:
    """Read a metafile. MetadataError when it is none."""
    if len(data) > 2 * LARGEST:
        raise MetadataError("the file of attributes is too large")
    try:
        kept = json.loads(data)
        if kept["version"] != 1:
            raise MetadataError("the file of attributes is of another version")
        return Metadata(
            mode=int(kept.get("mode", 0)) & 0o777,
            xattrs=_user_only(_decoded(kept.get("xattrs", {}))),
            acls=_known_acls(_decoded(kept.get("acls", {}))),
        )
    except MetadataError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, binascii.Error):
        raise MetadataError("the file of attributes cannot be read") from None


def _apply_owner(descriptor: int, metadata: Metadata, preserve: Preserve) -> None:
    found = os.fstat(descriptor)
    uid = metadata.uid if preserve.uid and metadata.uid not in (-1, found.st_uid) else -1
    gid = metadata.gid if preserve.gid and metadata.gid not in (-1, found.st_gid) else -1
    if (uid, gid) != (-1, -1):
        os.fchown(descriptor, uid, gid)


def _listed(descriptor: int, *, user: bool) -> Named:
    """The user's own attributes, or the access lists; none on a file system that has none."""
    try:
        names = os.listxattr(descriptor)
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return ()
        raise
    wanted = sorted(name for name in names if (name.startswith("user.") if user else name in _ACLS))
    found = []
    size = 0
    for name in wanted:
        value = os.getxattr(descriptor, name)
        size += len(name) + len(value)
        if size > LARGEST:
            raise MetadataError(f"the extended attributes have more than {LARGEST} bytes")
        found.append((name, value))
    return tuple(found)


def _set_all(descriptor: int, named: Named) -> None:
    for name, value in named:
        os.setxattr(descriptor, name, value)


def _user_only(named: Named) -> Named:
    """Attributes of other name spaces could give rights; they never come from the other side."""
    return tuple((name, value) for name, value in named if name.startswith("user.") and len(name) > 5)


def _known_acls(named: Named) -> Named:
    return tuple((name, value) for name, value in named if name in _ACLS)


def _encoded(named: Named) -> dict[str, str]:
    return {name: base64.b64encode(value).decode("ascii") for name, value in named}


def _decoded(kept: dict[str, str]) -> Named:
    return tuple((name, base64.b64decode(value, validate=True)) for name, value in kept.items())
