"""What a session that died has brought is not sent again, and nothing wrong ever survives: levels 1 to 3."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from asperacentral.fasp.management import Message
from asperacentral.openascp.exchange.checkpoint import BLOCK
from tests.openascp import sshd as openssh
from tests.openascp.conftest import Run
from tests.openascp.sshd import Sshd

pytestmark = pytest.mark.sshd
BOTH = pytest.mark.parametrize("mode", ["send", "recv"])
LEVELS = pytest.mark.parametrize("level", [1, 2, 3])
SIZE = 6 * BLOCK + 12345
JOB = "--partial-tag=job"


@pytest.fixture
def own_sshd(tmp_path: Path) -> Iterator[Sshd]:
    """A server that may be harmed."""
    if openssh.SSHD is None:
        pytest.skip(openssh.MISSING)
    with Sshd(tmp_path / "sshd") as server:
        yield server


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(random.Random(3).randbytes(SIZE))
    os.utime(path, (1_700_000_000, 1_700_000_000))
    return path


def blocks_have_moved(message: Message) -> bool:
    return message.type == "STATS" and message.integer("TransferBytes") > 2 * BLOCK


def interrupted(run: Run, source: Path, target: Path, mode: str, level: int, server: Sshd) -> None:
    """A session that is killed half-way, on both ends."""
    process = run(mode, [source], target, JOB, f"-k{level}", "-l", "24m", server=server)
    process.listener.wait_for(blocks_have_moved)
    process.kill()
    server.cut_connections()


@BOTH
@LEVELS
def test_a_session_after_a_kill_sends_only_what_is_missing(
    run: Run, tmp_path: Path, own_sshd: Sshd, source: Path, mode: str, level: int
) -> None:
    target = tmp_path / "in" / "target"
    target.parent.mkdir()
    interrupted(run, source, target, mode, level, own_sshd)
    written = next(target.parent.glob("target.job*")).stat().st_size
    done = run(mode, [source], target, JOB, f"-k{level}", server=own_sshd).done()
    assert target.read_bytes() == source.read_bytes()
    assert done.integer("FileBytes") == SIZE
    assert done.integer("TransferBytes") <= SIZE - written + BLOCK
    assert [path.name for path in target.parent.iterdir()] == ["target"]


@BOTH
@pytest.mark.parametrize("level", [1, 3])
def test_a_sparse_file_goes_on_after_a_kill_and_its_holes_stay_holes(
    run: Run, tmp_path: Path, own_sshd: Sshd, source: Path, mode: str, level: int
) -> None:
    size = 100 * BLOCK
    with source.open("r+b") as file:  # it has data at its beginning, and some more of it later
        file.truncate(size)
        file.seek(60 * BLOCK)
        file.write(random.Random(4).randbytes(BLOCK))
    os.utime(source, (1_700_000_000, 1_700_000_000))
    if source.stat().st_blocks * 512 > size // 2:
        pytest.skip("this file system has no holes")
    target = tmp_path / "in" / "target"
    target.parent.mkdir()
    interrupted(run, source, target, mode, level, own_sshd)
    done = run(mode, [source], target, JOB, f"-k{level}", server=own_sshd).done()
    assert target.read_bytes() == source.read_bytes()
    assert done.integer("FileBytes") == size
    assert done.integer("TransferBytes") < 8 * BLOCK
    assert target.stat().st_blocks * 512 < 10 * BLOCK


def test_a_damaged_checkpoint_only_costs_time(run: Run, tmp_path: Path, own_sshd: Sshd, source: Path) -> None:
    target = tmp_path / "in" / "target"
    target.parent.mkdir()
    interrupted(run, source, target, "send", 1, own_sshd)
    checkpoint = next(target.parent.glob("target.ckpt.*"))
    data = bytearray(checkpoint.read_bytes())
    data[20] ^= 1
    checkpoint.write_bytes(data)
    done = run("send", [source], target, JOB, "-k1", server=own_sshd).done()
    assert target.read_bytes() == source.read_bytes()
    assert done.integer("TransferBytes") == SIZE


@BOTH
def test_a_wrong_block_is_found_and_sent_again_at_level_3(
    run: Run, tmp_path: Path, own_sshd: Sshd, source: Path, mode: str
) -> None:
    target = tmp_path / "in" / "target"
    target.parent.mkdir()
    interrupted(run, source, target, mode, 3, own_sshd)
    partial = next(target.parent.glob("target.job*"))
    with partial.open("r+b") as stream:
        stream.seek(BLOCK + 100)
        stream.write(b"something else")
    done = run(mode, [source], target, JOB, "-k3", server=own_sshd).done()
    assert target.read_bytes() == source.read_bytes()
    assert done.integer("TransferBytes") < SIZE


def test_samples_find_another_file_of_the_same_size_and_time_at_level_2(
    run: Run, tmp_path: Path, own_sshd: Sshd, source: Path
) -> None:
    target = tmp_path / "in" / "target"
    target.parent.mkdir()
    interrupted(run, source, target, "send", 2, own_sshd)
    source.write_bytes(random.Random(4).randbytes(SIZE))
    os.utime(source, (1_700_000_000, 1_700_000_000))
    done = run("send", [source], target, JOB, "-k2", server=own_sshd).done()
    assert target.read_bytes() == source.read_bytes()
    assert done.integer("TransferBytes") == SIZE


def test_a_source_that_has_changed_is_sent_from_its_beginning(
    run: Run, tmp_path: Path, own_sshd: Sshd, source: Path
) -> None:
    target = tmp_path / "in" / "target"
    target.parent.mkdir()
    interrupted(run, source, target, "send", 1, own_sshd)
    source.write_bytes(random.Random(5).randbytes(SIZE))
    done = run("send", [source], target, JOB, "-k1", server=own_sshd).done()
    assert target.read_bytes() == source.read_bytes()
    assert done.integer("TransferBytes") == SIZE


def test_a_partial_file_of_another_origin_is_not_believed(
    run: Run, tmp_path: Path, own_sshd: Sshd, source: Path
) -> None:
    target = tmp_path / "in" / "target"
    target.parent.mkdir()
    interrupted(run, source, target, "send", 1, own_sshd)
    partial = next(target.parent.glob("target.job*"))
    shutil.copy(partial, tmp_path / "copy")
    (tmp_path / "copy").replace(partial)
    run("send", [source], target, JOB, "-k1", server=own_sshd).done()
    assert target.read_bytes() == source.read_bytes()


def test_nothing_is_kept_at_level_0(run: Run, tmp_path: Path, own_sshd: Sshd, source: Path) -> None:
    target = tmp_path / "in" / "target"
    target.parent.mkdir()
    process = run("send", [source], target, JOB, "-l", "24m", server=own_sshd)
    process.listener.wait_for(blocks_have_moved)
    process.process.terminate()
    assert process.error() == 28
    assert list(target.parent.iterdir()) == []


def test_a_cancelled_session_leaves_what_a_later_one_can_use(
    run: Run, tmp_path: Path, own_sshd: Sshd, source: Path
) -> None:
    target = tmp_path / "in" / "target"
    target.parent.mkdir()
    process = run("send", [source], target, JOB, "-k1", "-l", "24m", server=own_sshd)
    process.listener.wait_for(blocks_have_moved)
    process.process.terminate()
    assert process.error() == 28
    done = run("send", [source], target, JOB, "-k1", server=own_sshd).done()
    assert target.read_bytes() == source.read_bytes()
    assert done.integer("TransferBytes") < SIZE - 2 * BLOCK + 1


def test_the_start_of_a_resumed_file_tells_where_it_goes_on(
    run: Run, tmp_path: Path, own_sshd: Sshd, source: Path
) -> None:
    target = tmp_path / "in" / "target"
    target.parent.mkdir()
    interrupted(run, source, target, "send", 1, own_sshd)
    process = run("send", [source], target, JOB, "-k1", server=own_sshd)
    done = process.done()
    (start,) = process.listener.of_type("START")
    assert start.integer("StartByte") == SIZE - done.integer("TransferBytes") > 0
    (stop,) = process.listener.of_type("STOP")
    assert stop.integer("Written") == SIZE
