"""The addresses of the SOAP face: endpoints that take POST and serve `?wsdl`, and the contract's files.

Turns HTTP into calls of `service.Dispatcher` and its answers into HTTP. Holds no rules.
"""

# Method names are twisted's, and its classes are only partly typed.
# ruff: noqa: N815
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from twisted.internet.defer import Deferred, succeed
from twisted.web.resource import Resource

from asperacentral.soap.envelope import Received, decode, reading
from asperacentral.soap.faults import CLIENT, SERVER, SoapFault, render_fault
from asperacentral.soap.masking import loggable
from asperacentral.soap.names import FASPSESSION_200911, local_name, namespace_of
from asperacentral.soap.schema import ContractSchema
from asperacentral.soap.service import Dispatcher, Endpoint
from asperacentral.web.exchange import Exchange, LateError, Reply
from asperacentral.web.resources import PlainStatus, printable, send
from asperacentral.web.server import LimitedRequest
from asperacentral.web.slicing import in_slices

log = logging.getLogger(__name__)

XML = b"text/xml; charset=utf-8"
_WRITTEN_ADDRESS = b"http://127.0.0.1:40001/"
_HOST = re.compile(r"[A-Za-z0-9._~:\[\]-]{1,255}")
_ACCEPTED_TYPES = frozenset(
    {"", "text/xml", "application/xml", "application/soap+xml", "text/plain", "application/octet-stream"}
)
MAX_QUESTION = 4096
"""Bytes of the longest message whose answer is kept for whoever sends the same again."""

_EVER = 0
"""The one version of what never changes."""


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
        return send(request, XML, self._content.replace(_WRITTEN_ADDRESS, _address(request)))


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


class _Exchange(Exchange):
    """One message and its answer."""

    face = "soap"

    def __init__(
        self,
        request: LimitedRequest,
        endpoint: Endpoint,
        dispatcher: Dispatcher,
        schema: ContractSchema | None,
        recorder: Recorder | None,
    ) -> None:
        super().__init__(request, log)
        self._recorder = recorder
        self._endpoint = endpoint
        self._dispatcher = dispatcher
        self._schema = schema
        self._message = "?"
        self._kind, self._charset = _content_type(request.content_type)

    def take(self, data: bytes) -> Deferred[Reply]:
        """Carry out a message, or answer it as the same one was answered before."""
        return self._answer(data).addCallback(lambda answer: Reply(200, XML, answer))

    def _answer(self, data: bytes) -> Deferred[bytes]:
        if self._kind not in _ACCEPTED_TYPES:
            raise _UnsupportedType(f"the content type must be text/xml, not {printable(self._kind)}")
        action = (self.request.getHeader(b"soapaction") or b"").decode("latin-1")
        question = (self._endpoint.name, self._charset, action, data) if len(data) <= MAX_QUESTION else None
        version = self._dispatcher.version()
        known = self._dispatcher.lasting_answers.get(question, _EVER)
        known = known or self._dispatcher.answers.get(question, version)
        if known is not None:
            self._message, answer = known
            return succeed(answer)
        read = in_slices(reading(data, self._charset), self._site.clock)
        answered = read.addCallback(self._call, action)
        if question is not None:
            answered.addCallback(self._keep, question, version)
        return answered

    def _call(self, received: Received, action: str) -> Deferred[bytes]:
        self._message = self._dispatcher.select(received.body.tag, self._endpoint.name, action)
        if self._schema is not None:
            self._schema.check(received.body, self._message)
        return self._dispatcher.call(self._message, received.body, self._site.clock)

    def _keep(self, answer: bytes, question: Hashable, version: int) -> bytes:
        """Remember an answer that never changes, and one of the reliable query: asking it changes nothing."""
        if self._dispatcher.lasting(self._message):
            self._dispatcher.lasting_answers.put(question, _EVER, self._message, answer)
        elif namespace_of(self._message) == FASPSESSION_200911:
            self._dispatcher.answers.put(question, version, self._message, answer)
        return answer

    def failed(self, error: BaseException) -> Reply:
        """Errors are faults."""
        if isinstance(error, LateError):
            fault = SoapFault(SERVER, "no answer in time")
        elif isinstance(error, SoapFault):
            fault = error
        else:
            log.error("a SOAP message failed", exc_info=error)
            fault = SoapFault(SERVER, "internal error")
        status = 415 if isinstance(fault, _UnsupportedType) else 500
        return Reply(status, XML, render_fault(fault), f" ({fault.code}: {printable(fault.text)})")

    def title(self) -> str:
        """The endpoint and the message."""
        return f"{self._endpoint.name} {printable(local_name(self._message))}"

    def shown(self, data: bytes, *, sent: bool) -> str:
        """The message, its secrets masked."""
        try:
            return loggable(decode(data, "" if sent else self._charset))
        except SoapFault as fault:
            return f"[{fault.text}]"

    def replied(self, reply: Reply) -> None:
        """Tell the recorder."""
        if self._recorder is None:
            return
        content = self.request.content
        content.seek(0)
        self._recorder(Recorded(self._endpoint.name, self._charset, content.read(), reply.status, reply.body))


class _UnsupportedType(SoapFault):
    def __init__(self, text: str) -> None:
        super().__init__(CLIENT, text)


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
