"""What the fork server does once so that no session does it for the first time: options are read, a login is made.

Code that has run before runs faster, and its memory is shared with the children instead of being theirs. The login
goes through a pair of connected sockets within this process, to a server that lasts as long as it does, with a
password nobody else knows; nothing listens, and nothing of it is left but what was learned.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from pathlib import Path

import asyncssh

from asperacentral.openascp import farside
from asperacentral.openascp.connection import Login, connect
from asperacentral.openascp.exchange.codec import PREFACE
from asperacentral.openascp.failures import Failure
from asperacentral.openascp.hostkeys import HostKeyCheck
from asperacentral.openascp.options import UsageError, parse
from asperacentral.openascp.wire import Connector

_USUAL = (
    *("-M", "1", "-u", "x", "-q", "--mode=send", "--host=h", "--user=u", "-P", "22", "-O", "33001"),
    *("-l", "1", "-m", "0", "--policy=fair", "-c", "aes128", "-k", "2", "--overwrite=diff"),
    *("source", "destination"),
)
"""A command line as managers write it."""
_ROUNDS = 2
_SECONDS = 5.0
_USER = "warm"


def warm_up() -> None:
    """Do it. What does not work here is no reason not to start: a session will say it better."""
    for _ in range(_ROUNDS):
        with contextlib.suppress(UsageError):
            parse(_USUAL)
        with contextlib.suppress(Failure, farside.NoFarSideError, OSError, TimeoutError, asyncssh.Error):
            asyncio.run(_log_in())


class _Server(asyncssh.SSHServer):
    """Takes one password."""

    def __init__(self, password: str) -> None:
        self._password = password

    def password_auth_supported(self) -> bool:
        """See asyncssh."""
        return True

    def validate_password(self, username: str, password: str) -> bool:
        """See asyncssh."""
        return secrets.compare_digest(password, self._password)


async def _greet(process: asyncssh.SSHServerProcess[bytes]) -> None:
    """Begin as a far side does, and go."""
    process.stdout.write(PREFACE)
    await process.stdout.drain()
    process.exit(0)


async def _log_in() -> None:
    ours, theirs = socket.socketpair()
    password = secrets.token_urlsafe(16)
    key = asyncssh.generate_private_key("ssh-ed25519")
    serving = asyncio.ensure_future(
        asyncssh.run_server(
            theirs,
            server_factory=lambda: _Server(password),
            server_host_keys=[key],
            process_factory=_greet,
            encoding=None,
        )
    )
    check = HostKeyCheck("127.0.0.1", 22, fingerprint=None, file=Path("/dev/null"), policy="any")
    try:
        async with asyncio.timeout(_SECONDS):
            login = Login("127.0.0.1", 22, _USER, password)
            connection = await connect(login, check, Connector(made=ours))
            await farside.reach(connection)
            connection.close()
            await connection.wait_closed()
            (await serving).close()
    finally:
        serving.cancel()
        ours.close()
        theirs.close()
