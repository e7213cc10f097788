"""The node as the `sftp` and `ssh` programs see it."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from asperacentral.node import Node

from .support import KEY, PASSWORD, docroot_of, host_key, running, user

pytestmark = pytest.mark.skipif(shutil.which("sftp") is None, reason="the sftp program is not installed")


async def program(
    tmp_path: Path, node: Node, *arguments: str, feed: str = "", password: str | None = None
) -> tuple[int, str]:
    """Run ssh or sftp against the node; its status and all it said."""
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{node.port} {host_key().export_public_key().decode()}")
    key = tmp_path / "id"
    KEY.write_private_key(key)
    key.chmod(0o600)
    ask = tmp_path / "ask"
    ask.write_text(f"#!/bin/sh\necho '{password}'\n")
    ask.chmod(0o700)
    login = ["-i", str(key)] if password is None else ["-o", "PubkeyAuthentication=no"]
    options = [
        "-F",
        "none",
        "-o",
        f"UserKnownHostsFile={known}",
        "-o",
        "IdentitiesOnly=yes",
        "-o",
        "IdentityAgent=none",
    ]
    process = await asyncio.create_subprocess_exec(
        arguments[0],
        *options,
        *login,
        *arguments[1:],
        env={**os.environ, "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(feed.encode()), 60)
    return process.returncode or 0, said.decode()


def test_sftp_moves_a_folder_there_and_back_with_a_key(tmp_path: Path) -> None:
    docroot = docroot_of(tmp_path)
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "big").write_bytes(os.urandom(2_500_000))
    (source / "sub" / "small").write_text("small")

    async def scenario() -> tuple[int, str]:
        async with running(user(docroot)) as node:
            feed = f"put -pr {source} there\nls -l there\nget -r there {tmp_path}/back\n"
            return await program(
                tmp_path, node, "sftp", "-P", str(node.port), "-b", "-", "alice@127.0.0.1", feed=feed
            )

    status, said = asyncio.run(scenario())
    assert status == 0, said
    assert (tmp_path / "back" / "big").read_bytes() == (source / "big").read_bytes()
    assert (tmp_path / "back" / "sub" / "small").read_text() == "small"


def test_sftp_logs_in_with_the_password_and_not_with_another(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(user(docroot_of(tmp_path))) as node:
            where = ("sftp", "-P", str(node.port), "alice@127.0.0.1")
            status, said = await program(tmp_path, node, *where, feed="pwd\n", password=PASSWORD)
            assert status == 0, said
            assert "Remote working directory: /" in said
            status, said = await program(tmp_path, node, *where, feed="pwd\n", password="wrong")
            assert status != 0
            assert "Permission denied" in said

    asyncio.run(scenario())


def test_sftp_cannot_leave_the_docroot(tmp_path: Path) -> None:
    docroot = docroot_of(tmp_path)
    (tmp_path / "secret").write_text("secret")
    (docroot / "out").symlink_to("../secret")

    async def scenario() -> None:
        async with running(user(docroot)) as node:
            for line in (
                "get ../secret",
                f"get {tmp_path}/secret",
                "get out",
                "cd ../..\nget secret",
                "symlink ../secret y",
            ):
                status, said = await program(
                    tmp_path,
                    node,
                    "sftp",
                    "-P",
                    str(node.port),
                    "-b",
                    "-",
                    "alice@127.0.0.1",
                    feed=f"lcd {tmp_path}/docroot\n{line} \n",
                )
                assert status != 0, said

    asyncio.run(scenario())
    assert sorted(entry.name for entry in docroot.iterdir()) == ["out"]


def test_ssh_gets_no_shell_no_command_and_no_tunnel(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(user(docroot_of(tmp_path))) as node:
            where = ("-p", str(node.port), "alice@127.0.0.1")
            for arguments in (("-T", *where), (*where, "id"), ("-W", f"127.0.0.1:{node.port}", *where)):
                status, said = await program(tmp_path, node, "ssh", *arguments)
                assert status == 255 or status == 1, said
                assert "uid=" not in said

    asyncio.run(scenario())
