"""The copying data plane between two folders of this machine: rules, partial files, and failures on purpose."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp import copying
from asperacentral.openascp.copying import CopyingPlane, CopyRules, partial_names
from asperacentral.openascp.failures import Failure, SessionFailure
from asperacentral.openascp.filesystem import LocalFile, LocalFileSystem
from asperacentral.openascp.pacing import Pacer
from asperacentral.openascp.plan import PlannedFile, PlannedFolder, make_plan


class Heard:
    """An observer that writes down what it hears."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []
        self.codes: list[int] = []
        self.moved_bytes = 0
        self.contiguous: list[int] = []

    def started(self, file: PlannedFile, size: int) -> None:
        self._note("started", file)

    def moved(self, file: PlannedFile, count: int, contiguous: int) -> None:
        self.moved_bytes += count
        self.contiguous.append(contiguous)

    def finished(self, file: PlannedFile, checksum: str = "") -> None:
        self._note("finished", file)

    def skipped(self, file: PlannedFile, size: int) -> None:
        self._note("skipped", file)

    def failed(self, file: PlannedFile, failure: Failure) -> None:
        self._note("failed", file)
        self.codes.append(failure.code)

    def path_failed(self, path: bytes, failure: Failure) -> None:
        self.events.append(("path failed", Path(os.fsdecode(path)).name))

    def folder_failed(self, folder: PlannedFolder, failure: Failure) -> None:
        self.events.append(("folder failed", Path(os.fsdecode(folder.source)).name))

    def _note(self, what: str, file: PlannedFile) -> None:
        self.events.append((what, Path(os.fsdecode(file.source)).name))


def copy(
    source: Path,
    target: Path,
    rules: CopyRules,
    *,
    destination: Callable[[], LocalFileSystem] = LocalFileSystem,
    rate: int = 100_000_000,
) -> Heard:
    heard = Heard()

    async def go() -> None:
        here, there = LocalFileSystem(), destination()
        try:
            plan = await make_plan(here, there, [os.fsencode(source)], os.fsencode(target), create_path=False)
            await CopyingPlane(here, there, Pacer(rate), rules).move(plan, heard)
        finally:
            here.close()
            there.close()

    asyncio.run(go())
    return heard


RULES = CopyRules(partial_tag=b"tag")


def expected(rule: str, level: int, older: bool, same_size: bool, differs_at: int | None) -> bool:
    """Whether the file is moved, said independently of the code under test."""
    seen = {
        0: True,
        1: not same_size,
        2: not same_size or differs_at == 0,
        3: not same_size or differs_at is not None,
    }
    return {
        "always": True,
        "never": False,
        "older": older,
        "diff": seen[level],
        "diff+older": older and seen[level],
    }[rule]


@pytest.mark.parametrize("rule", ["never", "always", "diff", "older", "diff+older"])
@pytest.mark.parametrize("level", range(4))
def test_every_rule_at_every_level(tmp_path: Path, rule: str, level: int) -> None:
    unsampled = 100_000  # of 2 MB the samples are 64 KiB at every 215 KB
    source, target = tmp_path / "source", tmp_path / "target"
    size = 2_000_000
    source.write_bytes(bytes(size))
    os.utime(source, (1000, 1000))
    for older in (True, False):
        for same_size, differs_at in ((True, None), (True, 0), (True, unsampled), (False, None)):
            data = bytearray(size if same_size else size + 1)
            if differs_at is not None:
                data[differs_at] = 1
            target.write_bytes(data)
            os.utime(target, (900, 900) if older else (1100, 1100))
            heard = copy(source, target, CopyRules(rule, level, b"tag"))
            moved = expected(rule, level, older, same_size, differs_at)
            assert heard.events[-1][0] == ("finished" if moved else "skipped")
            assert target.read_bytes() == (source.read_bytes() if moved else data)
            assert heard.moved_bytes == (size if moved else 0)


def test_what_is_contiguous_only_grows_to_the_size(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(bytes(5_000_000))
    heard = copy(tmp_path / "source", tmp_path / "target", RULES)
    assert max(heard.contiguous) == heard.moved_bytes == 5_000_000


def test_a_file_in_a_stale_first_name_is_written_under_the_second(tmp_path: Path) -> None:
    """So that the rename of a killed session, still on its way, finds nothing."""
    (tmp_path / "source").write_bytes(b"new")
    first, second = (os.fsdecode(name) for name in partial_names(os.fsencode(tmp_path / "target"), RULES))
    Path(first).write_bytes(b"half")
    names: list[str] = []

    class Watching(LocalFileSystem):
        async def rename(self, path: bytes, target: bytes, *, replace: bool) -> None:
            names.append(os.fsdecode(path))
            assert not Path(first).exists()
            await super().rename(path, target, replace=replace)

    copy(tmp_path / "source", tmp_path / "target", RULES, destination=Watching)
    assert names == [second]


class Failing(LocalFileSystem):
    """A destination whose writes fail after the first bytes."""

    def __init__(self, failure: Failure) -> None:
        super().__init__()
        self._failure = failure

    async def create(self, path: bytes, *, executable: bool) -> LocalFile | None:
        opened = await super().create(path, executable=executable)
        if opened is not None:
            real, failure = opened.write, self._failure

            async def write(offset: int, data: bytes) -> None:
                if offset:
                    raise failure
                await real(offset, data)

            opened.write = write  # type: ignore[method-assign]
        return opened


def test_failed_files_leave_nothing_and_free_their_blocks_for_the_others(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    for number in range(80):
        (source / f"{number:02}").write_bytes(bytes(700_000 if number % 2 else 1000))
    heard = copy(
        source, target, RULES, destination=lambda: Failing(Failure(FaspCode.DISK_WRITE)), rate=1_000_000
    )
    assert heard.codes == [36] * 40
    assert sorted(path.name for path in target.iterdir()) == [f"{number:02}" for number in range(0, 80, 2)]


def test_a_broken_session_ends_all_files(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    for number in range(40):
        (source / str(number)).write_bytes(bytes(2_000_000))
    with pytest.raises(SessionFailure) as broken:
        copy(source, target, RULES, destination=lambda: Failing(SessionFailure(FaspCode.CONNECTION_LOST)))
    assert broken.value.code == 16
    assert list(target.iterdir()) == []


def test_a_size_that_reads_back_wrong_fails_the_file(tmp_path: Path) -> None:
    class Forgetful(LocalFileSystem):
        async def create(self, path: bytes, *, executable: bool) -> LocalFile | None:
            opened = await super().create(path, executable=executable)
            assert opened is not None

            async def write(offset: int, data: bytes) -> None:
                return None

            opened.write = write  # type: ignore[method-assign]
            return opened

    (tmp_path / "source").write_bytes(b"something")
    heard = copy(tmp_path / "source", tmp_path / "target", RULES, destination=Forgetful)
    assert heard.codes == [36]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def test_never_does_not_replace_a_file_that_appears_meanwhile(tmp_path: Path) -> None:
    class Surprising(LocalFileSystem):
        async def rename(self, path: bytes, target: bytes, *, replace: bool) -> None:
            Path(os.fsdecode(target)).write_text("theirs")
            await super().rename(path, target, replace=replace)

    (tmp_path / "source").write_text("ours")
    heard = copy(
        tmp_path / "source", tmp_path / "target", CopyRules("never", 0, b"t"), destination=Surprising
    )
    assert heard.codes == [42]
    assert (tmp_path / "target").read_text() == "theirs"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_special_file_at_the_destination_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "source").write_text("x")
    os.mkfifo(tmp_path / "target")
    assert copy(tmp_path / "source", tmp_path / "target", RULES).codes == [21]


def test_a_folder_that_cannot_be_made_is_told_and_its_files_fail(tmp_path: Path) -> None:
    (tmp_path / "source" / "sub").mkdir(parents=True)
    (tmp_path / "source" / "sub" / "file").write_text("x")
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "source").mkdir()
    (tmp_path / "target" / "source" / "sub").write_text("in the way")
    heard = copy(tmp_path / "source", tmp_path / "target", RULES)
    assert heard.events == [("folder failed", "sub"), ("failed", "file")]


@given(st.binary(min_size=1, max_size=255).filter(lambda name: not set(name) & {0, 47}))
def test_partial_names_fit_stay_in_the_folder_and_differ_from_the_target(name: bytes) -> None:
    rules = CopyRules(partial_tag=b"t" * 64, partial_suffix=b".partial")
    for partial in partial_names(b"/folder/" + name, rules):
        folder, last = os.path.split(partial)
        assert folder == b"/folder"
        assert len(last) <= copying.LONGEST_NAME
        assert last != name
        assert last.endswith(b".partial")


def test_pausing_stops_the_blocks_and_resuming_goes_on() -> None:
    async def go() -> list[str]:
        order: list[str] = []
        pacer = Pacer(0)

        async def ask() -> None:
            await pacer.take(1000)
            order.append("granted")

        waiting = asyncio.create_task(ask())
        await asyncio.sleep(0.05)
        order.append("resumed")
        pacer.set_rate(1_000_000)
        await waiting
        return order

    assert asyncio.run(go()) == ["resumed", "granted"]


def test_a_file_that_gets_lost_is_a_failure_of_the_session_and_never_passed_over(tmp_path: Path) -> None:
    class Losing(LocalFileSystem):
        async def create(self, path: bytes, *, executable: bool) -> LocalFile | None:
            raise asyncio.CancelledError

    (tmp_path / "source").write_bytes(b"x")
    with pytest.raises(SessionFailure, match="1 files were neither moved nor reported"):
        copy(tmp_path / "source", tmp_path / "target", RULES, destination=Losing)
