"""A process's standard input and output as the transport of a conversation.

An SSH server gives a program two pipes, or one socket for both; the event loop has a way for each.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from typing import cast

from asperacentral.openascp.exchange.conversation import Conversation


async def converse_on(reading: int, writing: int) -> Conversation:
    """A conversation on two descriptors, which are taken over. OSError, ValueError when they are of no use."""
    loop = asyncio.get_running_loop()
    conversation = Conversation()
    if _one_socket(reading, writing):
        await loop.create_connection(lambda: _Socket(conversation), sock=socket.socket(fileno=reading))
        return conversation
    output, _ = await loop.connect_write_pipe(lambda: _Pipe(conversation), os.fdopen(writing, "wb", 0))
    incoming, _ = await loop.connect_read_pipe(lambda: _Pipe(conversation), os.fdopen(reading, "rb", 0))
    conversation.connection_made(_Pipes(incoming, output))
    return conversation


def _one_socket(reading: int, writing: int) -> bool:
    first, second = os.fstat(reading), os.fstat(writing)
    return stat.S_ISSOCK(first.st_mode) and os.path.samestat(first, second)


class _Pipe(asyncio.Protocol):
    """Tells the conversation what happens on one descriptor."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._conversation.data_received(data)

    def eof_received(self) -> bool:
        """The other half says no more; what we have to say may still go out."""
        self._conversation.ended(None)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._conversation.ended(exc)

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        self._conversation.pause_writing()

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self._conversation.resume_writing()


class _Socket(_Pipe):
    """One socket for both directions."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._conversation.connection_made(cast(asyncio.Transport, transport))


class _Pipes:
    """Two transports as one."""

    def __init__(self, incoming: asyncio.ReadTransport, output: asyncio.WriteTransport) -> None:
        self._input = incoming
        self._output = output

    def write(self, data: bytes) -> None:
        """See Transport."""
        self._output.write(data)

    def get_write_buffer_size(self) -> int:
        """See Transport."""
        return self._output.get_write_buffer_size()

    def pause_reading(self) -> None:
        """See Transport."""
        self._input.pause_reading()

    def resume_reading(self) -> None:
        """See Transport."""
        self._input.resume_reading()

    def write_eof(self) -> None:
        """See Transport."""
        self._output.write_eof()

    def close(self) -> None:
        """See Transport."""
        self._input.close()
        self._output.close()
