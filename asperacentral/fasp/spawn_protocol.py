"""What the manager and its fork server say to each other: requests in, reports out. Pure codec, no I/O.

A request is four bytes of length (big endian) and JSON; a report is one line of JSON. File names that are not
UTF-8 survive as lone surrogates, which JSON's escapes carry.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass, field

from asperacentral.fasp.accounts import Account

FILES_UMASK = 0o022
"""Of transfer processes: pulled files are for others to read; the daemon's own umask is narrower."""

MAX_REQUEST = 16 * 1024 * 1024
"""Bytes of the longest request: well above what the kernel accepts as arguments."""

_LENGTH = struct.Struct(">I")


class SpawnProtocolError(Exception):
    """The other end wrote what is not this protocol."""


@dataclass(frozen=True, slots=True)
class Request:
    """Start a child: `argv` without the program's name, `environment` on top of the server's own.

    `account` is whose process it is to be, None for the server's own.
    """

    id: int
    argv: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict, repr=False)
    directory: str | None = None
    account: Account | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """The module is imported: requests are served from now on."""


@dataclass(frozen=True, slots=True)
class Started:
    """The child of request `id` runs as process `pid`."""

    id: int
    pid: int


@dataclass(frozen=True, slots=True)
class Refused:
    """No child could be made for request `id`."""

    id: int
    reason: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The child ended with an exit status, or, when `status` is negative, by that signal."""

    id: int
    pid: int
    status: int


Report = Ready | Started | Refused | Ended

_REPORTS: dict[str, type[Report]] = {
    "ready": Ready,
    "started": Started,
    "refused": Refused,
    "ended": Ended,
}
_WORDS = {kind: word for word, kind in _REPORTS.items()}


def encode_request(request: Request) -> bytes:
    """The request's bytes. SpawnProtocolError when it is too long."""
    body = json.dumps(
        {
            "id": request.id,
            "argv": request.argv,
            "environment": request.environment,
            "directory": request.directory,
            "account": None if request.account is None else asdict(request.account),
        }
    ).encode("ascii")
    if len(body) > MAX_REQUEST:
        raise SpawnProtocolError(f"request of {len(body)} bytes is longer than {MAX_REQUEST}")
    return _LENGTH.pack(len(body)) + body


class RequestReader:
    """Cuts a stream of bytes into requests."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Request]:
        """Take bytes, return the requests they complete. SpawnProtocolError when they are none."""
        self._buffer += data
        requests: list[Request] = []
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > MAX_REQUEST:
                raise SpawnProtocolError(f"request of {length} bytes is longer than {MAX_REQUEST}")
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                break
            requests.append(_request(bytes(self._buffer[_LENGTH.size : end])))
            del self._buffer[:end]
        return requests


def _request(body: bytes) -> Request:
    try:
        said = json.loads(body)
        account = None if said["account"] is None else Account.from_fields(said["account"])
        return Request(said["id"], tuple(said["argv"]), said["environment"], said["directory"], account)
    except (ValueError, KeyError, TypeError):
        raise SpawnProtocolError("a request is not the expected JSON") from None


def encode_report(report: Report) -> bytes:
    """The report's line."""
    fields = {name: getattr(report, name) for name in report.__slots__}
    return json.dumps({"report": _WORDS[type(report)], **fields}).encode("ascii") + b"\n"


class ReportReader:
    """Cuts a stream of bytes into reports."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[Report]:
        """Take bytes, return the reports they complete. SpawnProtocolError when they are none."""
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        return [_report(line) for line in lines]


def _report(line: bytes) -> Report:
    try:
        fields = json.loads(line)
        return _REPORTS[fields.pop("report")](**fields)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SpawnProtocolError(f"{line[:40]!r} is not a report") from None
