"""The line to the manager: what waits, what is told again, what is dropped."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from asperacentral.fasp import proof
from asperacentral.fasp.management import Decoder, Message, MessageType, encode
from asperacentral.fasp.proof import Ends
from asperacentral.openascp import link as link_module
from asperacentral.openascp.link import ManagementLink

INIT = Message(MessageType.INIT)
DONE = Message(MessageType.DONE)


def stop(name: str) -> Message:
    return Message(MessageType.STOP, {"File": name})


class Manager:
    """A manager in the same loop; `gone` closes its connections at once."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.port = 0
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def start(self) -> Manager:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        decoder = Decoder()
        while data := await reader.read(65536):
            self.heard += [message.text("File") or str(message.type) for message in decoder.feed(data)]
        writer.close()

    def send(self, data: bytes) -> None:
        self._writers[-1].write(data)

    async def until(self, wanted: str) -> None:
        async with asyncio.timeout(20):
            while wanted not in self.heard:
                await asyncio.sleep(0.01)

    def gone(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def go() -> None:
        async with asyncio.timeout(60):
            await test()

    asyncio.run(go())


def greeting(again: bool) -> Iterator[Message]:
    yield INIT


def new_link(port_file: Path | None = None, *, patience: float = 30.0) -> ManagementLink:
    return ManagementLink(
        greeting=greeting, command=lambda message: None, port_file=port_file, patience=patience
    )


async def lost(link: ManagementLink) -> None:
    while link.connected:
        await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "REDIAL_SECONDS", 0.02)


def test_reports_arrive_in_order_and_the_last_one_closes() -> None:
    async def test() -> None:
        manager = await Manager().start()
        link = new_link()
        await link.dial("127.0.0.1", manager.port)
        for name in "abc":
            link.tell(stop(name))
        await link.finish(DONE)
        assert manager.heard == ["INIT", "a", "b", "c", "DONE"]

    run(test)


def test_what_was_said_just_before_a_loss_is_said_again_and_then_what_waited(tmp_path: Path) -> None:
    async def test() -> None:
        first, second = await Manager().start(), await Manager().start()
        link = new_link(tmp_path / "port")
        await link.dial("127.0.0.1", first.port)
        link.tell(stop("before"))
        await first.until("before")
        first.gone()
        await lost(link)
        link.tell(stop("between"))
        link.mention(Message(MessageType.STATS))
        (tmp_path / "port").write_text(str(second.port))
        await second.until("between")
        link.tell(stop("after"))
        await link.finish(DONE)
        assert second.heard == ["INIT", "before", "between", "after", "DONE"]

    run(test)


def test_a_last_message_that_was_lost_is_said_to_the_next_manager(tmp_path: Path) -> None:
    async def test() -> None:
        first, second = await Manager().start(), await Manager().start()
        link = new_link(tmp_path / "port")
        await link.dial("127.0.0.1", first.port)
        await first.until("INIT")
        first.gone()
        ending = asyncio.create_task(link.finish(DONE))
        await asyncio.sleep(0.1)
        (tmp_path / "port").write_text("not yet a port")
        await asyncio.sleep(0.1)
        (tmp_path / "port").write_text(str(second.port))
        await ending
        assert second.heard == ["INIT", "DONE"]

    run(test)


def test_patience_ends() -> None:
    async def test() -> None:
        manager = await Manager().start()
        link = new_link(Path("/nowhere/port"), patience=0.3)
        await link.dial("127.0.0.1", manager.port)
        await manager.until("INIT")
        manager.gone()
        began = asyncio.get_running_loop().time()
        await link.finish(DONE)
        assert 0.2 < asyncio.get_running_loop().time() - began < 5

    run(test)


def test_more_than_can_wait_is_counted_and_not_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(link_module, "MOST_WAITING", 3)

    async def test() -> None:
        first, second = await Manager().start(), await Manager().start()
        link = new_link(tmp_path / "port")
        await link.dial("127.0.0.1", first.port)
        await first.until("INIT")
        first.gone()
        await lost(link)
        for name in "abcde":
            link.tell(stop(name))
        assert link.missed == 2
        (tmp_path / "port").write_text(str(second.port))
        await second.until("c")
        await link.finish(DONE)
        assert second.heard == ["INIT", "a", "b", "c", "DONE"]

    run(test)


def test_commands_are_heard_also_in_pieces() -> None:
    async def test() -> None:
        manager = await Manager().start()
        heard: list[Message] = []
        link = ManagementLink(greeting=greeting, command=heard.append)
        await link.dial("127.0.0.1", manager.port)
        await manager.until("INIT")
        for byte in encode(Message(MessageType.RATE, {"Rate": "0"})):
            manager.send(bytes([byte]))
        while not heard:
            await asyncio.sleep(0.01)
        assert heard[0].text("Rate") == "0"
        await link.finish(DONE)

    run(test)


def test_without_a_manager_nothing_is_kept() -> None:
    async def test() -> None:
        link = new_link()
        link.tell(stop("a"))
        link.mention(stop("b"))
        await link.finish(DONE)

    run(test)


def test_a_manager_that_is_just_restarting_is_waited_for(tmp_path: Path) -> None:
    async def test() -> None:
        gone = await Manager().start()
        gone.gone()
        link = new_link(tmp_path / "port")
        dialling = asyncio.create_task(link.dial("127.0.0.1", gone.port))
        await asyncio.sleep(0.05)
        manager = await Manager().start()
        (tmp_path / "port").write_text(str(manager.port))
        await dialling
        await link.finish(DONE)
        assert manager.heard == ["INIT", "DONE"]

    run(test)


def test_a_manager_that_stays_away_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(link_module, "FIRST_PATIENCE_SECONDS", 0.2)

    async def test() -> None:
        gone = await Manager().start()
        gone.gone()
        for port_file in (tmp_path / "none", None):
            with pytest.raises(OSError, match=r"refused|failed"):
                await new_link(port_file).dial("127.0.0.1", gone.port)

    run(test)


def test_a_manager_that_was_there_is_looked_for_only_so_long(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(link_module, "ABSENCE_SECONDS", 0.2)
    monkeypatch.setattr(link_module, "REDIAL_SECONDS", 0.05)
    alone = asyncio.Event()

    async def test() -> None:
        manager = await Manager().start()
        (tmp_path / "port").write_text(str(manager.port))
        link = ManagementLink(
            greeting=greeting, command=lambda message: None, port_file=tmp_path / "port", abandoned=alone.set
        )
        await link.dial("127.0.0.1", manager.port)
        await manager.until("INIT")
        manager.gone()
        await alone.wait()
        again = await Manager().start()
        (tmp_path / "port").write_text(str(again.port))
        link.tell(stop("late"))
        await link.finish(DONE)
        assert again.heard == []

    run(test)


# Who the manager is.

KEY = "the session's key"
NAMED = Message(MessageType.INIT, {"UserStr": "job-17"})


def test_before_the_manager_proves_itself_only_init_is_said_and_nothing_is_obeyed() -> None:
    async def test() -> None:
        impostor = await Manager().start()
        obeyed: list[Message] = []
        link = ManagementLink(greeting=lambda _: [NAMED, stop("greeting")], command=obeyed.append, key=KEY)
        await link.dial("127.0.0.1", impostor.port)
        link.tell(stop("/secret"))
        await impostor.until("INIT")
        impostor.send(encode(Message(MessageType.CANCEL)))
        await link.finish(DONE)
        assert obeyed == []
        assert impostor.heard == ["INIT"]

    run(test)


def test_a_manager_that_proves_itself_is_told_everything_in_order_and_obeyed() -> None:
    async def test() -> None:
        obeyed: list[Message] = []
        heard: list[str] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            decoder = Decoder()
            while data := await reader.read(65536):
                for message in decoder.feed(data):
                    heard.append(message.text("File") or str(message.type))
                    if message.type == MessageType.INIT:
                        ends = Ends(
                            writer.get_extra_info("peername")[1], writer.get_extra_info("sockname")[1]
                        )
                        assert proof.proves(message, proof.of_process(KEY, "job-17", ends))
                        answer = proof.of_manager(KEY, "job-17", ends)
                        writer.write(encode(proof.with_proof(Message(MessageType.NOP), answer)))
                        writer.write(encode(Message(MessageType.RATE)))
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        link = ManagementLink(greeting=lambda _: [NAMED, stop("greeting")], command=obeyed.append, key=KEY)
        await link.dial("127.0.0.1", server.sockets[0].getsockname()[1])
        link.tell(stop("/a"))
        await link.finish(DONE)
        assert heard == ["INIT", "greeting", "/a", "DONE"]
        assert [message.type for message in obeyed] == ["RATE"]
        server.close()

    run(test)
