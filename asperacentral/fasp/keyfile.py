"""The file with a manager's key: made when it is not there, readable by its owner only."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from asperacentral.fasp.proof import KEY_BYTES


class KeyFileError(OSError):
    """The file is there but must not be trusted; `strerror` tells why."""


def read_or_make(path: Path) -> bytes:
    """The key in `path`; a new one is written when there is none.

    KeyFileError when others could have read or written it or it holds no key, OSError when it cannot be used.
    """
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)  # fails when another was faster, whose key then counts
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    return _read(path)


def _read(path: Path) -> bytes:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o077:
            raise KeyFileError(0, "its owner alone must be able to read it", str(path))
        key = file.read(KEY_BYTES + 1)
    if len(key) != KEY_BYTES:
        raise KeyFileError(0, "it does not hold a key", str(path))
    return key
