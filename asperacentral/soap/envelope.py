"""Reading a SOAP 1.1 envelope that may be hostile: bytes in, the one body element out, or a SoapFault.

Pure, without I/O. Messages are read with expat, whose memory ends with the message: lxml keeps every name it ever
met in a table of the thread, so that a stream of made-up names would make a daemon grow for ever. The limits stop
what is small on the wire and large in memory or time. DOCTYPE is refused, so there are no entities to expand.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass
from typing import cast
from xml.etree.ElementTree import Element, ParseError, XMLParser

from asperacentral.soap.faults import CLIENT, MUST_UNDERSTAND, VERSION_MISMATCH, SoapFault
from asperacentral.soap.names import ENVELOPE, NEXT_ACTOR, local_name, namespace_of

MAX_TAGS = 20_000
MAX_NAMESPACES = 64
MAX_ATTRIBUTES = 32
"""On one element."""
MAX_ALL_ATTRIBUTES = 20_000
"""In the whole message, counted before it is parsed."""
MAX_DEPTH = 64

PIECE = 64 * 1024
"""Bytes of a message that are parsed in one step: about a millisecond."""

ELEMENTS = 2_000
"""Elements that are checked in one step: about a millisecond."""

_ENCODINGS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
}
_BYTE_ORDER_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_DECLARATION = re.compile(r"<\?xml[^>]*?encoding\s*=\s*[\"']([^\"'>]*)[\"']")


@dataclass(frozen=True, slots=True)
class Received:
    """A message that was read: its one body element, and its whole text for the log."""

    body: Element
    text: str


def read_envelope(data: bytes, charset: str = "") -> Received:
    """Read a whole message; `charset` is the transport's word on its encoding, empty when it says nothing."""
    steps = reading(data, charset)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return cast(Received, end.value)


def reading(data: bytes, charset: str = "") -> Generator[None, None, Received]:
    """As `read_envelope`, in steps: a long message takes many milliseconds."""
    text = decode(data, charset)
    _check_limits(text)
    if len(text) > PIECE:
        yield
    parser = XMLParser(encoding="utf-8")  # noqa: S314 - DOCTYPE is refused, sizes are limited
    encoded = text.encode("utf-8", "surrogatepass")
    try:
        for at in range(0, len(encoded), PIECE):
            if at:
                yield
            parser.feed(encoded[at : at + PIECE])
        root = parser.close()
    except ParseError as error:
        line, column = error.position
        raise _refused(f"the message is not well-formed XML at line {line}, column {column + 1}") from None
    if len(encoded) > PIECE:
        yield
    yield from _checking_tree(root)
    return Received(_body_of(root), text)


def decode(data: bytes, charset: str = "") -> str:
    """The text of a message. UTF-8 and UTF-16 only, whatever is declared."""
    text = _decode(data, charset).lstrip("\ufeff \t\r\n")
    declared = _DECLARATION.match(text)
    if declared and declared.group(1).lower() not in _ENCODINGS:
        raise _refused("the encoding of the message must be UTF-8 or UTF-16")
    return text


def _decode(data: bytes, charset: str) -> str:
    encoding = _ENCODINGS.get(charset.strip().lower() or "utf-8")
    if encoding is None:
        raise _refused("the encoding of the message must be UTF-8 or UTF-16")
    for mark, marked in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            encoding = marked
            break
    else:
        if data[:2] == b"<\x00":
            encoding = "utf-16-le"
        elif data[:2] == b"\x00<":
            encoding = "utf-16-be"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise _refused(f"the message is not valid {encoding.partition('-sig')[0].upper()}") from None


def _check_limits(text: str) -> None:
    if not text:
        raise _refused("the message is empty")
    if "<!DOCTYPE" in text:
        raise _refused("a DOCTYPE is not allowed")
    if text.count("<") - text.count("</") > MAX_TAGS:
        raise _refused(f"the message has more than {MAX_TAGS} tags")
    if text.count('="') + text.count("='") > MAX_ALL_ATTRIBUTES:
        raise _refused(f"the message has more than {MAX_ALL_ATTRIBUTES} attributes")
    if text.count("xmlns") > MAX_NAMESPACES:
        raise _refused(f"the message declares more than {MAX_NAMESPACES} namespaces")


def _checking_tree(root: Element) -> Generator[None, None, None]:
    level: list[Element] = [root]
    depth = 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise _refused(f"the message is nested more than {MAX_DEPTH} levels deep")
        below: list[Element] = []
        for number, element in enumerate(level, 1):
            if number % ELEMENTS == 0:
                yield
            if len(element.attrib) > MAX_ATTRIBUTES:
                raise _refused(f"an element has more than {MAX_ATTRIBUTES} attributes")
            if element.get("href", "").startswith("#"):
                raise _refused("references between elements (href) are not supported")
            below.extend(element)
        level = below


def _body_of(root: Element) -> Element:
    if local_name(root.tag) != "Envelope":
        raise _refused("the message is not a SOAP envelope")
    if namespace_of(root.tag) != ENVELOPE:
        raise SoapFault(VERSION_MISMATCH, f"the envelope's namespace must be {ENVELOPE} (SOAP 1.1)")
    for header in root.findall(f"{{{ENVELOPE}}}Header"):
        _check_header(header)
    bodies = root.findall(f"{{{ENVELOPE}}}Body")
    if len(bodies) != 1 or len(bodies[0]) != 1:
        raise _refused("the envelope must have one Body with one element in it")
    return bodies[0][0]


def _check_header(header: Element) -> None:
    for entry in header:
        actor = entry.get(f"{{{ENVELOPE}}}actor", "")
        if entry.get(f"{{{ENVELOPE}}}mustUnderstand") in {"1", "true"} and actor in {"", NEXT_ACTOR}:
            raise SoapFault(MUST_UNDERSTAND, f"the header {local_name(entry.tag)[:64]} is not understood")


def _refused(reason: str) -> SoapFault:
    return SoapFault(CLIENT, reason)
