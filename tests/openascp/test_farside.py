"""A far side over SSH: it is told what is wanted before it says a word, so that no round trip is spent on greetings."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import asyncssh
import pytest

from asperacentral.openascp import farside
from asperacentral.openascp.connection import Login, connect
from asperacentral.openascp.exchange import spelling
from asperacentral.openascp.exchange.codec import PREFACE, Control, Decoder, encode_control
from asperacentral.openascp.exchange.messages import VERSION, Hello, Welcome
from asperacentral.openascp.failures import SessionFailure
from asperacentral.openascp.hostkeys import HostKeyCheck
from asperacentral.openascp.wire import Connector

HELLO = Hello(VERSION, "1", "session", True, {})
WELCOME = Welcome(VERSION, "1", 1000, 0, "fair")

Process = asyncssh.SSHServerProcess[bytes]
_T = TypeVar("_T")


class Anybody(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return False


async def heard(process: Process) -> Hello:
    """What the client says, to its first message."""
    decoder = Decoder()
    while True:
        for event in decoder.feed(await process.stdin.read(65536)):
            assert isinstance(event, Control)
            said = spelling.read(event.value)
            assert isinstance(said, Hello)
            return said


def across(
    program: Callable[[Process], Awaitable[None]],
    client: Callable[[asyncssh.SSHClientConnection], Awaitable[_T]],
    server: str = "other",
) -> _T:
    """Run a client on a connection to a server of this name whose every program is `program`."""

    async def run() -> _T:
        ours, theirs = socket.socketpair()
        serving = asyncio.ensure_future(
            asyncssh.run_server(
                theirs,
                server_factory=Anybody,
                server_version=server,
                server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
                process_factory=program,
                encoding=None,
            )
        )
        check = HostKeyCheck("127.0.0.1", 22, fingerprint=None, file=Path("/dev/null"), policy="any")
        async with asyncio.timeout(30):
            connection = await connect(Login("127.0.0.1", 22, "somebody", "x"), check, Connector(made=ours))
            try:
                return await client(connection)
            finally:
                connection.abort()
                with contextlib.suppress(asyncssh.Error, OSError):
                    (await serving).abort()

    return asyncio.run(run())


def test_the_hello_comes_to_a_program_that_has_said_nothing_yet() -> None:
    async def program(process: Process) -> None:
        assert await heard(process) == HELLO
        process.stdout.write(PREFACE + encode_control(spelling.write(WELCOME)))
        await process.stdout.drain()
        await process.stdin.read()

    async def client(connection: asyncssh.SSHClientConnection) -> Welcome:
        return await farside.welcomed(await farside.reach(connection, hello=HELLO))

    assert across(program, client) == WELCOME


@pytest.mark.parametrize("status", [0, 127])
def test_a_program_that_ends_without_a_greeting_is_no_far_side(status: int) -> None:
    async def program(process: Process) -> None:
        process.exit(status)

    async def client(connection: asyncssh.SSHClientConnection) -> str:
        with pytest.raises(farside.NoFarSideError) as error:
            await farside.reach(connection, hello=HELLO)
        return str(error.value)

    assert f"openascp ended with status {status}" in across(program, client)


async def silent(process: Process) -> None:
    """As a program that a busy machine has not begun yet, or one that waits for what never comes."""
    await process.stdin.read()


@pytest.mark.parametrize(("named", "server"), [("/opt/openascp", "other"), ("", farside.NODE)])
def test_a_program_that_must_be_there_and_stays_silent_makes_the_session_be_tried_again(
    monkeypatch: pytest.MonkeyPatch, named: str, server: str
) -> None:
    monkeypatch.setattr(farside, "GREETING_SECONDS", 0.2)

    async def client(connection: asyncssh.SSHClientConnection) -> SessionFailure:
        with pytest.raises(
            SessionFailure, match="openascp runs on the far side and has said nothing"
        ) as error:
            await farside.reach(connection, named, HELLO)
        return error.value

    failure = across(silent, client, server)
    assert failure.code.retryable


def test_where_nobody_has_named_a_program_a_silent_one_may_be_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(farside, "GREETING_SECONDS", 0.2)

    async def client(connection: asyncssh.SSHClientConnection) -> str:
        with pytest.raises(farside.NoFarSideError) as error:
            await farside.reach(connection, hello=HELLO)
        return str(error.value)

    assert "has said nothing" in across(silent, client)


def test_a_program_that_greets_late_is_waited_for() -> None:
    async def program(process: Process) -> None:
        await asyncio.sleep(1.0)
        process.stdout.write(PREFACE + encode_control(spelling.write(WELCOME)))
        await process.stdin.read()

    async def client(connection: asyncssh.SSHClientConnection) -> Welcome:
        return await farside.welcomed(await farside.reach(connection, hello=HELLO))

    assert across(program, client) == WELCOME
