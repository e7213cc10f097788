"""Makes the SSH connection of a session and says in FASP codes why it cannot be made.

Only what was given is used: no agent, no default keys, no configuration file of the user. The host key is checked
before anything secret is sent. Compression is off; the fastest cipher that is as strong as asked for is preferred.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.ahead import Opening
from asperacentral.openascp.failures import SessionFailure
from asperacentral.openascp.hostkeys import HostKeyCheck
from asperacentral.openascp.prompt_login import log_in_at_once
from asperacentral.openascp.wire import Connector

CONNECT_SECONDS = 20.0
"""For the whole of it, logging in included; below the time after which managers think a process is dead."""
KEEPALIVE_SECONDS = 5
KEEPALIVE_COUNT = 3
_IGNORE = 2
"""SSH_MSG_IGNORE (RFC 4253, 11.2)."""

_STRONG = ["aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr"]
_ALL = ["aes128-gcm@openssh.com", *_STRONG, "aes192-ctr", "aes128-ctr"]
_CIPHERS = {"none": _ALL, "aes128": _ALL, "aes192": [*_STRONG, "aes192-ctr"], "aes256": _STRONG}


@dataclass(frozen=True, slots=True)
class Login:
    """Where to connect and as whom. `password` is also the passphrase of an encrypted key; `key` a key's text."""

    host: str
    port: int
    user: str
    password: str = field(default="", repr=False)
    key_files: tuple[Path, ...] = ()
    key: str = field(default="", repr=False)
    cipher: str = "none"
    ipv6: bool = False


class _Client(asyncssh.SSHClient):
    """Asked by asyncssh about a key that is not among the known ones."""

    def __init__(self, check: HostKeyCheck, *, with_keys: bool, opening: Opening | None) -> None:
        self._check = check
        self._opening = opening
        self._with_keys = with_keys
        self.refused = False

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        """See asyncssh."""
        log_in_at_once(conn, with_key=self._with_keys, opening=self._opening)

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Tell whether to go on; nothing secret was sent yet."""
        accepted = self._check.accepts(key)
        self.refused = not accepted
        return accepted


async def connect(
    login: Login,
    check: HostKeyCheck,
    connector: Connector | None = None,
    opening: Opening | None = None,
) -> asyncssh.SSHClientConnection:
    """Connect, by TCP unless there is another `connector`, and log in. SessionFailure with codes 12, 13, 19 or 51.

    With an `opening` the first thing that is done must be to say it (`farside.reach`): it may be under way already.
    """
    client = _Client(check, with_keys=bool(login.key_files or login.key), opening=opening)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            connection = await asyncssh.connect(
                login.host,
                login.port,
                client_factory=lambda: client,
                tunnel=connector or Connector(ipv6=login.ipv6),
                **_arguments(login, check),
            )
    except TimeoutError as error:
        raise SessionFailure(FaspCode.TRANSFER_TIMEOUT) from error
    except asyncssh.HostKeyNotVerifiable as error:
        raise check.refusal() from error
    except asyncssh.PermissionDenied as error:
        raise SessionFailure(FaspCode.AUTH) from error
    except (asyncssh.Error, OSError) as error:
        text = " ".join(str(error).split())
        raise SessionFailure(FaspCode.TRANSFER_ERROR, f"{FaspCode.TRANSFER_ERROR.meaning}: {text}") from error
    key = connection.get_server_host_key()
    try:
        if key is not None:
            check.record(key)
    except SessionFailure:
        connection.abort()
        raise
    _send_no_fillers(connection)
    return connection


def _send_no_fillers(connection: asyncssh.SSHClientConnection) -> None:
    """Leave out the empty IGNORE message that asyncssh sends before each packet.

    It protects CBC ciphers from guessed initialisation vectors; none of them is offered here, and it costs a quarter
    of the processor time of a fast transfer.
    """
    send = connection.send_packet

    def send_packet(pkttype: int, *arguments: bytes, **options: Any) -> None:
        if pkttype != _IGNORE:
            send(pkttype, *arguments, **options)

    connection.send_packet = send_packet  # type: ignore[method-assign]


def _arguments(login: Login, check: HostKeyCheck) -> dict[str, Any]:
    keys, methods = _credentials(login)
    arguments: dict[str, Any] = {
        "username": login.user or (),
        "known_hosts": (check.known, [], check.revoked),
        "server_host_key_algs": _host_key_algorithms(check),
        "client_keys": keys,
        "password": login.password or None,
        "preferred_auth": methods,
        "agent_path": None,
        "config": [],
        "gss_host": None,
        "host_based_auth": False,
        "compression_algs": ["none"],
        "encryption_algs": _CIPHERS[login.cipher],
        "keepalive_interval": KEEPALIVE_SECONDS,
        "keepalive_count_max": KEEPALIVE_COUNT,
    }
    return arguments


def _credentials(login: Login) -> tuple[list[asyncssh.SSHKey] | None, list[str]]:
    """The keys, if any were given, and the methods to try."""
    password_methods = ["keyboard-interactive", "password"] if login.password else []
    if not login.key_files and not login.key:
        return None, password_methods or ["none"]
    keys = []
    for text in _key_texts(login):
        try:
            try:
                key = asyncssh.import_private_key(text)
            except asyncssh.KeyImportError:
                key = asyncssh.import_private_key(text, login.password or None)
                password_methods = []  # the secret was the key's passphrase and is no one else's business
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
            reason = f"the private key cannot be used: {' '.join(str(error).split())}"
            raise SessionFailure(FaspCode.AUTH, reason) from error
        keys.append(key)
    return keys, ["publickey", *password_methods]


def _key_texts(login: Login) -> list[bytes]:
    """The private keys as they were given."""
    texts = [login.key.encode()] if login.key else []
    for file in login.key_files:
        try:
            texts.append(file.read_bytes())
        except OSError as error:
            text = f"the private key cannot be read: {error.strerror}"
            raise SessionFailure(FaspCode.AUTH, text) from error
    return texts


def _host_key_algorithms(check: HostKeyCheck) -> list[str]:
    """All that asyncssh takes, but first those of the keys known: a server has several keys and shows one."""
    known = [name.decode() for key in check.known for name in key.sig_algorithms]
    usual = ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"]
    usual += ["rsa-sha2-256", "rsa-sha2-512"]
    return list(dict.fromkeys([*known, *usual]))
