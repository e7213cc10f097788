"""System calls that Python has no words for: openat2 (never above a folder), renameat2 (never replacing), syncfs.

Thin and without policy; `beneath` and `confined` say when to use them and what to do where they are missing.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os

_OPENAT2 = 437
"""The number is the same on every architecture but Alpha."""
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_BENEATH = 0x08
_RENAME_NOREPLACE = 1
_TRIES = 8
"""Times a walk is begun again because something was renamed on its way (EAGAIN)."""


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def openat2_beneath(folder: int, path: bytes, flags: int, mode: int) -> int:
    """Open `path` below the descriptor `folder`; the descriptor of what was opened, closed on exec.

    OSError as open() raises it; EXDEV when the way leaves the folder, or when it kept changing under way;
    ENOSYS where the kernel has no openat2.
    """
    # The kernel takes a mode only with what creates, and no bits it does not know.
    creating = flags & os.O_CREAT or flags & os.O_TMPFILE == os.O_TMPFILE
    how = _OpenHow(
        flags | os.O_CLOEXEC, mode & 0o7777 if creating else 0, _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS
    )
    for _ in range(_TRIES):
        descriptor = _libc().syscall(
            ctypes.c_long(_OPENAT2),
            ctypes.c_int(folder),
            ctypes.c_char_p(path),
            ctypes.byref(how),
            ctypes.c_size_t(ctypes.sizeof(how)),
        )
        if descriptor >= 0:
            return int(descriptor)
        number = ctypes.get_errno()
        if number not in (errno.EAGAIN, errno.EINTR):
            raise OSError(number, os.strerror(number))
    raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))


@functools.cache
def has_openat2() -> bool:
    """Whether the kernel has openat2 and lets us use it; some sandboxes refuse it as if it were forbidden."""
    here = os.open("/", os.O_PATH | os.O_DIRECTORY)
    try:
        os.close(openat2_beneath(here, b".", os.O_PATH | os.O_DIRECTORY, 0))
    except OSError:
        return False
    finally:
        os.close(here)
    return True


def sync_file_system(descriptor: int) -> bool:
    """Bring all that was written to a file system to its disk. OSError when that fails; False where it is not known.

    Errors of the disk since the descriptor was opened are among them.
    """
    sync = getattr(_libc(), "syncfs", None)
    if sync is None:
        return False
    if sync(ctypes.c_int(descriptor)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return True


def rename_without_replacing(
    folder: int | None, name: bytes, target_folder: int | None, target: bytes
) -> bool:
    """Rename in one step. FileExistsError when the name is taken; False where the file system cannot do it."""
    rename = getattr(_libc(), "renameat2", None)
    if rename is None:
        return False
    at_cwd = -100
    failed = rename(
        ctypes.c_int(at_cwd if folder is None else folder),
        ctypes.c_char_p(name),
        ctypes.c_int(at_cwd if target_folder is None else target_folder),
        ctypes.c_char_p(target),
        ctypes.c_uint(_RENAME_NOREPLACE),
    )
    if not failed:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS):
        return False
    raise OSError(number, os.strerror(number))
