"""Runs `openascp --server` for a session of the node: a process of its own, with the user's policy, and nothing else.

Bytes pass between the SSH channel and the process; what they mean is not known here.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
import sys
from typing import cast

import asyncssh

from asperacentral.openascp.policy import UserPolicy
from asperacentral.openascp.policy_handover import HandoverError, handed_over

COMMAND = "openascp --server"
"""What a client asks for; no other command is run."""
_PROGRAM = (sys.executable, "-P", "-m", "asperacentral.openascp", "--server")
_BUFFER = 1024 * 1024
_PATIENCE_SECONDS = 60.0

log = logging.getLogger(__name__)


class ServerHalf(asyncio.Protocol):
    """One process and the channel it serves. The methods that asyncssh's sessions have are those of the channel."""

    def __init__(self, policy: UserPolicy) -> None:
        self._policy = policy
        self._channel: asyncssh.SSHServerChannel[bytes] | None = None
        self._transport: asyncio.Transport | None = None
        self._early: list[bytes] = []
        self._ended = False
        self._task: asyncio.Task[None] | None = None

    def start(self, channel: asyncssh.SSHServerChannel[bytes]) -> None:
        """Start the process for this channel."""
        self._channel = channel
        self._task = asyncio.get_running_loop().create_task(self._run(channel))

    # What the channel tells.

    def from_client(self, data: bytes) -> None:
        """Bytes came from the client."""
        if self._transport is None:
            self._early.append(data)
        else:
            self._transport.write(data)

    def client_ended(self) -> None:
        """The client says no more, or is gone."""
        self._ended = True
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write_eof()

    def hold(self, held: bool) -> None:
        """The client takes no more for now, or again."""
        if self._transport is not None and not self._transport.is_closing():
            if held:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    # What the process tells; see asyncio.Protocol.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The process can be spoken to."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(_BUFFER)
        for data in self._early:
            self._transport.write(data)
        self._early.clear()
        if self._ended:
            self._transport.write_eof()

    def data_received(self, data: bytes) -> None:
        """The process speaks to the client."""
        if self._channel is not None and not self._channel.is_closing():
            self._channel.write(data)

    def eof_received(self) -> bool:
        """The process says no more; its exit status follows."""
        return True

    def pause_writing(self) -> None:
        """The process is behind."""
        if self._channel is not None:
            self._channel.pause_reading()

    def resume_writing(self) -> None:
        """The process has caught up."""
        if self._channel is not None:
            self._channel.resume_reading()

    async def _run(self, channel: asyncssh.SSHServerChannel[bytes]) -> None:
        ours, theirs = socket.socketpair()
        try:
            with theirs, handed_over(self._policy) as (descriptor, variables):
                process = await asyncio.create_subprocess_exec(
                    *_PROGRAM,
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=subprocess.DEVNULL,
                    pass_fds=[descriptor],
                    env={**os.environ, **variables, "SSH_CONNECTION": _ends_of(channel)},
                    start_new_session=True,
                )
        except (OSError, HandoverError) as error:
            ours.close()
            log.error("a server half for %s cannot be started: %s", self._policy.name, error)
            channel.exit(1)
            return
        await asyncio.get_running_loop().create_connection(lambda: self, sock=ours)
        status = await self._end_of(process)
        if self._transport is not None:
            self._transport.close()
        if not channel.is_closing():
            channel.exit(status if status >= 0 else 1)

    async def _end_of(self, process: asyncio.subprocess.Process) -> int:
        """The exit status; a process that does not end after its client has gone is killed."""
        ending = asyncio.ensure_future(process.wait())
        try:
            while not ending.done():
                gone = self._ended
                await asyncio.wait({ending}, timeout=_PATIENCE_SECONDS)
                if gone and not ending.done():
                    process.kill()
            return ending.result()
        except asyncio.CancelledError:
            process.kill()
            raise


def _ends_of(channel: asyncssh.SSHServerChannel[bytes]) -> str:
    """Both ends of the connection, as sshd tells its programs."""
    there, here = (channel.get_extra_info(name, ("", 0)) for name in ("peername", "sockname"))
    return f"{there[0]} {there[1]} {here[0]} {here[1]}"
