"""Several managers of one process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from asperacentral.fasp.management import Message, MessageType, encode
from asperacentral.openascp.managers import (
    MOST_LINKS,
    RUN_DIRECTORY,
    Address,
    Managers,
    ManagerUnreachableError,
    announced,
)
from tests.openascp.manager import Listener
from tests.openascp.test_link import DONE, INIT, Manager, run, stop


def closed_port() -> int:
    listener = Listener()
    listener.close()
    return listener.port


def at(manager: Manager) -> Address:
    return "127.0.0.1", manager.port


def test_all_managers_are_told_and_any_may_command() -> None:
    async def test() -> None:
        managers = [await Manager().start() for _ in range(3)]
        obeyed: list[Message] = []
        links = Managers(
            [at(manager) for manager in managers[:2]],
            [at(managers[2])],
            greeting=lambda _: [INIT],
            command=obeyed.append,
        )
        await links.dial()
        links.tell(stop("/a"))
        for manager in managers:
            await manager.until("/a")
            manager.send(encode(Message(MessageType.RATE, {"Rate": str(manager.port)})))
        while len(obeyed) < 3:
            links.mention(stop("/b"))
            await managers[0].until("/b")
        await links.finish(DONE)
        assert {message.count("Rate") for message in obeyed} == {manager.port for manager in managers}
        for manager in managers:
            assert manager.heard[:2] == ["INIT", "/a"]
            assert manager.heard[-1] == "DONE"

    run(test)


def test_a_needed_manager_that_does_not_answer_is_an_error_and_an_optional_one_is_left_out() -> None:
    async def test() -> None:
        there, dead = await Manager().start(), ("127.0.0.1", closed_port())
        wanted = Managers([at(there)], [dead], greeting=lambda _: [INIT], command=lambda _: None)
        await wanted.dial()
        await wanted.finish(DONE)
        assert there.heard == ["INIT", "DONE"]
        missed = Managers([at(there), dead], greeting=lambda _: [INIT], command=lambda _: None)
        with pytest.raises(ManagerUnreachableError) as error:
            await missed.dial()
        assert error.value.port == dead[1]

    run(test)


def test_an_optional_manager_that_goes_away_holds_nothing_up() -> None:
    async def test() -> None:
        stays, goes = await Manager().start(), await Manager().start()
        links = Managers([at(stays)], [at(goes)], greeting=lambda _: [INIT], command=lambda _: None)
        await links.dial()
        await goes.until("INIT")
        goes.gone()
        for number in range(100):
            links.tell(stop(f"/{number}"))
        await links.finish(DONE)
        assert len(stays.heard) == 102

    run(test)


def test_no_manager_is_dialled_twice_and_no_more_than_the_limit() -> None:
    links = Managers(
        [("127.0.0.1", 1), ("127.0.0.1", 2)],
        [("127.0.0.1", port) for port in [1, 2, 3, 3, *range(3, 100)]],
        greeting=lambda _: [INIT],
        command=lambda _: None,
    )
    ports = [port for (_, port), _ in [*links._needed, *links._optional]]
    assert ports == list(range(1, MOST_LINKS + 1))


def test_port_files_name_managers_and_what_holds_no_address_is_skipped(tmp_path: Path) -> None:
    for name, text in {
        "b.port": "4000",
        "a.optport": "localhost:4001\n",
        "c.optport": "nonsense",
        "d.port": "99999",
        "e.pid": "4002",
    }.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "f.port").mkdir()
    (tmp_path / "g.port").write_bytes(b"\xff\xfe")
    assert announced({RUN_DIRECTORY: str(tmp_path)}) == [("localhost", 4001), ("127.0.0.1", 4000)]
    assert announced({RUN_DIRECTORY: str(tmp_path / "nowhere")}) == []


def openascp(tmp_path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """A session that cannot reach its server."""
    command = [sys.executable, "-m", "asperacentral.openascp", *options, "--mode=send", "--host=127.0.0.1"]
    command += ["-P", str(closed_port()), "--host-key-policy=any", str(tmp_path), "/in"]
    environment = {**os.environ, RUN_DIRECTORY: str(tmp_path)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_a_process_reports_to_every_manager_it_was_given_and_to_those_with_port_files(tmp_path: Path) -> None:
    given, second, found = Listener(), Listener(), Listener()
    (tmp_path / "watcher.optport").write_text(str(found.port))
    ended = openascp(tmp_path, "-M", str(given.port), "-M", f"localhost:{second.port}", "-u", "job-17")
    assert ended.returncode == 1
    for manager in (given, second, found):
        assert manager.wait_for("INIT").text("UserStr") == "job-17"
        assert manager.wait_for("ERROR").count("Code") == 12
        manager.close()


def test_port_files_are_not_looked_for_when_that_is_not_wanted(tmp_path: Path) -> None:
    given, found = Listener(), Listener()
    (tmp_path / "watcher.optport").write_text(str(found.port))
    openascp(tmp_path, "-M", str(given.port), "--no-mgmt-port-files")
    assert given.of_type("ERROR")
    assert found.messages == []
    given.close()
    found.close()


def test_a_process_ends_when_one_of_the_managers_it_needs_does_not_answer(tmp_path: Path) -> None:
    given, dead = Listener(), closed_port()
    ended = openascp(tmp_path, "-M", str(given.port), "-M", str(dead))
    given.close()
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        f"required management connection to port localhost:{dead} failed",
        "failed to connect to management socket, exiting",
    ]
