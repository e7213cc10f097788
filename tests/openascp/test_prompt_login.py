"""A key that was given logs in with one request; what is refused goes on with the next."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncssh
import pytest

from asperacentral.openascp.connection import Login, connect
from asperacentral.openascp.failures import SessionFailure
from asperacentral.openascp.hostkeys import HostKeyCheck
from asperacentral.openascp.prompt_login import log_in_at_once

PASSWORD = "correct horse"


class Server(asyncssh.SSHServer):
    """Lets in who has `key`, or the password; remembers what it was asked and how often it said no."""

    def __init__(self, key: asyncssh.SSHKey) -> None:
        self._key = key
        self.shown: list[bytes] = []
        self.refusals = 0

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        inner: Any = conn
        refuse = inner.send_userauth_failure

        def send_userauth_failure(partial_success: bool) -> None:
            self.refusals += 1
            refuse(partial_success)

        inner.send_userauth_failure = send_userauth_failure

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        self.shown.append(key.public_data)
        return key.public_data == self._key.public_data

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return password == PASSWORD


def log_in(folder: Path, server: Server, keys: list[asyncssh.SSHKey], password: str = "") -> None:
    """Connect once. SessionFailure."""

    async def run() -> None:
        host_key = asyncssh.generate_private_key("ssh-ed25519")
        async with await asyncssh.create_server(
            lambda: server, "127.0.0.1", 0, server_host_keys=[host_key]
        ) as listening:
            port = listening.sockets[0].getsockname()[1]
            files = []
            for number, key in enumerate(keys):
                files.append(folder / f"key{number}")
                key.write_private_key(files[-1])
            check = HostKeyCheck("127.0.0.1", port, fingerprint=None, file=folder / "known", policy="tofu")
            login = Login("127.0.0.1", port, "somebody", password=password, key_files=tuple(files))
            connection = await connect(login, check)
            connection.close()
            await connection.wait_closed()

    asyncio.run(run())


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"])
def test_the_right_key_is_shown_once_and_nothing_is_refused(tmp_path: Path, kind: str) -> None:
    key = asyncssh.generate_private_key(kind)
    server = Server(key)
    log_in(tmp_path, server, [key])
    assert server.shown == [key.public_data]
    assert server.refusals == 0


def test_the_second_key_follows_when_the_first_is_refused(tmp_path: Path) -> None:
    keys = [asyncssh.generate_private_key("ssh-ed25519") for _ in range(2)]
    server = Server(keys[1])
    log_in(tmp_path, server, keys)
    assert server.shown == [key.public_data for key in keys]
    assert server.refusals == 1


def test_the_password_follows_when_no_key_is_taken(tmp_path: Path) -> None:
    keys = [asyncssh.generate_private_key("ssh-ed25519") for _ in range(2)]
    server = Server(keys[1])
    log_in(tmp_path, server, keys[:1], PASSWORD)
    assert server.shown == [keys[0].public_data]


def test_nobody_gets_in_with_another_key(tmp_path: Path) -> None:
    keys = [asyncssh.generate_private_key("ssh-ed25519") for _ in range(2)]
    with pytest.raises(SessionFailure) as refused:
        log_in(tmp_path, Server(keys[1]), keys[:1])
    assert refused.value.code == 19


def test_an_asyncssh_that_is_made_differently_is_left_as_it_is() -> None:
    other: Any = SimpleNamespace()
    log_in_at_once(other, with_key=True)
    assert not vars(other)
