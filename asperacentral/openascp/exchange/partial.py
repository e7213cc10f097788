"""Partial files: what they are called, and who may write them.

A file is written under a partial name beside its target and renamed when it is whole. The name tells the job, so that
two jobs never mix, and the job's next session finds what the last one left. A session holds a lock on its partial
file: where a former one still runs, its successor waits until it is gone.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import posixpath
import time

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.confined import Files
from asperacentral.openascp.exchange.terms import Terms
from asperacentral.openascp.failures import Failure

LONGEST_NAME = 255
LOCK_SECONDS = 40.0
"""How long a session waits for its predecessor: longer than that needs to notice that its client is gone."""
_POLL_SECONDS = 0.05
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


def partial_name(target: bytes, terms: Terms) -> bytes:
    """The partial file of `target`, in its folder; a name that would grow too long is shortened to a hash."""
    return _named(target, b".", terms)


def checkpoint_name(target: bytes, terms: Terms) -> bytes:
    """Where is noted what the partial file has."""
    return _named(target, b".ckpt.", terms)


def clear_name(target: bytes, terms: Terms) -> bytes:
    """Where the partial file is decrypted to."""
    return _named(target, b".clear.", terms)


def other_name(target: bytes, terms: Terms) -> bytes:
    """The second partial name that a session over SFTP may have left."""
    return _named(target, b".", terms, b"~")


def _named(target: bytes, mark: bytes, terms: Terms, more: bytes = b"") -> bytes:
    tag = terms.partial_tag + more
    ending = mark + tag + terms.partial_suffix
    if len(target) - (target.rfind(b"/") + 1) + len(ending) <= LONGEST_NAME:
        return target + ending
    folder, name = posixpath.split(target)
    digest = hashlib.sha256(name + b"." + tag).hexdigest().encode()
    return posixpath.join(folder, digest[:40] + mark + terms.partial_suffix)


def claim(files: Files, path: bytes, *, executable: bool) -> int:
    """Open a partial file, new or left by a former session, for this process alone. OSError, Failure."""
    deadline = time.monotonic() + LOCK_SECONDS
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
    while True:
        descriptor = files.open_file(path, flags, 0o777 if executable else 0o666)
        try:
            if is_locked(descriptor, fcntl.LOCK_EX) and is_still(files, path, descriptor):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        if time.monotonic() > deadline:
            raise Failure(FaspCode.UPLOAD_IN_PROGRESS)
        time.sleep(_POLL_SECONDS)


def remove(files: Files, *paths: bytes) -> None:
    """Remove what may be there."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            files.remove(path)


def is_locked(descriptor: int, kind: int) -> bool:
    """Lock a whole file, LOCK_EX or LOCK_SH, if nobody is in the way; where there are no locks nobody is. OSError."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # a file system without locks
        return error.errno in _NO_LOCKS
    return True


def is_still(files: Files, path: bytes, descriptor: int) -> bool:
    """Whether the name still means this file: who had the lock before may have renamed it."""
    try:
        named = files.stat(path, follow=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(named, os.fstat(descriptor))
