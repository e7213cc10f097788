"""A policy on its way from a server that logs users in itself (the node) to the server half it starts.

It travels through a pipe that the child inherits, as it may hold the keys of tokens: neither arguments nor
environment show it. The environment only tells the descriptor's number.

    with handed_over(policy) as (descriptor, variables):
        subprocess.Popen([...], pass_fds=[descriptor], env={**environment, **variables})
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
from collections.abc import Iterator, MutableMapping
from typing import Any

from asperacentral.openascp.policy import (
    Authorization,
    DirectionPolicy,
    PolicyRule,
    RateRule,
    UserPolicy,
)

VARIABLE = "OPENASCP_POLICY_FD"
_MOST = 60_000
"""Bytes that a pipe takes without anybody reading."""


class HandoverError(Exception):
    """What came is no policy; the server half must not start."""


@contextlib.contextmanager
def handed_over(policy: UserPolicy) -> Iterator[tuple[int, dict[str, str]]]:
    """A descriptor for the child to inherit and the environment that names it; closed here at the end."""
    text = encode(policy)
    if len(text) > _MOST:
        raise HandoverError("the policy is too long to be handed over")
    reading, writing = os.pipe()
    try:
        os.write(writing, text)
        os.close(writing)
        yield reading, {VARIABLE: str(reading)}
    finally:
        os.close(reading)


def received(environ: MutableMapping[str, str]) -> UserPolicy | None:
    """The policy that was handed over, None when there was none; the variable is taken away. HandoverError."""
    number = environ.pop(VARIABLE, None)
    if number is None:
        return None
    try:
        with os.fdopen(int(number), "rb") as pipe:
            return decode(pipe.read(_MOST + 1))
    except (OSError, ValueError):
        raise HandoverError("the policy that the environment names cannot be read") from None


def encode(policy: UserPolicy) -> bytes:
    """The policy as JSON."""
    return json.dumps(
        {
            "name": policy.name,
            "docroot": None if policy.docroot is None else _text(policy.docroot),
            "read": policy.read,
            "write": policy.write,
            "list": policy.list,
            "incoming": _direction(policy.incoming),
            "outgoing": _direction(policy.outgoing),
            "cipher": policy.cipher,
            "protection_required": policy.protection_required,
            "token_keys": [_text(key) for key in policy.token_keys],
            "token_life": policy.token_life,
        }
    ).encode("ascii")


def decode(text: bytes) -> UserPolicy:
    """What `encode` was given. HandoverError."""
    try:
        said = json.loads(text)
        return UserPolicy(
            **{
                **said,
                "docroot": None if said["docroot"] is None else _bytes(said["docroot"]),
                "incoming": _direction_of(said["incoming"]),
                "outgoing": _direction_of(said["outgoing"]),
                "token_keys": tuple(map(_bytes, said["token_keys"])),
            }
        )
    except (ValueError, KeyError, TypeError):
        raise HandoverError("what was handed over is not a policy") from None


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _direction(rule: DirectionPolicy) -> dict[str, Any]:
    rates = {name: [rate.cap, rate.default, rate.lock] for name, rate in _rates(rule).items()}
    policy = [rule.policy.allowed, rule.policy.default, rule.policy.lock]
    return {"authorization": str(rule.authorization), "policy": policy, **rates}


def _rates(rule: DirectionPolicy) -> dict[str, RateRule]:
    return {"target": rule.target, "minimum": rule.minimum}


def _direction_of(said: dict[str, Any]) -> DirectionPolicy:
    return DirectionPolicy(
        authorization=Authorization(said["authorization"]),
        target=RateRule(*said["target"]),
        minimum=RateRule(*said["minimum"]),
        policy=PolicyRule(*said["policy"]),
    )
