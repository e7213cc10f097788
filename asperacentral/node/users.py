"""Who may log in: the users file (TOML) read into frozen values. Knows no SSH beyond the form of public keys.

[users.alice]
password = "scrypt$..."                  # made by: asperacentral node --hash-password
authorized_keys = ["ssh-ed25519 AAAA..."]  # or the name of a file in authorized_keys form
docroot = "/srv/alice"                   # relative names start at --docroot; without it: DOCROOT/alice
read = true
write = true
token_key = "token.key"                  # a file; this user transfers with a token only, and has no SFTP
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

from asperacentral.credentials.passwords import PasswordHash, PasswordHashError, hash_password, read_hash
from asperacentral.credentials.tables import check_name, user_tables
from asperacentral.openascp.policy import UserPolicy
from asperacentral.openascp.token import TokenKeyError, check_key

_KEYS = frozenset({"password", "authorized_keys", "docroot", "read", "write", "token_key"})


class UsersFileError(Exception):
    """The users file cannot be used; the text names file, user and key."""


@dataclass(frozen=True, slots=True)
class User:
    """One login. `read` is fetching and listing, `write` is everything that changes something.

    With `token_keys` nothing happens without a token that one of them proves.
    """

    name: str
    docroot: Path
    password: PasswordHash | None = None
    authorized_keys: asyncssh.SSHAuthorizedKeys | None = field(default=None, repr=False)
    read: bool = True
    write: bool = True
    token_keys: tuple[bytes, ...] = field(default=(), repr=False)

    def policy(self) -> UserPolicy:
        """What the server half of a transfer lets this user do."""
        policy = UserPolicy(
            name=self.name,
            docroot=os.fsencode(self.docroot),
            read=self.read,
            write=self.write,
            list=self.read,
            token_keys=self.token_keys,
        )
        return policy.with_tokens_only() if self.token_keys else policy


Users = Mapping[str, User]
"""Users by name."""


def one_user(name: str, password: str, docroot: Path) -> Users:
    """The users of a demonstration: one, with this password. UsersFileError if name or folder won't do."""
    check_name(name, "the user name", UsersFileError)
    if not docroot.is_dir():
        raise UsersFileError(f"the docroot {docroot} is not a folder")
    return {name: User(name, docroot.resolve(), read_hash(hash_password(password)))}


def read_users(file: Path, docroot: Path | None) -> Users:
    """The users of a file; missing folders below `docroot` are made. UsersFileError says why not."""
    tables = user_tables(file, sorted(_KEYS), UsersFileError)
    return {name: _read_user(where, file, name, table, docroot) for where, name, table in tables}


def _read_user(where: str, file: Path, name: str, table: dict[str, Any], docroot: Path | None) -> User:
    password = _password(where, table.get("password"))
    keys = _authorized_keys(where, file, table.get("authorized_keys"))
    if password is None and keys is None:
        raise UsersFileError(f"{where}: neither password nor authorized_keys, so nobody could log in")
    return User(
        name=name,
        docroot=_docroot(where, name, table.get("docroot"), docroot),
        password=password,
        authorized_keys=keys,
        read=_flag(where, table, "read"),
        write=_flag(where, table, "write"),
        token_keys=_token_keys(where, file, table.get("token_key")),
    )


def _password(where: str, value: Any) -> PasswordHash | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise UsersFileError(f"{where}.password: not a text")
    try:
        return read_hash(value)
    except PasswordHashError as problem:
        raise UsersFileError(f"{where}.password: {problem}") from None


def _authorized_keys(where: str, file: Path, value: Any) -> asyncssh.SSHAuthorizedKeys | None:
    if value is None:
        return None
    try:
        if isinstance(value, str):
            text = (file.parent / Path(value).expanduser()).read_text("utf-8")
        elif isinstance(value, list) and all(isinstance(line, str) for line in value):
            text = "\n".join(value)
        else:
            raise UsersFileError(f"{where}.authorized_keys: neither a list of keys nor a file name")
        return asyncssh.import_authorized_keys(text)
    except OSError as problem:
        raise UsersFileError(f"{where}.authorized_keys: {value}: {problem.strerror}") from None
    except (ValueError, asyncssh.Error) as problem:
        raise UsersFileError(f"{where}.authorized_keys: {problem}") from None


def _token_keys(where: str, file: Path, value: Any) -> tuple[bytes, ...]:
    if value is None:
        return ()
    if not isinstance(value, str):
        raise UsersFileError(f"{where}.token_key: not the name of a file")
    try:
        return (check_key((file.parent / Path(value).expanduser()).read_bytes()),)
    except OSError as problem:
        raise UsersFileError(f"{where}.token_key: {value}: {problem.strerror}") from None
    except TokenKeyError as problem:
        raise UsersFileError(f"{where}.token_key: {value}: {problem}") from None


def _docroot(where: str, name: str, value: Any, base: Path | None) -> Path:
    """The user's folder: one named in the file must exist; one below --docroot is made on first use."""
    if value is not None and not isinstance(value, str):
        raise UsersFileError(f"{where}.docroot: not a text")
    folder = Path(value).expanduser() if value is not None else Path(name)
    if not folder.is_absolute():
        if base is None:
            raise UsersFileError(f"{where}.docroot: not an absolute name, and no --docroot to start from")
        folder = base / folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as problem:
            raise UsersFileError(f"{where}.docroot: {folder}: {problem.strerror}") from None
    if not folder.is_dir():
        raise UsersFileError(f"{where}.docroot: {folder} is not a folder")
    return folder.resolve()


def _flag(where: str, table: dict[str, Any], name: str) -> bool:
    value = table.get(name, True)
    if not isinstance(value, bool):
        raise UsersFileError(f"{where}.{name}: neither true nor false")
    return value
