"""The addresses of the SOAP face: endpoints that take POST and serve `?wsdl`, and the contract's files.

Turns HTTP into calls of `service.Dispatcher` and its answers into HTTP. Holds no rules.
"""

# Method names are twisted's, and its classes are only partly typed.
# ruff: noqa: N802, N815
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from asperacentral.logs import BODIES, MESSAGES
from asperacentral.soap.envelope import decode, read_envelope
from asperacentral.soap.faults import CLIENT, SERVER, SoapFault, render_fault
from asperacentral.soap.http import LimitedRequest
from asperacentral.soap.masking import loggable
from asperacentral.soap.names import FASPSESSION_200911, local_name, namespace_of
from asperacentral.soap.schema import ContractSchema
from asperacentral.soap.service import Dispatcher, Endpoint

log = logging.getLogger(__name__)

XML = b"text/xml; charset=utf-8"
_WRITTEN_ADDRESS = b"http://127.0.0.1:40001/"
_HOST = re.compile(r"[A-Za-z0-9._~:\[\]-]{1,255}")
_ACCEPTED_TYPES = frozenset(
    {"", "text/xml", "application/xml", "application/soap+xml", "text/plain", "application/octet-stream"}
)
MAX_QUESTION = 4096
"""Bytes of the longest message whose answer is kept for whoever sends the same again."""
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")


@dataclass(frozen=True, slots=True)
class Recorded:
    """One exchange as it went over the wire: `charset` is that of the request's Content-Type, empty without one."""

    endpoint: str
    charset: str
    request: bytes
    status: int
    answer: bytes


Recorder = Callable[[Recorded], None]
"""Is told of every message that reached an endpoint and was answered."""


class PlainStatus(Resource):
    """A refusal in one line of text, for every method and every path below."""

    isLeaf = True

    def __init__(self, code: int, text: str, headers: dict[str, str] | None = None) -> None:
        super().__init__()
        self._code, self._text, self._headers = code, text, headers or {}

    def render(self, request: Any) -> bytes:
        """Send it."""
        request.setResponseCode(self._code)
        for name, value in self._headers.items():
            request.setHeader(name, value)
        return _send(request, b"text/plain; charset=utf-8", f"{self._text}\n".encode())


class Directory(Resource):
    """A path that only leads to others."""

    def __init__(self, children: dict[str, Any]) -> None:
        super().__init__()
        for name, child in children.items():
            self.putChild(name.encode(), child)

    def getChild(self, path: bytes, request: Any) -> Resource:
        """What is not there."""
        return PlainStatus(404, "nothing here; SOAP services are at /services/soap/<NAME>")

    def render(self, request: Any) -> bytes:
        """The directory itself is not there either."""
        return PlainStatus(404, "nothing here; SOAP services are at /services/soap/<NAME>").render(request)


class ContractFile(Resource):
    """A WSDL or XSD file, with the address the client used in place of the one written in it."""

    isLeaf = True

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self._content = content

    def render(self, request: Any) -> bytes:
        """Send it."""
        if request.method not in {b"GET", b"HEAD"} or request.postpath:
            return _no_such_method("GET").render(request)
        return _send(request, XML, self._content.replace(_WRITTEN_ADDRESS, _address(request)))


class EndpointResource(Resource):
    """One SOAP service."""

    isLeaf = True

    def __init__(
        self,
        endpoint: Endpoint,
        dispatcher: Dispatcher,
        wsdl: bytes,
        schema: ContractSchema | None,
        recorder: Recorder | None = None,
    ) -> None:
        super().__init__()
        self._endpoint = endpoint
        self._recorder = recorder
        self._dispatcher = dispatcher
        self._wsdl = ContractFile(wsdl)
        self._schema = schema

    def render(self, request: Any) -> Any:
        """POST carries a message; GET with ?wsdl asks for the WSDL."""
        if request.postpath not in ([], [b""]):
            return PlainStatus(404, f"nothing below {self._endpoint.name}").render(request)
        if request.method == b"POST":
            return _Exchange(request, self._endpoint, self._dispatcher, self._schema, self._recorder).run()
        asked = request.uri.partition(b"?")[2].lower().partition(b"&")[0].partition(b"=")[0]
        if request.method in {b"GET", b"HEAD"} and asked == b"wsdl":
            request.postpath = []
            return self._wsdl.render(request)
        return _no_such_method("POST").render(request)


class _Exchange:
    """One message and its answer."""

    def __init__(
        self,
        request: LimitedRequest,
        endpoint: Endpoint,
        dispatcher: Dispatcher,
        schema: ContractSchema | None,
        recorder: Recorder | None,
    ) -> None:
        self._request = request
        self._recorder = recorder
        self._site = request.channel.site
        self._peer = request.channel.peer
        self._endpoint = endpoint
        self._dispatcher = dispatcher
        self._schema = schema
        self._started = time.perf_counter()
        self._message = "?"
        self._size = 0
        self._over = False
        self._deadline: Any = None

    def run(self) -> Any:
        answer: Deferred[bytes] = maybeDeferred(self._take)
        answer.addCallbacks(self._answered, self._failed)
        answer.addErrback(_bug)
        if not self._over:
            self._deadline = self._site.clock.callLater(self._site.request_deadline, self._give_up)
            self._request.notifyFinish().addErrback(self._left)
        return NOT_DONE_YET

    def _take(self) -> Deferred[bytes]:
        request = self._request
        kind, charset = _content_type(request.content_type)
        data = request.content.read()
        self._size = len(data)
        if log.isEnabledFor(BODIES):
            _log_body(f"{self._peer} sent", data, charset)
        if kind not in _ACCEPTED_TYPES:
            raise _UnsupportedType(f"the content type must be text/xml, not {_printable(kind)}")
        action = (request.getHeader(b"soapaction") or b"").decode("latin-1")
        question = (self._endpoint.name, charset, action, data) if len(data) <= MAX_QUESTION else None
        version = self._dispatcher.version()
        known = self._dispatcher.answers.get(question, version)
        if known is not None:
            self._message, answer = known
            return succeed(answer)
        received = read_envelope(data, charset)
        self._message = self._dispatcher.select(received.body.tag, self._endpoint.name, action)
        if self._schema is not None:
            self._schema.check(received.body, self._message)
        answered = self._dispatcher.call(self._message, received.body)
        if question is not None and namespace_of(self._message) == FASPSESSION_200911:
            answered.addCallback(self._keep, question, version)
        return answered

    def _keep(self, answer: bytes, question: Hashable, version: int) -> bytes:
        """Remember an answer of the reliable query: asking it changes nothing."""
        self._dispatcher.answers.put(question, version, self._message, answer)
        return answer

    def _left(self, _reason: Failure) -> None:
        self._end("the client has left")

    def _give_up(self) -> None:
        self._deadline = None
        self._fail(SoapFault(SERVER, "no answer in time"))

    def _answered(self, answer: bytes) -> None:
        self._send(200, answer, "")

    def _failed(self, failure: Failure) -> None:
        error = failure.value
        if isinstance(error, SoapFault):
            self._fail(error)
        else:
            log.error("a SOAP message failed", exc_info=error)
            self._fail(SoapFault(SERVER, "internal error"))

    def _fail(self, fault: SoapFault) -> None:
        status = 415 if isinstance(fault, _UnsupportedType) else 500
        self._send(status, render_fault(fault), f" ({fault.code}: {_printable(fault.text)})")

    def _send(self, status: int, answer: bytes, remark: str) -> None:
        if self._over:
            return
        self._end(f"{status}, {len(answer)} bytes{remark}")
        if log.isEnabledFor(BODIES):
            _log_body(f"answer to {self._peer}", answer, "")
        if self._recorder is not None:
            self._record(self._recorder, status, answer)
        self._request.setResponseCode(status)
        self._request.write(_send(self._request, XML, answer))
        self._request.finish()

    def _record(self, recorder: Recorder, status: int, answer: bytes) -> None:
        content = self._request.content
        content.seek(0)
        charset = _content_type(self._request.content_type)[1]
        recorder(Recorded(self._endpoint.name, charset, content.read(), status, answer))

    def _end(self, outcome: str) -> None:
        """Nothing more is sent; the message gets its line in the log."""
        self._over = True
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        log.log(
            MESSAGES,
            "%s %s from %s, %d bytes: %s, %.1f ms",
            self._endpoint.name,
            _printable(local_name(self._message)),
            self._peer,
            self._size,
            outcome,
            (time.perf_counter() - self._started) * 1000,
        )


class _UnsupportedType(SoapFault):
    def __init__(self, text: str) -> None:
        super().__init__(CLIENT, text)


def _send(request: Any, content_type: bytes, body: bytes) -> bytes:
    request.setHeader(b"server", b"asperacentral")
    request.setHeader(b"content-type", content_type)
    request.setHeader(b"content-length", str(len(body)).encode())
    return body


def _no_such_method(allowed: str) -> PlainStatus:
    hint = "send SOAP messages by POST, or ask for ?wsdl by GET" if allowed == "POST" else "only GET"
    return PlainStatus(405, hint, {"allow": "POST, GET" if allowed == "POST" else allowed})


def _address(request: Any) -> bytes:
    """The address of this server as the client knows it."""
    host = (request.getHeader(b"host") or b"").decode("latin-1")
    if not _HOST.fullmatch(host):
        local = request.getHost()
        host = f"[{local.host}]:{local.port}" if ":" in local.host else f"{local.host}:{local.port}"
    return f"{'https' if request.isSecure() else 'http'}://{escape(host)}/".encode()


def _content_type(header: bytes) -> tuple[str, str]:
    """Media type and charset of a Content-Type header, in lower case."""
    kind, *parameters = header.decode("latin-1").lower().split(";")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset":
            return kind.strip(), value.strip(" \t\"'")
    return kind.strip(), ""


def _log_body(what: str, data: bytes, charset: str) -> None:
    try:
        text = loggable(decode(data, charset))
    except SoapFault as fault:
        text = f"[{fault.text}]"
    log.log(BODIES, "%s %d bytes: %s", what, len(data), text)


def _printable(text: str) -> str:
    """At most 200 characters, fit for a line of the log."""
    return _UNPRINTABLE.sub("?", text[:200])


def _bug(failure: Failure) -> None:
    log.error("a SOAP answer could not be sent", exc_info=failure.value)
