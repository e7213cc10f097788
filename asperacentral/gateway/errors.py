"""How what goes wrong is told to a client: an HTTP status and one line, never a traceback or a path of ours."""

from __future__ import annotations

from dataclasses import dataclass

from asperacentral.fasp.errors import FaspCode
from asperacentral.gateway.authority import NotAuthorizedError
from asperacentral.gateway.links import LinkError
from asperacentral.gateway.spec import SpecError
from asperacentral.openascp.failures import Failure, from_os_error


class TransferRefusedError(Exception):
    """The transfer cannot go on; `status` is the HTTP status, `code` the FASP code that reports of it bear."""

    def __init__(self, status: int, reason: str, code: FaspCode = FaspCode.USAGE) -> None:
        super().__init__(reason)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class Told:
    """An error as it is told: status and line to the client, code to Central."""

    status: int
    text: str
    code: FaspCode


LEFT = Told(499, "the client has left", FaspCode.USER_CANCEL)
"""The client closed its connection before the end, as a page does that is left or whose user cancels."""
LOST = Told(499, "the connection was lost", FaspCode.CONNECTION_LOST)
"""It was closed here: nothing came any more, or the gateway stops."""

_STATUS = {
    FaspCode.NO_SUCH_FILE: 404,
    FaspCode.NO_PERMS: 403,
    FaspCode.BAD_PATH: 403,
    FaspCode.NOT_DIR: 409,
    FaspCode.IS_DIR: 409,
    FaspCode.ALREADY_EXISTS: 409,
    FaspCode.AUTH: 401,
    FaspCode.NO_SPACE_LEFT: 507,
    FaspCode.FILE_TOO_BIG: 507,
    FaspCode.READ_ONLY_FS: 403,
    FaspCode.NOTHING: 404,
    FaspCode.FILEPATH_TOO_LONG: 400,
    FaspCode.TRANSFER_ERROR: 502,
    FaspCode.TRANSFER_TIMEOUT: 504,
    FaspCode.CONNECTION_ERROR: 502,
    FaspCode.CONNECTION_LOST: 502,
    FaspCode.CONNECTION_TIMEOUT: 504,
}


def told(error: BaseException) -> Told:
    """What to say of an error; of one that nobody foresaw nothing but that it happened."""
    text = str(error)
    if isinstance(error, OSError):
        error = from_os_error(error, FaspCode.ASCP)
        text = str(error)
    match error:
        case SpecError():
            what = 400, FaspCode.USAGE
        case NotAuthorizedError():
            what = error.status, FaspCode.AUTH
        case LinkError():
            what = 410 if error.gone else 403, FaspCode.AUTH
        case TransferRefusedError():
            what = error.status, error.code
        case Failure():
            what = _STATUS.get(error.code, 500), error.code
        case _:
            what = 500, FaspCode.INTERNAL_ERROR
            text = "an internal error; the gateway's log tells more"
    return Told(what[0], text, what[1])


def is_bug(error: BaseException) -> bool:
    """Whether the log should have the traceback."""
    return told(error).code is FaspCode.INTERNAL_ERROR
