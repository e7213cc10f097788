"""A node in a folder of its own on an ephemeral port, and clients of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import asyncssh

from asperacentral.credentials.passwords import PasswordHash, hash_password, read_hash
from asperacentral.node import Node, NodeSettings, User

PASSWORD = "correct horse"
KEY = asyncssh.generate_private_key("ssh-ed25519")


@cache
def password_hash() -> PasswordHash:
    return read_hash(hash_password(PASSWORD))


@cache
def host_key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519")


def docroot_of(tmp_path: Path) -> Path:
    docroot = tmp_path / "docroot"
    docroot.mkdir(exist_ok=True)
    return docroot


def user(docroot: Path, **changes: Any) -> User:
    keys = asyncssh.import_authorized_keys(KEY.export_public_key().decode())
    return User(
        **{
            "name": "alice",
            "docroot": docroot,
            "password": password_hash(),
            "authorized_keys": keys,
            **changes,
        }
    )


@asynccontextmanager
async def running(*users: User, **changes: Any) -> AsyncIterator[Node]:
    by_name = {each.name: each for each in users}
    settings = NodeSettings(users=by_name, host_key=host_key(), **{"failure_delay": 0.0, **changes})
    async with Node(settings) as node:
        yield node


def connect(node: Node, **changes: Any) -> Any:
    """A client's connection; with `alice`'s key unless told otherwise."""
    options: dict[str, Any] = {"username": "alice", "client_keys": [KEY], "password": None}
    return asyncssh.connect("127.0.0.1", node.port, known_hosts=None, config=None, **(options | changes))


@asynccontextmanager
async def sftp_client(docroot: Path, **changes: Any) -> AsyncIterator[asyncssh.SFTPClient]:
    async with (
        running(user(docroot, **changes)) as node,
        connect(node) as client,
        client.start_sftp_client() as sftp,
    ):
        yield sftp
