"""Protocol version 3: uploads as one multipart form, downloads in the page, links to downloads (docs/gateway.md)."""

# Twisted's classes are only partly typed.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import base64
import binascii
import logging
from collections import deque
from collections.abc import Generator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from twisted.internet.defer import Deferred, inlineCallbacks, maybeDeferred

from asperacentral.fasp.errors import FaspCode
from asperacentral.gateway import spec as specs
from asperacentral.gateway.authority import Login
from asperacentral.gateway.errors import LEFT, LOST, TransferRefusedError, told
from asperacentral.gateway.form import FormError, UploadForm
from asperacentral.gateway.http import Answer, Body, GatewayRequest
from asperacentral.gateway.links import LinkError, Links
from asperacentral.gateway.spec import SpecError
from asperacentral.gateway.transfers import Ends, Transfers, Wanted, answer_failure
from asperacentral.gateway.upload import Upload

MOST_MISSING = 1000
"""Paths that are listed as missing in a package."""

log = logging.getLogger(__name__)


class FormUpload(Body):
    """The body of an upload: a form whose bytes go on as they come."""

    def __init__(self, request: GatewayRequest, transfers: Transfers) -> None:
        self._request = request
        self._transfers = transfers
        self._login: Login | None = None
        self._upload: Upload | None = None
        self._early: deque[bytes] = deque()
        self._waiting = True
        self._ended = False
        try:
            content_type = request.header("content-type").encode("utf-8", "surrogateescape")
            self._form: UploadForm | None = UploadForm(content_type, self)
        except FormError as error:
            self._form = None
            self._fail(SpecError(str(error)))
            return
        maybeDeferred(transfers.login, request).addCallbacks(self._known, self._failed)

    # From the connection.

    def data(self, data: bytes) -> None:
        """See Body. Nothing is looked at before it is known who sends it."""
        if self._waiting:
            self._early.append(data)
            self._request.channel.hold()
        else:
            self._feed(data)

    def whole(self) -> None:
        """See Body."""
        self._ended = True
        if not self._waiting:
            self._finish()

    def lost(self) -> None:
        """See Body."""
        self._early.clear()
        if self._upload is not None:
            log.info("the upload from %s was given up by its client", self._request.peer)
            self._upload.fail(LOST if self._request.channel.gave_up else LEFT)

    # From the form.

    def spec(self, text: bytes) -> None:
        """See FormReader."""
        spec = specs.from_fields(specs.parse(text))
        login = self._login or Login()
        request = self._request
        self._upload = self._transfers.upload(spec, login, Ends.of(request), self._cancelled)

    def begin_file(self, name: str, size: int | None) -> None:
        """See FormReader."""
        self._the_upload.begin(name, size)

    def end_file(self) -> None:
        """See FormReader."""
        self._the_upload.end()

    def file_data(self, data: bytes) -> None:
        """See FormReader."""
        self._the_upload.write(data)

    # What follows from them.

    @property
    def _the_upload(self) -> Upload:
        if self._upload is None:
            raise SpecError("the form must begin with the transfer spec")
        return self._upload

    def _known(self, login: Login) -> None:
        self._login = login
        self._go_on()

    def _wait_for(self, waiting: Deferred[None] | None) -> None:
        if waiting is not None and not waiting.called:
            self._waiting = True
            self._request.channel.hold()
            waiting.addCallbacks(lambda _: self._go_on(), self._failed)

    def _go_on(self) -> None:
        self._waiting = False
        while self._early and not self._waiting:
            self._feed(self._early.popleft())
        if self._waiting or self._request.answered:
            return
        self._request.channel.resume()
        if self._ended:
            self._finish()

    def _feed(self, data: bytes) -> None:
        if self._request.answered or self._form is None:
            return
        try:
            self._form.feed(data)
            if self._upload is not None:
                self._wait_for(self._upload.behind())
        except Exception as error:
            self._fail(error)

    def _finish(self) -> None:
        if self._request.answered or self._form is None:
            return
        try:
            self._form.finish()
            waiting = self._the_upload.finish()
        except Exception as error:
            self._fail(error)
            return
        if waiting is None:
            self._request.answer(Answer.document({}))
        else:
            waiting.addCallbacks(lambda _: self._request.answer(Answer.document({})), self._failed)

    def _cancelled(self) -> None:
        self._fail(TransferRefusedError(503, "the transfer was cancelled", FaspCode.USER_CANCEL))

    def _failed(self, failure: Any) -> None:
        self._fail(failure.value)

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, FormError):
            error = SpecError(str(error))
        problem = told(error)
        if problem.status == 500:
            log.error("an upload failed", exc_info=error)
        if self._upload is not None:
            self._upload.fail(problem)
        self._early.clear()
        self._request.answer(Answer.error(problem.status, problem.text))


class Downloads:
    """In the page, by link, and the links."""

    def __init__(self, transfers: Transfers, links: Links[Wanted], place: str) -> None:
        self._transfers = transfers
        self._links = links
        self._place = place

    def download(self, request: GatewayRequest) -> None:
        """GET: with a spec in a header, or with what a link says."""
        answering = self._in_page if request.header("x-aspera-spec") else self._by_link
        answering(request).addErrback(lambda failure: answer_failure(request, failure))

    def presign(self, request: GatewayRequest) -> None:
        """POST: make a link."""
        self._presign(request).addErrback(lambda failure: answer_failure(request, failure))

    def package(self, request: GatewayRequest) -> None:
        """POST: tell how far a token's package has been downloaded."""
        self._package(request).addErrback(lambda failure: answer_failure(request, failure))

    @inlineCallbacks
    def _package(self, request: GatewayRequest) -> Generator[Deferred[Any], Any, None]:
        login = yield maybeDeferred(self._transfers.login, request)
        spec = specs.enclosed(specs.parse(request.content.read()))
        state = yield self._transfers.package(spec, login, secure=request.secure)
        missing = ["/" + path.decode("utf-8", "replace") for path in state.missing[:MOST_MISSING]]
        told_state = {
            "state": state.word,
            "files": state.files,
            "downloaded": state.files - len(state.missing),
        }
        request.answer(Answer.document({**told_state, "missing": missing}))

    @inlineCallbacks
    def _in_page(self, request: GatewayRequest) -> Generator[Deferred[Any], Any, None]:
        login = yield maybeDeferred(self._transfers.login, request)
        try:
            text = base64.b64decode(request.header("x-aspera-spec"), validate=True)
        except (binascii.Error, ValueError):
            raise SpecError("X-Aspera-Spec is not base64") from None
        spec = specs.from_fields(specs.parse(text))
        wanted = self._transfers.wanted(spec, login, secure=request.secure)
        yield self._transfers.send(wanted, request, exact_name=True)

    @inlineCallbacks
    def _by_link(self, request: GatewayRequest) -> Generator[Deferred[Any], Any, None]:
        query = {
            name: values[0]
            for name, values in parse_qs(urlsplit(request.uri.decode("latin-1")).query).items()
        }
        name = self._links.check(query, "GET", request.asked_host)
        yield self._transfers.send(self._links.take(name), request)

    @inlineCallbacks
    def _presign(self, request: GatewayRequest) -> Generator[Deferred[Any], Any, None]:
        login = yield maybeDeferred(self._transfers.login, request)
        document = specs.parse(request.content.read())
        spec = specs.enclosed(document)
        headers = document.get("headers")
        host = headers.get("host", request.asked_host) if isinstance(headers, dict) else request.asked_host
        scheme = document.get("protocol", "https" if request.secure else "http")
        if document.get("method", "GET") != "GET" or scheme not in ("http", "https"):
            raise SpecError("links are for GET by http or https")
        if not isinstance(host, str) or host.lower() != request.asked_host.lower():
            raise LinkError("a link is for the host that is asked for it")
        wanted = yield self._transfers.looked_for(spec, login, secure=request.secure)
        query = self._links.query(self._links.keep(wanted), "GET", host)
        signed = f"{scheme}://{host}{self._place}?{urlencode(query)}"
        request.answer(Answer.document({"signed_url": signed}))
