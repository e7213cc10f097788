"""Starts openascp on the far side over SSH and makes a conversation with it; says why when there is none."""

from __future__ import annotations

import asyncio
import logging

import asyncssh

from asperacentral.fasp.errors import FaspCode, known
from asperacentral.openascp.ahead import PACKET, PROGRAM, WINDOW, command
from asperacentral.openascp.exchange import spelling
from asperacentral.openascp.exchange.codec import PREFACE, encode_control
from asperacentral.openascp.exchange.conversation import Conversation
from asperacentral.openascp.exchange.messages import Hello, Refused, Welcome
from asperacentral.openascp.failures import SessionFailure

GREETING_SECONDS = 30.0
"""A far side without openascp says so at once, as a rule: who runs something that is silent may just be very busy, and
to go by SFTP would do again what is there in part."""
NODE = "asperacentral"
"""What `asperacentral node` calls itself in SSH's first line; there the program is, whoever looks for it."""
WELCOME_SECONDS = 30.0
_STDERR = 2000

log = logging.getLogger(__name__)


class NoFarSideError(Exception):
    """There is no openascp on the far side; `str(error)` tells what there is instead."""


class _Channel(asyncssh.SSHClientSession[bytes]):
    """The channel of the program, as asyncssh tells of it."""

    def __init__(self, conversation: Conversation, hello: Hello | None) -> None:
        self._conversation = conversation
        self._hello = hello
        self.errors = b""
        self.status: int | None = None

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        """See asyncssh. The request to run the program is sent next, and what is said right behind it."""
        asyncio.get_running_loop().call_soon(self._begin, chan)

    def _begin(self, channel: asyncssh.SSHClientChannel[bytes]) -> None:
        """Do not wait until the program runs: the server keeps for it what comes before."""
        try:
            self._conversation.connection_made(channel)
        except OSError as error:
            self._conversation.ended(error)
            return
        if self._hello is not None:
            self._conversation.send(self._hello)

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        """See asyncssh. What the program complains about is kept for the log."""
        if datatype is None:
            self._conversation.data_received(data)
        elif len(self.errors) < _STDERR:
            self.errors += data

    def eof_received(self) -> bool:
        """The program says no more; wait for its exit status."""
        return True

    def exit_status_received(self, status: int) -> None:
        """See asyncssh."""
        self.status = status

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncssh."""
        self._conversation.ended(exc)

    def pause_writing(self) -> None:
        """See asyncssh."""
        self._conversation.pause_writing()

    def resume_writing(self) -> None:
        """See asyncssh."""
        self._conversation.resume_writing()


def words(hello: Hello | None) -> bytes:
    """What `reach` will say first."""
    return PREFACE + (encode_control(spelling.write(hello)) if hello is not None else b"")


async def reach(
    connection: asyncssh.SSHClientConnection, program: str = "", hello: Hello | None = None
) -> Conversation:
    """Run `program --server` (openascp without a name), say what is wanted, and hear it. NoFarSideError when that is
    not openascp; it has been told all the same, as any program of the account could have been. SessionFailure, to be
    tried again, when a program that must be there runs and stays silent: one that was named, or a node's.
    """
    server = str(connection.get_extra_info("server_version", ""))
    known, program = bool(program) or server == f"SSH-2.0-{NODE}", program or PROGRAM
    conversation = Conversation()
    session = _Channel(conversation, hello)
    try:
        channel, _ = await connection.create_session(
            lambda: session,
            command(program),
            encoding=None,
            window=WINDOW,
            max_pktsize=PACKET,
        )
    except (asyncssh.Error, OSError) as error:
        raise NoFarSideError("the server runs no programs") from error
    try:
        async with asyncio.timeout(GREETING_SECONDS):
            await conversation.greeting()
    except TimeoutError as error:
        channel.abort()
        silence = f"{program} runs on the far side and has said nothing for {GREETING_SECONDS:.0f} seconds"
        if known:
            raise SessionFailure(FaspCode.TRANSFER_TIMEOUT, silence) from error
        raise NoFarSideError(silence) from error
    except SessionFailure as failure:
        channel.abort()
        raise NoFarSideError(_reason(program, session, failure)) from failure
    return conversation


async def welcomed(conversation: Conversation) -> Welcome:
    """Hear whether it is granted what the hello wants. SessionFailure."""
    try:
        async with asyncio.timeout(WELCOME_SECONDS):
            answer = await conversation.next()
    except TimeoutError as error:
        raise SessionFailure(FaspCode.TRANSFER_TIMEOUT) from error
    if isinstance(answer, Refused):
        raise SessionFailure(known(answer.code), " ".join(answer.reason.split()))
    if not isinstance(answer, Welcome):
        raise SessionFailure(FaspCode.FASP_PROTO, "the far side does not answer as it should")
    log.debug("the far side runs openascp %s", answer.program)
    conversation.agree(answer.features)
    return answer


def _reason(program: str, session: _Channel, failure: SessionFailure) -> str:
    said = " ".join(session.errors.decode("utf-8", "replace").split())[:200]
    if session.status is not None:
        return f"{program} ended with status {session.status}{': ' if said else ''}{said}"
    return str(failure)
