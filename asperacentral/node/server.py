"""The SSH server: listens, checks logins, and gives a session SFTP or openascp in its user's docroot, nothing else.

Knows the users it is given and no file they came from; knows nothing of orders, jobs or sessions of Central.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import cast

import asyncssh
from asyncssh.channel import SSHChannel
from asyncssh.stream import SSHServerStreamSession

from asperacentral.credentials.passwords import NOBODY
from asperacentral.credentials.throttle import FailureThrottle
from asperacentral.node.half import COMMAND, ServerHalf
from asperacentral.node.sftp import SFTP_VERSION, DocrootSFTPServer
from asperacentral.node.users import User, Users
from asperacentral.openascp.farside import NODE

log = logging.getLogger(__name__)

_WINDOW = 4 * 1024 * 1024
"""Bytes a client may have under way on a channel: several large SFTP writes."""

_PACKET = 256 * 1024
"""Largest SSH packet taken: large writes arrive in few packets, each of which costs one decryption."""

_SESSIONS_PER_CONNECTION = 32
_GUESSES_PER_CONNECTION = 6


@dataclass(frozen=True)
class NodeSettings:
    """What a node needs. `port` 0 is any free one; times are seconds.

    After `failure_limit` wrong passwords within `failure_window` no password from that address is looked at;
    each wrong one is answered after `failure_delay`.
    """

    users: Users
    host_key: asyncssh.SSHKey = field(repr=False)
    address: str = "127.0.0.1"
    port: int = 0
    failure_delay: float = 1.0
    failure_limit: int = 20
    failure_window: float = 300.0
    login_timeout: float = 30.0
    most_connections: int = 2000
    clock: Callable[[], float] = time.monotonic


class Node:
    """A listening SSH server; use it as an async context manager. OSError if it cannot listen."""

    def __init__(self, settings: NodeSettings) -> None:
        self.settings = settings
        self.throttle = FailureThrottle(settings.failure_limit, settings.failure_window, settings.clock)
        self.port = settings.port
        self.connections: set[asyncssh.SSHServerConnection] = set()
        self._listener: asyncssh.SSHAcceptor | None = None
        self._verified_key = os.urandom(32)
        self._verified: dict[str, bytes] = {}

    @property
    def where(self) -> str:
        """Address and port, to be shown."""
        return f"{self.settings.address} port {self.port}"

    @property
    def fingerprint(self) -> str:
        """The host key's fingerprint, `SHA256:...`."""
        return self.settings.host_key.get_fingerprint("sha256")

    async def __aenter__(self) -> Node:
        settings = self.settings
        self._listener = await asyncssh.listen(
            settings.address,
            settings.port,
            server_factory=lambda: _Login(self),
            server_host_keys=[settings.host_key],
            config=None,
            reuse_address=True,
            backlog=1024,
            gss_host=None,
            host_based_auth=False,
            kbdint_auth=False,
            allow_pty=False,
            agent_forwarding=False,
            login_timeout=settings.login_timeout,
            server_version=NODE,
            keepalive_interval=30,
            compression_algs=None,
            encoding=None,
            window=_WINDOW,
            max_pktsize=_PACKET,
        )
        self.port = self._listener.get_port()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._listener is not None:
            self._listener.close()
        open_connections = list(self.connections)
        for connection in open_connections:
            connection.close()
        await asyncio.gather(*(connection.wait_closed() for connection in open_connections))
        if self._listener is not None:
            await self._listener.wait_closed()  # since Python 3.12 this waits for connections too

    async def password_matches(self, name: str, password: str) -> bool:
        """Whether `name` logs in with `password`; takes the same time for a name that nobody has.

        A password that was right before is known again by a keyed digest, which only this process can
        compare: a thousand sessions of one user cost one scrypt.
        """
        user = self.settings.users.get(name)
        known = user is not None and user.password is not None
        digest = hmac.digest(self._verified_key, f"{name}\0{password}".encode(), hashlib.sha256)
        if known and hmac.compare_digest(self._verified.get(name, b""), digest):
            return True
        expected = user.password if user is not None and user.password is not None else NOBODY
        matches = await asyncio.to_thread(expected.matches, password) and known
        if matches:
            self._verified[name] = digest
        return matches


class _Login(asyncssh.SSHServer):
    """One connection: who it is, and what it may open."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._connection: asyncssh.SSHServerConnection | None = None
        self._address = ""
        self._guesses = 0
        self._sessions = 0

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Take the connection, unless there are too many."""
        self._connection = conn
        self._address = str(conn.get_extra_info("peername", ("",))[0])
        if len(self._node.connections) >= self._node.settings.most_connections:
            log.error("refused a connection from %s: too many connections", self._address)
            conn.abort()
            return
        self._node.connections.add(conn)
        log.debug("connection from %s", self._address)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self._connection is not None:
            self._node.connections.discard(self._connection)
        log.debug("connection from %s ended%s", self._address, f": {exc}" if exc else "")

    def begin_auth(self, username: str) -> bool:
        """Everyone has to prove who they are; the keys that would do are the user's."""
        user = self._node.settings.users.get(username)
        if self._connection is not None:
            self._connection.set_authorized_keys(user.authorized_keys if user is not None else None)
        return True

    def public_key_auth_supported(self) -> bool:
        """Offered to every name, so that the offer does not tell which names exist."""
        return True

    def password_auth_supported(self) -> bool:
        """Offered to every name, for the same reason."""
        return True

    async def validate_password(self, username: str, password: str) -> bool:
        """Check a password: slowly if it is wrong, and not at all after too many wrong ones."""
        self._guesses += 1
        if self._guesses > _GUESSES_PER_CONNECTION:
            raise asyncssh.PermissionDenied("Too many wrong passwords")
        throttle = self._node.throttle
        looked_at = throttle.begin(self._address)
        if looked_at and await self._node.password_matches(username, password):
            throttle.succeeded(self._address)
            return True
        log.info(
            "wrong login from %s%s",
            self._address,
            "" if looked_at else " (too many; passwords not looked at)",
        )
        await asyncio.sleep(self._node.settings.failure_delay)
        return False

    def session_requested(self) -> _Session | bool:
        """A session of the user who logged in."""
        self._sessions += 1
        if self._connection is None or self._sessions > _SESSIONS_PER_CONNECTION:
            return False
        user = self._node.settings.users.get(str(self._connection.get_extra_info("username")))
        return _Session(user) if user is not None else False


class _Session(SSHServerStreamSession[bytes]):
    """One session: what may be started in it is decided here, and only here."""

    def __init__(self, user: User) -> None:
        super().__init__(None, self._sftp_server, SFTP_VERSION)
        self._user = user
        self._half: ServerHalf | None = None

    def _sftp_server(self, channel: SSHChannel[bytes]) -> DocrootSFTPServer:
        return DocrootSFTPServer(cast("asyncssh.SSHServerChannel[bytes]", channel), self._user)

    def subsystem_requested(self, subsystem: str) -> bool:
        """SFTP is the one subsystem; who may transfer with a token only has none, as SFTP knows no tokens."""
        return self._answer(subsystem == "sftp" and not self._user.token_keys, f"subsystem {subsystem!r}")

    def exec_requested(self, command: str) -> bool:
        """The far side of a transfer is the one program."""
        if command == COMMAND:
            self._half = ServerHalf(self._user.policy())
        return self._answer(self._half is not None, "openascp" if self._half else "a command")

    def shell_requested(self) -> bool:
        """There is no shell."""
        return self._answer(False, "a shell")

    def session_started(self) -> None:
        """Start what was asked for."""
        if self._half is None:
            super().session_started()
        else:
            self._half.start(cast("asyncssh.SSHServerChannel[bytes]", self._chan))

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        """See asyncssh."""
        if self._half is None:
            super().data_received(data, datatype)
        else:
            self._half.from_client(data)

    def eof_received(self) -> bool:
        """See asyncssh."""
        if self._half is None:
            return bool(super().eof_received())
        self._half.client_ended()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncssh."""
        if self._half is None:
            super().connection_lost(exc)
        else:
            self._half.client_ended()

    def pause_writing(self) -> None:
        """See asyncssh."""
        if self._half is None:
            super().pause_writing()
        else:
            self._half.hold(True)

    def resume_writing(self) -> None:
        """See asyncssh."""
        if self._half is None:
            super().resume_writing()
        else:
            self._half.hold(False)

    def _answer(self, allowed: bool, what: str) -> bool:
        log.info("%s %s for %s", "started" if allowed else "refused", what, self._user.name)
        return allowed
