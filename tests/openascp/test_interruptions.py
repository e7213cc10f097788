"""Whatever dies, and whenever: no file is ever wrong, and the next session completes."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from asperacentral.fasp import messages
from tests.openascp import sshd as openssh
from tests.openascp.conftest import ON_BOTH, Run
from tests.openascp.manager import Listener
from tests.openascp.sshd import Sshd

pytestmark = [pytest.mark.sshd, ON_BOTH]
BOTH = pytest.mark.parametrize("mode", ["send", "recv"])
MEGABYTE = 1_000_000


@pytest.fixture
def own_sshd(tmp_path: Path) -> Iterator[Sshd]:
    """A server that may be harmed."""
    if openssh.SSHD is None:
        pytest.skip(openssh.MISSING)
    with Sshd(tmp_path / "sshd") as server:
        yield server


@pytest.fixture
def big(tmp_path: Path) -> Path:
    path = tmp_path / "big"
    path.write_bytes(random.Random(2).randbytes(3 * MEGABYTE))
    return path


def moving(message: object) -> bool:
    """Tell whether bytes have moved."""
    return getattr(message, "integer", lambda _: 0)("TransferBytes") > 0


@BOTH
@pytest.mark.large
def test_sigkill_at_any_moment_leaves_no_wrong_file_and_a_rerun_completes(
    run: Run, tmp_path: Path, mode: str
) -> None:
    chance = random.Random(mode)
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    for number in range(40):
        (source / f"small {number}").write_bytes(chance.randbytes(2000))
    (source / "large").write_bytes(chance.randbytes(4 * MEGABYTE))
    options = ["--partial-tag=job", "-k1", "-l", "60m"]
    for _ in range(7):
        process = run(mode, [source], target, *options)
        process.listener.wait_for("SESSION")
        time.sleep(chance.random() * 0.7)
        process.kill()
        for path in target.rglob("*"):
            if path.is_file() and not path.name.endswith(".partial"):
                assert path.read_bytes() == (source / path.name).read_bytes()
    run(mode, [source], target, *options).done()
    copies = {path.name: path.read_bytes() for path in (target / "source").iterdir()}
    assert copies == {path.name: path.read_bytes() for path in source.iterdir()}


@BOTH
def test_a_server_that_dies_in_mid_transfer_ends_it_with_code_16(
    run: Run, own_sshd: Sshd, big: Path, tmp_path: Path, mode: str
) -> None:
    process = run(mode, [big], tmp_path / "copy", "-l", "3m", server=own_sshd)
    process.listener.wait_for(moving)
    own_sshd.stop()
    assert process.error() == 16
    assert not (tmp_path / "copy").exists()


def test_a_server_that_falls_silent_ends_it_with_code_16(
    run: Run, own_sshd: Sshd, big: Path, tmp_path: Path
) -> None:
    process = run("send", [big], tmp_path / "copy", "-l", "3m", server=own_sshd)
    process.listener.wait_for(moving)
    stopped = own_sshd.connections()
    for number in stopped:
        os.kill(number, signal.SIGSTOP)
    began = time.monotonic()
    try:
        assert process.error() == 16
        assert time.monotonic() - began < 40
    finally:
        for number in stopped:
            os.kill(number, signal.SIGCONT)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels(run: Run, big: Path, tmp_path: Path, number: int) -> None:
    target = tmp_path / "target"
    target.mkdir()
    process = run("send", [big], target, "-l", "1m")
    process.listener.wait_for(moving)
    process.process.send_signal(number)
    assert process.error() == 28
    assert list(target.iterdir()) == []


def test_a_signal_after_the_end_changes_nothing(run: Run, big: Path, tmp_path: Path) -> None:
    process = run("send", [big], tmp_path / "copy")
    process.listener.wait_for("DONE")
    for _ in range(20):
        process.process.send_signal(signal.SIGINT)
        time.sleep(0.01)
        if process.process.poll() is not None:
            break
    process.done()


@BOTH
def test_a_source_that_changes_while_it_is_read_fails(run: Run, big: Path, tmp_path: Path, mode: str) -> None:
    process = run(mode, [big], tmp_path / "copy", "-l", "8m")
    process.listener.wait_for(moving)
    with big.open("r+b") as stream:
        stream.write(b"changed")
    os.utime(big, (1, 1))
    assert process.error() == 35
    assert not (tmp_path / "copy").exists()
    assert not list(tmp_path.glob("*.partial"))


def test_a_source_that_becomes_shorter_fails(run: Run, big: Path, tmp_path: Path) -> None:
    process = run("send", [big], tmp_path / "copy", "-l", "8m")
    process.listener.wait_for(moving)
    os.truncate(big, 1000)
    assert process.error() == 35
    assert not (tmp_path / "copy").exists()


def test_a_lost_manager_is_dialled_again_and_told_all(run: Run, big: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    big.rename(source / "big")
    for number in range(5):
        (source / f"small {number}").write_bytes(b"x")
    port_file = tmp_path / "manager.port"
    process = run(
        "send", [source], tmp_path / "copy", "-l", "8m", f"--mgmt-port-file={port_file}", "-u", "job"
    )
    process.listener.wait_for(moving)
    process.listener.close()
    second = Listener()
    port_file.write_text(f"{second.port}\n")
    done = second.wait_for("DONE")
    process.process.communicate(timeout=10)
    assert process.process.returncode == 0
    kinds = [str(message.type) for message in second.messages]
    assert kinds[:2] == ["INIT", "SESSION"]
    assert "big" in {Path(message.text("File")).name for message in second.of_type("STOP")}
    assert any(message.text("File").endswith("big") for message in second.of_type("START"))
    totals = [message for message in second.of_type("NOTIFICATION") if message.integer("PreTransferFiles")]
    assert totals[0].integer("PreTransferFiles") == 6
    assert done.integer("TransfersPassed") == 6
    assert {message.text("UserStr") for message in second.messages} == {"job"}
    second.close()


def test_files_that_end_without_a_manager_are_told_to_the_next(run: Run, big: Path, tmp_path: Path) -> None:
    port_file = tmp_path / "manager.port"
    process = run("send", [big], tmp_path / "copy", "-l", "16m", f"--mgmt-port-file={port_file}")
    process.listener.wait_for(moving)
    process.listener.close()
    deadline = time.monotonic() + 30
    while not (tmp_path / "copy").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.5)
    assert process.process.poll() is None
    second = Listener()
    port_file.write_text(str(second.port))
    second.wait_for("DONE")
    assert [str(m.type) for m in second.messages if m.type not in ("STATS", "ARGSTOP")][-2:] == [
        "STOP",
        "DONE",
    ]
    process.process.communicate(timeout=10)
    assert process.process.returncode == 0
    second.close()


def test_without_a_port_file_a_lost_manager_does_not_stop_the_transfer(
    run: Run, big: Path, tmp_path: Path
) -> None:
    process = run("send", [big], tmp_path / "copy", "-l", "8m")
    process.listener.wait_for(moving)
    process.listener.close()
    process.process.communicate(timeout=30)
    assert process.process.returncode == 0
    assert (tmp_path / "copy").read_bytes() == big.read_bytes()


def test_a_manager_that_talks_nonsense_is_left(run: Run, big: Path, tmp_path: Path) -> None:
    process = run("send", [big], tmp_path / "copy", "-l", "8m")
    process.listener.wait_for(moving)
    process.listener.send_bytes(b"GET / HTTP/1.1\r\n\r\n")
    process.process.communicate(timeout=30)
    assert process.process.returncode == 0


def test_cancel_during_a_pause_ends_at_once(run: Run, big: Path, tmp_path: Path) -> None:
    process = run("send", [big], tmp_path / "copy", "-l", "0")
    process.listener.wait_for("STATS")
    began = time.monotonic()
    process.listener.send(messages.cancel())
    assert process.error() == 28
    assert time.monotonic() - began < 30


def _small_files_only() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (MEGABYTE, MEGABYTE))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def test_a_file_that_grows_too_large_here_ends_with_code_24(run: Run, big: Path, tmp_path: Path) -> None:
    process = run("recv", [big], tmp_path / "copy", prelude=_small_files_only)
    assert process.error() == 24
    assert [path.name for path in tmp_path.iterdir() if "copy" in path.name] == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    if os.getuid() != 0:
        pytest.skip("needs root to mount a small disk")
    place = tmp_path / "small disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", place], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.root
@BOTH
def test_a_full_disk_ends_with_code_25_and_is_left_clean(
    run: Run, big: Path, small_disk: Path, mode: str
) -> None:
    assert run(mode, [big], small_disk).error() == 25
    assert list(small_disk.iterdir()) == []


@BOTH
def test_a_connection_cut_by_the_server_ends_with_code_16(
    run: Run, own_sshd: Sshd, tmp_path: Path, mode: str
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for number in range(400):
        (source / str(number)).write_bytes(bytes(2000))
    process = run(mode, [source], tmp_path / "copy", "-l", "3m", server=own_sshd)
    process.listener.wait_for("STOP")
    own_sshd.cut_connections()
    assert process.error() == 16
