"""What a server lets one user do: values and rules only, whoever read them from where.

A server half asks `may_transfer` once, then `grant` for the rates a client wants, and `change` when they are to be
changed under way. Directions are the server's: `incoming` is what clients send to it. Rates are Kbps, None is
without limit. The rules are those of the FASP server's documentation: more than a cap proceeds at the cap, a
minimum above its cap is ignored, a locked value stays as it began.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

POLICIES = ("low", "fair", "high", "fixed")
"""Rate policies, the least aggressive first."""

CIPHERS = ("none", "aes-128", "aes-192", "aes-256")
"""Ciphers, the weakest first."""

ANY_CIPHER = "any"

USUAL_TOKEN_LIFE = 86_400
"""Seconds a token may live where nothing else is configured."""


class Authorization(StrEnum):
    """What a transfer in one direction needs."""

    ALLOW = "allow"
    DENY = "deny"
    TOKEN = "token"  # noqa: S105 - the word of the configuration


class DeniedError(Exception):
    """The server refuses. `str(error)` is one line for the client."""


@dataclass(frozen=True, slots=True)
class RateRule:
    """For target or minimum rate: the most, what counts when the client names none, whether it may change."""

    cap: int | None = None
    default: int = 0
    lock: bool = False


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """`allowed` is the most aggressive rate policy taken."""

    allowed: str = "fixed"
    default: str = "fair"
    lock: bool = False


@dataclass(frozen=True, slots=True)
class Rates:
    """Of one session; None where a client leaves the choice to the server."""

    target: int | None = None
    minimum: int | None = None
    policy: str | None = None


@dataclass(frozen=True, slots=True)
class Granted:
    """The rates of a session as they are in effect."""

    target: int
    minimum: int
    policy: str


@dataclass(frozen=True, slots=True)
class DirectionPolicy:
    """What holds for one direction."""

    authorization: Authorization = Authorization.ALLOW
    target: RateRule = field(default_factory=lambda: RateRule(default=10_000))
    minimum: RateRule = field(default_factory=RateRule)
    policy: PolicyRule = field(default_factory=PolicyRule)

    def grant(self, wanted: Rates) -> Granted:
        """What a session begins with."""
        target = self.target.default if wanted.target is None else wanted.target
        minimum = self.minimum.default if wanted.minimum is None else wanted.minimum
        return self._within(target, minimum, wanted.policy or self.policy.default)

    def change(self, now: Granted, wanted: Rates) -> Granted:
        """What is in effect after a change was asked for; None leaves a value, and so does its lock.

        A target of 0, which pauses, is a change like any other.
        """
        target = now.target if wanted.target is None or self.target.lock else wanted.target
        minimum = now.minimum if wanted.minimum is None or self.minimum.lock else wanted.minimum
        policy = now.policy if wanted.policy is None or self.policy.lock else wanted.policy
        return self._within(target, minimum, policy)

    def locked(self, wanted: Rates) -> tuple[str, ...]:
        """The names of what `wanted` would change but is locked: for the answer to who asked."""
        asked = (
            ("target rate", wanted.target, self.target.lock),
            ("minimum rate", wanted.minimum, self.minimum.lock),
            ("policy", wanted.policy, self.policy.lock),
        )
        return tuple(name for name, value, lock in asked if lock and value is not None)

    def _within(self, target: int, minimum: int, policy: str) -> Granted:
        if self.target.cap is not None:
            target = min(target, self.target.cap)
        if self.minimum.cap is not None and minimum > self.minimum.cap:
            minimum = 0
        most = POLICIES.index(self.policy.allowed)
        return Granted(target, min(minimum, target), POLICIES[min(POLICIES.index(policy), most)])


@dataclass(frozen=True, slots=True)
class UserPolicy:
    """What one user may do here.

    `docroot` None is the whole file system. `read` is fetching files, `write` everything that changes something,
    `list` seeing what folders hold. `cipher` is `any` or the strongest taken, and then less than none is refused.
    With `protection_required` clients may send only files that they have encrypted (`--file-crypt=encrypt`).
    `token_keys` prove tokens, `token_life` is the longest life of one in seconds.
    """

    name: str
    docroot: bytes | None = None
    read: bool = True
    write: bool = True
    list: bool = True
    incoming: DirectionPolicy = field(default_factory=DirectionPolicy)
    outgoing: DirectionPolicy = field(default_factory=DirectionPolicy)
    cipher: str = ANY_CIPHER
    protection_required: bool = False
    token_keys: tuple[bytes, ...] = field(default=(), repr=False)
    token_life: int | None = None

    def direction(self, *, incoming: bool) -> DirectionPolicy:
        """The rules for one direction."""
        return self.incoming if incoming else self.outgoing

    def with_tokens_only(self) -> UserPolicy:
        """The same user, coming by a key that many share: nothing without a token."""
        return replace(self, incoming=_token_only(self.incoming), outgoing=_token_only(self.outgoing))

    def may_transfer(self, *, incoming: bool, token: bool) -> None:
        """DeniedError unless the user may transfer in this direction; `token` tells whether one was proved."""
        rule = self.direction(incoming=incoming)
        way = "send files to" if incoming else "fetch files from"
        if rule.authorization is Authorization.DENY:
            raise DeniedError(f"this user may not {way} this server")
        if rule.authorization is Authorization.TOKEN and not token:
            raise DeniedError(f"a token is needed to {way} this server")
        if not (self.write if incoming else self.read):
            raise DeniedError(f"this user may not {'write' if incoming else 'read'} on this server")

    def check_protection(self, *, incoming: bool, crypt: str) -> None:
        """DeniedError unless files may come as they are; `crypt` is what the client does: encrypt, decrypt or nothing.

        Only the client can know: the word of one that lies is not worth less than the encryption it would make.
        """
        if incoming and self.protection_required and crypt != "encrypt":
            raise DeniedError(
                "this server takes only files that the client encrypts (--file-crypt=encrypt; in orders Protection)"
            )

    def check_cipher(self, cipher: str) -> None:
        """DeniedError unless a session may be encrypted so; `cipher` is one of `CIPHERS`, -cfb and -gcm cut off."""
        if self.cipher == ANY_CIPHER:
            return
        if self.cipher != "none" and cipher == "none":
            raise DeniedError("this server takes encrypted transfers only")
        if CIPHERS.index(cipher) > CIPHERS.index(self.cipher):
            raise DeniedError(
                f"the client requests stronger encryption than the server allows ({self.cipher})"
            )


def _token_only(rule: DirectionPolicy) -> DirectionPolicy:
    denied = rule.authorization is Authorization.DENY
    return rule if denied else replace(rule, authorization=Authorization.TOKEN)
