"""What is told to be complete is on the disk."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from asperacentral.openascp import kernel
from asperacentral.openascp.failures import SessionFailure
from asperacentral.openascp.syncing import Syncing
from tests.openascp.exchange.pair import Pair

REMOVE = [True, b"", False, False, False]


@pytest.fixture
def sources(tmp_path: Path) -> list[Path]:
    """Some files and a folder."""
    (tmp_path / "folder").mkdir()
    for number in range(20):
        (tmp_path / "folder" / f"f{number}").write_bytes(bytes([number]) * 3000)
    (tmp_path / "file").write_text("file")
    return [tmp_path / "folder", tmp_path / "file"]


def test_a_session_ends_only_after_all_its_files_were_synced(
    sources: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = Pair(sources, tmp_path / "to")
    seen: list[tuple[int, int]] = []

    def sync(descriptor: int) -> bool:
        there = [path for path in (tmp_path / "to").rglob("*") if path.is_file()]
        seen.append((len(there), pair.receiver.names().count("finished")))
        return kernel_sync(descriptor)

    kernel_sync = kernel.sync_file_system
    monkeypatch.setattr(kernel, "sync_file_system", sync)
    pair.run()
    assert seen == [(21, 21)]


def test_a_disk_that_does_not_take_what_was_written_ends_the_session(
    sources: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_descriptor: int) -> bool:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(kernel, "sync_file_system", fail)
    for afterwards in ([], REMOVE):
        with pytest.raises(SessionFailure, match="could not be brought to the disk"):
            Pair(sources, tmp_path / "to", afterwards=afterwards).run()
    assert (tmp_path / "file").exists()
    assert len(list((tmp_path / "folder").iterdir())) == 20


@pytest.mark.parametrize("skipped", [False, True])
def test_sources_go_only_after_their_files_were_synced(
    sources: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, skipped: bool
) -> None:
    if skipped:
        Pair(sources, tmp_path / "to").run()
    synced: set[str] = set()
    safe: list[set[str]] = []

    def sync(descriptor: int) -> bool:
        there = {path.name for path in (tmp_path / "to").rglob("*") if path.is_file()}
        left = {path.name for source in sources for path in (source, *source.glob("*")) if path.is_file()}
        safe.append(left | synced)
        synced.update(there)
        return True

    monkeypatch.setattr(kernel, "sync_file_system", sync)
    Pair(sources, tmp_path / "to", resume_level=1, afterwards=[True, b"", True, False, False]).run()
    everything = {f"f{number}" for number in range(20)} | {"file"}
    assert safe
    assert all(everything <= each for each in safe)  # the source is there, or its copy was synced
    assert not list((tmp_path / "folder").iterdir())


def test_every_file_system_that_was_written_to_is_synced_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []

    def sync(descriptor: int) -> bool:
        synced.append(descriptor)
        return True

    monkeypatch.setattr(kernel, "sync_file_system", sync)
    syncing = Syncing()
    with (tmp_path / "a").open("wb") as one, (tmp_path / "b").open("wb") as two:
        syncing.wrote(one.fileno())
        syncing.wrote(two.fileno())
    syncing.sync()
    assert len(synced) == 1
    syncing.close()
    syncing.sync()
    assert len(synced) == 1


def test_the_kernel_syncs_a_file_system(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as file:
        assert kernel.sync_file_system(file.fileno()) in (True, False)
    with pytest.raises(OSError, match=r".") as caught:
        kernel.sync_file_system(-1)
    assert caught.value.errno == errno.EBADF
