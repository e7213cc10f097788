"""What moves where: cp's rules, folders, links, and names that are not to be trusted."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from asperacentral.openascp.failures import SessionFailure
from asperacentral.openascp.filesystem import Attributes, Kind, LocalFileSystem
from asperacentral.openascp.plan import Plan, make_plan


def plan(
    sources: list[Path | bytes],
    target: Path | bytes,
    *,
    create_path: bool = False,
    several: bool = False,
    source: LocalFileSystem | None = None,
) -> Plan:
    async def go() -> Plan:
        files = LocalFileSystem()
        try:
            return await make_plan(
                source or files,
                files,
                [os.fsencode(path) for path in sources],
                os.fsencode(target),
                create_path=create_path,
                several=several,
            )
        finally:
            files.close()

    return asyncio.run(go())


def targets(found: Plan) -> list[str]:
    return [os.fsdecode(file.target) for file in found.files]


def codes(found: Plan) -> list[int]:
    return [int(failure.code) for _, failure in found.failures]


@pytest.fixture
def one(tmp_path: Path) -> Path:
    (tmp_path / "one").write_text("1")
    return tmp_path / "one"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    (tree / "sub" / "empty").mkdir(parents=True)
    (tree / "a").write_text("a")
    (tree / "sub" / "b").write_text("bb")
    return tree


def test_one_file_takes_the_destinations_name(one: Path, tmp_path: Path) -> None:
    assert targets(plan([one], tmp_path / "new")) == [str(tmp_path / "new")]


def test_a_destination_that_is_a_folder_takes_the_file(one: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert targets(plan([one], tmp_path / "folder")) == [str(tmp_path / "folder" / "one")]


def test_a_destination_to_be_created_takes_the_file_and_lists_missing_parents(
    one: Path, tmp_path: Path
) -> None:
    found = plan([one], tmp_path / "x" / "y", create_path=True)
    assert targets(found) == [str(tmp_path / "x" / "y" / "one")]
    assert [Path(os.fsdecode(folder.target)).name for folder in found.folders] == ["x", "y"]


def test_several_sources_need_a_folder(one: Path, tree: Path, tmp_path: Path) -> None:
    with pytest.raises(SessionFailure) as refused:
        plan([one, tree], tmp_path / "new")
    assert refused.value.code == 4
    with pytest.raises(SessionFailure) as refused:
        plan([one, tree], one)
    assert refused.value.code == 6


@pytest.mark.parametrize("several", [True, False])
def test_a_list_needs_a_folder_however_short(one: Path, tmp_path: Path, several: bool) -> None:
    (tmp_path / "folder").mkdir()
    assert targets(plan([one], tmp_path / "folder", several=several)) == [str(tmp_path / "folder" / "one")]
    if several:
        with pytest.raises(SessionFailure):
            plan([one], tmp_path / "new", several=True)


def test_no_source_is_nothing_to_transfer(tmp_path: Path) -> None:
    with pytest.raises(SessionFailure) as refused:
        plan([], tmp_path)
    assert refused.value.code == 20


def test_a_folder_moves_with_all_below_it_empty_folders_too(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "into").mkdir()
    found = plan([tree], tmp_path / "into")
    assert targets(found) == [str(tmp_path / "into/tree/a"), str(tmp_path / "into/tree/sub/b")]
    names = [os.path.relpath(os.fsdecode(folder.target), tmp_path / "into") for folder in found.folders]
    assert names == ["tree", "tree/sub", "tree/sub/empty"]
    assert (found.total_bytes, found.folders_scanned, found.paths) == (3, 3, 5)


def test_a_folder_takes_a_new_destinations_name(tree: Path, tmp_path: Path) -> None:
    assert targets(plan([tree], tmp_path / "new"))[0] == str(tmp_path / "new" / "a")


@pytest.mark.parametrize("end", [b"/", b"/.", b"/./."])
def test_slashes_at_the_end_name_the_folder_and_a_dot_its_contents(
    tree: Path, tmp_path: Path, end: bytes
) -> None:
    (tmp_path / "into").mkdir()
    found = plan([os.fsencode(tree) + end], tmp_path / "into")
    inner = "into/tree/a" if end == b"/" else "into/a"
    assert targets(found)[0] == str(tmp_path / inner)


def test_a_missing_source_fails_and_the_others_go_on(one: Path, tmp_path: Path) -> None:
    found = plan([tmp_path / "gone", one], tmp_path)
    assert codes(found) == [4]
    assert len(found.files) == found.arguments_completed == 1
    assert found.arguments == 2


def test_links_are_followed(tree: Path, one: Path, tmp_path: Path) -> None:
    (tree / "link").symlink_to(one)
    (tree / "folder link").symlink_to(tree / "sub")
    found = plan([tree], tmp_path / "new")
    assert [os.path.relpath(name, tmp_path / "new") for name in targets(found)] == [
        "a",
        "folder link/b",
        "link",
        "sub/b",
    ]
    assert found.total_bytes == 6


def test_a_link_back_into_its_parents_is_refused(tree: Path, tmp_path: Path) -> None:
    (tree / "sub" / "up").symlink_to(tree)
    found = plan([tree], tmp_path / "new")
    assert codes(found) == [63]
    assert len(found.files) == 2


def test_a_link_to_nowhere_and_a_special_file_fail_by_themselves(tree: Path, tmp_path: Path) -> None:
    (tree / "lost").symlink_to("nowhere")
    os.mkfifo(tree / "pipe")
    found = plan([tree], tmp_path / "new")
    assert sorted(codes(found)) == [4, 21]
    assert found.irregular == 1
    assert len(found.files) == 2


def test_two_sources_never_share_a_target(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a").write_text("other")
    (tmp_path / "into").mkdir()
    found = plan([tree / "a", tmp_path / "other" / "a"], tmp_path / "into")
    assert codes(found) == [3]
    assert len(found.files) == 1


def test_two_folders_of_one_name_are_joined_file_by_file(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "x" / "tree").mkdir(parents=True)
    (tmp_path / "x" / "tree" / "c").write_text("c")
    (tmp_path / "x" / "tree" / "sub").write_text("a file where the other has a folder")
    (tmp_path / "into").mkdir()
    found = plan([tree, tmp_path / "x" / "tree"], tmp_path / "into")
    assert len(found.files) == 3
    assert codes(found) == [3]


class Hostile(LocalFileSystem):
    """A far side that makes up names."""

    def __init__(self, names: list[bytes]) -> None:
        super().__init__()
        self._names = names

    async def entries(self, path: bytes) -> list[tuple[bytes, Attributes]]:
        return [(name, Attributes(Kind.FILE, 1)) for name in self._names]


def test_names_that_would_leave_the_destination_are_refused(tree: Path, tmp_path: Path) -> None:
    names = [b"..", b"../../etc/passwd", b"/etc/passwd", b"a/b", b"x\0y", b"", b".", b"good"]
    found = plan([tree], tmp_path / "new", source=Hostile(names))
    assert targets(found) == [str(tmp_path / "new" / "good")]
    assert codes(found) == [41] * 7


def test_hundreds_of_folders_deep_is_no_problem(tmp_path: Path) -> None:
    depth = 400
    (tmp_path / "d").mkdir()
    before = Path.cwd()
    try:
        os.chdir(tmp_path / "d")
        for _ in range(depth):
            Path("d").mkdir()
            os.chdir("d")
    finally:
        os.chdir(before)
    found = plan([tmp_path / "d"], tmp_path / "new")
    assert found.folders_scanned == depth + 1
