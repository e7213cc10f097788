"""Which files are recorded by name, and that all are counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asperacentral.central.model import FileRecord
from asperacentral.central.query import FileTransferFilter
from asperacentral.central.recording import Recording
from asperacentral.fasp.management import MessageType as M
from tests.central.world import World

ALL = Recording(
    files_per_session=0,
    ignore_empty_files=False,
    ignore_skipped_files=False,
    ignore_no_transfer_files=False,
)


def a_file(status: str = "completed", size: int = 10, start_offset: int = 0) -> FileRecord:
    return FileRecord("s", "/a", 1, "1", 0.0, status=status, size=size, start_offset=start_offset)


@pytest.mark.parametrize(
    ("file", "skipped", "unless"),
    [
        (a_file("error"), False, {"file_errors": False}),
        (a_file("error", size=0), False, {"file_errors": False}),
        (a_file(size=0), False, {"ignore_empty_files": True}),
        (a_file("running", size=0), False, {"ignore_empty_files": True}),
        (a_file(start_offset=10), False, {"ignore_no_transfer_files": True}),
        (a_file(start_offset=10), True, {"ignore_skipped_files": True}),
        (a_file(size=0), True, {"ignore_skipped_files": True}),
    ],
)
def test_each_kind_of_file_has_the_one_option_that_leaves_it_out(
    file: FileRecord, skipped: bool, unless: dict[str, bool]
) -> None:
    options = {name: getattr(ALL, name) for name in Recording.__dataclass_fields__}
    assert ALL.wants(file, 10**9, skipped=skipped)
    assert not Recording(**{**options, **unless}).wants(file, 0, skipped=skipped)
    ((name, value),) = unless.items()
    everything_else = {
        "files_per_session": 0,
        "file_errors": False,
        "ignore_empty_files": True,
        "ignore_skipped_files": True,
        "ignore_no_transfer_files": True,
        name: not value,
    }
    assert Recording(**everything_else).wants(file, 0, skipped=skipped)  # type: ignore[arg-type]


@pytest.mark.parametrize("file", [a_file(), a_file(start_offset=9), a_file("running")])
def test_files_that_were_moved_are_recorded_whatever_else_is_not(file: FileRecord) -> None:
    assert Recording(file_errors=False).wants(file, 0)


def recorded(world: World) -> list[str]:
    return [file.path for file in world.result(world.central.query_files(FileTransferFilter())).items]


def moved(world: World, path: str, size: int = 10) -> None:
    world.says(M.START, File=path, Size=size)
    world.says(M.STOP, File=path, Size=size, Written=size)


def a_world(folder: Path, **options: Any) -> World:
    world = World(folder, recording=Recording(**options))
    world.submit()
    world.says(M.SESSION)
    return world


def test_empty_skipped_and_complete_files_are_counted_but_not_recorded(tmp_path: Path) -> None:
    world = a_world(tmp_path)
    moved(world, "/data/full")
    moved(world, "/data/empty", size=0)
    world.says(M.STOP, File="/data/there", Size=10, StartByte=10, Written=10)
    world.says(M.SKIP, File="/data/skipped", Size=10)
    world.says(M.FILEERROR, File="/data/failed", Code=4)
    assert recorded(world) == ["/data/full", "/data/failed"]
    record = world.result(world.central.query_session(world.session_id))
    assert (record.file_count, record.files_complete, record.files_failed) == (5, 4, 1)
    world.close()


def test_all_are_recorded_when_the_options_say_so(tmp_path: Path) -> None:
    world = a_world(
        tmp_path, ignore_empty_files=False, ignore_skipped_files=False, ignore_no_transfer_files=False
    )
    moved(world, "/data/empty", size=0)
    world.says(M.STOP, File="/data/there", Size=10, StartByte=10, Written=10)
    world.says(M.SKIP, File="/data/skipped", Size=10)
    assert recorded(world) == ["/data/empty", "/data/there", "/data/skipped"]
    world.close()


def test_failed_files_are_not_recorded_when_the_option_says_so(tmp_path: Path) -> None:
    world = a_world(tmp_path, file_errors=False)
    world.says(M.FILEERROR, File="/data/failed", Code=4)
    world.says(M.START, File="/data/cut-off", Size=5)
    world.fails()
    assert recorded(world) == []
    assert world.result(world.central.query_session(world.session_id)).files_failed == 2
    world.close()


def test_the_files_of_a_session_are_recorded_up_to_a_number_also_across_a_restart(tmp_path: Path) -> None:
    world = a_world(tmp_path, files_per_session=3)
    moved(world, "/data/empty", size=0)
    for number in range(2):
        moved(world, f"/data/{number}")
    world.advance(6)
    launched = world.transfers.launched[0]
    world.restart()
    world.transfers.launched.append(launched)
    for number in range(2, 5):
        moved(world, f"/data/{number}")
    world.says(M.START, File="/data/5", Size=5)
    assert recorded(world) == ["/data/0", "/data/1", "/data/2"]
    assert world.result(world.central.query_session(world.session_id)).files_complete == 6
    world.close()


def test_a_changed_policy_holds_for_the_files_that_follow(tmp_path: Path) -> None:
    world = a_world(tmp_path)
    moved(world, "/data/a", size=0)
    world.central.runner.recording = ALL
    moved(world, "/data/b", size=0)
    assert recorded(world) == ["/data/b"]
    world.close()
