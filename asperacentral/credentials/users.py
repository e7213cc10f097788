"""The users of the console and of metrics: a file (TOML) read into frozen values.

[users.alice]
password = "scrypt$..."   # made by: asperacentral node --hash-password
control = true            # may pause, cancel, change rates; without it alice only looks
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asperacentral.credentials.passwords import PasswordHash, PasswordHashError, read_hash
from asperacentral.credentials.tables import user_tables

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
    tables = user_tables(file, _KEYS, WebUsersError)
    return {name: _user(where, name, table) for where, name, table in tables}


def _user(where: str, name: str, table: dict[str, Any]) -> WebUser:
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
