"""The gateway's composition root: builds its parts from the settings, starts and stops them."""

# Twisted's classes are only partly typed.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
import logging
import os
import signal
import stat
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.error import CannotListenError, ReactorNotRunning
from twisted.internet.threads import deferToThreadPool

from asperacentral import __version__, daemonize, logs
from asperacentral.config import ConfigError, Settings
from asperacentral.daemonize import StartError
from asperacentral.fasp.library.manager import FaspManager
from asperacentral.gateway.authority import Authority
from asperacentral.gateway.http import GatewaySite
from asperacentral.gateway.leftovers import Leftovers
from asperacentral.gateway.links import Links
from asperacentral.gateway.origins import Origins
from asperacentral.gateway.packages import Packages
from asperacentral.gateway.portal import Portal, SshServer
from asperacentral.gateway.reporting import Reporter
from asperacentral.gateway.routes import BASE, Routes
from asperacentral.gateway.staging import Staging
from asperacentral.gateway.transfer_server import TransferServers
from asperacentral.gateway.transfers import Transfers, Wanted
from asperacentral.gateway.upload import UploadLimits
from asperacentral.gateway.v1 import DownloadIds
from asperacentral.gateway.v3 import Downloads
from asperacentral.gateway.websocket import Sockets
from asperacentral.node.users import Users, UsersFileError, read_users
from asperacentral.openascp import policy_conf
from asperacentral.openascp.incoming import RUN_DIRECTORY

SMALL_BODY = 4 << 20
"""Bytes of a request that is not an upload: a transfer spec."""
SETTLE_SECONDS = 5.0

log = logging.getLogger(__name__)


class Gateway:
    """One gateway on a reactor, which must be Twisted's on asyncio's loop: reports are told by asyncio."""

    def __init__(self, settings: Settings, reactor: Any) -> None:
        self._settings = settings
        self._reactor = reactor
        self._ports: list[Any] = []
        self.port = 0
        self._reporter = Reporter({**os.environ, RUN_DIRECTORY: str(settings.run_directory)}, reactor)
        self._packages = _packages(settings)
        self._servers = self._transfer_servers()
        self._leftovers = _leftovers(settings)
        self._authority = _authority(settings, reactor)
        transfers = Transfers(
            self._authority,
            UploadLimits(settings.gateway_most_files, settings.gateway_folders),
            self._reporter,
            self._packages,
            self._servers,
            self._leftovers,
            now=reactor.seconds,
            in_thread=self._in_thread,
        )
        self._site = GatewaySite(
            _routes(settings, transfers, self._portal(), reactor.seconds),
            patience=settings.gateway_idle_timeout,
            reactor=reactor,
            max_body=SMALL_BODY,
        )

    def start(self) -> None:
        """Listen. Raises StartError."""
        settings = self._settings
        address = settings.gateway_address
        context = _tls(settings) if settings.gateway_certificate else None
        for port in dict.fromkeys((settings.gateway_port, settings.gateway_page_port)):
            if port or not self._ports:
                self._ports.append(self._listen(port, context))
        self.port = self._ports[0].getHost().port
        log.info(
            "asperacentral gateway %s: %s://%s:%d%s, announced as %s",
            __version__,
            "https" if settings.gateway_certificate else "http",
            address,
            self.port,
            BASE,
            settings.gateway_version,
        )
        _write_text(settings.gateway_address_file, f"{address}:{self.port}\n")

    def _portal(self) -> Portal:
        host, _, port = self._settings.gateway_page_server.rpartition(":")
        server = SshServer(host.strip("[]"), int(port)) if host else None
        return Portal(self._authority, server, now=self._reactor.seconds, in_thread=self._in_thread)

    def _transfer_servers(self) -> TransferServers:
        settings = self._settings
        try:
            staging = Staging(settings.gateway_staging_path, settings.gateway_staging_size)
        except OSError as error:
            raise StartError(f"cannot use {settings.gateway_staging_path}: {error.strerror}") from None
        key = settings.prefix / settings.gateway_transfer_key if settings.gateway_transfer_key else None
        return TransferServers(settings.gateway_transfer_servers, key, staging, self._manager)

    def _manager(self) -> FaspManager:
        return FaspManager(
            reactor=self._reactor,
            known_hosts=self._settings.known_hosts_path,
            host_key_policy=self._settings.host_key_policy,
        )

    def _listen(self, port: int, context: Any) -> Any:
        address = self._settings.gateway_address
        try:
            if context is None:
                return self._reactor.listenTCP(port, self._site, interface=address, backlog=200)
            return self._reactor.listenSSL(port, self._site, context, interface=address, backlog=200)
        except CannotListenError as error:
            raise StartError(f"cannot listen on {address}:{port}: {error.socketError.strerror}") from None

    @inlineCallbacks
    def stop(self) -> Generator[Deferred[Any], Any, None]:
        """Take no more, end what is under way, tell of it."""
        for port in self._ports:
            yield port.stopListening()
        if self._ports:
            self._settings.gateway_address_file.unlink(missing_ok=True)
            self._site.abort_all()
        self._authority.close()
        yield self._servers.close()
        loop = asyncio.get_running_loop()
        yield Deferred.fromFuture(loop.create_task(self._reporter.settle(SETTLE_SECONDS)))
        self._packages.close()

    def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), function, *arguments)


def run_gateway(settings: Settings, *, ready: Callable[[str], None]) -> int:
    """Run the gateway until SIGTERM or SIGINT; `ready` is called once it listens. Raises StartError. Returns 0."""
    from twisted.internet import asyncioreactor

    with suppress(Exception):  # a test may have installed it
        asyncioreactor.install()
    from twisted.internet import reactor as installed

    reactor: Any = installed
    gateway = Gateway(settings, reactor)
    failed: list[StartError] = []

    def begin() -> None:
        for ending in (signal.SIGTERM, signal.SIGINT):
            signal.signal(ending, lambda *_: reactor.callFromThread(_stop, reactor))
        signal.signal(signal.SIGHUP, lambda *_: reactor.callFromThread(_reopen))
        try:
            gateway.start()
        except StartError as error:
            failed.append(error)
            reactor.stop()
            return
        daemonize.sd_notify("READY=1")
        ready(f"listening on {settings.gateway_address}:{gateway.port}")

    reactor.callWhenRunning(begin)
    reactor.addSystemEventTrigger("before", "shutdown", gateway.stop)
    reactor.run(installSignalHandlers=True)
    if failed:
        raise failed[0]
    log.info("the gateway has stopped")
    return 0


def _routes(settings: Settings, transfers: Transfers, portal: Portal, now: Callable[[], float]) -> Routes:
    """All protocols; links are shared by them."""
    links: Links[Wanted] = Links(now, settings.gateway_link_lifetime, reusable=settings.gateway_link_reuse)
    sockets = Sockets(transfers)
    ids = DownloadIds(transfers, links, f"{BASE}/v1/download")
    return Routes(
        transfers,
        Downloads(transfers, links, f"{BASE}/v3/download"),
        Origins(settings.gateway_origins),
        settings.gateway_version,
        {
            f"{BASE}/v1/upload": {"GET": sockets.upgrade},
            f"{BASE}/v2/upload": {"GET": sockets.upgrade},
            f"{BASE}/v1/download": {"POST": ids.leave},
            f"{BASE}/v1/download/*": {"GET": ids.fetch},
            **portal.handlers(f"{BASE}/page"),
        },
    )


def _packages(settings: Settings) -> Packages:
    file = settings.state_directory / "gateway.db"
    try:
        return Packages(file)
    except (OSError, SQLAlchemyError) as error:
        raise StartError(f"cannot use {file}: {error}") from None


def _leftovers(settings: Settings) -> Leftovers:
    """Notes of partial files; what a gateway that was killed has left is removed."""
    folder = settings.state_directory / "gateway-uploads"
    try:
        leftovers = Leftovers(folder)
        leftovers.clear()
    except OSError as error:
        raise StartError(f"cannot use {folder}: {error.strerror}") from None
    return leftovers


def _authority(settings: Settings, reactor: Any) -> Authority:
    """The users of the users file, or those of aspera.conf."""
    try:
        users = _users(settings)
        nobody = policy_conf.ServerPolicy({}, {}, {})
        policy = policy_conf.load(settings.file, {}) if settings.file else nobody
    except (UsersFileError, ConfigError) as error:
        raise StartError(str(error)) from None
    if settings.file is None and users is None:
        log.warning("nobody can transfer anything: there are neither users nor an aspera.conf")
    return Authority(users, policy, reactor.callFromThread)


def _users(settings: Settings) -> Users | None:
    if not settings.gateway_users:
        return None
    docroot = settings.prefix / settings.gateway_docroot if settings.gateway_docroot else None
    return read_users(settings.prefix / settings.gateway_users, docroot)


def _tls(settings: Settings) -> Any:
    """The certificate and its key. StartError when they cannot be used."""
    from OpenSSL import SSL
    from twisted.internet.ssl import DefaultOpenSSLContextFactory

    certificate = settings.prefix / settings.gateway_certificate
    key = settings.prefix / (settings.gateway_key or settings.gateway_certificate)
    for file in (certificate, key):
        if not os.access(file, os.R_OK):
            raise StartError(f"{file} cannot be read")

    class Modern(SSL.Context):
        """TLS 1.2 and later, with the whole chain of certificates."""

        def __init__(self, _method: int) -> None:
            super().__init__(SSL.TLS_SERVER_METHOD)
            self.set_min_proto_version(SSL.TLS1_2_VERSION)
            self.use_certificate_chain_file(str(certificate))

    try:
        return DefaultOpenSSLContextFactory(str(key), str(certificate), SSL.TLS_SERVER_METHOD, Modern)
    except SSL.Error:
        raise StartError(f"{certificate} and {key} are no certificate and its key") from None


def _stop(reactor: Any) -> None:
    with suppress(ReactorNotRunning):
        reactor.stop()


def _reopen() -> None:
    logs.reopen()
    log.info("logs reopened")


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".new")
    partial.write_text(text)
    partial.replace(path)
    if path.parent.stat().st_uid == os.geteuid():
        path.chmod(stat.S_IRUSR | stat.S_IWUSR | stat.S_IRGRP | stat.S_IROTH)
