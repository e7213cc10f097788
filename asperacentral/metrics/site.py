"""`/metrics`, `/healthz` and `/readyz` over HTTP, put together: `metrics_face` gives what is served."""

# Its classes are only partly typed.
# ruff: noqa: N815
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from twisted.internet.defer import Deferred
from twisted.web.resource import Resource

from asperacentral.waiting import deferred
from asperacentral.web.exchange import Exchange, LateError, Reply
from asperacentral.web.readers import Readers, Refused
from asperacentral.web.resources import PlainStatus, printable, send
from asperacentral.web.site import Face

log = logging.getLogger(__name__)

TEXT = b"text/plain; charset=utf-8"

HINT = "metrics are at /metrics, health at /healthz and /readyz"

Reasons = Callable[[], list[str]]
"""What keeps the daemon from taking orders now; nothing when it does."""


def metrics_face(
    registry: CollectorRegistry,
    readers: Readers | None,
    prepare: Callable[[], Future[None]],
    not_ready: Reasons,
) -> Face:
    """Health for everybody, numbers for `readers`; without readers there are no numbers.

    `prepare` is waited for before a scrape.
    """
    resources: dict[str, Resource] = {"healthz": Health(list), "readyz": Health(not_ready)}
    if readers is not None:
        resources["metrics"] = MetricsResource(registry, readers, prepare)
    return Face(resources, _refusal, HINT)


class Health(Resource):
    """`ok`, or 503 and the reasons, a line each. Says nothing that is not for everybody."""

    isLeaf = True

    def __init__(self, reasons: Reasons) -> None:
        super().__init__()
        self._reasons = reasons

    def render(self, request: Any) -> bytes:
        """GET and HEAD."""
        if request.method not in {b"GET", b"HEAD"} or request.postpath:
            return _no_such(request).render(request)
        reasons = self._reasons()
        request.setHeader("cache-control", "no-store")
        request.setResponseCode(503 if reasons else 200)
        return send(request, TEXT, ("\n".join(reasons) or "ok").encode() + b"\n")


class MetricsResource(Resource):
    """The numbers, in the text format or OpenMetrics, as the scraper likes."""

    isLeaf = True

    def __init__(
        self, registry: CollectorRegistry, readers: Readers, prepare: Callable[[], Future[None]]
    ) -> None:
        super().__init__()
        self._registry, self._readers, self._prepare = registry, readers, prepare

    def render(self, request: Any) -> Any:
        """GET and HEAD, by those who may."""
        if request.method not in {b"GET", b"HEAD"} or request.postpath:
            return _no_such(request).render(request)
        return _Scrape(request, self._registry, self._readers, self._prepare).run()


class _Scrape(Exchange):
    face = "metrics"

    def __init__(
        self,
        request: Any,
        registry: CollectorRegistry,
        readers: Readers,
        prepare: Callable[[], Future[None]],
    ) -> None:
        super().__init__(request, log)
        self._registry, self._readers, self._prepare = registry, readers, prepare

    def take(self, data: bytes) -> Deferred[Reply]:
        """Look who asks, look at the outbox, tell the numbers."""
        return self._readers.check(self.request).addCallback(self._fresh).addCallback(self._numbers)

    def _fresh(self, _: object) -> Deferred[None]:
        return deferred(self._prepare())

    def _numbers(self, _: object) -> Reply:
        encode, content_type = choose_encoder((self.request.getHeader(b"accept") or b"").decode("latin-1"))
        return Reply(200, content_type.encode(), encode(self._registry))

    def failed(self, error: BaseException) -> Reply:
        """Errors are lines of text."""
        if isinstance(error, Refused):
            return Reply(error.status, TEXT, f"{error}\n".encode(), f" ({error})", error.headers)
        if isinstance(error, LateError):
            return Reply(503, TEXT, b"no answer in time\n")
        log.error("a scrape failed", exc_info=error)
        return Reply(500, TEXT, b"internal error\n")

    def title(self) -> str:
        """Method and path."""
        return printable(f"{self.request.method.decode('latin-1')} /metrics")

    def shown(self, data: bytes, *, sent: bool) -> str:
        """Numbers are not worth the log's space."""
        return "[metrics]" if sent else data.decode("utf-8", "backslashreplace")


def _no_such(request: Any) -> PlainStatus:
    return (
        PlainStatus(404, HINT) if request.postpath else PlainStatus(405, "only GET", {"allow": "GET, HEAD"})
    )


def _refusal(reason: str) -> tuple[bytes, bytes]:
    return TEXT, f"{reason}\n".encode()
