"""A persistent session takes its sources from the manager, one by one, and ends when it is told to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from asperacentral.fasp import messages
from asperacentral.fasp.management import Message, MessageType
from tests.openascp.conftest import Run
from tests.openascp.manager import Openascp

pytestmark = pytest.mark.sshd
BOTH = pytest.mark.parametrize("mode", ["send", "recv"])


def fed(run: Run, mode: str, destination: Path, *options: str) -> Openascp:
    """A persistent session that can be given sources."""
    process = run(mode, [], destination, "--keepalive", *options)
    process.listener.wait_for("INIT")
    return process


@BOTH
def test_sources_go_where_each_is_to_and_linger_ends_the_session(run: Run, tmp_path: Path, mode: str) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(name)
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    (tmp_path / "folder" / "inner" / "file").write_text("x")
    process = fed(run, mode, tmp_path / "in", "-d")
    listener = process.listener
    listener.wait_for("SESSION")
    listener.send(messages.add_source(str(tmp_path / "a"), str(tmp_path / "elsewhere" / "renamed")))
    listener.send(messages.add_source(str(tmp_path / "b")))
    listener.wait_for(lambda message: message.type == "ARGSTOP" and message.text("FaspFileArgIndex") == "1")
    listener.send(messages.add_source(str(tmp_path / "folder"), "there"))
    listener.send(messages.linger())
    listener.send(messages.add_source(str(tmp_path / "c")))
    done = process.done()
    assert (tmp_path / "elsewhere" / "renamed").read_text() == "a"
    assert (tmp_path / "in" / "b").read_text() == "b"
    assert (tmp_path / "in" / "there" / "inner" / "file").read_text() == "x"
    assert not (tmp_path / "in" / "c").exists()
    assert done.integer("TransfersPassed") == 3
    stops = listener.of_type("ARGSTOP")
    assert [message.text("Source") for message in stops] == [str(tmp_path / n) for n in ("a", "b", "folder")]
    assert {message.text("ArgTransfersPassed") for message in stops} == {"1"}


@BOTH
def test_a_source_that_fails_is_told_and_the_session_goes_on(run: Run, tmp_path: Path, mode: str) -> None:
    (tmp_path / "good").write_text("x")
    process = fed(run, mode, tmp_path / "in", "-d")
    process.listener.send(messages.add_source(str(tmp_path / "missing")))
    process.listener.send(messages.add_source(str(tmp_path / "good")))
    process.listener.send(messages.linger())
    assert process.error() == 27
    assert (tmp_path / "in" / "good").read_text() == "x"
    first, second = process.listener.of_type("ARGSTOP")
    assert (first.integer("ArgTransfersFailed"), second.integer("ArgTransfersFailed")) == (1, 0)


@BOTH
def test_stop_gives_up_one_source_and_the_others_go_on(run: Run, tmp_path: Path, mode: str) -> None:
    (tmp_path / "large").write_bytes(os.urandom(30_000_000))
    (tmp_path / "small").write_text("x")
    process = fed(run, mode, tmp_path / "in", "-d", "-l", "8m")
    process.listener.send(messages.add_source(str(tmp_path / "large")))
    process.listener.send(messages.add_source(str(tmp_path / "small")))
    process.listener.wait_for(lambda message: message.integer("TransferBytes") > 0)
    process.listener.send(messages.cancel_source(str(tmp_path / "large")))
    failed = process.listener.wait_for("FILEERROR")
    assert failed.integer("Code") == 28
    process.listener.send(Message(MessageType.RATE, {"Rate": "10000000"}))
    process.listener.send(messages.linger())
    assert process.error() == 27
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["small"]


def test_shutdown_ends_an_idle_session_well_and_a_busy_one_as_cancelled(run: Run, tmp_path: Path) -> None:
    idle = fed(run, "send", tmp_path / "in")
    idle.listener.wait_for("SESSION")
    idle.listener.send(messages.shut_down())
    idle.done()
    (tmp_path / "large").write_bytes(bytes(30_000_000))
    busy = fed(run, "send", tmp_path, "-l", "8m")
    busy.listener.send(messages.add_source(str(tmp_path / "large"), str(tmp_path / "copy")))
    busy.listener.wait_for(lambda message: message.integer("TransferBytes") > 0)
    busy.listener.send(messages.shut_down())
    assert busy.error() == 28


def test_a_session_whose_manager_has_gone_ends_with_what_it_has(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    process = fed(run, "send", tmp_path / "in", "-d")
    process.listener.send(messages.add_source(str(tmp_path / "file")))
    process.listener.wait_for("ARGSTOP")
    process.listener.close()
    process.process.communicate(timeout=60)
    assert process.process.returncode == 0


@BOTH
def test_a_range_of_a_file_arrives_alone(run: Run, tmp_path: Path, mode: str) -> None:
    data = os.urandom(3_000_000)
    (tmp_path / "file").write_bytes(data)
    process = fed(run, mode, tmp_path / "in", "-d")
    part = messages.add_source(str(tmp_path / "file"), "part", first_byte=1_000_000, last_byte=2_499_999)
    process.listener.send(part)
    process.listener.send(messages.add_source(str(tmp_path / "file"), "rest", first_byte=2_999_000))
    process.listener.send(messages.linger())
    process.done()
    assert (tmp_path / "in" / "part").read_bytes() == data[1_000_000:2_500_000]
    assert (tmp_path / "in" / "rest").read_bytes() == data[2_999_000:]


def test_a_range_can_be_asked_for_on_the_command_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    run("send", [tmp_path / "file"], tmp_path / "copy", "-@", "2:5").done()
    assert (tmp_path / "copy").read_bytes() == b"2345"


@BOTH
def test_a_source_told_twice_fails_at_once_while_it_is_moving_and_may_come_again_after_it(
    run: Run, tmp_path: Path, mode: str
) -> None:
    (tmp_path / "large").write_bytes(os.urandom(3_000_000))
    process = fed(run, mode, tmp_path / "in", "-d", "-l", "100k", "--overwrite=always")
    listener = process.listener
    listener.send(messages.add_source(str(tmp_path / "large")))
    listener.wait_for(lambda message: message.integer("TransferBytes") > 0)
    listener.send(messages.add_source(str(tmp_path / "large")))
    failed = listener.wait_for("FILEERROR")
    assert failed.integer("Code") == 67
    assert not listener.of_type("STOP"), "the first was waited for"
    listener.send(Message(MessageType.RATE, {"Rate": "10000000"}))
    listener.wait_for("STOP")
    listener.send(messages.add_source(str(tmp_path / "large")))
    listener.send(messages.linger())
    assert process.error() == 27
    assert [stop.integer("ArgTransfersPassed") for stop in listener.of_type("ARGSTOP")] == [1, 0, 1]
    assert (tmp_path / "in" / "large").read_bytes() == (tmp_path / "large").read_bytes()
