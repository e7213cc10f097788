"""Trying a transfer server without moving anything: whether a port can be reached, whether a login is accepted."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from asperacentral.client.errors import ClientError
from asperacentral.fasp import JobOrder

MOST_SECONDS = 30


async def reach(host: str, port: int, seconds: float) -> None:
    """Return if a TCP connection can be made. ClientError."""
    try:
        async with asyncio.timeout(min(max(seconds, 1), MOST_SECONDS)):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        raise ClientError(f"port {port} of {host} does not answer") from None
    except (OSError, UnicodeError) as problem:
        raise ClientError(f"port {port} of {host} cannot be reached: {problem}") from None
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def log_in(order: JobOrder, known_hosts: Path) -> None:
    """Return if the server of the order lets its user in. ClientError."""
    from asperacentral.openascp.connection import Login, connect
    from asperacentral.openascp.failures import SessionFailure
    from asperacentral.openascp.hostkeys import Fingerprint, FingerprintError, HostKeyCheck

    far = order.remote
    keys = (Path(far.key_path),) if far.key_path else ()
    try:
        fingerprint = Fingerprint.parse(far.host_key_fingerprint) if far.host_key_fingerprint else None
        check = HostKeyCheck(far.host, far.port, fingerprint=fingerprint, file=known_hosts)
        connection = await connect(Login(far.host, far.port, far.user, far.password, keys), check)
    except (SessionFailure, FingerprintError) as problem:
        raise ClientError(str(problem)) from None
    connection.close()
    await connection.wait_closed()
