"""One notification over HTTP: posted, answered, judged. Knows no queue and no order."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionAborted
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import Agent
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from asperacentral.observers.addresses import Allowed
from asperacentral.observers.connect import MAX_RECEIVED, ObserverEndpoints, ObserverPool
from asperacentral.observers.rules import failure_in

TOTAL_TIMEOUT = 15.0
MAX_ANSWER = 65_536
"""Bytes of an observer's answer that are looked at."""


class NotDelivered(Exception):
    """The observer was not reached or did not take it; `str(error)` says why."""


class Poster:
    """Posts SOAP envelopes to observers, over connections that are kept for the next one."""

    def __init__(self, reactor: Any, allowed: Allowed) -> None:
        self._reactor = reactor
        self._allowed = allowed
        self._pool = ObserverPool(reactor)
        self._agent = Agent.usingEndpointFactory(reactor, ObserverEndpoints(reactor, allowed), self._pool)

    def post(self, address: str, action: str, envelope: bytes) -> Deferred[None]:
        """Post one envelope; fails with NotDelivered."""
        refused = self._allowed.reason_against(address)
        if refused:  # Since it subscribed; a connection that is kept is not judged again.
            return fail(NotDelivered(refused))
        headers = Headers(
            {
                "Content-Type": ["text/xml;charset=UTF-8"],
                "SOAPAction": [f'"{_header(action)}"'],
                "User-Agent": ["asperacentral"],
            }
        )
        try:
            asked = self._agent.request(b"POST", address.encode("ascii"), headers, _Body(envelope))
        except Exception as error:
            return fail(NotDelivered(str(error)))
        answered: Deferred[None] = asked.addCallback(_judge)
        answered.addTimeout(TOTAL_TIMEOUT, self._reactor, _too_late)
        return answered.addErrback(_explain)

    def close(self) -> Deferred[Any]:
        """Close the kept connections."""
        closed: Deferred[Any] = self._pool.closeCachedConnections()  # type: ignore[no-untyped-call]
        return closed


def _header(text: str) -> str:
    return "".join(character for character in text if character.isprintable() and character != '"')


def _too_late(_result: object, seconds: float) -> Any:
    raise NotDelivered(f"the observer did not answer within {seconds:g} s")


def _explain(failure: Failure) -> Any:
    if failure.check(NotDelivered):
        return failure
    error = failure.value
    reasons = getattr(error, "reasons", None)  # A broken exchange hides its reasons one level down.
    if reasons:
        error = reasons[0].value
    if isinstance(error, ConnectionAborted):  # by us, see `connect`
        raise NotDelivered(f"the observer answered over {MAX_RECEIVED} bytes") from None
    raise NotDelivered(str(error).splitlines()[0] if str(error) else type(error).__name__) from None


def _judge(response: Any) -> Deferred[None]:
    done: Deferred[bytes] = Deferred(lambda _: reader.drop())
    reader = _Answer(done)
    response.deliverBody(reader)

    def check(body: bytes) -> None:
        reason = failure_in(response.code, body)
        if reason:
            raise NotDelivered(f"the observer answered {reason}")

    return done.addCallback(check)


class _Answer(Protocol):
    """Reads an answer, up to `MAX_ANSWER` bytes."""

    def __init__(self, done: Deferred[bytes]) -> None:
        self._done: Deferred[bytes] | None = done
        self._body = b""

    def dataReceived(self, data: bytes) -> None:
        self._body += data
        if len(self._body) > MAX_ANSWER:
            self.drop()
            self._finish(NotDelivered(f"the observer answered over {MAX_ANSWER} bytes"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        whole = reason.check(*_WHOLE) is not None
        self._finish(None if whole else NotDelivered("the observer's answer broke off"))

    def drop(self) -> None:
        """Read no more."""
        transport: Any = self.transport
        abort = getattr(transport, "abortConnection", None) or getattr(transport, "loseConnection", None)
        if abort is not None:
            abort()

    def _finish(self, error: NotDelivered | None) -> None:
        done, self._done = self._done, None
        if done is None or done.called:
            return
        if error is None:
            done.callback(self._body)
        else:
            done.errback(error)


def _whole_endings() -> tuple[type[Exception], ...]:
    from twisted.web.client import ResponseDone
    from twisted.web.http import PotentialDataLoss

    # PotentialDataLoss: an answer without a length, ended by closing the connection, as old servers do.
    return ResponseDone, PotentialDataLoss


_WHOLE = _whole_endings()


@implementer(IBodyProducer)
class _Body:
    """A request body that is written at once: notifications are small."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.length = len(body)

    def startProducing(self, consumer: Any) -> Deferred[None]:
        consumer.write(self._body)
        return succeed(None)

    def pauseProducing(self) -> None: ...

    def resumeProducing(self) -> None: ...

    def stopProducing(self) -> None: ...
