"""Requests meant to harm: each is refused in the right way within a second, and the next honest one is answered."""

from __future__ import annotations

import http.server
import resource
import threading
from collections.abc import Iterator

import pytest

from tests.promptness import prompt
from tests.soap.conftest import Server, enveloped, parse_answer
from tests.soap.contract import NAMESPACES, fault

LIST_TYPES = f'<m:ListTypesRequest xmlns:m="{NAMESPACES["job"]}"/>'
HONEST = enveloped(LIST_TYPES)
LIMIT = 1.0
"""Seconds until the answer; generous for a busy machine, far below what the attacks would cost unchecked."""


def submit(definition: str, attributes: str = "") -> str:
    return (
        f'<m:SubmitRequest xmlns:m="{NAMESPACES["job"]}"><Type {attributes}>Aspera.IScpTransfer</Type>'
        f"<Definition>{definition}</Definition></m:SubmitRequest>"
    )


def query(inner: str) -> str:
    return enveloped(
        f'<m:GetInfoRequest xmlns:m="{NAMESPACES["fasp09"]}"><FileTransferFilter>{inner}</FileTransferFilter>'
        "</m:GetInfoRequest>"
    )


LAUGHS = "<!DOCTYPE x [<!ENTITY a0 'ha'>" + "".join(
    f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 10)
)
BLOWN_UP = f"<!DOCTYPE x [<!ENTITY a '{'x' * 100_000}'>]>" + enveloped(submit("&a;" * 5_000))
XSI = 'xmlns:i="http://www.w3.org/2001/XMLSchema-instance"'

FAULTS: dict[str, tuple[str | bytes, str, str]] = {
    "billion laughs": (f"{LAUGHS}]>{enveloped(submit('&a9;'))}", "Client", "DOCTYPE"),
    "quadratic blow-up": (BLOWN_UP, "Client", "DOCTYPE"),
    "external entity": (
        f"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>{enveloped(submit('&e;'))}",
        "Client",
        "DOCTYPE",
    ),
    "external DTD": (f"<!DOCTYPE x SYSTEM 'http://127.0.0.1:TRAP/x.dtd'>{HONEST}", "Client", "DOCTYPE"),
    "parameter entity": (
        f"<!DOCTYPE x [<!ENTITY % p SYSTEM 'http://127.0.0.1:TRAP/p'> %p;]>{HONEST}",
        "Client",
        "DOCTYPE",
    ),
    "DOCTYPE in UTF-16": (f"<!DOCTYPE x []>{HONEST}".encode("utf-16"), "Client", "DOCTYPE"),
    "undeclared entity": (enveloped(submit("&lol;")), "Client", "not well-formed"),
    "XInclude": (
        enveloped(
            '<x:include xmlns:x="http://www.w3.org/2001/XInclude" href="http://127.0.0.1:TRAP/i" parse="text"/>'
        ),
        "Client",
        "unknown message",
    ),
    "schema location": (
        enveloped(f'<ListTypesRequestX {XSI} i:schemaLocation="urn:x http://127.0.0.1:TRAP/s.xsd"/>'),
        "Client",
        "unknown message",
    ),
    "stylesheet instruction": (
        '<?xml-stylesheet href="http://127.0.0.1:TRAP/x.xsl" type="text/xsl"?>' + enveloped("<Nonsense/>"),
        "Client",
        "unknown message",
    ),
    "100,000 attributes": (
        enveloped(submit("x", " ".join(f'a{n}=""' for n in range(100_000)))),
        "Client",
        "attributes",
    ),
    "100,000 attributes in another spelling": (
        enveloped(submit("x", " ".join(f"a{n} = ''" for n in range(80_000)))),
        "Client",
        "attributes",
    ),
    "33 attributes": (enveloped(submit("x", " ".join(f'a{n}=""' for n in range(33)))), "Client", "attributes"),
    "the same attribute twice": (enveloped(submit("x", 'a="" a=""')), "Client", "not well-formed"),
    "50,000 namespaces": (
        enveloped(submit("x", " ".join(f'xmlns:a{n}="u"' for n in range(50_000)))),
        "Client",
        "attributes",
    ),
    "65 namespaces": (
        enveloped(submit("x", " ".join(f'xmlns:a{n}="u"' for n in range(65)))),
        "Client",
        "namespaces",
    ),
    "300,000 tags": (enveloped("<a>" * 300_000), "Client", "tags"),
    "19,000 levels": (enveloped("<a>" * 19_000 + "</a>" * 19_000), "Client", "levels"),
    "19,000 unknown children": (query("<a/>" * 19_000), "", ""),
    "19,000 values": (query("<JobId/>" * 19_000), "", ""),
    "unfinished": (HONEST[:-30], "Client", "not well-formed"),
    "not XML at all": ("GIF89a" + "\x01" * 100, "Client", "not well-formed"),
    "half a megabyte of <": ("<" * 500_000, "Client", "tags"),
    "HTML": ("<html><body>hello</body></html>", "Client", "not a SOAP envelope"),
    "JSON": ('{"a": 1}', "Client", "not well-formed"),
    "empty body": ("", "Client", "empty"),
    "white space": (" \r\n" * 100, "Client", "empty"),
    "empty SOAP body": (enveloped(""), "Client", "one Body with one element"),
    "no SOAP body": (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"/>',
        "Client",
        "one Body with one element",
    ),
    "two body elements": (enveloped(LIST_TYPES + LIST_TYPES), "Client", "one Body with one element"),
    "two bodies": (
        HONEST.replace("<e:Body>", "<e:Body/><e:Body>"),
        "Client",
        "one Body with one element",
    ),
    "text instead of a body element": (enveloped("hello"), "Client", "one Body with one element"),
    "a cycle of references": (
        enveloped('<m:SubmitRequest xmlns:m="urn:x"><Type id="a" href="#b"/><x id="b" href="#a"/></m:SubmitRequest>'),
        "Client",
        "href",
    ),
    "a header that must be understood": (
        HONEST.replace("<e:Body>", '<e:Header><s xmlns="urn:s" e:mustUnderstand="1"/></e:Header><e:Body>'),
        "MustUnderstand",
        "s is not understood",
    ),
    "SOAP 1.2": (
        HONEST.replace("http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"),
        "VersionMismatch",
        "SOAP 1.1",
    ),
    "an envelope in no namespace": ("<Envelope><Body><x/></Body></Envelope>", "VersionMismatch", "SOAP 1.1"),
    "a NUL": (enveloped(submit("a\x00b")), "Client", "not well-formed"),
    "a control character": (enveloped(submit("a\x01b")), "Client", "not well-formed"),
    "a reference to a control character": (enveloped(submit("a&#1;b")), "Client", "not well-formed"),
    "a lone surrogate": (enveloped(submit("a\ud800b")).encode("utf-16-le", "surrogatepass"), "Client", "UTF-16"),
    "a non-character": (enveloped(submit("a\uffffb")), "Client", "not well-formed"),
    "overlong UTF-8": (HONEST.encode().replace(b"ListTypes", b"\xc0\xbcTypes"), "Client", "not valid UTF-8"),
    "UTF-7": (b'<?xml version="1.0" encoding="utf-7"?>' + HONEST.encode("utf-7"), "Client", "UTF-8 or UTF-16"),
    "EBCDIC": (HONEST.encode("cp500"), "Client", "not valid UTF-8"),
    "UTF-32": (HONEST.encode("utf-32"), "Client", "not well-formed"),
    "Latin-1": (enveloped(submit("\xe4")).encode("latin-1"), "Client", "not valid UTF-8"),
    "an unknown type of XML": (enveloped(f'<m:ListJobsX xmlns:m="{"x" * 100_000}"/>'), "Client", "unknown message"),
    "a huge number": (query(f"<MaxResults>{'9' * 900_000}</MaxResults>"), "Client", "not a valid positiveInteger"),
    "a huge date": (
        query(f"<MinSessionStartDate>{'9' * 900_000}-01-01T00:00:00Z</MinSessionStartDate>"),
        "Client",
        "not a valid dateTime",
    ),
}  # fmt: skip


class Trap(http.server.BaseHTTPRequestHandler):
    """Counts whoever comes."""

    visits = 0

    def do_GET(self) -> None:
        Trap.visits += 1
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def trap() -> Iterator[int]:
    server = http.server.HTTPServer(("127.0.0.1", 0), Trap)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.mark.lenient_requests(reason="unknown children are skipped")
@pytest.mark.parametrize("name", FAULTS)
def test_a_hostile_message_is_refused_at_once(server: Server, trap: int, name: str) -> None:
    body, code, reason = FAULTS[name]
    data = body.encode() if isinstance(body, str) else body
    answer = prompt(lambda: server.request(data.replace(b"TRAP", str(trap).encode())), LIMIT)
    if code:
        assert (answer.status, fault(answer.body)[0]) == (500, code)
        assert reason in fault(answer.body)[1]
        assert len(answer.body) < 2000
    else:
        assert answer.status == 200
    assert Trap.visits == 0
    assert server.request(HONEST.encode()).status == 200


HEAD = b"POST /services/soap/JobNET-200601 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
END = b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def typed(content_type: bytes, body: bytes = b"abc") -> bytes:
    return HEAD + b"Content-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (content_type, len(body), body)


REFUSED: dict[str, tuple[bytes, int]] = {
    "a body of 100 MB": (HEAD + b"Content-Length: 100000000\r\n\r\n", 413),
    "a body declared too long": (HEAD + b"Content-Length: 99999999999999999999\r\n\r\n", 413),
    "a body too long that waits to be asked for": (
        HEAD + b"Expect: 100-continue\r\nContent-Length: 100000000\r\n\r\n",
        413,
    ),
    "an endless chunked body": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + (b"8000\r\n" + b"x" * 0x8000 + b"\r\n") * 64,
        413,
    ),
    "a page of somebody else": (HEAD + b"Origin: http://evil.example\r\nContent-Length: 1\r\n\r\nx", 403),
    "bad chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nxx", 400),
    "a chunk of negative length": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\nxx", 400),
    "two lengths": (HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400),
    "length and chunks": (HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "a length that is no number": (HEAD + b"Content-Length: +3\r\n\r\nabc", 400),
    "an encoding nobody knows": (HEAD + b"Transfer-Encoding: gzip\r\n\r\nabc", 400),
    "a header of a megabyte": (HEAD + b"X: " + b"y" * 1_000_000 + b"\r\n\r\n", 431),
    "a hundred thousand headers": (HEAD + b"X: y\r\n" * 100_000 + b"\r\n", 400),
    "an address of a megabyte": (b"POST /" + b"y" * 1_000_000 + END, 431),
    "a header without a colon": (HEAD + b"nonsense\r\n\r\n", 400),
    "no HTTP at all": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", 400),
    "a form": (typed(b"application/x-www-form-urlencoded", b"a&" * 500_000), 415),
    "a multipart form": (typed(b"multipart/form-data; boundary=b"), 415),
    "a multipart form without a boundary": (typed(b"multipart/form-data"), 415),
    "SOAP with attachments": (typed(b"multipart/related; boundary=b"), 415),
    "JSON by its type": (typed(b"application/json", b"{}"), 415),
    "an encoding that is not UTF": (typed(b"text/xml; charset=utf-7"), 500),
    "PUT": (typed(b"text/xml").replace(b"POST", b"PUT"), 405),
    "GET with a body": (typed(b"text/xml").replace(b"POST", b"GET"), 405),
    "a proxy request": (b"CONNECT example.com:443" + END, 404),
    "a path that climbs": (b"GET /console/services/soap/..%2f..%2f..%2fetc%2fpasswd" + END, 404),
    "a path that climbs plainly": (b"GET /console/services/soap/../../../etc/passwd" + END, 404),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_http_request_gets_its_status_at_once(server: Server, name: str) -> None:
    data, status = REFUSED[name]
    if name == "a body of 100 MB":
        data += b"x" * 100_000_000
    answer = prompt(lambda: parse_answer(server.raw(data)), LIMIT)
    assert answer.status == status
    assert b"Traceback" not in answer.body
    assert b"<html" not in answer.body.lower()
    assert server.request(HONEST.encode()).status == 200


def test_made_up_names_do_not_make_the_daemon_grow(server: Server) -> None:
    def storm(first: int) -> None:
        for attempt in range(first, first + 15):
            names = "".join(f"<n{attempt}x{number}/>" for number in range(15_000))
            server.request(enveloped(f"<x>{names}</x>").encode())

    storm(0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    storm(100)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 4_000  # kB, after 225,000 names


def test_a_file_name_that_xml_cannot_hold_spoils_no_answer(server: Server) -> None:
    server.central.files[0].path = "a\x00b\x1bc\ud800d\uffffe]]>&<"
    answer = server.request(query("").encode())
    assert answer.status == 200
    assert "<Path>a\ufffdb\ufffdc\ufffdd\ufffde]]&gt;&amp;&lt;</Path>" in answer.text
