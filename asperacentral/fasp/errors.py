"""The FASP error codes: name, meaning, and whether a manager may try again.

A process reports a code and a text; whether to retry is the manager's decision, made here. Nothing here knows
who asks or how often to retry.
"""

from __future__ import annotations

from enum import IntEnum

_RETRY = True


class FaspCode(IntEnum):
    """One code of the ERROR and FILEERROR messages, its `meaning`, and whether it is `retryable` by itself.

    Use `retryable()` to decide, since one code depends on the text that came with it.
    """

    meaning: str
    retryable: bool

    def __new__(cls, code: int, meaning: str, retryable: bool = False) -> FaspCode:
        """Take one row of the table below."""
        row = int.__new__(cls, code)
        row._value_ = code
        row.meaning = meaning
        row.retryable = retryable
        return row

    UNKNOWN = 0, "the reason is not known"
    FASP_PROTO = 1, "the FASP protocol was violated"
    ASCP = 2, "the transfer process failed"
    AMBIGUOUS_TARGET = 3, "the target is not specified clearly"
    NO_SUCH_FILE = 4, "there is no such file or folder"
    NO_PERMS = 5, "permission to read or write was denied"
    NOT_DIR = 6, "the target has to be a folder"
    IS_DIR = 7, "a folder was found in place of a file"
    USAGE = 8, "the command line is not valid"
    LIC_DUP = 9, "the license is in use elsewhere"
    LIC_RATE_EXCEEDED = 10, "the license does not cover this rate"
    INTERNAL_ERROR = 11, "an internal error occurred"
    TRANSFER_ERROR = 12, "the SSH connection could not be made", _RETRY
    TRANSFER_TIMEOUT = 13, "the SSH connection timed out", _RETRY
    CONNECTION_ERROR = 14, "the data connection could not be made", _RETRY
    CONNECTION_TIMEOUT = 15, "the data connection timed out", _RETRY
    CONNECTION_LOST = 16, "the connection was lost", _RETRY
    RCVR_SEND_ERROR = 17, "the receiver cannot send feedback", _RETRY
    RCVR_RECV_ERROR = 18, "the receiver gets no data", _RETRY
    AUTH = 19, "authentication failed"
    NOTHING = 20, "there is nothing to transfer"
    NOT_REGULAR = 21, "the source is a special file"
    FILE_TABLE_OVR = 22, "the file table is full"
    TOO_MANY_FILES = 23, "too many files are open", _RETRY
    FILE_TOO_BIG = 24, "the file is too large for the file system"
    NO_SPACE_LEFT = 25, "no space is left on the disk"
    READ_ONLY_FS = 26, "the file system is read-only"
    SOME_FILE_ERRS = 27, "some files could not be transferred"
    USER_CANCEL = 28, "the user cancelled the session"
    LIC_NOLIC = 29, "the license is missing or cannot be read"
    LIC_EXPIRED = 30, "the license has expired"
    SOCK_SETUP = 31, "a socket could not be set up"
    OUT_OF_MEMORY = 32, "memory ran out", _RETRY
    THREAD_SPAWN = 33, "a thread could not be started", _RETRY
    UNAUTHORIZED = 34, "an external authority refused the transfer"
    DISK_READ = 35, "reading the source failed", _RETRY
    DISK_WRITE = 36, "writing the destination failed", _RETRY
    AUTHORIZATION = 37, "authorization failed", _RETRY
    LIC_ILLEGAL = 38, "the license does not allow this operation"
    PEER_ABORTED_SESSION = 39, "the other side ended the session", _RETRY
    DATA_TRANSFER_TIMEOUT = 40, "no data moved for too long", _RETRY
    BAD_PATH = 41, "the path leads outside the permitted folder"
    ALREADY_EXISTS = 42, "the file or folder exists already"
    STAT_FAILS = 43, "the attributes of a file could not be read"
    PMTU_BRTT_ERROR = 44, "path MTU or round trip time could not be measured", _RETRY
    BWMEAS_ERROR = 45, "the bandwidth could not be measured", _RETRY
    VLINK_ERROR = 46, "the virtual link failed"
    CONNECTION_ERROR_HTTP = 47, "the HTTP connection could not be made", _RETRY
    FILE_ENCRYPTION_ERROR = 48, "encrypting or decrypting a file failed"
    FILE_DECRYPTION_PASS = 49, "the passphrase for decryption is wrong"
    BAD_CONFIGURATION = 50, "the configuration is not valid"
    INSECURE_CONNECTION = 51, "the host key is not the expected one"
    START_VALIDATION_FAILED = 52, "validation refused a file at its start"
    STOP_VALIDATION_FAILED = 53, "validation refused a file at its end"
    THRESHOLD_VALIDATION_FAILED = 54, "validation refused a file at the threshold"
    FILEPATH_TOO_LONG = 55, "the path is too long for the file system"
    ILLEGAL_CHARS_IN_PATH = 56, "the path has characters the file system does not allow"
    CHUNK_MUST_MATCH_ALIGNMENT = 57, "the chunk does not fit the alignment of the storage"
    VALIDATION_SESSION_ABORT = 58, "validation ended the session"
    REMOTE_STORAGE_ERROR = 59, "the remote storage failed"
    LUA_SCRIPT_ABORTED_SESSION = 60, "a Lua script ended the session"
    SSEAR_RETRYABLE = 61, "server-side encryption is not available now", _RETRY
    SSEAR_FATAL = 62, "server-side encryption failed"
    LINK_LOOP = 63, "symbolic links form a loop"
    CANNOT_RENAME_PARTIAL = 64, "a partial file could not be renamed"
    CIPHER_NON_COMPAT_FIPS = 65, "the cipher is not allowed in FIPS mode"
    PEER_REQUIRES_FIPS = 66, "the other side insists on FIPS mode"
    UPLOAD_IN_PROGRESS = 67, "another transfer is writing the same file"
    MIN_VERSION_CHECK = 68, "the version is older than required"
    MAX_ASCP = 69, "too many sessions are under way", _RETRY


_BY_NUMBER = {int(row): row for row in FaspCode}
_FINAL_TEXT = "target address not available"


def known(code: int) -> FaspCode:
    """The table's row for `code`; UNKNOWN for a number that is not in the table."""
    return _BY_NUMBER.get(code, FaspCode.UNKNOWN)


def retryable(code: int, description: str = "") -> bool:
    """Tell whether a new session may succeed where one ended with `code` and the text `description`.

    A data connection that failed because the target address does not exist will not come up by waiting, so
    code 14 with that text is final. Unknown codes are final.
    """
    if code == FaspCode.CONNECTION_ERROR and _FINAL_TEXT in description.lower():
        return False
    return known(code).retryable


class LaunchError(Exception):
    """A session's process cannot be started; `str(error)` is one readable line without secrets."""
