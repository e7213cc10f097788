"""The work of a session ends with its connection."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

import asyncssh

from asperacentral.openascp.sftp import lost


async def while_connected(
    connection: asyncssh.SSHClientConnection, work: Coroutine[None, None, None]
) -> None:
    """Do the work, unless the connection ends before."""
    task = asyncio.ensure_future(work)
    closed = asyncio.ensure_future(connection.wait_closed())
    try:
        await asyncio.wait({task, closed}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise lost(None)
    finally:
        closed.cancel()
        task.cancel()
        await asyncio.wait({task})
    task.result()
