"""The FASP Manager: starts a process per session, hears it, steers it, and tells its listener how it went.

This is the shell around the rules of `session`: it owns the management port, the fork server and one timer, and
finds the session a frame belongs to by the frame's UserStr, else its SessionId. It knows nothing of jobs.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

from twisted.internet import defer

from asperacentral.fasp.accounts import Account, to_run_as
from asperacentral.fasp.admission import Admission, ByOwnership, ByProof
from asperacentral.fasp.command_line import HOST_KEY_POLICIES, KEEPALIVE, Extensions, arguments, environment
from asperacentral.fasp.errors import LaunchError
from asperacentral.fasp.foreign import ForeignSessions
from asperacentral.fasp.forkserver import ForkServerClient, child_environment
from asperacentral.fasp.listener import ManagementConnection, ManagementListener
from asperacentral.fasp.management import Message, MessageType
from asperacentral.fasp.messages import cancel, rate
from asperacentral.fasp.order import JobOrder
from asperacentral.fasp.processes import (
    AdoptedProcess,
    ExecutedProcess,
    ForkedProcess,
    Process,
    ProcessEnd,
    UnknownProcess,
)
from asperacentral.fasp.program import Program
from asperacentral.fasp.reactor import DelayedCall, ManagerReactor
from asperacentral.fasp.session import CONNECT_PATIENCE, ManagedSession, SessionEnding, SessionListener
from asperacentral.fasp.spawn_protocol import Request, SpawnProtocolError

__all__ = ["LaunchError", "Program", "SessionEnding", "SessionListener", "SessionManager"]

LOOK_EVERY = 0.25
"""Seconds between two looks at all sessions."""
MOST_LAST_WORDS = 1000
"""Messages kept of connections that were closed before it was seen whose they were."""
ABSENCE = 5.0
"""Seconds without a look after which the manager itself must have stood still (a suspended machine)."""

_TYPES = frozenset[str](MessageType)

log = logging.getLogger(__name__)


class SessionManager:
    """Runs sessions with `program` and tells `listener`.

    `port_file` names the management port to processes that look for it again after a restart. `known_hosts` and
    `host_key_policy` are for our own program. All methods are to be called in the reactor's thread.
    """

    def __init__(
        self,
        reactor: ManagerReactor,
        listener: SessionListener,
        *,
        program: Program,
        port_file: Path,
        mgmt_port: int = 0,
        mgmt_backlog: int = 200,
        known_hosts: Path | None = None,
        host_key_policy: str = "tofu",
    ) -> None:
        if host_key_policy not in HOST_KEY_POLICIES:
            raise ValueError(f"host_key_policy must be one of {', '.join(HOST_KEY_POLICIES)}")
        self._reactor = reactor
        self._listener = listener
        self._program = program
        self._extensions = Extensions(port_file, known_hosts, host_key_policy) if program.own else None
        self._admission: Admission = (
            ByProof(port_file.with_suffix(".mgmtkey")) if program.own else ByOwnership()
        )
        self._port = ManagementListener(reactor, self, port_file, mgmt_port, mgmt_backlog)
        self._fork_server = self._new_fork_server(program.module) if program.module else None
        self._sessions: dict[str, ManagedSession] = {}
        self._by_session_id: dict[str, ManagedSession] = {}
        self._given_up: set[str] = set()
        self._last_words: list[tuple[ManagedSession, Message, ManagementConnection]] = []
        self._foreign = ForeignSessions(lambda name: name in self._sessions)
        self._next_look: DelayedCall | None = None
        self._looked_at = 0.0
        self._running = False

    def start(self) -> defer.Deferred[int]:
        """Listen, name the port in the port file, and fire with it; fails if that cannot be done."""
        return defer.maybeDeferred(self._start)

    def _start(self) -> int:
        self._admission.start()
        port = self._port.start()
        if self._fork_server is not None:
            self._fork_server.start()
        self._running = True
        self._looked_at = self._reactor.seconds()
        self._next_look = self._reactor.callLater(LOOK_EVERY, self._look_regularly)
        log.debug("management port %d", port)
        return port

    def stop(self) -> defer.Deferred[None]:
        """Listen no more and let all processes go on; nothing is told after this."""
        if not self._running:
            return defer.succeed(None)
        self._running = False
        if self._next_look is not None:
            self._next_look.cancel()
        if self._fork_server is not None:
            self._fork_server.stop()
        return self._port.stop()

    def launch_job(self, order: JobOrder) -> None:
        """Start a session's process. LaunchError when it cannot be started; later failures are told as an end."""
        if not self._running:
            raise LaunchError("the FASP Manager is not running")
        if order.user_str in self._sessions:
            raise LaunchError(f"session {order.user_str} is under way already")
        account = to_run_as(order.account)
        argv = arguments(order, self._port.port, self._extensions)
        secrets = environment(order) | self._admission.environment(order.user_str)
        process: Process
        if self._fork_server is not None and self._fork_server.available:
            try:
                process = self._fork_server.spawn(argv, secrets, account)
            except SpawnProtocolError as error:
                raise LaunchError(str(error)) from None
        else:
            process = self._execute(argv, secrets, account, order.program)
            self._reactor.callLater(0, self._tell_launched, process)
        self._add(order.user_str, process, CONNECT_PATIENCE, persistent=KEEPALIVE in order.raw_options)

    def adopt_job(self, user_str: str, pid: int | None, patience: float) -> None:
        """Expect a process that an earlier manager started to dial within `patience` seconds.

        The session ends as others do; how its process ended cannot be known. LaunchError if it is under way.
        """
        if user_str in self._sessions:
            raise LaunchError(f"session {user_str} is under way already")
        process: Process = UnknownProcess() if pid is None else AdoptedProcess(pid, user_str)
        self._add(user_str, process, patience)

    def control_job(
        self,
        user_str: str,
        *,
        target_rate: int | None = None,
        minimum_rate: int | None = None,
        policy: str | None = None,
    ) -> bool:
        """Change rates (Kbps; target 0 pauses) or policy; kept until the process connects. False if it is over.

        Foreign sessions are steered by the names they are told under.
        """
        session = self._sessions.get(user_str)
        if session is None:
            return self._foreign.control(user_str, rate(target_rate, minimum_rate, policy))
        return session.control(target_rate, minimum_rate, policy)

    def command_job(self, user_str: str, command: Message) -> bool:
        """Send a command: sources and end of a persistent session, an answer to a query. False if it is over.

        LocalProtocolError for one that the session does not take.
        """
        session = self._sessions.get(user_str)
        return session is not None and session.command(command)

    def cancel_job(self, user_str: str) -> bool:
        """End a session by CANCEL; its process is terminated if it does not obey. False if it is over."""
        session = self._sessions.get(user_str)
        if session is None:
            return self._foreign.cancel(user_str)
        return session.cancel(self._reactor.seconds())

    def running(self) -> tuple[str, ...]:
        """The sessions that have not ended, oldest first."""
        return tuple(self._sessions)

    # What connections bring.

    def hear(self, message: Message, connection: ManagementConnection) -> None:
        """A process said something."""
        session = None if self._is_foreign(message, connection) else self._session_of(message)
        if session is None:
            self._hear_stranger(message, connection)
            return
        if session.user_str in connection.vouched or self._admit(session, message, connection):
            self._hear_of(session, message, connection)

    def _hear_of(self, session: ManagedSession, message: Message, connection: ManagementConnection) -> None:
        if session.hear(message, connection, self._reactor.seconds()):
            if session.session_id:
                self._by_session_id[session.session_id] = session
            self._tell(self._listener.session_message, session.user_str, message)

    def _admit(self, session: ManagedSession, message: Message, connection: ManagementConnection) -> bool:
        """Find out once for each connection and session whether the one may speak for the other."""
        admitted = self._admission.admits(session, message, connection)
        if admitted:
            connection.vouch(session.user_str)
            return True
        if admitted is None and len(self._last_words) < MOST_LAST_WORDS:
            self._last_words.append((session, message, connection))
            return False
        log.warning(
            "session %s: %s from port %d, which is not its process; ignored, and the connection closed",
            session.user_str,
            message.type if message.type in _TYPES else "something",
            connection.ends.process,
        )
        connection.refuse()
        return False

    def _hear_last_words(self, session: ManagedSession) -> None:
        """Of a connection that was closed before it was seen whose it was: its process may have ended meanwhile."""
        words = [each for each in self._last_words if each[0] is session]
        self._last_words = [each for each in self._last_words if each[0] is not session]
        for _, message, connection in words:
            if not connection.refused:
                self.hear(message, connection)

    def lose(self, connection: ManagementConnection) -> None:
        """A connection is closed."""
        for session in tuple(self._sessions.values()):
            session.lose(connection)
        ended = self._foreign.lose(connection)
        if ended is not None:
            self._tell(self._listener.foreign_ended, *ended)

    def _is_foreign(self, message: Message, connection: ManagementConnection) -> bool:
        """A server half has the session id of its client, which may be a session of ours on the same machine."""
        served = message.type == MessageType.INIT and message.text("Remote") == "Yes"
        return connection in self._foreign or (served and not message.text("UserStr"))

    def _session_of(self, message: Message) -> ManagedSession | None:
        user_str = message.text("UserStr")
        if user_str:
            return self._sessions.get(user_str)
        return self._by_session_id.get(message.text("SessionId"))

    def _hear_stranger(self, message: Message, connection: ManagementConnection) -> None:
        if message.text("UserStr") in self._given_up:
            # Its session was reported as ended, and another may do its work by now.
            if message.type == MessageType.INIT:
                connection.send(cancel())
            return
        name = self._foreign.hear(message, connection)
        if name is not None:
            self._tell(self._listener.foreign_message, name, message)

    # Processes and time.

    def _new_fork_server(self, module: str) -> ForkServerClient:
        return ForkServerClient(
            self._reactor,
            module,
            launched=self._tell_launched,
            changed=self._look_at_process,
            unserved=self._execute_unserved,
        )

    def _execute(
        self, argv: list[str], secrets: dict[str, str], account: Account | None, program: str = "ascp"
    ) -> ExecutedProcess:
        environment = {**child_environment(os.environ), **secrets}
        return ExecutedProcess([*self._program.command_for(program), *argv], environment, account)

    def _execute_unserved(self, request: Request, forked: ForkedProcess) -> None:
        """The fork server died before it could serve: start the process without it."""
        for session in self._sessions.values():
            if session.process is forked:
                try:
                    session.process = self._execute(list(request.argv), request.environment, request.account)
                except LaunchError as error:
                    log.error("session %s: %s", session.user_str, error)
                    forked.ended(ProcessEnd())
                else:
                    self._tell_launched(session.process)
                return

    def _add(self, user_str: str, process: Process, patience: float, *, persistent: bool = False) -> None:
        self._given_up.discard(user_str)
        now = self._reactor.seconds()
        self._sessions[user_str] = ManagedSession(user_str, process, now, patience, persistent=persistent)

    def _look_regularly(self) -> None:
        self._next_look = self._reactor.callLater(LOOK_EVERY, self._look_regularly)
        self._look()

    def _look(self) -> None:
        now = self._reactor.seconds()
        absent, self._looked_at = now - self._looked_at, now
        for session in tuple(self._sessions.values()):
            if absent > ABSENCE:
                session.excuse(absent)
            self._look_at(session, now)

    def _look_at_process(self, process: Process) -> None:
        """Its end was reported: the next regular look would find it too, but later."""
        for session in self._sessions.values():
            if session.process is process:
                self._look_at(session, self._reactor.seconds())
                return

    def _look_at(self, session: ManagedSession, now: float) -> None:
        if self._last_words:
            self._hear_last_words(session)
        ending = session.look(now)
        if ending is not None:
            self._end(session, ending)

    def _end(self, session: ManagedSession, ending: SessionEnding) -> None:
        del self._sessions[session.user_str]
        self._last_words = [each for each in self._last_words if each[0] is not session]
        if session.session_id:
            self._by_session_id.pop(session.session_id, None)
        if ending.exit_status is None and ending.signal is None:
            self._given_up.add(session.user_str)
        log.debug("session %s ended: %s", session.user_str, ending)
        self._tell(self._listener.session_ended, session.user_str, ending)

    def _tell_launched(self, process: Process) -> None:
        for session in self._sessions.values():
            if session.process is process and process.pid is not None:
                self._tell(self._listener.session_launched, session.user_str, process.pid)
                return

    def _tell(self, call: Callable[..., None], *args: object) -> None:
        """A mistake of the listener must not end the care for the other sessions."""
        if not self._running:
            return
        try:
            call(*args)
        except Exception:
            log.exception("the session listener failed")
