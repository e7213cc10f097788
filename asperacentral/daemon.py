"""The composition root: builds every part from the settings, starts them in order, stops them in order.

`CentralDaemon` can be built by any program or test on its own reactor; `run_daemon` is what the command line calls,
after it has gone to the background: the reactor is imported here and nowhere before.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import stat
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.error import CannotListenError, ReactorNotRunning

from asperacentral import __version__, daemonize, interpreter, logs
from asperacentral.central.model import Event, Subscription
from asperacentral.central.recording import Recording
from asperacentral.central.service import Central
from asperacentral.config import ConfigError
from asperacentral.config_changes import reread
from asperacentral.config_table import NOT_IN_EFFECT
from asperacentral.daemonize import StartError
from asperacentral.fasp.manager import Program, SessionManager
from asperacentral.metrics.measuring import Measuring
from asperacentral.observers.sender import Notifier
from asperacentral.openascp import sharebook
from asperacentral.rest.site import rest_face
from asperacentral.soap.notifications import render_notification
from asperacentral.soap.site import soap_face
from asperacentral.store.store import Store, StoreError, StoreOptions
from asperacentral.waiting import deferred
from asperacentral.web.readers import OnThisMachine, WithPassword
from asperacentral.web.site import make_site

if TYPE_CHECKING:
    from twisted.internet.tcp import Port

    from asperacentral.central.ports import RawOptionRule
    from asperacentral.config import Settings
    from asperacentral.credentials.login import Login
    from asperacentral.soap.resources import Recorder
    from asperacentral.web.readers import Readers
    from asperacentral.web.server import LimitedSite

log = logging.getLogger(__name__)

PURGE_INTERVAL = 600.0
"""Seconds between looks for sessions older than persistent_store_max_age."""

STOP_TIMEOUT = 5.0
"""Seconds that notifications under way may take at the end."""


class CentralDaemon:
    """Aspera Central, whole: SOAP in front, the rules, store, FASP Manager and observers behind.

    `give_up` is called with the reason when the settings ask for an end and whoever runs the reactor must make it.
    A `recorder` is told of every SOAP exchange, secrets included: it is for tests.
    """

    def __init__(
        self,
        settings: Settings,
        reactor: Any,
        *,
        give_up: Callable[[str], None] | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self._settings = settings
        self._recorder = recorder
        self._reactor = reactor
        for name in NOT_IN_EFFECT:
            if settings.sources.get(name, "default") != "default":
                log.warning("%s: <%s> has no effect in this version", settings.sources[name], name)
        self._soap: Port | None = None
        self._login: Login | None = None
        self._measuring = Measuring()
        self.soap_port = 0
        self.management_port = 0
        self._store = Store(
            settings.store_path if settings.persistent_store else None,
            settings.secrets_key_path,
            reactor.callFromThread,
            store_options(settings),
            on_failure=None if give_up is None else lambda: self._store_failed(give_up),
            measure=self._measuring.meters.committed,
        )
        self._notifier = Notifier(
            reactor,
            self._store,
            self._render,
            allow=settings.observer_allow,
            measure=self._measuring.meters.told,
        )
        program = Program.ascp(settings.ascp_path) if settings.ascp_path else Program.openascp()
        self._transfers = SessionManager(
            reactor,
            _Relay(self),
            program=program,
            port_file=settings.management_port_file,
            mgmt_port=settings.mgmt_port,
            mgmt_backlog=settings.mgmt_backlog,
            known_hosts=settings.known_hosts_path,
            host_key_policy=settings.host_key_policy,
        )
        self.central = Central(
            reactor,
            self._store,
            self._transfers,
            self._notifier,
            patience=settings.adoption_patience,
            recording=_recording(settings),
            reliable_query=settings.persistent_store,
            validation_timeout=settings.validation_timeout,
            raw_options=_raw_option_rule(settings) if settings.raw_options else None,
        )
        self._measuring.watch(self.central, self._store)

    @inlineCallbacks
    def start(self) -> Generator[Deferred[Any], Any, None]:
        """Listen for processes, go on with open jobs, then listen for SOAP. Raises StartError."""
        settings = self._settings
        try:
            _let_others_in(settings)
            sharebook.prepare(settings.run_directory)
            self.management_port = yield self._transfers.start()
        except (CannotListenError, OSError) as error:
            raise StartError(f"cannot listen for transfer processes: {error}") from None
        self._notifier.start()
        self.central.start()
        try:
            site = self._site()
            self._soap = self._reactor.listenTCP(
                settings.port, site, backlog=settings.backlog, interface=settings.address
            )
        except CannotListenError as error:
            raise StartError(
                f"cannot listen on {settings.address}:{settings.port}: {error.socketError.strerror}; "
                "is another asperacentral running, or should <port> be another?"
            ) from None
        self.soap_port = cast("Port", self._soap).getHost().port
        _write_text(settings.soap_address_file, f"{settings.address}:{self.soap_port}\n")
        self._purge_now_and_then()
        log.info(
            "asperacentral %s: SOAP on %s:%d, management on 127.0.0.1:%d, store %s",
            __version__,
            settings.address,
            self.soap_port,
            self.management_port,
            settings.store_path if settings.persistent_store else "disabled",
        )

    def _site(self) -> LimitedSite:
        """All faces. Raises StartError."""
        settings = self._settings
        self._login = _login(settings, self._reactor.callFromThread)
        strict = settings.schema_validation == "strict"
        faces = [
            soap_face(self.central, strict=strict, recorder=self._recorder),
            rest_face(self.central),
            self._measuring.face(_readers(settings, self._login), self._not_ready),
        ]
        if settings.console and self._login is not None:
            from asperacentral.console.site import console_face

            faces.append(console_face(self.central, self._login, self._reactor))
        return make_site(
            faces,
            reactor=self._reactor,
            max_body=settings.max_body,
            measure=self._measuring.meters.answered,
            names=settings.web_names,
        )

    def _not_ready(self) -> list[str]:
        """Why orders would be refused now."""
        return ["the store cannot be written"] if self._store.failing else []

    @inlineCallbacks
    def stop(self) -> Generator[Deferred[Any], Any, None]:
        """Stop taking requests, let processes go on without us, write everything, close."""
        log.info(
            "asperacentral is stopping; transfers under way go on%s",
            " and are taken up at the next start" if self._settings.persistent_store else "",
        )
        if self._soap is not None:
            yield self._soap.stopListening()
            self._settings.soap_address_file.unlink(missing_ok=True)
        written = deferred(self.central.stop())
        yield self._transfers.stop()
        yield written
        if self._login is not None:
            self._login.close()
        yield self._notifier.stop().addTimeout(STOP_TIMEOUT, self._reactor).addErrback(_note)
        self._store.close()

    def _store_failed(self, give_up: Callable[[str], None]) -> None:
        if self._settings.persistent_store_on_error == "exit":
            give_up("the store cannot be written, and <persistent_store_on_error> says exit")

    def _render(self, event: Event, subscription: Subscription) -> bytes:
        return render_notification(event, subscription, self.central.time_remaining(subscription))

    def reload(self) -> None:
        """Read the configuration again, and take from it what can change at once; the log tells what did."""
        try:
            again = reread(self._settings)
        except ConfigError as error:
            log.error("%s; nothing changes", error)
            return
        former, self._settings = self._settings, again.settings
        logs.set_level(self._settings.log_level)
        self._notifier.allow(self._settings.observer_allow)
        self.central.runner.recording = _recording(self._settings)
        self.central.validators.timeout = self._settings.validation_timeout
        if self._settings.persistent_store_max_age != former.persistent_store_max_age:
            self._purge()
        self._read_users_again()
        for warning in again.settings.warnings:
            log.warning("%s", warning)
        for name in again.at_once:
            log.info("%s has changed", name)
        for name in again.at_restart:
            log.warning("%s has changed in the file; that needs a restart", name)

    def _read_users_again(self) -> None:
        path = self._settings.web_users_path
        if self._login is None or path is None:
            return
        from asperacentral.credentials.users import WebUsersError, read_web_users

        try:
            self._login.replace(read_web_users(path))
        except WebUsersError as error:
            log.error("%s; the users stay as they were", error)

    def _purge(self) -> None:
        max_age = self._settings.persistent_store_max_age
        if max_age is not None:
            self.central.purge(max_age)

    def _purge_now_and_then(self) -> None:
        self._purge()
        self._reactor.callLater(PURGE_INTERVAL, self._purge_now_and_then)


class _Relay:
    """Hands the FASP Manager's reports to the runner, which is built after the manager."""

    def __init__(self, daemon: CentralDaemon) -> None:
        self._daemon = daemon

    def session_launched(self, user_str: str, pid: int) -> None:
        self._daemon.central.runner.session_launched(user_str, pid)

    def session_message(self, user_str: str, message: Any) -> None:
        self._daemon.central.runner.session_message(user_str, message)

    def session_ended(self, user_str: str, ending: Any) -> None:
        self._daemon.central.runner.session_ended(user_str, ending)

    def foreign_message(self, name: str, message: Any) -> None:
        self._daemon.central.runner.foreign.message(name, message)

    def foreign_ended(self, name: str, ending: Any) -> None:
        self._daemon.central.runner.foreign.ended(name, ending)


def run_daemon(settings: Settings, *, ready: Callable[[str], None], recorder: Recorder | None = None) -> int:
    """Run the daemon until SIGTERM or SIGINT; `ready` is called once it listens. Raises StartError.

    Returns the exit status: 0 after a signal, 1 when the daemon gave up.
    """
    from twisted.internet import reactor as imported

    reactor: Any = imported
    given_up: list[str] = []

    def give_up(reason: str) -> None:
        log.error("the daemon ends: %s", reason)
        given_up.append(reason)
        _stop(reactor)

    try:
        daemon = CentralDaemon(settings, reactor, give_up=give_up, recorder=recorder)
    except StoreError as error:
        raise StartError(str(error)) from None
    outcome: list[StartError] = []

    def started(_: object) -> None:
        interpreter.settle()
        daemonize.sd_notify("READY=1")
        ready(f"listening on {settings.address}:{daemon.soap_port}")

    def not_started(failure: Any) -> None:
        if not failure.check(StartError):
            log.error("cannot start: %s", failure.getTraceback())
        outcome.append(failure.value if failure.check(StartError) else StartError(str(failure.value)))
        reactor.stop()

    def begin() -> None:
        # After Twisted has set its own handlers, which take a second SIGTERM for a mistake of the program.
        for ending in (signal.SIGTERM, signal.SIGINT):
            signal.signal(ending, lambda *_: reactor.callFromThread(_stop, reactor))
        signal.signal(signal.SIGHUP, lambda *_: reactor.callFromThread(_reload, daemon))
        daemon.start().addCallbacks(started, not_started)

    def stopping() -> Deferred[Any]:
        daemonize.sd_notify("STOPPING=1")
        return daemon.stop()

    reactor.callWhenRunning(begin)
    reactor.addSystemEventTrigger("before", "shutdown", stopping)
    reactor.run(installSignalHandlers=True)
    if outcome:
        raise outcome[0]
    log.info("asperacentral has stopped")
    return 1 if given_up else 0


def store_options(settings: Settings) -> StoreOptions:
    """How the store is to work."""
    return StoreOptions(
        settings.db_journal,
        settings.db_synchronous,
        settings.compact_on_startup,
        buffer_capacity=settings.event_buffer_capacity,
        drop_overrun=settings.event_buffer_overrun == "drop",
    )


def _raw_option_rule(settings: Settings) -> RawOptionRule:
    if settings.ascp_path:
        return lambda _: "only openascp takes them, and <ascp_path> names another program"
    # The parser comes with much else: it is there before the first order, and only where it is needed.
    from asperacentral.openascp.raw_options import refusal

    return refusal


def _login(settings: Settings, call_from_thread: Callable[..., object]) -> Login | None:
    """The logins of the users file; None without one. Raises StartError."""
    if settings.web_users_path is None and not settings.needs_web_users:
        return None
    # They come with the SSH library, which the daemon needs for nothing else.
    from asperacentral.credentials.login import Login
    from asperacentral.credentials.users import WebUsersError, users_for

    try:
        users = users_for(settings.needs_web_users, settings.web_users_path)
    except WebUsersError as error:
        raise StartError(str(error)) from None
    return None if users is None else Login(users, call_from_thread)


def _readers(settings: Settings, login: Login | None) -> Readers | None:
    """Who may read metrics."""
    if settings.metrics == "users" and login is not None:
        return WithPassword(login)
    return OnThisMachine() if settings.metrics == "loopback" else None


def _recording(settings: Settings) -> Recording:
    return Recording(
        names=settings.persistent_store,
        validate=settings.post_transfer_validation,
        files_per_session=settings.files_per_session,
        file_errors=settings.file_errors,
        ignore_empty_files=settings.ignore_empty_files,
        ignore_skipped_files=settings.ignore_skipped_files,
        ignore_no_transfer_files=settings.ignore_no_transfer_files,
    )


def _stop(reactor: Any) -> None:
    with contextlib.suppress(ReactorNotRunning):  # It is stopping already.
        reactor.stop()


def _reload(daemon: CentralDaemon) -> None:
    daemonize.sd_notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
    logs.reopen()
    log.info("logs reopened")
    daemon.reload()
    log.info("the configuration was read again")
    daemonize.sd_notify("READY=1")


def _note(failure: Any) -> None:
    log.error("at the end: %s", failure.getErrorMessage())


def _let_others_in(settings: Settings) -> None:
    """Server halves of other accounts look for the port file; what is secret beside it only its owner can read."""
    folder = settings.run_directory
    while folder not in (settings.prefix, folder.parent):
        mode = folder.stat().st_mode
        open_mode = mode | (0o055 if folder == settings.run_directory else 0o011)
        if mode != open_mode and folder.stat().st_uid == os.geteuid():
            folder.chmod(stat.S_IMODE(open_mode))
        folder = folder.parent


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".new")
    partial.write_text(text)
    partial.replace(path)
