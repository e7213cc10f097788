"""Downloads of protocol version 1, for clients of version 2, too: a spec is left, and an id fetches its files."""

# Twisted's classes are only partly typed.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks, maybeDeferred

from asperacentral.gateway import spec as specs
from asperacentral.gateway.http import Answer, GatewayRequest
from asperacentral.gateway.links import Links
from asperacentral.gateway.transfers import Transfers, Wanted, answer_failure


class DownloadIds:
    """Shares its links with version 3; an id needs no signature, being all that this protocol has. `place` is the
    address below which ids stand.
    """

    def __init__(self, transfers: Transfers, links: Links[Wanted], place: str) -> None:
        self._transfers = transfers
        self._links = links
        self._place = place

    def leave(self, request: GatewayRequest) -> None:
        """POST: take a spec, give an id. Whatever can go wrong is told here: who fetches tells nobody."""
        self._leave(request).addErrback(lambda failure: answer_failure(request, failure))

    def fetch(self, request: GatewayRequest) -> None:
        """GET: the files of an id."""
        sent = maybeDeferred(self._fetch, request)
        sent.addErrback(lambda failure: answer_failure(request, failure))

    @inlineCallbacks
    def _leave(self, request: GatewayRequest) -> Generator[Deferred[Any], Any, None]:
        login = yield maybeDeferred(self._transfers.login, request)
        spec = specs.enclosed(specs.parse(request.content.read()))
        wanted = yield self._transfers.looked_for(spec, login, secure=request.secure)
        name = self._links.keep(wanted)
        scheme = "https" if request.secure else "http"
        url = f"{scheme}://{request.asked_host}{self._place}/{name}"
        request.answer(Answer.document({"transfer_spec_id": name, "url": url}))

    def _fetch(self, request: GatewayRequest) -> Deferred[None]:
        name = request.path.decode("latin-1").rpartition("/")[2]
        return self._transfers.send(self._links.take(name), request)
