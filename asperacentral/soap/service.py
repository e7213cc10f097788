"""How a SOAP service of the contract is declared, and how one message runs through spyne.

A service module declares a `ServiceBase` whose methods are marked with `operation`, and an `Endpoint`. A
`Dispatcher` finds the operation by the body element and answers with a Deferred. Knows spyne and
`central.api`, nothing of HTTP.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, cast
from xml.etree.ElementTree import Element

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure

from asperacentral.central.api import CentralService
from asperacentral.central.errors import CentralError
from asperacentral.soap.answers import AnswerCache
from asperacentral.soap.faults import CLIENT, SERVER, SoapFault, envelope, fault_of
from asperacentral.soap.fields import Model
from asperacentral.soap.names import local_name, namespace_of
from asperacentral.soap.protocol import ContractProtocol
from asperacentral.soap.spyne_names import Application, MethodContext, ServerBase, rpc
from asperacentral.soap.writer import compile_message
from asperacentral.waiting import deferred
from asperacentral.web.slicing import Scheduler, in_slices

log = logging.getLogger(__name__)

WRITER = "writer"
"""The key of an operation's compiled writer in its user-defined data."""

LASTING = "lasting"
"""The key there of whether its answer never changes."""

LASTING_BYTES = 64 * 1024
"""Bytes of kept answers that never change: they are small, and differ only in how they are asked for."""


class Call(Protocol):
    """spyne's context, as far as operations use it."""

    udc: CentralService


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A service as clients see it: `name` is the last part of its address, `wsdl` its WSDL file.

    `service` is the spyne service whose messages are its own, `namespace` theirs; an endpoint that only gathers
    other services' messages has neither.
    """

    name: str
    wsdl: str
    namespace: str = ""
    service: Any = None


def operation(
    request: type[Model] | None, response: type[Model] | None, *, lasting: bool = False
) -> Callable[[Any], Any]:
    """Mark a method as the operation of its name: messages NameRequest and NameResponse, None when empty. `lasting`:
    its answer is the same for as long as the daemon runs.

    The method takes the call, whose `udc` is the CentralService, and the request if there is one; it
    returns the domain value that `response` is written from, or a Future of it.
    """

    def declare(method: Any) -> Any:
        name = method.__name__
        return rpc(
            *([request] if request else []),
            _returns=response,
            _body_style="bare",
            _in_message_name=f"{name}Request",
            _out_message_name=f"{name}Response",
            _udd={WRITER: compile_message(f"{name}Response", response), LASTING: lasting},
        )(method)

    return declare


def then(waiting: Future[Any], convert: Callable[[Any], Any]) -> Future[Any]:
    """A Future of `convert(result)`, or of the error of `waiting`."""
    converted: Future[Any] = Future()

    def pass_on(done: Future[Any]) -> None:
        try:
            converted.set_result(convert(done.result()))
        except Exception as error:  # whatever it is, it belongs to whoever waits
            converted.set_exception(error)

    waiting.add_done_callback(pass_on)
    return converted


class Dispatcher:
    """Every message of the given endpoints, whichever endpoint it arrives at (contract §3.2)."""

    def __init__(self, central: CentralService, endpoints: Sequence[Endpoint]) -> None:
        self._central = central
        self.answers = AnswerCache()
        self.lasting_answers = AnswerCache(LASTING_BYTES)
        self._owner = {each.name: each.namespace for each in endpoints if each.service}
        self._servers: dict[str, _Server] = {}
        for each in endpoints:
            if each.service:
                server = _Server(_Service([each.service], each.namespace))
                self._servers.update(dict.fromkeys(server.messages(), server))
        self._lasting = frozenset(
            message for message, server in self._servers.items() if server.lasting(message)
        )

    def select(self, tag: str, endpoint: str, action: str) -> str:
        """The message that a body element of this tag stands for; SoapFault when there is none.

        The qualified name alone decides. A name in no namespace that several services have is taken as the
        endpoint's own, else as that of the service named by SOAPAction.
        """
        if tag in self._servers:
            return tag
        name = local_name(tag)
        known = [message for message in self._servers if local_name(message) == name]
        if namespace_of(tag) or not known:
            raise SoapFault(CLIENT, f"unknown message {tag[:200]}")
        if len(known) > 1:
            services = (endpoint, action.strip("\"' ").partition("#")[0])
            owners = [self._owner[service] for service in services if service in self._owner]
            known = [message for owner in owners for message in known if namespace_of(message) == owner]
        if not known:
            raise SoapFault(CLIENT, f"{name} is a message of several services; give its namespace")
        return known[0]

    def lasting(self, message: str) -> bool:
        """Whether the answer to a selected message is the same for as long as the daemon runs."""
        return message in self._lasting

    def version(self) -> int:
        """The version of what can be asked for now: until it changes, the same question has the same answer."""
        return self._central.version()

    def call(self, message: str, body: Element, scheduler: Scheduler) -> Deferred[bytes]:
        """Carry out a selected message; the result is the whole answer, a long one made in slices. Fails with
        SoapFault only."""
        body.tag = message
        answer: Deferred[bytes] = maybeDeferred(self._servers[message].answer, self._central, body, scheduler)
        return answer.addErrback(_as_fault, namespace_of(message))


class _Service(Application):
    """One SOAP service; its methods' results arrive as Deferreds and their errors as Failures."""

    def __init__(self, services: Sequence[Any], namespace: str) -> None:
        super().__init__(
            services,
            namespace,
            name=services[0].__name__,
            in_protocol=ContractProtocol(),
            out_protocol=ContractProtocol(),
        )

    def call_wrapper(self, ctx: Any) -> Deferred[Any]:
        """Call the method so that nothing it raises reaches spyne, which would turn it into text."""
        return maybeDeferred(super().call_wrapper, ctx).addCallback(_settled)


class _Server(ServerBase):
    """spyne's side of a transport: a body element in, an answer out."""

    transport = "http://schemas.xmlsoap.org/soap/http"

    def messages(self) -> tuple[str, ...]:
        """The request elements of the service, as qualified names."""
        return tuple(self.app.interface.service_method_map)

    def lasting(self, message: str) -> bool:
        """Whether the message's operation says that its answer never changes."""
        (method,) = self.app.interface.service_method_map[message]
        return bool(method.udd[LASTING])

    def answer(self, central: CentralService, body: Element, scheduler: Scheduler) -> Deferred[bytes]:
        """Run one message through dispatch, reading, the method and writing."""
        initial = MethodContext(self, MethodContext.SERVER)
        initial.in_document = body
        initial.udc = central
        (ctx,) = self.generate_contexts(initial)

        def call(_: None) -> Deferred[Any]:
            self.get_out_object(ctx)
            (called,) = ctx.out_object
            return cast("Deferred[Any]", called)

        def write(result: Any) -> Deferred[bytes]:
            written = in_slices(ctx.descriptor.udd[WRITER].steps(result), scheduler)
            return written.addCallback(partial(envelope, namespace_of(body.tag)))

        read: Deferred[None] = in_slices(self.app.in_protocol.deserializing(ctx), scheduler)
        return read.addCallback(call).addCallback(write)


def _settled(result: Any) -> Any:
    """The result itself, or a Deferred of it if it is a Future (which completes in the reactor's thread)."""
    return deferred(result) if isinstance(result, Future) else result


def _as_fault(failure: Failure, asked: str) -> Failure:
    error = failure.value
    if isinstance(error, SoapFault):
        return failure
    if isinstance(error, CentralError):
        return Failure(fault_of(error, asked))
    log.error("a SOAP message failed", exc_info=error)
    return Failure(SoapFault(SERVER, "internal error"))
