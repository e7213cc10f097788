"""A session whose manager has been given up: what could not end without it is cancelled, all else goes on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from asperacentral.fasp.management import Message, MessageType
from asperacentral.openascp import link
from asperacentral.openascp.console import Console
from asperacentral.openascp.options import Secrets, parse
from asperacentral.openascp.session import Session

LINE = ("--mode=send", "--host=127.0.0.1", "--user=nobody", "-q")
PATHS = ("source", "destination")


@pytest.mark.parametrize(
    ("more", "rate", "ends"), [(PATHS, None, False), (("--keepalive",), None, True), (PATHS, "0", True)]
)
def test_only_what_its_manager_alone_could_end_is_cancelled(
    tmp_path: Path, more: tuple[str, ...], rate: str | None, ends: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "ABSENCE_SECONDS", 0.1)

    async def manager(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async def test() -> None:
        server = await asyncio.start_server(manager, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        options = parse([*LINE, "-M", str(port), f"--mgmt-port-file={tmp_path / 'none'}", *more])
        session = Session(options, Secrets(), Console(quiet=True))
        if rate is not None:
            session._obey(Message(MessageType.RATE, {"Rate": rate}))
        given_up = asyncio.Event()
        told = session._left_alone

        def left_alone() -> None:
            told()
            given_up.set()

        session._link._links[0]._abandoned = left_alone
        await session._link.dial()
        async with asyncio.timeout(30):
            await given_up.wait()
        assert session._cancelled.is_set() is ends
        server.close()

    asyncio.run(test())
