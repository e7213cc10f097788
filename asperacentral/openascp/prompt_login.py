"""Logs in without questions: the first request to be let in follows the request for the service at once, and shows a
key that was given, signed.

asyncssh waits until the service is granted, asks which methods there are, then whether the key would do, and only then
signs. A server takes requests in their order (RFC 4253, 10), and a session that was given a key has nothing else to try
first; each question costs a round trip. The host key is verified before any of it, and a signature is of no use in
another connection (RFC 4252, 7). What is refused goes on as asyncssh does it, and all of it does with an asyncssh that
is not made as those we know, or a server that does not say which signatures it takes.
"""

from __future__ import annotations

from typing import Any

import asyncssh
from asyncssh.packet import SSHPacket, String

from asperacentral.openascp.ahead import Opening, applies, go_ahead

_METHOD = b"publickey"
_QUESTION = b"\0"
"""The first field of a request that only asks whether a key would do."""
_SIGNED = b"\1"
_SERVICE_ACCEPT = 6
"""SSH_MSG_SERVICE_ACCEPT (RFC 4253, 10)."""
_EXT_INFO = 7
"""SSH_MSG_EXT_INFO (RFC 8308): comes right behind the server's first keys."""
_KNOWN = (
    "_auth_methods",
    "_client_keys",
    "_next_service",
    "_packet_handlers",
    "_preferred_auth",
    "process_packet",
    "send_userauth_request",
)


def log_in_at_once(
    connection: asyncssh.SSHClientConnection, *, with_key: bool, opening: Opening | None = None
) -> None:
    """Have a connection that has just been made log in; one that was given keys begins with the first of them, and says
    the opening right behind the last way that there is to log in.
    """
    inner: Any = connection
    if not all(hasattr(inner, name) for name in _KNOWN) or _SERVICE_ACCEPT not in inner._packet_handlers:
        return
    _await_no_service(inner)
    if with_key:
        _show_key(inner, opening)


def _await_no_service(inner: Any) -> None:
    """Go on behind the server's EXT_INFO as if the service that was asked for had been granted."""
    process = inner.process_packet
    begun = False

    def process_packet(kind: int, number: int, packet: SSHPacket) -> Any:
        nonlocal begun
        if kind == _SERVICE_ACCEPT and begun:
            return True
        result = process(kind, number, packet)
        if kind == _EXT_INFO and not begun and inner._next_service is not None:
            begun = True
            process(_SERVICE_ACCEPT, number, SSHPacket(String(inner._next_service)))
        return result

    inner.process_packet = process_packet


def _show_key(inner: Any, opening: Opening | None) -> None:
    """Sign the first request with a key, and ask nothing before."""
    send = inner.send_userauth_request

    async def send_userauth_request(method: bytes, *fields: bytes, **options: Any) -> None:
        sign = getattr(inner._auth, "_send_signed_request", None)
        if sign is not None and method == _METHOD and fields[:1] == (_QUESTION,):
            await sign()
        else:
            await send(method, *fields, **options)
            last = inner._preferred_auth == [_METHOD] and not inner._client_keys
            if opening is not None and fields[:1] == (_SIGNED,) and last and applies(inner):
                go_ahead(inner, opening)

    inner._auth_methods = [_METHOD]
    inner.send_userauth_request = send_userauth_request
