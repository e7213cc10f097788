"""How the work of a session ends: with its connection, or with what became of its files."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

import asyncssh

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.failures import Failure, SessionFailure
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


def verdict(failures: list[Failure], succeeded: int) -> SessionFailure:
    """How a session ends in which files failed: if all failed for one reason, with that reason."""
    codes = {failure.code for failure in failures}
    if not succeeded and len(codes) == 1:
        return SessionFailure(failures[0].code, str(failures[0]))
    code = FaspCode.SOME_FILE_ERRS
    return SessionFailure(code, f"{code.meaning}: {len(failures)}, the first because: {failures[0]}")
