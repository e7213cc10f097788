r"""FASPMGR 4, by which a manager writes data straight into files at the far side: PUT, WRITE, CLOSE. Pure codec.

Theory of operation. PUT names a destination; each WRITE carries an offset and so many raw bytes after its empty line,
closed by two LF; CLOSE ends the file. Fields are written as in FASPMGR 2 (`management`), which these messages share
a connection with: a reader is given what follows the first header of this kind. One file may be written at any
offsets in any order; what a process makes of gaps is its own business.

`StreamWriter` keeps the order (PUT, WRITE ..., CLOSE) for each destination, `StreamReader` demands it of the peer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from asperacentral.fasp.management import (
    MAX_LINE,
    LocalProtocolError,
    MessageType,
    RemoteProtocolError,
    decode_line,
    encode_line,
)

HEADER = "FASPMGR 4"
DEFAULT_CHUNK = 1024 * 1024
"""Bytes of one WRITE, unless the session's ChunkSize says otherwise."""
MAX_CHUNK = 64 * 1024 * 1024
"""Bytes of the longest WRITE that is read."""

_END = b"\n\n"
_HEADER_LINE = HEADER.encode("ascii")
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Put:
    """A file begins at the far side."""

    destination: str


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes of a file from `offset` on."""

    destination: str
    offset: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Close:
    """A file is complete."""

    destination: str


Command = Put | Write | Close


class _OpenFiles:
    """Which destinations were put and not closed: the one rule both ends keep."""

    def __init__(self, mistake: type[LocalProtocolError | RemoteProtocolError]) -> None:
        self._mistake = mistake
        self._open: set[str] = set()

    def take(self, command: Command) -> None:
        known = command.destination in self._open
        if isinstance(command, Put):
            if known:
                raise self._mistake("PUT of a file that is open already")
            self._open.add(command.destination)
        elif not known:
            raise self._mistake(f"{type(command).__name__.upper()} of a file that is not open")
        elif isinstance(command, Close):
            self._open.remove(command.destination)


class StreamWriter:
    """Writes commands in order. LocalProtocolError for one that is out of order or cannot be written."""

    def __init__(self) -> None:
        self._files = _OpenFiles(LocalProtocolError)

    def write(self, command: Command) -> bytes:
        """The bytes of one command."""
        lines = _lines(command)
        self._files.take(command)
        head = b"\n".join([_HEADER_LINE, *lines]) + _END
        return head + command.data + _END if isinstance(command, Write) else head


def _lines(command: Command) -> list[bytes]:
    if not command.destination:
        raise LocalProtocolError("a destination is needed")
    kind = {Put: MessageType.PUT, Write: MessageType.WRITE, Close: MessageType.CLOSE}[type(command)]
    lines = [encode_line("Type", kind), encode_line("Destination", command.destination)]
    if isinstance(command, Write):
        if command.offset < 0 or len(command.data) > MAX_CHUNK:
            raise LocalProtocolError(f"no WRITE of {len(command.data)} bytes at {command.offset}")
        lines += [encode_line("Offset", str(command.offset)), encode_line("Size", str(len(command.data)))]
    return lines


class StreamReader:
    """Reads commands from bytes that are cut anywhere. After a RemoteProtocolError it reads no more."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._files = _OpenFiles(RemoteProtocolError)
        self._begun: tuple[str, int, int] | None = None  # a WRITE whose bytes are awaited
        self._mistake: str | None = None

    def feed(self, data: bytes) -> list[Command]:
        """The commands that `data` completes. RemoteProtocolError when it is not this protocol, and from then on."""
        if self._mistake is not None:
            raise RemoteProtocolError(self._mistake)
        self._buffer += data
        commands: list[Command] = []
        try:
            while (command := self._next()) is not None:
                commands.append(command)
        except RemoteProtocolError as error:
            self._mistake = str(error)
            self._buffer.clear()
            raise
        return commands

    def _next(self) -> Command | None:
        if self._begun is None:
            command = self._take_head()
            if command is not None or self._begun is None:
                return command
        return self._take_data(*self._begun)

    def _take_head(self) -> Command | None:
        end = self._buffer.find(_END)
        if (len(self._buffer) if end < 0 else end) > 4 * MAX_LINE:
            raise RemoteProtocolError("a command is too long")
        if end < 0:
            return None
        header, *lines = bytes(self._buffer[:end]).split(b"\n")
        del self._buffer[: end + len(_END)]
        if header != _HEADER_LINE:
            raise RemoteProtocolError(f"expected {HEADER!r}, got {len(header)} bytes")
        fields = dict(decode_line(line) for line in lines)
        destination = fields.get("Destination", "")
        if not destination:
            raise RemoteProtocolError("a command has no Destination")
        return self._begin(fields.get("Type", ""), destination, fields)

    def _begin(self, kind: str, destination: str, fields: dict[str, str]) -> Command | None:
        command: Command
        match kind:
            case MessageType.PUT:
                command = Put(destination)
            case MessageType.CLOSE:
                command = Close(destination)
            case MessageType.WRITE:
                offset, size = _number(fields, "Offset"), _number(fields, "Size")
                if size > MAX_CHUNK:
                    raise RemoteProtocolError(f"a WRITE of {size} bytes is longer than {MAX_CHUNK}")
                self._files.take(Write(destination, offset, b""))
                self._begun = destination, offset, size
                return None
            case _:
                raise RemoteProtocolError("a command is neither PUT, WRITE nor CLOSE")
        self._files.take(command)
        return command

    def _take_data(self, destination: str, offset: int, size: int) -> Write | None:
        whole = size + len(_END)
        if len(self._buffer) < whole:
            return None
        if self._buffer[size:whole] != _END:
            raise RemoteProtocolError("the bytes of a WRITE are not followed by two LF")
        data = bytes(self._buffer[:size])
        del self._buffer[:whole]
        self._begun = None
        return Write(destination, offset, data)


def _number(fields: dict[str, str], name: str) -> int:
    value = fields.get(name, "")
    if not _NUMBER.fullmatch(value):
        raise RemoteProtocolError(f"the {name} of a WRITE is no number")
    return int(value)
