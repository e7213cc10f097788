"""An upload's multipart form, read as it comes: the transfer spec first, then for each file its length and its bytes.

Pure: bytes in, calls of a `FormReader` out; nothing is kept but the spec. The names of the form's fields are those of
the gateway's clients: `x-aspera-spec`, `Content-Length` (a field, not a header), `file`.
"""

from __future__ import annotations

import re
from typing import Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from asperacentral.gateway import spec as specs
from asperacentral.gateway.spec import SpecError

SPEC, LENGTH, FILE = "x-aspera-spec", "content-length", "file"
_LONGEST_LENGTH = 20
_MOST_HEADERS = 8
_LONGEST_HEADERS = 32 * 1024


class FormError(ValueError):
    """The body is not the form that is expected. `str(error)` is one line for the client."""


class FormReader(Protocol):
    """Who takes what the form holds, in order. What it raises ends the reading and reaches who fed the bytes."""

    def spec(self, text: bytes) -> None:
        """The transfer spec, whole."""

    def begin_file(self, name: str, size: int | None) -> None:
        """A file of this name begins; `size` is what the form says, in bytes."""

    def file_data(self, data: bytes) -> None:
        """More of the file."""

    def end_file(self) -> None:
        """The file is there."""


class UploadForm:
    """Reads one form. `content_type` is the request's. FormError when that is no form."""

    def __init__(self, content_type: bytes, reader: FormReader) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary", b"")
        if kind != b"multipart/form-data" or not boundary:
            raise FormError("multipart/form-data is expected")
        self._reader = reader
        self._headers: dict[str, str] = {}
        self._header = [b"", b""]
        self._part = ""
        self._text = bytearray()
        self._length: int | None = None
        self._seen_spec = False
        self._whole = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": self._header_name,
                    "on_header_value": self._header_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._begin_content,
                    "on_part_data": self._content,
                    "on_part_end": self._end_part,
                    "on_end": self._end,
                },
                max_header_count=_MOST_HEADERS,
                max_header_size=_LONGEST_HEADERS,
            )
        except FormParserError as error:
            raise FormError(f"the form's boundary cannot be used: {error}") from None

    def feed(self, data: bytes) -> None:
        """Take the next bytes. FormError, SpecError, and what the reader raises."""
        try:
            self._parser.write(data)
        except FormParserError:
            raise FormError("the form cannot be read") from None

    def finish(self) -> None:
        """There are no more bytes. FormError when the form has not come to its end."""
        if not self._whole:
            raise FormError("the form ends too early")
        if not self._seen_spec:
            raise FormError(f"the form has no {SPEC}")

    def _begin_part(self) -> None:
        self._headers.clear()
        self._text.clear()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header[0] += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1] += data[start:end]

    def _end_header(self) -> None:
        name, value = self._header
        self._headers[name.decode("latin-1").lower()] = value.decode("utf-8", "surrogateescape")
        self._header = [b"", b""]

    def _begin_content(self) -> None:
        name, filename = _disposition(self._headers.get("content-disposition", ""))
        self._part = name.lower()
        if not self._seen_spec and self._part != SPEC:
            raise FormError(f"the form must begin with {SPEC}")
        if self._part == FILE:
            if filename is None:
                raise FormError("a file without a filename")
            length, self._length = self._length, None
            self._reader.begin_file(filename, length)
        elif self._part not in (SPEC, LENGTH) or (self._part == SPEC and self._seen_spec):
            raise FormError("the form has a field that is not expected")

    def _content(self, data: bytes, start: int, end: int) -> None:
        if self._part == FILE:
            self._reader.file_data(data if start == 0 and end == len(data) else data[start:end])
            return
        if len(self._text) + end - start > (specs.LONGEST if self._part == SPEC else _LONGEST_LENGTH):
            raise SpecError("a transfer spec that is too long") if self._part == SPEC else _no_length()
        self._text += data[start:end]

    def _end_part(self) -> None:
        if self._part == FILE:
            self._reader.end_file()
        elif self._part == SPEC:
            self._seen_spec = True
            self._reader.spec(bytes(self._text))
        else:
            text = bytes(self._text).strip()
            if not text.isdigit():
                raise _no_length()
            self._length = int(text)

    def _end(self) -> None:
        self._whole = True


_BACKSLASHED = re.compile(r'\\(["\\])')
_ESCAPES = (('"', "%22"), ("\r", "%0D"), ("\n", "%0A"))


def escaped(name: str) -> str:
    """A name as browsers write it as a filename: % stays as it is, so that several names become the same."""
    for character, escape in _ESCAPES:
        name = name.replace(character, escape)
    return name


def meanings(filename: str) -> tuple[str, ...]:
    """The names that a filename may stand for: as it is, as browsers escape, as programs do that use backslashes."""
    browsers = filename
    for character, escape in _ESCAPES:
        browsers = browsers.replace(escape, character)
    return tuple(dict.fromkeys((filename, browsers, _BACKSLASHED.sub(r"\1", filename))))


def _no_length() -> FormError:
    return FormError("the form's Content-Length is no number")


def _disposition(header: str) -> tuple[str, str | None]:
    """Name and filename of a part, which may hold a whole path."""
    fields = _quoted_fields(header)
    return fields.get("name", ""), fields.get("filename")


def _quoted_fields(header: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    rest = header.partition(";")[2]
    while rest.strip():
        name, _, rest = rest.partition("=")
        rest = rest.lstrip()
        if rest.startswith('"'):
            value, rest = _quoted(rest[1:])
        else:
            value, _, rest = rest.partition(";")
            value, rest = value.strip(), f";{rest}"
        fields.setdefault(name.strip().lower(), value)
        rest = rest.lstrip().removeprefix(";")
    return fields


def _quoted(text: str) -> tuple[str, str]:
    """Up to the closing quote, and what follows it. Escapes stay (see `meanings`).

    Programs write a quote as \\", browsers do not: a backslash before the closing quote is part of the name there, so a
    quote behind a backslash closes when no other one can.
    """
    at = text.find('"')
    while at > 0 and _is_escaped(text, at) and (following := text.find('"', at + 1)) >= 0:
        at = following
    return (text[:at], text[at + 1 :]) if at >= 0 else (text, "")


def _is_escaped(text: str, at: int) -> bool:
    first = at
    while first > 0 and text[first - 1] == "\\":
        first -= 1
    return (at - first) % 2 == 1
