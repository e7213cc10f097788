"""What a client has to say first goes with its login: fewer flights, and the same session in the end."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from asperacentral.openascp import farside
from asperacentral.openascp.ahead import Opening, applies, command
from asperacentral.openascp.connection import Login, connect
from asperacentral.openascp.exchange.messages import VERSION, Hello, Welcome
from asperacentral.openascp.exchange.terms import Terms
from asperacentral.openascp.failures import SessionFailure
from asperacentral.openascp.hostkeys import HostKeyCheck
from tests.openascp.conftest import PLANES
from tests.openascp.sshd import Sshd

pytestmark = pytest.mark.sshd

PROGRAM = PLANES["exchange"]
IDLE_SECONDS = 0.5
SECONDS = 120


def hello(destination: Path) -> Hello:
    terms = Terms(destination=bytes(destination))
    return Hello(VERSION, "1", "00000000-0000-4000-8000-000000000000", True, terms.written())


class Flights:
    """Passes on what comes from one side when no more of it comes, and counts the flights of the client."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.count = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        last: list[str] = []

        async def carry(name: str, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                while True:
                    try:
                        more = await asyncio.wait_for(source.read(65536), IDLE_SECONDS)
                    except TimeoutError:
                        break
                    if not more:
                        break
                    data += more
                if last != [name]:
                    self.count += name == "client"
                    last[:] = [name]
                target.write(data)
            target.close()

        await asyncio.gather(carry("client", reader, far_writer), carry("server", far_reader, writer))


async def welcome(
    sshd: Sshd, folder: Path, port: int, *, key: Path | None = None, known: bool = True
) -> Welcome:
    """Log in and hear what the far side says to a hello; `known` tells whether it is there when the login is made."""
    said = hello(folder)
    opening = Opening(command(PROGRAM), (lambda _: farside.words(said)) if known else None)
    check = HostKeyCheck(sshd.host, port, fingerprint=None, file=folder / "known", policy="any")
    async with asyncio.timeout(SECONDS):
        login = Login(sshd.host, port, sshd.user, key_files=(key or sshd.key,))
        connection = await connect(login, check, opening=opening)
        conversation = await farside.reach(connection, PROGRAM, said)
        answer = await farside.welcomed(conversation)
        connection.abort()
    return answer


def test_a_session_is_welcome_with_the_fourth_flight_of_its_client(sshd: Sshd, tmp_path: Path) -> None:
    async def run() -> int:
        flights = Flights(sshd.port)
        server = await asyncio.start_server(flights.serve, "127.0.0.1", 0)
        answer = await welcome(sshd, tmp_path, server.sockets[0].getsockname()[1])
        assert answer.version == VERSION
        server.close()
        return flights.count

    # One more, since a busy machine may break a flight in two; asked one by one they are eight.
    assert asyncio.run(run()) <= 5


@pytest.mark.parametrize("known", [True, False])
def test_words_that_are_known_too_late_are_said_in_their_turn(
    sshd: Sshd, tmp_path: Path, known: bool
) -> None:
    assert asyncio.run(welcome(sshd, tmp_path, sshd.port, known=known)).version == VERSION


def test_who_is_not_let_in_hears_so_whatever_came_ahead(sshd: Sshd, tmp_path: Path) -> None:
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(tmp_path / "other")
    with pytest.raises(SessionFailure) as refused:
        asyncio.run(welcome(sshd, tmp_path, sshd.port, key=tmp_path / "other"))
    assert refused.value.code == 19


def test_a_server_that_has_no_openascp_is_known_by_it(sshd: Sshd, tmp_path: Path) -> None:
    async def run() -> None:
        said = hello(tmp_path)
        opening = Opening(command("no-openascp-here"), lambda _: farside.words(said))
        check = HostKeyCheck(sshd.host, sshd.port, fingerprint=None, file=tmp_path / "known", policy="any")
        login = Login(sshd.host, sshd.port, sshd.user, key_files=(sshd.key,))
        connection = await connect(login, check, opening=opening)
        with pytest.raises(farside.NoFarSideError, match="status 127"):
            await farside.reach(connection, "no-openascp-here", said)
        async with connection.start_sftp_client() as client:  # the connection is as good as any
            assert await client.exists(str(tmp_path))
        connection.abort()

    asyncio.run(run())


class Told:
    """A connection to a server of some version."""

    def __init__(self, version: str) -> None:
        self._version = version
        self._auth_complete = self._next_recv_chan = self.process_packet = self.send_packet = None

    def get_extra_info(self, name: str, default: Any) -> Any:
        return {"server_version": self._version}.get(name, default)


def test_only_openssh_is_told_ahead() -> None:
    assert applies(Told("SSH-2.0-OpenSSH_9.2p1 Debian"))
    assert not applies(Told("SSH-2.0-AsyncSSH_2.24.1"))
    assert not applies(Told("SSH-2.0-Go"))


def test_an_asyncssh_that_is_made_differently_is_left_as_it_is() -> None:
    told = Told("SSH-2.0-OpenSSH_9.2p1 Debian")
    del told._next_recv_chan
    assert not applies(told)
