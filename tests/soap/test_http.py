"""HTTP around the messages: addresses, methods, types, connections, deadlines and limits."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
from twisted.internet.threads import blockingCallFromThread

from asperacentral.central.errors import Unavailable
from asperacentral.soap.contract_files import contract_files
from asperacentral.soap.site import ENDPOINTS
from tests.soap.conftest import Server, enveloped, parse_answer
from tests.soap.contract import NAMESPACES, fault

Serve = Callable[..., Server]
LIST_TYPES = f'<m:ListTypesRequest xmlns:m="{NAMESPACES["job"]}"/>'
SUBMIT = (
    f'<m:SubmitRequest xmlns:m="{NAMESPACES["job"]}"><Type>Aspera.IScpTransfer</Type>'
    "<Definition>&lt;Operation&gt;Push</Definition></m:SubmitRequest>"
)


def message(
    server: Server, inner: str = LIST_TYPES, connection: str = "keep-alive", split: bool = False
) -> bytes:
    body = enveloped(inner).encode()
    head = (
        "POST /services/soap/Transfer-201210 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/xml\r\n"
        f"Connection: {connection}\r\n"
    )
    if split:
        chunks = b"".join(
            b"%x\r\n%s\r\n" % (len(body[at : at + 7]), body[at : at + 7]) for at in range(0, len(body), 7)
        )
        return f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunks + b"0\r\n\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


# --- addresses


@pytest.mark.parametrize(
    "path",
    ["/", "/services", "/services/soap", "/services/soap/", "/services/soap/Unknown", "/console/x", "/x"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_an_unknown_address_is_404_in_plain_text(server: Server, path: str, method: str) -> None:
    answer = server.request(enveloped(LIST_TYPES).encode(), path=path, method=method)
    assert answer.status == 404
    assert answer.headers["content-type"].startswith("text/plain")
    assert b"<html" not in answer.body.lower()


def test_nothing_is_below_an_endpoint(server: Server) -> None:
    assert server.soap(LIST_TYPES, path="/services/soap/JobNET-200601/x").status == 404
    assert server.soap(LIST_TYPES, path="/services/soap/JobNET-200601/").status == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
def test_other_methods_are_refused(server: Server, method: str) -> None:
    answer = server.request(b"x", method=method)
    assert (answer.status, answer.headers["allow"]) == (405, "POST, GET")


def test_get_without_wsdl_says_what_to_do(server: Server) -> None:
    answer = server.request(method="GET")
    assert answer.status == 405
    assert "?wsdl" in answer.text


@pytest.mark.parametrize("query", ["?wsdl", "?WSDL", "?wsdl=1", "?wsdl&x=y"])
def test_the_wsdl_of_an_endpoint_is_the_file_with_the_client_s_address(server: Server, query: str) -> None:
    for endpoint in ENDPOINTS:
        answer = server.request(
            method="GET",
            path=f"/services/soap/{endpoint.name}{query}",
            headers={"Host": "central.example:8080"},
        )
        expected = contract_files()[endpoint.wsdl].replace(
            b"http://127.0.0.1:40001/", b"http://central.example:8080/"
        )
        assert (answer.status, answer.body) == (200, expected)


def test_every_file_of_the_contract_is_served_where_the_original_has_it(server: Server) -> None:
    for name in contract_files():
        for directory in ("/console/services/soap", "/services/soap"):
            answer = server.request(method="GET", path=f"{directory}/{name}")
            assert (answer.status, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    assert server.soap(LIST_TYPES, path="/services/soap/Job.wsdl").status == 405


@pytest.mark.parametrize("host", ['x"/><evil a="', "a b", "", "x" * 300, "a/b", "a@b"])
def test_a_host_that_cannot_be_one_is_not_written_into_the_wsdl(server: Server, host: str) -> None:
    answer = server.request(method="GET", path="/services/soap/JobNET-200601?wsdl", headers={"Host": host})
    assert f'location="http://127.0.0.1:{server.port}/services/soap/JobNET-200601"' in answer.text


def test_head_gets_the_wsdl_s_headers_only(server: Server) -> None:
    answer = server.request(method="HEAD", path="/services/soap/JobNET-200601?wsdl")
    assert (answer.status, answer.body) == (200, b"")


# --- answers


def test_the_answer_names_neither_twisted_nor_its_version(server: Server) -> None:
    assert server.soap(LIST_TYPES).headers["server"] == "asperacentral"


@pytest.mark.parametrize("split", [False, True])
def test_several_messages_can_share_a_connection(server: Server, split: bool) -> None:
    data = message(server, split=split) * 3 + message(server, connection="close", split=split)
    answer = server.raw(data)
    assert answer.count(b"HTTP/1.1 200 OK") == 4
    assert answer.count(b"ListTypesResponse>") == 8


def test_a_message_may_come_byte_by_byte(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in message(server, connection="close"):
            connection.sendall(bytes([byte]))
        data = b""
        while chunk := connection.recv(65536):
            data += chunk
    assert parse_answer(data).status == 200


def test_http_1_0_works(server: Server) -> None:
    body = enveloped(LIST_TYPES).encode()
    head = f"POST /services/soap/JobNET-200601 HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n"
    assert parse_answer(server.raw(head.encode() + body)).status == 200


@pytest.mark.parametrize(
    "kind",
    ["text/xml", "text/xml;charset=UTF-8", 'text/xml; charset="utf-8"', "application/xml", "text/plain", ""],
)
def test_xml_may_be_declared_in_several_ways(server: Server, kind: str) -> None:
    assert server.soap(LIST_TYPES, headers={"Content-Type": kind}).status == 200


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_utf_16_and_byte_order_marks_are_understood(server: Server, encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding[:6].rstrip("-")}"?>{enveloped(LIST_TYPES)}'
    body = text.encode(encoding)
    assert server.request(body, headers={"Content-Type": "text/xml"}).status == 200
    if encoding != "utf-8-sig":
        named = {"Content-Type": f"text/xml; charset={encoding.replace('6-', '6')}"}
        assert server.request(body, headers=named).status == 200


# --- trouble behind the face


def test_an_unexpected_error_is_logged_and_hidden(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    server.central.trouble = ZeroDivisionError("a detail of ours")
    answer = server.soap(LIST_TYPES)
    assert (answer.status, fault(answer.body)) == (500, ("Server", "internal error"))
    assert "a detail of ours" not in answer.text
    assert "ZeroDivisionError: a detail of ours" in caplog.text


def test_an_error_that_comes_later_is_hidden_too(server: Server) -> None:
    server.central.pending = Future()
    server.central.pending.set_exception(ZeroDivisionError("a detail of ours"))
    assert fault(server.soap(SUBMIT).body) == ("Server", "internal error")


def test_central_being_unavailable_is_the_server_s_fault(server: Server) -> None:
    server.central.trouble = Unavailable("the store is switched off")
    assert fault(server.soap(LIST_TYPES).body) == ("Server", "the store is switched off")


def test_an_answer_that_comes_late_is_given_up(serve: Serve) -> None:
    server = serve(request_deadline=0.3)
    server.central.pending = Future()
    started = time.monotonic()
    answer = server.soap(SUBMIT)
    assert fault(answer.body) == ("Server", "no answer in time")
    assert time.monotonic() - started < 20


def test_an_answer_that_takes_its_time_is_waited_for(server: Server, running_reactor: Any) -> None:
    pending = server.central.pending = Future()
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(message(server, SUBMIT, "close"))
        deadline = time.monotonic() + 30
        while not server.central.submitted and time.monotonic() < deadline:
            time.sleep(0.01)
        blockingCallFromThread(running_reactor, pending.set_result, _result())
        assert parse_answer(connection.recv(65536)).status == 200


def _result() -> Any:
    from asperacentral.central.model import JobResult

    return JobResult("Aspera.IScpTransfer", "1")


def test_a_client_that_leaves_harms_nobody(
    server: Server, running_reactor: Any, caplog: pytest.LogCaptureFixture
) -> None:
    pending = server.central.pending = Future()
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(message(server, SUBMIT))
        deadline = time.monotonic() + 30
        while not server.central.submitted and time.monotonic() < deadline:
            time.sleep(0.01)
    server.central.pending = None
    assert server.soap(LIST_TYPES).status == 200
    blockingCallFromThread(running_reactor, pending.set_result, _result())
    assert server.soap(LIST_TYPES).status == 200
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


# --- limits


def test_a_request_that_does_not_come_to_an_end_is_cut_off(serve: Serve) -> None:
    server = serve(request_deadline=0.3)
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(message(server)[:-20])
        for _ in range(1500):
            try:
                connection.sendall(b" ")  # each byte would start an idle timer anew
                time.sleep(0.02)
            except OSError:
                break
        else:
            pytest.fail("it was not cut off in half a minute")


def test_a_silent_connection_is_cut_off(serve: Serve) -> None:
    server = serve(request_deadline=0.3)
    started = time.monotonic()
    assert server.raw(b"") == b""
    assert time.monotonic() - started < 30


def test_an_answer_that_is_not_taken_is_dropped(serve: Serve) -> None:
    server = serve(request_deadline=0.3)
    server.central.files[0].path = "x" * 8_000_000
    inner = (
        f'<m:GetFileTransfersRequest xmlns:m="{NAMESPACES["fasp09"]}"><FileTransferFilter/>'
        "</m:GetFileTransfersRequest>"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(message(server, inner, "close"))
        time.sleep(1)
        received = 0
        try:
            while chunk := connection.recv(1 << 20):
                received += len(chunk)
        except ConnectionResetError:
            pass
    assert received < 8_000_000


def test_between_requests_a_connection_may_be_idle_for_longer_than_a_request_may_take(serve: Serve) -> None:
    server = serve(request_deadline=0.3)
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        for _ in range(2):
            connection.sendall(message(server))
            assert parse_answer(connection.recv(65536)).status == 200
            time.sleep(0.6)


@pytest.mark.parametrize("limit", [{"max_connections": 2}, {"per_address": 2}])
def test_connections_beyond_the_limit_are_dropped_until_others_end(
    serve: Serve, limit: dict[str, int]
) -> None:
    server = serve(**limit)
    kept = [socket.create_connection(("127.0.0.1", server.port), timeout=5) for _ in range(2)]
    for connection in kept:
        connection.sendall(message(server))
        assert parse_answer(connection.recv(65536)).status == 200
    assert server.raw(message(server, connection="close")) == b""
    kept.pop().close()
    deadline = time.monotonic() + 30
    while not (answer := server.raw(message(server, connection="close"))) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert parse_answer(answer).status == 200
    kept.pop().close()


def test_a_body_of_the_greatest_size_is_taken_and_one_byte_more_is_not(serve: Serve) -> None:
    body = enveloped(LIST_TYPES).encode()
    server = serve(max_body=len(body))
    assert server.request(body).status == 200
    assert server.request(body + b" ").status == 413
