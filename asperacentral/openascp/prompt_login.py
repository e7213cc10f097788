"""Logs in with keys in one round trip: the key that was given is shown, signed, in the first request.

asyncssh asks which methods there are, then whether the key would do, and only then signs. A session that was given a
key has nothing else to try first, and each question costs a round trip. The host key is verified before any of it, and
a signature is of no use in another connection (RFC 4252, 7). What is refused goes on as asyncssh does it, and all of it
does with an asyncssh that is not made as those we know.
"""

from __future__ import annotations

from typing import Any

import asyncssh

_METHOD = b"publickey"
_QUESTION = b"\0"
"""The first field of a request that only asks whether a key would do."""


def log_in_at_once(connection: asyncssh.SSHClientConnection) -> None:
    """Have a connection that has just been made, and was given keys, begin with the first of them."""
    inner: Any = connection
    if not (hasattr(inner, "_auth_methods") and hasattr(inner, "send_userauth_request")):
        return
    send = inner.send_userauth_request

    async def send_userauth_request(method: bytes, *fields: bytes, **options: Any) -> None:
        sign = getattr(inner._auth, "_send_signed_request", None)
        if sign is not None and method == _METHOD and fields[:1] == (_QUESTION,):
            await sign()
        else:
            await send(method, *fields, **options)

    inner._auth_methods = [_METHOD]
    inner.send_userauth_request = send_userauth_request
