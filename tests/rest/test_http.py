"""HTTP around the calls: addresses, methods, errors of one shape, and hostile bodies."""

from __future__ import annotations

import json
import logging
import time
from concurrent.futures import Future
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.testing import StringTransport

from asperacentral.central.errors import InvalidValue, Unavailable
from asperacentral.logs import BODIES
from asperacentral.rest.documents import MAX_VALUES, read_document
from asperacentral.rest.errors import BadRequest
from tests.rest.caller import BASE, Caller


@pytest.fixture
def caller() -> Caller:
    return Caller()


# --- addresses and methods


@pytest.mark.parametrize(
    "path", ["", "/", "/x", "/transfers", "/transfers/v2/sessions", "/transfers/v1/sessions/x"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_what_is_not_there_is_404(caller: Caller, path: str, method: str) -> None:
    answer = caller.call(f"/services/rest{path}", b"{}", method=method)
    assert answer.status == 404
    assert "/services/rest/transfers/v1/" in answer.error


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        ("sessions", "GET", "POST"),
        ("sessions", "PUT", "POST"),
        ("files", "GET", "POST, PUT"),
        ("files", "DELETE", "POST, PUT"),
        ("info", "OPTIONS", "POST"),
        ("info", "BREW", "POST"),
    ],
)
def test_other_methods_are_refused(caller: Caller, path: str, method: str, allowed: str) -> None:
    answer = caller.call(path, method=method)
    assert (answer.status, answer.headers["allow"]) == (405, allowed)
    assert path in answer.error


def test_the_soap_face_is_beside_it(caller: Caller) -> None:
    assert caller.call("/services/soap/JobNET-200601?wsdl", method="GET").status == 200
    answer = caller.call("/services/nothing")
    assert (answer.status, answer.headers["content-type"]) == (404, "text/plain; charset=utf-8")
    assert b"/services/rest/" in answer.body


# --- errors of the service


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (Unavailable("the persistent store is disabled"), 503, "the persistent store is disabled"),
        (InvalidValue("CookieFilter: is no pattern"), 400, "cookie_filter: is no pattern"),
        (InvalidValue("IterationToken: is old"), 400, "iteration_token: is old"),
        (RuntimeError("secret of the house"), 500, "internal error"),
    ],
)
def test_errors_of_the_service_are_told_and_mistakes_of_ours_are_not(
    caller: Caller, error: Exception, status: int, said: str
) -> None:
    caller.central.trouble = error
    answer = caller.call("sessions")
    assert (answer.status, answer.error) == (status, said)


def test_a_service_that_takes_too_long_is_an_error(caller: Caller) -> None:
    caller.central.pending = Future()
    body = f"POST {BASE}/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}".encode()
    transport = StringTransport()
    connection = caller.site.buildProtocol(None)
    connection.makeConnection(transport)
    connection.dataReceived(body)
    assert transport.value() == b""
    caller.clock.advance(30)
    assert b" 503 " in transport.value()
    assert b"no answer in time" in transport.value()
    caller.central.pending.set_result(None)  # Too late, and no harm.
    caller.clock.advance(0)
    assert transport.value().count(b"HTTP/1.1") == 1


# --- hostile bodies

HOSTILE: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"{'a': 1}", "not JSON"),
    "cut off": (b'{"session_filter":', "not JSON"),
    "two documents": (b"{} {}", "not JSON"),
    "an array": (b"[]", "is an array, expected an object"),
    "a string": (b'"x"', "is a string, expected an object"),
    "null": (b"null", "is null, expected an object"),
    "not UTF-8": (b'{"a": "\xff"}', "not UTF-8, at byte 7"),
    "UTF-16": ("{}".encode("utf-16"), "not UTF-8"),
    "twice the same": (
        b'{"session_filter": {}, "session_filter": {}}',
        "'session_filter' is given more than once",
    ),
    "not a number": (b'{"session_filter": {"max_result": NaN}}', "NaN is not JSON"),
    "infinite": (b'{"session_filter": {"max_result": -Infinity}}', "-Infinity is not JSON"),
    "too large": (b'{"session_filter": {"max_result": 1e999}}', "a number is too large"),
    "very many digits": (b'{"a": ' + b"9" * 1_000_000 + b"}", "more than 40 digits"),
    "very many decimals": (b'{"a": 1.' + b"9" * 1_000_000 + b"}", "more than 40 digits"),
    "deep arrays": (b'{"a": ' + b"[" * 500_000, "more than 20000 values"),
    "rather deep arrays": (b'{"a": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", "more than 64 deep"),
    "deep objects": (b'{"a":' * 100 + b"1" + b"}" * 100, "more than 64 deep"),
    "very many values": (b'{"a": [' + b"1," * 400_000 + b"1]}", "more than 20000 values"),
    "very many members": (
        ("{" + ",".join(f'"{n}":0' for n in range(60_000)) + "}").encode(),
        "more than 20000 values",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_body_costs_nothing_and_is_told_why(caller: Caller, name: str) -> None:
    body, said = HOSTILE[name]
    began = time.process_time()
    answer = caller.call("sessions", body)
    assert answer.status == 400
    assert said in answer.error
    assert time.process_time() - began < 5
    assert caller.central.filters == []


@pytest.mark.parametrize("declared", [True, False])
def test_a_huge_body_is_refused_before_it_is_read(caller: Caller, declared: bool) -> None:
    caller = Caller(max_body=1000)
    how = "Content-Length: 100000000" if declared else "Transfer-Encoding: chunked"
    data = b"" if declared else b"7d0\r\n" + b"x" * 2000
    came = caller.send(f"PUT {BASE}/files HTTP/1.1\r\nHost: x\r\n{how}\r\n\r\n".encode() + data)
    head, _, body = came.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 ")
    assert b"Content-Type: application/json" in head
    assert json.loads(body)["error"]["reason"] == "too_large"


def test_a_refusal_of_the_soap_face_stays_xml(caller: Caller) -> None:
    caller = Caller(max_body=10)
    came = caller.send(b"POST /services/soap/JobNET-200601 HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n")
    assert b"text/xml" in came
    assert b"faultstring" in came


ANY = Caller()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.text(), JSON))
def test_any_object_is_read_as_it_is(document: dict[str, Any]) -> None:
    try:
        text = json.dumps(document, allow_nan=False)
    except ValueError:  # An infinity: that is no JSON.
        return
    assert read_document(text.encode()) == document


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        assert isinstance(read_document(body), dict)
    except BadRequest as refusal:
        assert str(refusal).isprintable()


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.sampled_from(["session_filter", "validation"]), JSON))
def test_any_document_is_answered_or_refused_but_never_a_mistake_of_ours(document: dict[str, Any]) -> None:
    try:
        body = json.dumps(document, allow_nan=False).encode()
    except ValueError:
        return
    assert ANY.call("sessions", body).status in (200, 400)


def test_the_bound_of_values_lets_a_full_report_through() -> None:
    files = [
        {
            "session_uuid": "s",
            "file_id": str(n),
            "status": "error",
            "error_code": 1,
            "error_description": "a, b",
        }
        for n in range(1000)
    ]
    body = json.dumps({"validator_id": "v", "files": files}).encode()
    assert len(read_document(body)["files"]) == 1000
    assert body.count(b",") < MAX_VALUES


def test_calls_and_bodies_are_told_in_the_log(caller: Caller, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(BODIES, logger="asperacentral.rest.resources"):
        caller.call("sessions", {"session_filter": {"cookie": "c\n1"}})
        caller.call("x\x1b")
    text = caplog.text
    assert "REST POST /transfers/v1/sessions from 127.0.0.1:4711" in text
    assert '"session_info_result"' in text
    assert "\x1b" not in text
    assert logging.getLevelName(caplog.records[0].levelno)
