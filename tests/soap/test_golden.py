"""Recorded exchanges: requests as real toolkits send them, and the exact answers they get.

`NAME.request.http` holds the request line and headers, `NAME.request.xml` the body, `NAME.response.xml` the answer,
`NAME.response.http` its status. Answers are compared byte for byte after canonicalisation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from tests.soap.conftest import Answer, Server, parse_answer
from tests.soap.contract import assert_valid

GOLDEN = Path(__file__).parent / "golden"
NAMES = sorted(path.name.removesuffix(".request.xml") for path in GOLDEN.glob("*.request.xml"))
LENIENT = {
    "handmade-wrong-action-and-endpoint": "no namespace",
    "handmade-get-info-qualified-children": "children in the namespace of their parent",
    "handmade-no-namespace-tie": "no namespace",
    "nodesoap-cancel-session": "children in the namespace of their parent",
    "nodesoap-cancel-unknown-job": "children in the namespace of their parent",
    "nodesoap-set-rate-parameters": "children in the namespace of their parent",
}
"""Requests that are taken though they are not valid by the XSD, and what is wrong with them."""
WITHOUT_DETAIL = {"handmade-must-understand", "soap12-envelope"}


def send(server: Server, name: str) -> Answer:
    body = (GOLDEN / f"{name}.request.xml").read_bytes()
    head = (GOLDEN / f"{name}.request.http").read_text("ascii").splitlines()
    lines = [
        *(line for line in head if not line.startswith("Connection:")),
        f"Host: 127.0.0.1:{server.port}",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    return parse_answer(server.raw("\r\n".join(lines).encode() + b"\r\n\r\n" + body))


def recorded() -> list[Any]:
    return [
        pytest.param(name, marks=[pytest.mark.lenient_requests(reason=LENIENT[name])])
        if name in LENIENT
        else name
        for name in NAMES
    ]


@pytest.mark.parametrize("name", recorded())
def test_a_recorded_request_gets_the_recorded_answer(server: Server, name: str) -> None:
    answer = send(server, name)
    expected = (GOLDEN / f"{name}.response.xml").read_bytes()
    assert etree.canonicalize(answer.text) == etree.canonicalize(expected.decode())
    assert f"{answer.status}\n" == (GOLDEN / f"{name}.response.http").read_text("ascii")
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"


@pytest.mark.parametrize("name", [name for name in NAMES if name not in WITHOUT_DETAIL])
def test_every_recorded_answer_is_valid_by_the_contract(name: str) -> None:
    assert_valid((GOLDEN / f"{name}.response.xml").read_bytes())


def test_no_recorded_answer_shows_a_secret() -> None:
    for path in GOLDEN.glob("*.response.xml"):
        assert "never shown" not in path.read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_no_recorded_answer_puts_unqualified_elements_under_a_default_namespace(name: str) -> None:
    root = etree.fromstring((GOLDEN / f"{name}.response.xml").read_bytes())
    assert all(None not in element.nsmap for element in root.iter())
