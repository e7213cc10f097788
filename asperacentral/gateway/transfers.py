"""Transfers as all protocols of the gateway carry them out: who may is asked, the back end found, reports begun.

A protocol (`v3`, `websocket`, `v1`) knows how a client says what it wants; what happens then is here.
"""

# Twisted's classes are only partly typed.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import logging
import os
import posixpath
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote

from twisted.internet.defer import CancelledError, Deferred, inlineCallbacks
from twisted.python.failure import Failure as TwistedFailure

from asperacentral.fasp.errors import FaspCode
from asperacentral.gateway.authority import Authority, Login, Permit
from asperacentral.gateway.backends import Offered, Receiver, Selection
from asperacentral.gateway.docroot import DocrootReceiver, DocrootSelection, files_below
from asperacentral.gateway.errors import Told, TransferRefusedError, is_bug, told
from asperacentral.gateway.http import Answer, GatewayRequest
from asperacentral.gateway.leftovers import Leftovers
from asperacentral.gateway.packages import Packages, PackageState, package_name
from asperacentral.gateway.reporting import Facts, Reporter, SessionReport
from asperacentral.gateway.sending import ClientLeftError, ZipOfFiles, send_file
from asperacentral.gateway.spec import TransferSpec
from asperacentral.gateway.transfer_server import TransferServers
from asperacentral.gateway.upload import Upload, UploadLimits
from asperacentral.openascp.failures import Failure
from asperacentral.openascp.token import TokenError

log = logging.getLogger(__name__)

USUAL_TARGET_RATE = 10_000
"""Kbps that Central is told when a transfer spec says none, as with ascp."""

_UNPRINTABLE = dict.fromkeys((*range(32), 127, ord('"'), ord("\\"), ord("/")), "_")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A download that somebody may ask for; without a permit it is a transfer server that has to give one."""

    spec: TransferSpec
    permit: Permit | None


@dataclass(frozen=True, slots=True)
class Ends:
    """A connection: the addresses of both, and whether it came over TLS to us."""

    client: str
    server: str
    port: int
    secure: bool

    @classmethod
    def of(cls, request: GatewayRequest) -> Ends:
        """Those of a request's connection."""
        here: Any = request.channel.transport.getHost()
        return cls(request.peer, here.host, here.port, request.secure)


class Transfers:
    """Uploads and downloads of one gateway. `in_thread` runs a function elsewhere, `now` is seconds since the epoch."""

    def __init__(
        self,
        authority: Authority,
        limits: UploadLimits,
        reporter: Reporter,
        packages: Packages,
        servers: TransferServers,
        leftovers: Leftovers,
        *,
        now: Callable[[], float],
        in_thread: Callable[..., Deferred[Any]],
    ) -> None:
        self.authority = authority
        self._limits = limits
        self._reporter = reporter
        self._packages = packages
        self._servers = servers
        self._leftovers = leftovers
        self._now = now
        self._in_thread = in_thread

    def login(self, request: GatewayRequest) -> Deferred[Login]:
        """Who the request's headers say that it is from. NotAuthorizedError."""
        return self.authority.login(
            request.header("authorization"), request.header("x-aspera-accesskey"), request.peer
        )

    def upload(self, spec: TransferSpec, login: Login, ends: Ends, cancel: Callable[[], None]) -> Upload:
        """Begin an upload; `cancel` ends it when a manager wants that. NotAuthorizedError, SessionFailure,
        TransferRefusedError.
        """
        if not spec.sending:
            raise TransferRefusedError(400, "an upload needs a transfer spec with direction send")
        receiver: Receiver
        if self._servers.has(spec):
            user = spec.user
            receiver = self._servers.receiver(spec)
        else:
            permit = self.authority.permit(spec, login, secure=ends.secure)
            user = permit.policy.name
            receiver = self._landing(permit, replace=spec.overwrite != "never")
        report = self._reporter.session(_facts(spec, user, ends), cancel)
        sizes = [path.size for path in spec.paths if path.size is not None]
        if len(sizes) == len(spec.paths):
            report.expected(len(sizes), sum(sizes))
        log.info("session %s: upload by %s from %s", report.session_id, user, ends.client)
        return Upload(spec, receiver, report, self._limits, report.pace)

    def _landing(self, permit: Permit, *, replace: bool) -> DocrootReceiver:
        """Where files of an upload land. NotAuthorizedError, SessionFailure, OSError."""
        files = permit.files(self._now())
        try:
            return DocrootReceiver(files, self._leftovers.note(files), replace=replace)
        except OSError:
            files.close()
            raise

    def wanted(self, spec: TransferSpec, login: Login, *, secure: bool) -> Wanted:
        """A download as it will be permitted. NotAuthorizedError, TransferRefusedError."""
        if spec.sending:
            raise TransferRefusedError(400, "a download needs a transfer spec with direction receive")
        if self._servers.has(spec):
            return Wanted(spec, None)
        return Wanted(spec, self.authority.permit(spec, login, secure=secure))

    @inlineCallbacks
    def looked_for(
        self, spec: TransferSpec, login: Login, *, secure: bool
    ) -> Generator[Deferred[Any], Any, Wanted]:
        """The same, for later: what is not there is told now, unless it is a transfer server that would know."""
        wanted = self.wanted(spec, login, secure=secure)
        if wanted.permit is not None:
            selection = yield self._local(spec, wanted.permit)
            selection.close()
        return wanted

    @inlineCallbacks
    def _local(self, spec: TransferSpec, permit: Permit) -> Generator[Deferred[Any], Any, Selection]:
        """The files of a download from a docroot. NotAuthorizedError, Failure, OSError."""
        files = permit.files(self._now())
        try:
            selection = yield self._in_thread(DocrootSelection, files, spec)
        except BaseException:
            files.close()
            raise
        return cast(Selection, selection)

    @inlineCallbacks
    def _select(self, wanted: Wanted, request: GatewayRequest) -> Generator[Deferred[Any], Any, Selection]:
        """The files that a download brings, to be closed, for a client that is still there."""
        if wanted.permit is not None:
            selection = yield self._local(wanted.spec, wanted.permit)
        else:
            fetching = self._servers.selection(wanted.spec)
            request.notifyFinish().addErrback(lambda _: fetching.cancel())
            selection = yield fetching
        if request.channel is None:
            selection.close()
            raise ClientLeftError()
        return cast(Selection, selection)

    @inlineCallbacks
    def send(
        self, wanted: Wanted, request: GatewayRequest, *, exact_name: bool = False
    ) -> Generator[Deferred[Any], Any, None]:
        """Answer a request with a download. `exact_name` writes the name as the page's library reads it."""
        selection = yield self._select(wanted, request)
        report = self._report(wanted, selection, request)
        try:
            if selection.alone and not wanted.spec.zip_required:
                yield self._send_one(selection.files[0], request, report, exact_name)
            else:
                yield self._send_zip(selection, wanted.spec, request, report, exact_name)
        except BaseException as error:
            report.ended(told(error))
            raise
        else:
            if wanted.permit is not None:
                yield self._note(wanted.permit, selection)
            report.ended(None)
        finally:
            selection.close()
        request.finish()

    @inlineCallbacks
    def _note(self, permit: Permit, selection: Selection) -> Generator[Deferred[Any], Any, None]:
        """The files have been brought: note it for the package they belong to."""
        try:
            paths = permit.package(self._now())
        except TokenError:  # it has expired while they were
            return
        if paths:
            name = package_name(permit.policy.name, paths)
            yield self._in_thread(self._packages.note, name, selection.files, self._now())

    @inlineCallbacks
    def package(
        self, spec: TransferSpec, login: Login, *, secure: bool
    ) -> Generator[Deferred[Any], Any, PackageState]:
        """How far the package of a spec's token has been downloaded. NotAuthorizedError."""
        permit = self.authority.permit(spec, login, secure=secure)
        if permit.incoming:
            raise TransferRefusedError(400, "a package needs a transfer spec with direction receive")
        with permit.files(self._now()) as files:
            paths = permit.package(self._now())
            if not paths:
                raise TransferRefusedError(400, "a package is what a token permits, and there is none")
            found = yield self._in_thread(files_below, files, paths)
        state = yield self._in_thread(self._packages.state, package_name(permit.policy.name, paths), found)
        return cast(PackageState, state)

    def _report(self, wanted: Wanted, selection: Selection, request: GatewayRequest) -> SessionReport:
        user = wanted.spec.user if wanted.permit is None else wanted.permit.policy.name
        facts = _facts(wanted.spec, user, Ends.of(request))

        def cancel() -> None:
            report.ended(Told(503, "the transfer was cancelled", FaspCode.USER_CANCEL))
            _break_off(request)

        report = self._reporter.session(facts, cancel)
        report.expected(len(selection.files), sum(offered.size for offered in selection.files))
        log.info("session %s: download by %s to %s", report.session_id, facts.user, facts.client)
        for path, reason in selection.refused:
            log.warning("session %s: %s is left out: %s", report.session_id, _shown(path), reason)
            report.refused(path, reason, told(Failure(FaspCode.BAD_PATH)))
        return report

    def _send_one(
        self, offered: Offered, request: GatewayRequest, report: SessionReport, exact: bool
    ) -> Deferred[None]:
        descriptor = offered.open()
        size = os.fstat(descriptor).st_size
        name = posixpath.basename(offered.name)
        request.begin_answer(200, _attachment(name, "application/octet-stream", size, exact=exact))
        report.begun(offered.path, size)

        def close(result: Any) -> Any:
            os.close(descriptor)
            if not isinstance(result, TwistedFailure):
                report.done(size)
            return result

        return send_file(request, descriptor, size, report.moved, report.pace).addBoth(close)

    def _send_zip(
        self,
        selection: Selection,
        spec: TransferSpec,
        request: GatewayRequest,
        report: SessionReport,
        exact: bool,
    ) -> Deferred[None]:
        zipped = ZipOfFiles(
            selection.files,
            begun=lambda offered: report.begun(offered.path, offered.size),
            moved=report.moved,
            ended=lambda offered: report.done(offered.size),
        )
        name = (spec.download_name or "download").removesuffix(".zip") + ".zip"
        request.begin_answer(200, _attachment(name, "application/zip", zipped.size, exact=exact))
        return zipped.send(request, report.pace)


def _facts(spec: TransferSpec, user: str, ends: Ends) -> Facts:
    root = spec.destination_root if spec.sending else spec.sources()[0]
    return Facts(
        incoming=spec.sending,
        user=user,
        cookie=spec.cookie,
        client=ends.client,
        server=ends.server,
        port=ends.port,
        source="" if spec.sending else _text(root),
        destination=_text(root) if spec.sending else "",
        target_rate=spec.target_rate or USUAL_TARGET_RATE,
    )


def _break_off(request: GatewayRequest) -> None:
    if request.channel is not None and request.channel.transport is not None:
        request.channel.transport.abortConnection()


def answer_failure(request: GatewayRequest, failure: Any) -> None:
    """Answer a request with what went wrong; one that is being answered already is broken off."""
    error: BaseException = failure.value
    if isinstance(error, ClientLeftError | CancelledError):
        log.info("a client has left before its download was whole")
        return
    if is_bug(error):
        log.error("a request failed: %s", failure.getTraceback())
    if request.answered:
        log.warning("an answer was broken off: %s", error)
        _break_off(request)
        return
    problem = told(error)
    request.answer(Answer.error(problem.status, problem.text))


def _attachment(name: str, kind: str, size: int, *, exact: bool) -> dict[str, str]:
    """The head of a file that is to be saved. Browsers also take a name in UTF-8, which our page's library does not."""
    plain = name.translate(_UNPRINTABLE)
    disposition = f'attachment; filename="{plain}"'
    if not exact and (plain != name or not plain.isascii()):
        ascii_name = plain.encode("ascii", "replace").decode().replace("?", "_")
        encoded = quote(name, safe="", errors="replace")
        disposition = f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{encoded}"
    return {
        "Content-Type": kind,
        "Content-Length": str(size),
        "Content-Disposition": disposition,
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }


def _text(path: bytes) -> str:
    return "/" + path.decode("utf-8", "surrogateescape")


def _shown(path: bytes) -> str:
    return repr(path.decode("utf-8", "replace"))
