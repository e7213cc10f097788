"""Tokens: signed permissions to move files, which a client shows instead of an identity of its own.

A token says which way (`send` to the server or `recv` from it), beneath which paths, from when until when, and
perhaps for which login only. Who holds the key makes them (`issue`); the server half proves them (`verify`) and
gives nothing beyond what they say. Pure: key, token and time come from outside.

    act1.<payload>.<mark>      payload: JSON, mark: HMAC-SHA256 of "act1.<payload>", both base64url without padding

The first word is the version. The mark's key is derived from the shared secret by HKDF, so that the same secret
used elsewhere makes no tokens. Anybody may read a payload; nobody without the key can make or change one.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from asperacentral.openascp.names import BadPathError, beneath_root, is_within

SEND, RECEIVE = "send", "recv"
DIRECTIONS = (SEND, RECEIVE)

LONGEST = 32 * 1024
"""Characters of a token that are looked at."""
SHORTEST_KEY = 16
"""Bytes of a secret that is taken."""
CLOCK_SKEW = 60
"""Seconds by which the issuer's clock may be ahead of the server's."""

_VERSION = "act1"
_PURPOSE = b"asperacentral transfer token 1"


class TokenError(Exception):
    """The token gives no permission. `str(error)` is one line for the client."""


class TokenKeyError(Exception):
    """The key cannot be used."""


@dataclass(frozen=True, slots=True)
class Permission:
    """What a token permits. Times are seconds since the epoch.

    `paths` are beneath the docroot, as `names.beneath_root` returns them; the empty one is all of it. For `send`
    each is a folder; a missing one may be made. `user` empty = every login that the key belongs to.
    """

    direction: str
    paths: tuple[bytes, ...]
    issued: int
    expires: int
    user: str = ""

    def covers(self, path: bytes) -> bool:
        """Whether `path` (beneath the docroot) is one of the paths or below one."""
        return any(is_within(path, permitted) for permitted in self.paths)


def issue(key: bytes, permission: Permission) -> str:
    """The token for a permission. TokenKeyError, or ValueError for a permission that would be none."""
    if permission.direction not in DIRECTIONS:
        raise ValueError(f"the direction is {' or '.join(DIRECTIONS)}")
    if not permission.paths:
        raise ValueError("a token without paths permits nothing")
    if permission.expires <= permission.issued:
        raise ValueError("the token would be expired when it is issued")
    fields = {
        "d": permission.direction,
        "p": [_text(beneath_root(path)) for path in permission.paths],
        "i": permission.issued,
        "e": permission.expires,
        "u": permission.user,
    }
    said = f"{_VERSION}.{_encode(json.dumps(fields, separators=(',', ':')).encode('ascii'))}"
    token = f"{said}.{_encode(_signer(key, said).finalize())}"
    if len(token) > LONGEST:
        raise ValueError("too many or too long paths for one token")
    return token


def verify(
    token: str,
    keys: Sequence[bytes],
    *,
    now: float,
    user: str,
    direction: str,
    longest_life: int | None = None,
) -> Permission:
    """The permission that a token gives `user` for `direction`. TokenError tells the client why there is none.

    A token that lives longer than `longest_life` seconds from now is none, whoever signed it.
    """
    permission = _read(_proved(token, keys))
    if permission.user and permission.user != user:
        raise TokenError("the token is for another user")
    if permission.direction != direction:
        raise TokenError(f"the token does not permit to {'send' if direction == SEND else 'receive'}")
    if permission.issued > now + CLOCK_SKEW:
        raise TokenError("the token is from the future; clocks differ")
    if permission.expires <= now:
        raise TokenError("the token has expired")
    if longest_life is not None and permission.expires > now + longest_life:
        raise TokenError(f"the token lives longer than this server permits ({longest_life} s)")
    return permission


def check_key(key: bytes) -> bytes:
    """The key, white space around it cut off. TokenKeyError when it is too short."""
    if len(key.strip()) < SHORTEST_KEY:
        raise TokenKeyError(f"the key of tokens must have {SHORTEST_KEY} bytes at least")
    return key.strip()


def _proved(token: str, keys: Sequence[bytes]) -> bytes:
    """The payload of a token that one of the keys has signed. Marks are compared in constant time."""
    said, _, mark = token.rpartition(".")
    version, _, payload = said.partition(".")
    if len(token) > LONGEST or version != _VERSION:
        raise TokenError("the token is not valid")
    if not keys:
        raise TokenError("this server has no key to prove tokens with")
    try:
        for key in keys:
            try:
                _signer(key, said).verify(_decode(mark))
            except InvalidSignature:
                continue
            return _decode(payload)
    except (ValueError, binascii.Error):  # not base64, or not ASCII
        pass
    raise TokenError("the token is not valid")


def _read(payload: bytes) -> Permission:
    """What was signed; that it cannot be read is a mistake of the issuer, and no permission either."""
    try:
        fields = json.loads(payload)
        permission = Permission(
            direction=fields["d"],
            paths=tuple(_bytes(path) for path in fields["p"]),
            issued=int(fields["i"]),
            expires=int(fields["e"]),
            user=str(fields["u"]),
        )
        safe = all(beneath_root(path) == path for path in permission.paths)
    except (ValueError, KeyError, TypeError, AttributeError, BadPathError):
        raise TokenError("the token is not valid") from None
    if not safe:
        raise TokenError("the token is not valid")
    return permission


def _signer(key: bytes, said: str) -> HMAC:
    derived = HKDF(SHA256(), 32, salt=None, info=_PURPOSE).derive(check_key(key))
    signer = HMAC(derived, SHA256())
    signer.update(said.encode("ascii"))
    return signer


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decode(text: str) -> bytes:
    """One text stands for each value: what decodes leniently would make several tokens of one."""
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _encode(data) != text:
        raise ValueError(text)
    return data


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
