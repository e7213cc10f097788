"""How the work of a session ends: by itself, with its connection, or because its user wants that."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine

import asyncssh

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.failures import Failure, SessionFailure
from asperacentral.openascp.sftp import lost

CANCEL_SECONDS = 8.0
"""How long cancelled work may clean up before the session ends regardless."""

log = logging.getLogger(__name__)


async def outcome(work: asyncio.Task[None], cancelled: asyncio.Event) -> Failure | None:
    """Wait for the work, or for a cancel; why it failed, if it did."""
    waiting = asyncio.create_task(cancelled.wait())
    await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if not work.done():
        work.cancel()
        await asyncio.wait({work}, timeout=CANCEL_SECONDS)
        return SessionFailure(FaspCode.USER_CANCEL)
    waiting.cancel()
    error = work.exception()
    if error is None or isinstance(error, Failure):
        return error
    log.error("internal error", exc_info=error)
    return SessionFailure(FaspCode.INTERNAL_ERROR, f"internal error: {type(error).__name__}")


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
