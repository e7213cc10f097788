"""What ends a file or a session, as a code of the FASP table and one line of text.

Only the mapping from the operating system's errors is here; what SSH and SFTP say is mapped where they are used.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.files.filecrypt import FileCryptError, WrongPassphrase
from asperacentral.openascp.names import BadPathError

_BY_ERRNO = {
    errno.ENOENT: FaspCode.NO_SUCH_FILE,
    errno.EACCES: FaspCode.NO_PERMS,
    errno.EPERM: FaspCode.NO_PERMS,
    errno.ENOTDIR: FaspCode.NOT_DIR,
    errno.EISDIR: FaspCode.IS_DIR,
    errno.EEXIST: FaspCode.ALREADY_EXISTS,
    errno.EMFILE: FaspCode.TOO_MANY_FILES,
    errno.ENFILE: FaspCode.TOO_MANY_FILES,
    errno.EFBIG: FaspCode.FILE_TOO_BIG,
    errno.ENOSPC: FaspCode.NO_SPACE_LEFT,
    errno.EDQUOT: FaspCode.NO_SPACE_LEFT,
    errno.EROFS: FaspCode.READ_ONLY_FS,
    errno.ELOOP: FaspCode.LINK_LOOP,
    errno.ENAMETOOLONG: FaspCode.FILEPATH_TOO_LONG,
    errno.ENOMEM: FaspCode.OUT_OF_MEMORY,
}


class Failure(Exception):
    """One file cannot be moved; the session goes on. `str(failure)` is one line fit to be shown."""

    def __init__(self, code: FaspCode, text: str = "") -> None:
        super().__init__(text or code.meaning)
        self.code = code


class SessionFailure(Failure):
    """The whole session cannot go on."""


def from_os_error(error: OSError, otherwise: FaspCode) -> Failure:
    """Translate an error of this machine's files; `otherwise` is the code when the table has none for it."""
    if isinstance(error, BadPathError):
        return Failure(FaspCode.BAD_PATH, f"{FaspCode.BAD_PATH.meaning}: {error.strerror}")
    code = _BY_ERRNO.get(error.errno or 0, otherwise)
    reason = os.strerror(error.errno) if error.errno else str(error)
    return Failure(code, f"{code.meaning}: {reason}")


def verdict(failures: Sequence[Failure], succeeded: int) -> SessionFailure:
    """How a session ends in which files failed: if all failed for one reason, with that reason."""
    codes = {failure.code for failure in failures}
    if not succeeded and len(codes) == 1:
        return SessionFailure(failures[0].code, str(failures[0]))
    code = FaspCode.SOME_FILE_ERRS
    return SessionFailure(code, f"{code.meaning}: {len(failures)}, the first because: {failures[0]}")


def shown(path: bytes) -> str:
    """A path as text: bytes that are not UTF-8 travel as lone surrogates (`os.fsdecode` on a UTF-8 system)."""
    return path.decode("utf-8", "surrogateescape")


def from_file_crypt(error: FileCryptError) -> Failure:
    """The failure of a file that cannot be decrypted."""
    wrong = isinstance(error, WrongPassphrase)
    return Failure(FaspCode.FILE_DECRYPTION_PASS if wrong else FaspCode.FILE_ENCRYPTION_ERROR, str(error))
