"""Other processes of the machine at the management port: nobody else's session is theirs to end or to steer."""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from twisted.internet.task import Clock

from asperacentral.fasp import listener, messages, ownership, proof
from asperacentral.fasp.admission import ByOwnership
from asperacentral.fasp.keyfile import KeyFileError, read_or_make
from asperacentral.fasp.listener import ManagementConnection, Strangers
from asperacentral.fasp.management import Message, MessageType, encode
from asperacentral.fasp.manager import Program
from asperacentral.fasp.messages import FileState, Identity, Progress, Rates, Tally
from asperacentral.fasp.processes import ProcessEnd
from asperacentral.fasp.reactor import ManagerReactor
from tests.fasp.house import FORKED, LICENSED, House

FOREIGN = 666_666


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.close()


def lies(session: str, *, named: bool = True) -> list[Message]:
    """What would end or falsify a session if it were believed."""
    who = Identity(session, session if named else "")
    progress, sending = Progress(FOREIGN, FOREIGN), messages.SENDING
    return [
        messages.init(who, direction=sending),
        messages.stats(who, file=FileState("/x", 5), progress=progress, rates=Rates(1)),
        messages.error(
            who, direction=sending, code=19, description="a lie", progress=progress, tally=Tally()
        ),
        messages.done(who, direction=sending, progress=progress, tally=Tally()),
    ]


def claim(house: House, said: list[Message]) -> bytes:
    """Connect, say it, and return what comes back before the connection is closed."""
    with socket.create_connection(("127.0.0.1", house.port)) as stranger:
        stranger.sendall(b"".join(encode(message) for message in said))
        return until_closed(house, stranger)


def until_closed(house: House, stranger: socket.socket) -> bytes:
    stranger.setblocking(False)
    came = b""
    closed = False

    def is_closed() -> bool:
        nonlocal came, closed
        with contextlib.suppress(BlockingIOError):
            try:
                data = stranger.recv(65536)
            except ConnectionResetError:
                data = b""
            came += data
            closed = not data
        return closed

    house.bench.until(is_closed, "being closed")
    return came


@pytest.mark.parametrize("program", [FORKED, LICENSED], ids=["ours", "licensed"])
@pytest.mark.parametrize("named", [True, False], ids=["by UserStr", "by SessionId"])
@pytest.mark.parametrize("lie", range(4), ids=["INIT", "STATS", "ERROR", "DONE"])
def test_a_stranger_cannot_speak_for_a_session(
    house: House, program: Program, named: bool, lie: int, caplog: pytest.LogCaptureFixture
) -> None:
    manager, notes = house.manager(program)
    session = house.launch(manager, "wait")
    house.bench.until(lambda: "STATS" in notes.said(session))
    with caplog.at_level(logging.WARNING):
        assert claim(house, lies(session, named=named)[lie:]) == b""
    assert caplog.text.count("not its process; ignored") == 1
    assert manager.running() == (session,)
    house.end_file.touch()
    house.bench.until(lambda: notes.endings(session))
    assert notes.endings(session)[0].said_done
    told = notes.messages(session)
    assert FOREIGN not in {message.count("TransferBytes") for message in told}
    assert [message.type for message in told].count("INIT") == 1
    assert notes.foreign == []


def test_a_proof_is_of_no_use_on_another_connection(house: House) -> None:
    manager, notes = house.manager(FORKED)
    session = house.launch(manager, "wait")
    house.bench.until(lambda: "STATS" in notes.said(session))
    with socket.create_connection(("127.0.0.1", house.port)) as other:
        overheard = house.proven(lies(session)[0], other)
    assert claim(house, [overheard, *lies(session)[1:]]) == b""
    assert manager.running() == (session,)


def test_a_process_cannot_speak_for_the_session_of_another(house: House) -> None:
    manager, notes = house.manager(FORKED)
    mine, other = house.launch(manager, "wait"), house.launch(manager, "wait")
    house.bench.until(lambda: "STATS" in notes.said(mine) and "STATS" in notes.said(other))
    with house.dial(lies(mine)[0]) as connection:
        connection.sendall(encode(lies(other)[1]))
        until_closed(house, connection)
    assert FOREIGN not in {message.count("TransferBytes") for message in notes.messages(other)}


def test_a_restarted_manager_knows_its_processes_again_by_its_key_file(house: House) -> None:
    first, notes = house.manager(FORKED)
    session = house.launch(first, "wait")
    house.bench.until(lambda: "STATS" in notes.said(session) and notes.pid(session))
    second, heard = house.succeed(first, session, notes.pid(session), 30)
    assert second.cancel_job(session)
    house.bench.until(lambda: heard.endings(session))
    assert heard.messages(session)[-1].count("Code") == 28


def test_garbage_closes_its_connection_and_disturbs_nobody(house: House) -> None:
    manager, notes = house.manager(FORKED)
    session = house.launch(manager, "wait")
    for garbage in (b"GET / HTTP/1.1\r\n\r\n", b"\0" * 70_000, b"FASPMGR 2\nnonsense\n\n"):
        with socket.create_connection(("127.0.0.1", house.port)) as stranger:
            stranger.sendall(garbage)
            assert until_closed(house, stranger) == b""
    house.bench.until(lambda: "STATS" in notes.said(session))


FLOOD = """
import socket, sys, threading

def flood():
    held = []
    for _ in range(1_000):
        held.append(socket.create_connection(("127.0.0.1", int(sys.argv[1]))))
        if len(held) > 20:
            held.pop(0).close()
    everything.append(held)

everything = []
floods = [threading.Thread(target=flood) for _ in range(10)]
for each in floods:
    each.start()
for each in floods:
    each.join()
print("all", flush=True)
sys.stdin.read()
"""


def test_ten_thousand_connections_leave_sessions_alone_and_few_are_kept(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "MOST_STRANGERS", 100)
    manager, notes = house.manager(FORKED, mgmt_backlog=4096)
    running = house.launch(manager, "wait")
    house.bench.until(lambda: "STATS" in notes.said(running))
    flood = subprocess.Popen(
        [sys.executable, "-S", "-c", FLOOD, str(house.port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        during = house.launch(manager, "finish")
        house.bench.until(lambda: notes.endings(during))
        assert notes.endings(during)[0].said_done
        house.bench.until(lambda: flood.poll() is not None or has_spoken(flood))
        assert flood.poll() is None
        house.bench.until(lambda: len(manager._port._connections) <= 101, "only few to be kept")
        assert manager.cancel_job(running)
        house.bench.until(lambda: notes.endings(running))
        assert notes.messages(running)[-1].count("Code") == 28
    finally:
        flood.kill()
        flood.communicate()


def has_spoken(process: subprocess.Popen[bytes]) -> bool:
    assert process.stdout is not None
    return bool(select.select([process.stdout], [], [], 0)[0])


class Slow:
    """A connection as the strangers' keeper sees it."""

    def __init__(self) -> None:
        self.waits = 0
        self.closed = False

    def wait(self) -> None:
        self.waits += 1

    def go_on(self) -> None:
        self.waits -= 1

    def abort(self) -> None:
        self.closed = True


def strangers(*them: Slow) -> tuple[Strangers, Clock]:
    clock = Clock()
    keeper = Strangers(cast(ManagerReactor, clock))
    for one in them:
        keeper.add(cast(ManagementConnection, one))
    return keeper, clock


def test_strangers_share_what_is_read_from_them_and_go_on_in_the_next_window() -> None:
    loud, quiet = Slow(), Slow()
    keeper, clock = strangers(loud, quiet)
    keeper.heard(cast(Any, loud), listener.STRANGERS_AT_ONCE)
    assert not loud.waits
    keeper.heard(cast(Any, quiet), 1)
    assert (loud.waits, quiet.waits) == (0, 1)
    clock.advance(listener.STRANGERS_WINDOW)
    assert quiet.waits == 0
    keeper.stop()
    assert not clock.getDelayedCalls()


def test_of_too_many_strangers_the_longest_silent_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "MOST_STRANGERS", 2)
    first, second, third = Slow(), Slow(), Slow()
    keeper, _clock = strangers(first, second)
    keeper.heard(cast(Any, first), 1)
    keeper.add(cast(Any, third))
    assert [one.closed for one in (first, second, third)] == [False, True, False]


def test_who_is_vouched_for_is_read_without_limit() -> None:
    one = Slow()
    keeper, _clock = strangers(one)
    keeper.remove(cast(Any, one))
    keeper.heard(cast(Any, one), 10 * listener.STRANGERS_AT_ONCE)
    assert one.waits == 0


# The parts.


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "key"
    key = read_or_make(path)
    assert len(key) == proof.KEY_BYTES
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_or_make(path) == key
    assert [found.name for found in tmp_path.iterdir()] == ["key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_that_others_can_reach_is_not_used(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    read_or_make(path)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match="its owner alone"):
        read_or_make(path)


def test_what_is_no_key_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.touch(0o600)
    with pytest.raises(KeyFileError, match="does not hold a key"):
        read_or_make(path)
    path.unlink()
    read_or_make(tmp_path / "other")
    path.symlink_to("other")
    with pytest.raises(OSError, match="symbolic links"):
        read_or_make(path)


def test_each_session_side_and_connection_has_its_own_proof() -> None:
    ends, swapped = proof.Ends(1, 2), proof.Ends(2, 1)
    keys = [proof.session_key(b"k" * 32, name) for name in ("a", "b")]
    proofs = {
        make(key, name, where)
        for make in (proof.of_process, proof.of_manager)
        for key in keys
        for name in ("a", "b")
        for where in (ends, swapped)
    }
    assert len(proofs) == 16


def test_the_owner_of_a_connection_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        script = f"import socket, sys; s = socket.create_connection(('127.0.0.1', {port})); sys.stdin.read()"
        owner = subprocess.Popen(
            [sys.executable, "-S", "-c", script], stdin=subprocess.PIPE, start_new_session=True
        )
        wrapper = subprocess.Popen(
            ["/bin/sh", "-c", '"$0" -S -c "$1"; true', sys.executable, script],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        stranger = subprocess.Popen(["sleep", "60"], start_new_session=True)
        try:
            found = []
            for _ in range(2):
                connection, (_, theirs) = server.accept()
                inode = ownership.socket_of(theirs, port)
                assert inode
                found.append((ownership.holds(owner.pid, inode), ownership.holds(wrapper.pid, inode)))
                assert ownership.holds(stranger.pid, inode) is False
                connection.close()
            assert sorted(found) == [(False, True), (True, False)]
            assert ownership.socket_of(1, 2) == ownership.ORPHAN
        finally:
            for process in (owner, wrapper, stranger):
                process.kill() if process is stranger else process.communicate()
                process.wait()


@pytest.mark.parametrize(
    ("ended", "heard_any", "believed"),
    [(True, False, True), (False, False, None), (True, True, False), (False, True, False)],
)
def test_last_words_are_believed_of_a_process_that_is_gone(
    ended: bool, heard_any: bool, believed: bool | None
) -> None:
    process = SimpleNamespace(pid=1, poll=lambda: ProcessEnd(0) if ended else None)
    session = SimpleNamespace(user_str="a", process=process, heard_any=heard_any)
    connection = SimpleNamespace(socket=ownership.ORPHAN)
    word = Message(MessageType.DONE)
    assert ByOwnership().admits(cast(Any, session), word, cast(Any, connection)) is believed
