"""The envelope reader on arbitrary bytes: it answers or refuses, and never does anything else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.soap.envelope import (
    ELEMENTS,
    MAX_ATTRIBUTES,
    MAX_DEPTH,
    MAX_NAMESPACES,
    MAX_TAGS,
    PIECE,
    read_envelope,
    reading,
)
from asperacentral.soap.faults import SoapFault
from asperacentral.soap.text import escape
from tests.soap.conftest import enveloped

FRAGMENTS = st.sampled_from(
    [
        "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'>",
        "</e:Envelope>",
        "<e:Body>",
        "</e:Body>",
        "<e:Header/>",
        "<x>",
        "</x>",
        "<x/>",
        "<![CDATA[",
        "]]>",
        "&amp;",
        "&#0;",
        "<!--",
        "-->",
        "<?p ?>",
        "<!DOCTYPE a>",
        "\ufeff",
        "a='b'",
        "xmlns=''",
        "text",
        "\x00",
    ]
)
CHARSETS = st.sampled_from(
    ["", "utf-8", "UTF-16", "utf-16le", "us-ascii", "latin-1", "utf-7", "nonsense", "ütf"]
)


PIECES = st.lists(FRAGMENTS, max_size=20).map(lambda parts: "".join(parts).encode())


@given(st.binary(max_size=200) | PIECES, CHARSETS)
def test_any_bytes_are_read_or_refused(data: bytes, charset: str) -> None:
    try:
        assert read_envelope(data, charset).body.tag
    except SoapFault as fault:
        assert fault.text


XML_TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(XML_TEXT, st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]))
def test_text_survives_escaping_and_reading_in_every_encoding(text: str, encoding: str) -> None:
    read = read_envelope(enveloped(f"<x>{escape(text)}</x>").encode(encoding)).body.text or ""
    # What XML cannot hold is U+FFFD once escaped, and stays so; all else comes back as it was.
    assert escape(read) == escape(text)


def children(count: int) -> str:
    return f"<x>{'<a/>' * (count - 3)}</x>"


def attributes(count: int) -> str:
    return "<x " + " ".join(f"a{number}='v'" for number in range(count)) + "/>"


def namespaces(count: int) -> str:
    return "<x " + " ".join(f"xmlns:a{number}='u'" for number in range(count - 1)) + "/>"


def levels(count: int) -> str:
    return "<a>" * (count - 2) + "</a>" * (count - 2)


@pytest.mark.parametrize(
    ("inner", "beyond"),
    [
        (children, MAX_TAGS),
        (attributes, MAX_ATTRIBUTES),
        (namespaces, MAX_NAMESPACES),
        (levels, MAX_DEPTH),
    ],
)
def test_a_limit_is_exactly_where_it_is_said_to_be(inner: Callable[[int], str], beyond: int) -> None:
    assert read_envelope(enveloped(inner(beyond)).encode())
    with pytest.raises(SoapFault):
        read_envelope(enveloped(inner(beyond + 1)).encode())


def test_leading_white_space_and_a_declaration_are_fine() -> None:
    assert (
        read_envelope(b" \r\n<?xml version='1.0' encoding='UTF-8'?>" + enveloped("<x/>").encode()).body.tag
        == "x"
    )


@pytest.mark.parametrize(
    "header",
    [
        "",
        "<e:Header/>",
        "<e:Header><s:x xmlns:s='u' e:mustUnderstand='0'/></e:Header>",
        "<e:Header><s:x xmlns:s='u' e:mustUnderstand='1' e:actor='urn:somebody-else'/></e:Header>",
    ],
)
def test_headers_that_need_not_be_understood_are_passed_over(header: str) -> None:
    message = enveloped("<x/>").replace("<e:Body>", f"{header}<e:Body>")
    assert read_envelope(message.encode()).body.tag == "x"


@pytest.mark.parametrize("actor", ["", "e:actor='http://schemas.xmlsoap.org/soap/actor/next'", "e:actor=''"])
def test_a_header_that_must_be_understood_by_us_is_not(actor: str) -> None:
    header = f"<e:Header><s:x xmlns:s='u' e:mustUnderstand='1' {actor}/></e:Header>"
    with pytest.raises(SoapFault) as raised:
        read_envelope(enveloped("<x/>").replace("<e:Body>", f"{header}<e:Body>").encode())
    assert raised.value.code == "MustUnderstand"


def test_a_long_message_is_read_in_steps_and_a_short_one_in_one() -> None:
    short, long = (enveloped(body).encode() for body in ("<x/>", f"<x>{'<y>text</y>' * 15_000}</x>"))
    assert list(reading(short)) == []
    assert len(list(reading(long))) >= len(long) // PIECE + 15_000 // ELEMENTS
    assert len(read_envelope(long).body) == 15_000
