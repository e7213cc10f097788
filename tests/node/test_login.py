from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

import asyncssh
import pytest

from asperacentral.credentials.passwords import COST, PasswordHash
from asperacentral.node import Node

from .support import PASSWORD, connect, docroot_of, host_key, running, user


async def try_password(node: Node, password: str, username: str = "alice") -> str:
    """ "in", or why not."""
    try:
        async with connect(node, username=username, client_keys=None, password=password):
            return "in"
    except asyncssh.PermissionDenied as refusal:
        return refusal.reason


def test_a_password_lets_in_and_a_wrong_one_does_not(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(user(docroot_of(tmp_path))) as node:
            assert await try_password(node, PASSWORD) == "in"
            assert await try_password(node, PASSWORD) == "in"
            assert "Permission denied" in await try_password(node, PASSWORD + "x")
            assert "Permission denied" in await try_password(node, "")

    asyncio.run(scenario())


def test_a_key_lets_in_and_another_key_does_not(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(user(docroot_of(tmp_path))) as node:
            async with connect(node) as client:
                assert client.get_server_host_key().get_fingerprint() == node.fingerprint
            with pytest.raises(asyncssh.PermissionDenied):
                await connect(node, client_keys=[asyncssh.generate_private_key("ssh-ed25519")])

    asyncio.run(scenario())
    assert host_key().get_fingerprint().startswith("SHA256:")


def test_one_users_key_does_not_open_anothers_folder(tmp_path: Path) -> None:
    async def scenario() -> None:
        alice = user(docroot_of(tmp_path))
        bob = user(docroot_of(tmp_path), name="bob", authorized_keys=None)
        async with running(alice, bob) as node:
            with pytest.raises(asyncssh.PermissionDenied):
                await connect(node, username="bob")

    asyncio.run(scenario())


def test_a_user_without_password_cannot_log_in_with_any(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(user(docroot_of(tmp_path), password=None)) as node:
            for guess in ("", "x", "None", "\\0"):
                assert await try_password(node, guess) != "in"

    asyncio.run(scenario())


def test_an_unknown_name_is_offered_the_same_and_costs_the_same_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[tuple[str, tuple[int, int, int]]] = []

    async def scenario() -> None:
        async with running(user(docroot_of(tmp_path))) as node:
            offers = [
                await asyncssh.get_server_auth_methods("127.0.0.1", node.port, username=name, config=None)
                for name in ("alice", "nobody")
            ]
            assert offers[0] == offers[1] == ["publickey", "password"]
            original = PasswordHash.matches

            def counted(self: PasswordHash, password: str) -> bool:
                checked.append((password, self.cost))
                return original(self, password)

            monkeypatch.setattr(PasswordHash, "matches", counted)
            refusals = [await try_password(node, "wrong", name) for name in ("alice", "nobody")]
            assert refusals[0].replace("alice", "nobody") == refusals[1]
            assert checked == [("wrong", COST), ("wrong", COST)]

    asyncio.run(scenario())


def test_after_too_many_wrong_passwords_even_the_right_one_is_not_looked_at_for_a_while(
    tmp_path: Path,
) -> None:
    now = [1000.0]

    async def scenario() -> None:
        changes = {"failure_limit": 3, "failure_window": 60.0, "clock": lambda: now[0]}
        async with running(user(docroot_of(tmp_path)), **changes) as node:
            for _ in range(3):
                assert await try_password(node, "wrong") != "in"
            assert await try_password(node, PASSWORD) != "in"
            async with connect(node):
                pass  # a key is no guess
            now[0] += 61.0
            assert await try_password(node, PASSWORD) == "in"

    asyncio.run(scenario())


def test_a_wrong_password_is_answered_after_a_delay(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(user(docroot_of(tmp_path)), failure_delay=0.3) as node:
            start = time.monotonic()
            assert await try_password(node, "wrong") != "in"
            assert time.monotonic() - start >= 0.3

    asyncio.run(scenario())


def test_one_connection_may_guess_a_few_times_only(tmp_path: Path) -> None:
    asked = 0

    class Guesser(asyncssh.SSHClient):
        def password_auth_requested(self) -> str:
            nonlocal asked
            asked += 1
            return "wrong"

    async def scenario() -> None:
        async with running(user(docroot_of(tmp_path))) as node:
            with pytest.raises(asyncssh.PermissionDenied):
                await connect(node, client_factory=Guesser, client_keys=None)

    asyncio.run(scenario())
    assert 1 < asked <= 7


def test_beyond_the_most_connections_a_client_is_turned_away(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(user(docroot_of(tmp_path)), most_connections=1) as node:
            async with connect(node):
                with pytest.raises((asyncssh.ConnectionLost, ConnectionError)):
                    await connect(node)
            while node.connections:
                await asyncio.sleep(0.01)
            async with connect(node):
                pass

    asyncio.run(scenario())


def test_closing_the_node_ends_its_connections(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(user(docroot_of(tmp_path))) as node:
            client = await connect(node)
        await asyncio.wait_for(client.wait_closed(), 5)
        with pytest.raises(OSError):
            await connect(node)

    asyncio.run(scenario())


def test_no_password_reaches_the_log_at_any_level(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with running(user(docroot_of(tmp_path))) as node:
            await try_password(node, PASSWORD)
            await try_password(node, "guess-guess")

    with caplog.at_level(logging.DEBUG):
        asyncio.run(scenario())
    assert "wrong login from 127.0.0.1" in caplog.text
    assert PASSWORD not in caplog.text
    assert "guess-guess" not in caplog.text


def test_shell_commands_subsystems_terminals_and_forwarding_are_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(user(docroot_of(tmp_path))) as node, connect(node) as client:
            for request in (
                client.create_process(),
                client.create_process("id"),
                client.create_process("openascp --server; id"),
                client.create_process(term_type="xterm"),
                client.create_process(subsystem="netconf"),
                client.open_connection("127.0.0.1", node.port),
                client.open_unix_connection("/run/some.sock"),
            ):
                with pytest.raises(asyncssh.ChannelOpenError):
                    await request
            with pytest.raises(asyncssh.ChannelListenError):
                await client.forward_remote_port("127.0.0.1", 0, "127.0.0.1", node.port)
            async with client.start_sftp_client() as sftp:
                assert await sftp.realpath(".") == "/"

    asyncio.run(scenario())


def test_who_may_transfer_with_a_token_only_has_no_sftp(tmp_path: Path) -> None:
    async def scenario() -> None:
        alice = user(docroot_of(tmp_path), token_keys=(b"a key of sixteen bytes or more",))
        async with running(alice) as node, connect(node) as client:
            with pytest.raises(asyncssh.ChannelOpenError):
                await client.start_sftp_client()

    asyncio.run(scenario())
