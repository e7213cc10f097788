"""What the daemon's list answers are compared with, served by twisted.web from a process of its own.

`python -m bench.rivals FOLDER` reads every FOLDER/N.xml, an answer to GetSessionInfo with N sessions that the daemon
gave, and serves on a free port, which it prints (of an answer by another name only the same bytes):

/constant/N  the same bytes, by a resource that does nothing else: the most that twisted.web can do;
/spyne/N     the same content as spyne's own Soap11 makes it, request and all, from objects that are ready;
/uncached/N  the same content by the daemon's compiled writer with nothing kept from an earlier answer.
"""
# ruff: noqa: N802, N815 - the names are Twisted's and the contract's

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from lxml import etree
from twisted.internet import reactor as installed_reactor
from twisted.web.resource import Resource
from twisted.web.server import Site

from asperacentral.soap.faults import envelope
from asperacentral.soap.fields import DateTime, Model
from asperacentral.soap.models.faspsession200911 import GetSessionInfoResponse, SessionFilterRequest
from asperacentral.soap.names import FASPSESSION_200911, local_name
from asperacentral.soap.spyne_names import (
    Application,
    ComplexModelBase,
    MethodContext,
    ServerBase,
    ServiceBase,
    Soap11,
    rpc,
)
from asperacentral.soap.writer import compile_message

reactor: Any = installed_reactor

_CONVERTER = Soap11()


def read(kind: type[Model], element: Any) -> Any:
    """An element of a daemon's answer as an instance of the model, as spyne would have read it."""
    members = kind.get_flat_type_info(kind)
    values: dict[str, Any] = {}
    for child in element:
        name = local_name(child.tag)
        member = members[name]
        if issubclass(member, ComplexModelBase):
            value = read(member, child)
        else:
            value = _CONVERTER.from_unicode(member, child.text or "")
        if member.Attributes.max_occurs > 1:
            values.setdefault(name, []).append(value)
        else:
            values[name] = value
    return (kind.__orig__ or kind)(**values)


def domain(value: Any) -> Any:
    """The value that the daemon's writer would have rendered as this instance: by the fields of its model."""
    kind = type(value)
    made = SimpleNamespace(fragments={})
    for name, member in kind.get_flat_type_info(kind).items():
        field, given = member.Attributes.field, getattr(value, name)
        if not field:
            continue
        if isinstance(given, list):
            given = [domain(each) for each in given]
        elif issubclass(member, DateTime) and given is not None:
            given = given.timestamp()
        setattr(made, field, given)
    return made


class Constant(Resource):
    """Bytes."""

    isLeaf = True

    def __init__(self, answer: bytes) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._answer = answer

    def render_POST(self, request: Any) -> bytes:
        request.content.read()
        request.setHeader(b"Content-Type", b"text/xml; charset=UTF-8")
        return self._answer


class Spyne(Resource):
    """spyne from the request's bytes to the answer's."""

    isLeaf = True

    def __init__(self, answer: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

        class Query(ServiceBase):  # type: ignore[misc]
            @rpc(  # type: ignore[untyped-decorator]
                SessionFilterRequest,
                _returns=GetSessionInfoResponse,
                _body_style="bare",
                _in_message_name="GetSessionInfoRequest",
                _out_message_name="GetSessionInfoResponse",
            )
            def GetSessionInfo(ctx: Any, _request: Any) -> Any:  # noqa: N805
                return answer

        class Server(ServerBase):  # type: ignore[misc]
            transport = "http://schemas.xmlsoap.org/soap/http"

        application = Application([Query], FASPSESSION_200911, in_protocol=Soap11(), out_protocol=Soap11())
        self._server = Server(application)

    def render_POST(self, request: Any) -> bytes:
        initial = MethodContext(self._server, MethodContext.SERVER)
        initial.in_string = [request.content.read()]
        (ctx,) = self._server.generate_contexts(initial)
        self._server.get_in_object(ctx)
        self._server.get_out_object(ctx)
        if ctx.in_error or ctx.out_error:
            raise RuntimeError(str(ctx.in_error or ctx.out_error))
        self._server.get_out_string(ctx)
        request.setHeader(b"Content-Type", b"text/xml; charset=UTF-8")
        return b"".join(ctx.out_string)


class Uncached(Resource):
    """The compiled writer, all records changed since they were last asked for."""

    isLeaf = True

    def __init__(self, answer: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._answer = answer
        self._write = compile_message("GetSessionInfoResponse", GetSessionInfoResponse)

    def render_POST(self, request: Any) -> bytes:
        request.content.read()
        for session in self._answer.sessions:
            session.fragments.clear()
        request.setHeader(b"Content-Type", b"text/xml; charset=UTF-8")
        return envelope(FASPSESSION_200911, self._write(self._answer))


def main(folder: Path) -> None:
    root: Any = Resource()
    kinds: dict[bytes, Any] = {name: Resource() for name in (b"constant", b"spyne", b"uncached")}
    for name, resource in kinds.items():
        root.putChild(name, resource)
    for path in sorted(folder.glob("*.xml")):
        name = path.stem.encode()
        answer = path.read_bytes()
        kinds[b"constant"].putChild(name, Constant(answer))
        if not path.stem.isdigit():
            continue
        content = read(GetSessionInfoResponse, etree.fromstring(answer)[0][0])
        kinds[b"spyne"].putChild(name, Spyne(content))
        kinds[b"uncached"].putChild(name, Uncached(domain(content.SessionInfoResult)))
    port = reactor.listenTCP(0, Site(root), interface="127.0.0.1")
    print(port.getHost().port, flush=True)
    reactor.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
