r"""FASPMGR 2, the text protocol between a manager and a transfer process: messages, writer and reader.

Theory of operation. A message is a header line `FASPMGR 2`, one line `Name: value` per field and an empty
line; lines end with LF. `encode` turns a `Message` into bytes, a `Decoder` turns bytes, cut anywhere, into
messages. The writer is exact (Type first, the others in ASCII order, one space after the colon), the reader
is tolerant: unknown types and fields are kept, the space may be missing, empty lines between messages are
skipped, and a message that is interrupted by the header of the next is dropped with a warning. Whole messages
are read at once, which is what makes a session of very many small files bearable; what is cut or odd in any way
is read line by line.

Text is UTF-8; bytes that are not (file names may have any) travel as lone surrogates, as `os.fsdecode` does.
Only paths may hold line breaks: in `Source`, `Destination` and `File` LF, CR and ESC are written as ESC `n`,
ESC `r` and ESC ESC.

A mistake of the calling program is a `LocalProtocolError`, one of the peer a `RemoteProtocolError`.
There is no socket, process or clock here. Builders of the messages are in `messages`, the order of messages
over a session's life in `dialogue`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

HEADER = "FASPMGR 2"
MAX_LINE = 64 * 1024
"""Bytes of the longest line, its LF not counted."""
MAX_MESSAGE = 1024 * 1024
"""Bytes of the longest message, from its header to its empty line."""

PATH_FIELDS = frozenset({"Source", "Destination", "File"})
SECRET_FIELDS = frozenset({"Token", "Cookie", "Password", "QueryResponse", "MgmtProof"})
"""Fields whose values `repr` hides; QueryResponse may answer a request for a password."""

_HEADER_LINE = HEADER.encode("ascii")
_HEADER_START = _HEADER_LINE + b"\n"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)
_FIELD = re.compile(r"^([^:\n]+): ?(.*)$", re.MULTILINE)
_DIGITS = 18
"""Of the longest number."""
_INTEGER = re.compile(rf"-?[0-9]{{1,{_DIGITS}}}", re.ASCII)
_ESCAPED = re.compile("\x1b([nr\x1b])")
_UNESCAPED = re.compile("[\n\r\x1b]")
_LETTER_OF = {"\n": "n", "\r": "r", "\x1b": "\x1b"}
_CHARACTER_OF = {letter: character for character, letter in _LETTER_OF.items()}

log = logging.getLogger(__name__)


class MessageType(StrEnum):
    """Every message type known; who may send which is told by `dialogue` and `messages`."""

    __hash__ = str.__hash__  # Enum's own is slow, and types are looked up for each message.

    NOP = "NOP"
    START = "START"
    QUERY = "QUERY"
    QUERYRSP = "QUERYRSP"
    STATS = "STATS"
    STOP = "STOP"
    ERROR = "ERROR"
    CANCEL = "CANCEL"
    DONE = "DONE"
    RATE = "RATE"
    FILEERROR = "FILEERROR"
    SESSION = "SESSION"
    NOTIFICATION = "NOTIFICATION"
    INIT = "INIT"
    VLINK = "VLINK"
    PUT = "PUT"
    WRITE = "WRITE"
    CLOSE = "CLOSE"
    SKIP = "SKIP"
    ARGSTOP = "ARGSTOP"


_KNOWN_TYPES = {kind.value: kind for kind in MessageType}


class ProtocolError(Exception):
    """Base of the mistakes that can be made with the protocol."""


class LocalProtocolError(ProtocolError):
    """This side tried to write what the protocol cannot carry."""


class RemoteProtocolError(ProtocolError):
    """The peer wrote what is not the protocol. `messages` are those that were complete before the mistake."""

    def __init__(self, reason: str, messages: tuple[Message, ...] = ()) -> None:
        super().__init__(reason)
        self.messages = messages


@dataclass(frozen=True, slots=True, repr=False)
class Message:
    """One message: its type (a `MessageType`, or the peer's own word) and its other fields as text."""

    type: str
    fields: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", MappingProxyType(dict(self.fields)))

    def __repr__(self) -> str:
        """Type and fields on one line, values of `SECRET_FIELDS` masked."""
        shown = (
            f"{name}={'***' if name in SECRET_FIELDS and value else repr(value)}"
            for name, value in sorted(self.fields.items())
        )
        return f"<{' '.join([str(self.type), *shown])}>"

    def text(self, name: str, default: str = "") -> str:
        """The field's value, or `default` when it is absent."""
        return self.fields.get(name, default)

    def integer(self, name: str, default: int = 0) -> int:
        """The field's value as a number; `default` when it is absent or no whole number (such as `50%`)."""
        value = self.fields.get(name, "")
        return int(value) if _INTEGER.fullmatch(value) else default

    def count(self, name: str, default: int = 0) -> int:
        """The field's value as a number; `default` when it is absent, no whole number, or below zero."""
        value = self.fields.get(name, "")
        return int(value) if value.isdigit() and len(value) <= _DIGITS and value.isascii() else default

    def boolean(self, name: str) -> bool:
        """Tell whether the field says Yes; absent is No."""
        return self.fields.get(name, "").lower() == "yes"


def encode(message: Message) -> bytes:
    """Write one message. LocalProtocolError when a name or value cannot be written."""
    if "Type" in message.fields:
        raise LocalProtocolError("Type is given by the message, not as a field")
    lines = [_HEADER_LINE, encode_line("Type", str(message.type))]
    lines += [encode_line(name, message.fields[name]) for name in sorted(message.fields)]
    encoded = b"\n".join([*lines, b"", b""])
    if len(encoded) > MAX_MESSAGE:
        raise LocalProtocolError(f"message of {len(encoded)} bytes is longer than {MAX_MESSAGE}")
    return encoded


def encode_line(name: str, value: str) -> bytes:
    """One field without its LF, paths escaped. LocalProtocolError when name or value cannot be written."""
    if not _NAME.fullmatch(name):
        raise LocalProtocolError(f"{name!r} is not a field name")
    if name in PATH_FIELDS:
        value = _UNESCAPED.sub(lambda found: "\x1b" + _LETTER_OF[found[0]], value)
    elif "\n" in value or "\r" in value:
        raise LocalProtocolError(f"the value of {name} has a line break")
    try:
        line = f"{name}: {value}".encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise LocalProtocolError(f"the value of {name} is not text that can be written") from None
    if len(line) > MAX_LINE:
        raise LocalProtocolError(f"the line of {name} is longer than {MAX_LINE} bytes")
    return line


class Decoder:
    """Reads messages from one stream of bytes. After a `RemoteProtocolError` it reads no more."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0  # the buffer has no LF before this place
        self._fields: dict[str, str] | None = None  # None: between messages
        self._size = 0  # of the message so far
        self._mistake: str | None = None

    def feed(self, data: bytes) -> list[Message]:
        """Take the next bytes of the stream and return the messages they complete.

        RemoteProtocolError when they are not FASPMGR 2 or exceed a limit, and at every call after that.
        """
        if self._mistake is not None:
            raise RemoteProtocolError(self._mistake)
        self._buffer += data
        messages: list[Message] = []
        try:
            while True:
                message = self._take_whole()
                if message is None:
                    line = self._next_line()
                    if line is None:
                        break
                    message = self._take_line(line)
                if message is not None:
                    messages.append(message)
        except RemoteProtocolError as error:
            self._mistake = str(error)
            self._buffer.clear()
            raise RemoteProtocolError(self._mistake, tuple(messages)) from None
        return messages

    def _take_whole(self) -> Message | None:
        """The message the buffer begins with, if it is there to its end and there is nothing odd about it."""
        if self._fields is not None:
            return None
        end = self._buffer.find(b"\n\n", 0, MAX_LINE)
        if end < 0 or not self._buffer.startswith(_HEADER_START):
            return None
        block = self._buffer[len(_HEADER_START) : end].decode("utf-8", "surrogateescape")
        fields = dict(found := _FIELD.findall(block))
        kind: str = fields.pop("Type", "")
        if not kind or len(found) != block.count("\n") + 1:
            return None
        if "\x1b" in block:
            for name in PATH_FIELDS & fields.keys():
                fields[name] = _unescape(fields[name])
        del self._buffer[: end + 2]
        self._searched = 0
        return Message(_KNOWN_TYPES.get(kind, kind), fields)

    def _next_line(self) -> bytes | None:
        end = self._buffer.find(b"\n", self._searched)
        length = len(self._buffer) if end < 0 else end
        if length > MAX_LINE:
            raise RemoteProtocolError(f"a line is longer than {MAX_LINE} bytes")
        if end < 0:
            self._searched = len(self._buffer)
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._searched = 0
        return line

    def _take_line(self, line: bytes) -> Message | None:
        if line == _HEADER_LINE:
            if self._fields is not None:
                log.warning("a management message of %d bytes was not finished; dropped", self._size)
            self._fields = {}
            self._size = len(line) + 1
            return None
        if self._fields is None:
            if line:
                raise RemoteProtocolError(f"expected {HEADER!r}, got {_shown(line)}")
            return None
        self._size += len(line) + 1
        if self._size > MAX_MESSAGE:
            raise RemoteProtocolError(f"a message is longer than {MAX_MESSAGE} bytes")
        if line:
            name, value = decode_line(line)
            self._fields[name] = value
            return None
        return self._finish(self._fields)

    def _finish(self, fields: dict[str, str]) -> Message:
        self._fields = None
        kind = fields.pop("Type", "")
        if not kind:
            raise RemoteProtocolError("a message has no Type")
        return Message(_KNOWN_TYPES.get(kind, kind), fields)


def decode_line(line: bytes) -> tuple[str, str]:
    """Name and value of one field, paths unescaped. RemoteProtocolError when it is no field."""
    raw_name, colon, raw_value = line.partition(b":")
    name = raw_name.decode("utf-8", "surrogateescape")
    if not colon or not name:
        raise RemoteProtocolError(f"expected a field, got {_shown(line)}")
    value = raw_value.removeprefix(b" ").decode("utf-8", "surrogateescape")
    if name in PATH_FIELDS:
        value = _unescape(value)
    return name, value


def _unescape(value: str) -> str:
    return _ESCAPED.sub(lambda found: _CHARACTER_OF[found[1]], value)


def _shown(line: bytes) -> str:
    """Only how a wrong line begins: it may hold anything, and will be logged."""
    return f"{len(line)} bytes beginning with {line[:12]!r}"
