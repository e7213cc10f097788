"""The users of the console and of metrics: a file (TOML) read into frozen values.

[users.alice]
password = "scrypt$..."   # made by: asperacentral node --hash-password
control = true            # may pause, cancel, change rates; without it alice only looks
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asperacentral.credentials.passwords import PasswordHash, PasswordHashError, read_hash

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@+-]{0,63}")
_KEYS = ("password", "control")


class WebUsersError(Exception):
    """The users file cannot be used; the text names file, user and key."""


@dataclass(frozen=True, slots=True)
class WebUser:
    """One login; `control` is the right to change what is under way."""

    name: str
    password: PasswordHash
    control: bool = False


WebUsers = Mapping[str, WebUser]
"""Users by name."""


def users_for(needs: str, file: Path | None) -> WebUsers | None:
    """The users of a file, if one is named. WebUsersError too where `needs` says what cannot be without."""
    if file is None and needs:
        raise WebUsersError(f"{needs}, and <web_users> names no file of users")
    return None if file is None else read_web_users(file)


def read_web_users(file: Path) -> WebUsers:
    """The users of a file. WebUsersError says why there are none."""
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except OSError as problem:
        raise WebUsersError(f"{file}: {problem.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise WebUsersError(f"{file}: {problem}") from None
    tables = content.pop("users", None)
    if content:
        raise WebUsersError(f"{file}: unknown entry {sorted(content)[0]!r}; users are tables [users.NAME]")
    if not isinstance(tables, dict) or not tables:
        raise WebUsersError(f"{file}: no table [users.NAME] in it")
    return {name: _user(f"{file}: users.{name}", name, table) for name, table in tables.items()}


def _user(where: str, name: str, table: Any) -> WebUser:
    if not _NAME.fullmatch(name):
        raise WebUsersError(f"{where}: {name!r} is not a user name (letters, digits and . _ @ + -)")
    if not isinstance(table, dict):
        raise WebUsersError(f"{where}: not a table")
    if unknown := set(table) - set(_KEYS):
        raise WebUsersError(f"{where}: unknown key {sorted(unknown)[0]!r}; known: {', '.join(_KEYS)}")
    control = table.get("control", False)
    if not isinstance(control, bool):
        raise WebUsersError(f"{where}: control must be true or false")
    password = table.get("password")
    if not isinstance(password, str):
        raise WebUsersError(f"{where}: no password; make its hash with: asperacentral node --hash-password")
    try:
        return WebUser(name, read_hash(password), control)
    except PasswordHashError as problem:
        raise WebUsersError(f"{where}: password: {problem}") from None
