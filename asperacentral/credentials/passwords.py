"""Password hashes: `scrypt$ln=14,r=8,p=1$SALT$KEY`, salt and key in base64. Pure; knows no users."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
from dataclasses import dataclass

from asyncssh.saslprep import SASLPrepError, saslprep

_PATTERN = re.compile(r"scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+)")
_SALT_BYTES = 16
_KEY_BYTES = 32
_MOST_MEMORY = 1 << 28
"""Bytes that one check may use; a hash that would need more is refused when it is read."""


class PasswordHashError(ValueError):
    """The text is not a password hash of ours."""


class PasswordError(ValueError):
    """The password is empty or holds characters that SSH does not allow in one."""


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """A hash that can be checked; `cost` is scrypt's (log2 N, r, p)."""

    cost: tuple[int, int, int]
    salt: bytes
    key: bytes

    def __repr__(self) -> str:
        return "<PasswordHash>"

    def matches(self, password: str) -> bool:
        """Whether this is the password; always takes the same time, some tens of milliseconds of one core."""
        return hmac.compare_digest(_derive(password, self.salt, self.cost, len(self.key)), self.key)


COST = (14, 8, 1)
"""16 MiB and some 50 ms a check: dear to guess, cheap beside setting up a connection."""

NOBODY = PasswordHash(COST, b"\0" * _SALT_BYTES, b"\0" * _KEY_BYTES)
"""What an unknown user's password is checked against, so that the answer takes as long as for a known one."""


def hash_password(password: str) -> str:
    """The hash to put into the users file. PasswordError if the text cannot be a password."""
    try:
        prepared = saslprep(password)
    except SASLPrepError as problem:
        raise PasswordError(f"this cannot be a password: {problem}") from None
    if not prepared:
        raise PasswordError("the password is empty")
    salt = os.urandom(_SALT_BYTES)
    key = _derive(prepared, salt, COST, _KEY_BYTES)
    log2n, r, p = COST
    return f"scrypt$ln={log2n},r={r},p={p}${_text(salt)}${_text(key)}"


def read_hash(text: str) -> PasswordHash:
    """The hash that `hash_password` wrote. PasswordHashError with the reason."""
    found = _PATTERN.fullmatch(text)
    if found is None:
        raise PasswordHashError("not a scrypt hash; make one with: asperacentral node --hash-password")
    log2n, r, p = (int(part) for part in found.groups()[:3])
    if not (log2n >= 1 and r and p and 128 * r * (1 << log2n) + 128 * r * p < _MOST_MEMORY):
        raise PasswordHashError("the hash's cost is out of bounds")
    try:
        salt, key = (base64.b64decode(part, validate=True) for part in found.groups()[3:])
    except binascii.Error:
        raise PasswordHashError("the hash's salt or key is not base64") from None
    if len(salt) < _SALT_BYTES // 2 or len(key) < _KEY_BYTES // 2:
        raise PasswordHashError("the hash's salt or key is too short")
    return PasswordHash((log2n, r, p), salt, key)


def _derive(password: str, salt: bytes, cost: tuple[int, int, int], length: int) -> bytes:
    log2n, r, p = cost
    return hashlib.scrypt(
        password.encode(), salt=salt, n=1 << log2n, r=r, p=p, maxmem=_MOST_MEMORY + (1 << 20), dklen=length
    )


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
