"""What a manager hears of a session, in which order, with which fields."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from asperacentral.fasp import messages
from asperacentral.fasp.messages import cancel
from tests.bulk import bulky
from tests.openascp.conftest import ON_BOTH, Run
from tests.openascp.manager import Listener, Openascp

pytestmark = pytest.mark.sshd
UUID = "0b5e4a6e-9d3c-4f4b-8f5e-3a1c6f1d2e3f"


def test_a_push_is_told_from_init_to_done(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "a file"
    source.write_bytes(b"x" * 100_000)
    process = run("send", [source], tmp_path / "copy", "-u", UUID, environment={"ASPERA_SCP_COOKIE": "c1"})
    done = process.done()
    heard = process.listener.messages
    assert [message.type for message in heard if message.type not in ("NOP", "NOTIFICATION", "STATS")] == [
        "INIT",
        "SESSION",
        "START",
        "STOP",
        "ARGSTOP",
        "DONE",
    ]
    assert {message.text("SessionId") for message in heard} == {UUID}
    assert {message.text("UserStr") for message in heard} == {UUID}
    assert {message.text("Cookie") for message in heard} == {"c1"}
    assert done.integer("TransferBytes") == done.integer("FileBytes") == 100_000
    assert done.integer("TransfersPassed") == done.integer("ArgScansCompleted") == 1
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()


def test_the_session_message_tells_what_was_negotiated(run: Run, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"1")
    process = run(
        "send", [tmp_path / "source"], tmp_path / "copy", "-m", "5", "--policy=high", "-c", "aes256"
    )
    process.done()
    session = process.listener.of_type("SESSION")[0]
    assert session.text("Direction") == "Send"
    assert session.text("Host") == session.text("RemoteAddress") == session.text("LocalIP") == "127.0.0.1"
    assert session.integer("Rate") == 10_000_000
    assert session.integer("MinRate") == 5
    assert (session.text("Adaptive"), session.text("Priority")) == ("Adaptive", "1")
    assert session.boolean("Encryption")
    assert session.text("Cipher") == "aes-256"
    assert session.text("Source") == str(tmp_path / "source")
    assert session.text("Destination") == str(tmp_path / "copy")


@ON_BOTH
@pytest.mark.parametrize("mode", ["send", "recv"])
def test_totals_are_told_when_the_scan_has_ended(run: Run, tmp_path: Path, mode: str) -> None:
    folder = tmp_path / "folder"
    (folder / "empty").mkdir(parents=True)
    (folder / "one").write_bytes(b"1")
    (folder / "two").write_bytes(b"22")
    (tmp_path / "three").write_bytes(b"333")
    sources = [folder, tmp_path / "three", tmp_path / "missing"]
    process = run(mode, sources, tmp_path / "copy", "-d", "--precalculate-job-size")
    assert process.error() == 27
    heard = process.listener.messages
    assert process.listener.of_type("SESSION")[0].boolean("Precalc")
    told = [message for message in heard if "PreTransferFiles" in message.fields]
    kinds = [str(message.type) for message in heard]
    assert heard.index(told[0]) < kinds.index("START")
    for totals in told:  # also those after each source
        assert [totals.integer(f"PreTransfer{what}") for what in ("Files", "Bytes", "Dirs")] == [3, 6, 2]


def test_without_pre_calculation_files_move_while_the_scan_goes_on(run: Run, tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"1")
    process = run("send", [tmp_path / "one"], tmp_path / "copy")
    process.done()
    heard = process.listener.messages
    totals = next(message for message in heard if "PreTransferFiles" in message.fields)
    assert heard.index(totals) < [str(message.type) for message in heard].index("DONE")
    assert totals.integer("PreTransferFiles") == totals.integer("PreTransferBytes") == 1


def test_a_rate_is_changed_paused_and_resumed_while_running(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(1_000_000))
    process = run("send", [source], tmp_path / "copy", "-l", "800")
    listener = process.listener
    listener.wait_for(lambda message: message.integer("TransferBytes") > 0)
    listener.send(messages.rate(0))
    listener.wait_for(lambda message: message.type == "NOTIFICATION" and message.text("Rate") == "0")
    time.sleep(0.3)
    seen = len(listener.messages)
    listener.wait_for(lambda message: message in listener.messages[seen:] and message.type == "STATS")
    before = listener.messages[-1].integer("TransferBytes")
    heard = len(listener.messages)
    listener.wait_for(lambda message: message in listener.messages[heard:] and message.type == "STATS")
    assert listener.messages[-1].integer("TransferBytes") == before < 1_000_000
    listener.send(messages.rate(10_000_000, 0, "fixed"))
    resumed = listener.wait_for(
        lambda message: message.type == "NOTIFICATION" and message.integer("Rate") > 800
    )
    assert resumed.text("Adaptive") == "Fixed"
    process.done()
    assert (tmp_path / "copy").stat().st_size == 1_000_000


def test_cancel_ends_with_code_28_and_leaves_nothing(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(1_000_000))
    target = tmp_path / "target"
    target.mkdir()
    process = run("send", [source], target, "-l", "100")
    process.listener.wait_for("STATS")
    process.listener.send(messages.cancel())
    assert process.error() == 28
    assert list(target.iterdir()) == []


def test_all_managers_hear_the_session_and_each_can_end_it(run: Run, tmp_path: Path) -> None:
    bulky(tmp_path / "big", 1 << 30)
    other = Listener()
    process = run("send", [tmp_path / "big"], tmp_path / "copy", "-M", str(other.port), "-l", "1000")
    other.wait_for("START")
    other.wait_for("STATS")
    other.send(cancel())
    assert process.error() == 28
    assert other.wait_for("ERROR").integer("Code") == 28
    assert [message.type for message in other.messages][:2] == ["INIT", "SESSION"]


def test_a_second_manager_that_does_not_answer_ends_it_before_it_begins(run: Run, tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    process = run("send", [tmp_path / "f"], tmp_path / "copy", "-M", "1")
    _, error = process.process.communicate(timeout=60)
    assert process.process.returncode == 1
    assert error.decode().splitlines()[0] == "required management connection to port localhost:1 failed"


def test_an_unknown_option_ends_with_status_1_and_one_line(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "asperacentral.openascp",
        "--mode=send",
        "--host=h",
        "--frobnicate",
        "a",
        "b",
    ]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "openascp: option not supported: --frobnicate\n"


def test_a_session_that_is_still_connecting_says_that_it_is_there(tmp_path: Path) -> None:
    """A manager kills who is silent; a far side may be slow for a good reason."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = str(silent.getsockname()[1])
        line = ("--mode=send", "--host=127.0.0.1", "--user=x", "-P", port, "-q", "-u", UUID, __file__, "/x")
        with Openascp(*line, password="x") as process:
            told = process.listener.wait_for("NOP")
    assert (told.text("SessionId"), told.text("UserStr")) == (UUID, UUID)
