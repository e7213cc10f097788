from __future__ import annotations

import errno
import itertools
import os
import random
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asperacentral.openascp import kernel
from asperacentral.openascp.confined import BadPathError, Files, confined

WAYS = [
    pytest.param(True, id="openat2", marks=pytest.mark.skipif(not kernel.has_openat2(), reason="no openat2")),
    pytest.param(False, id="walk"),
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "sub").mkdir(parents=True)
    (folder / "file").write_text("inside")
    (folder / "sub" / "deep").write_text("deep inside")
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "root-beside").mkdir()
    (tmp_path / "root-beside" / "file").write_text("secret")
    return folder


@pytest.fixture(params=WAYS)
def files(request: pytest.FixtureRequest, root: Path) -> Iterator[Files]:
    with confined(os.fsencode(root), use_openat2=request.param) as opened:
        yield opened


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def content(files: Files, path: bytes) -> str:
    with os.fdopen(files.open_file(path, os.O_RDONLY), encoding="ascii") as opened:
        return opened.read()


# Names


NAMES = [b"new\nline", b"\x1b[2Jescape", b"\xff\xfe not utf-8", b"x" * 255, b"-rf", b" ", b"...", b"\\..\\x"]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_that_the_file_system_takes_is_made_and_found_again(files: Files, name: bytes) -> None:
    os.close(files.open_file(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    assert name in [found for found, _ in files.entries(b"")]
    files.rename(name, b"sub/" + name, replace=False)
    assert files.resolve(b"sub/" + name) == b"sub/" + name
    files.remove(b"sub/" + name)
    assert not files.exists(b"sub/" + name)


BAD_NAMES = [b"..", b"../secret", b"sub/../../secret", b"/etc/passwd", b"a\0b", b"./file", b"sub//deep"]


@pytest.mark.parametrize("name", [*BAD_NAMES, b"a/" * 2000 + b"a" * 200, b"a" * 256])
def test_a_name_that_is_not_a_plain_way_down_is_refused_by_every_method(files: Files, name: bytes) -> None:
    calls: list[Callable[[], object]] = [
        lambda: files.open(name, os.O_RDONLY),
        lambda: files.open_file(name, os.O_WRONLY | os.O_CREAT),
        lambda: files.stat(name),
        lambda: files.entries(name),
        lambda: files.make_folder(name),
        lambda: files.make_folders(name),
        lambda: files.remove(name),
        lambda: files.remove_folder(name),
        lambda: files.rename(name, b"x"),
        lambda: files.rename(b"file", name),
        lambda: files.link(b"file", name),
        lambda: files.link(name, b"x"),
        lambda: files.read_link(name),
        lambda: files.make_link(b"file", name),
        lambda: files.set_mode(name, 0o777),
        lambda: files.set_times(name, 0, 0, follow=False),
        lambda: files.resolve(name),
        lambda: files.folder(name),
    ]
    for call in calls:
        with pytest.raises(BadPathError):
            call()
    assert content(files, b"file") == "inside"


def test_the_root_is_listed_but_neither_removed_nor_renamed(files: Files) -> None:
    assert [name for name, _ in files.entries(b"")] == [b"file", b"sub"]
    assert stat.S_ISDIR(files.stat(b"").st_mode)
    with pytest.raises(BadPathError, match="itself"):
        files.remove_folder(b"")
    with pytest.raises(BadPathError, match="itself"):
        files.rename(b"", b"x")


# Links


@pytest.mark.parametrize("text", ["sub", "./sub/", "sub/../sub", "chain"])
def test_a_link_that_stays_inside_works(files: Files, root: Path, text: str) -> None:
    (root / "chain").symlink_to("sub")
    (root / "link").symlink_to(text)
    assert content(files, b"link/deep") == "deep inside"
    assert files.resolve(b"link/deep") == b"sub/deep"
    assert files.resolve(b"link/none/at/all") == b"sub/none/at/all"


def test_an_absolute_link_back_into_the_root_works(files: Files, root: Path) -> None:
    (root / "link").symlink_to(root / "sub" / ".." / "sub")
    assert content(files, b"link/deep") == "deep inside"
    assert files.resolve(b"link") == b"sub"


def test_a_link_to_a_file_that_is_not_there_yet_makes_it_inside(files: Files, root: Path) -> None:
    (root / "sub" / "link").symlink_to(root / "made")
    os.close(files.open_file(b"sub/link", os.O_WRONLY | os.O_CREAT))
    assert (root / "made").exists()


OUTSIDE = [
    "../secret",
    "../../x",
    "..",
    "/etc/passwd",
    "/",
    "../root-beside/file",
    "sub/../../secret",
    "../root/file",
]


@pytest.mark.parametrize("text", OUTSIDE)
def test_a_link_that_leads_outside_is_refused_at_the_end_and_on_the_way(
    files: Files, root: Path, text: str
) -> None:
    (root / "link").symlink_to(text)
    calls: list[Callable[[], object]] = [
        lambda: files.open(b"link", os.O_RDONLY),
        lambda: files.open(b"link/x", os.O_RDONLY),
        lambda: files.open_file(b"link/x", os.O_WRONLY | os.O_CREAT),
        lambda: files.stat(b"link"),
        lambda: files.entries(b"link"),
        lambda: files.make_folder(b"link/x"),
        lambda: files.make_folders(b"link/x/y"),
        lambda: files.rename(b"file", b"link/x"),
        lambda: files.link(b"file", b"link/x"),
        lambda: files.remove(b"link/secret"),
        lambda: files.set_mode(b"link", 0o777),
        lambda: files.set_times(b"link", 0, 0),
        lambda: files.set_owner(b"link", os.getuid(), -1),
        lambda: files.make_link(os.fsencode(text), b"other"),
        lambda: files.resolve(b"link/x"),
    ]
    for call in calls:
        with pytest.raises(BadPathError):
            call()
    assert stat.S_ISLNK(files.stat(b"link", follow=False).st_mode)
    assert files.read_link(b"link") == os.fsencode(text)
    files.remove(b"link")
    assert (root.parent / "secret").read_text() == "secret"


def test_a_loop_of_links_ends_as_the_kernel_ends_it(files: Files, root: Path) -> None:
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    for call in (
        lambda: files.open(b"a", os.O_RDONLY),
        lambda: files.stat(b"a/x"),
        lambda: files.resolve(b"a"),
    ):
        with pytest.raises(OSError) as raised:
            call()
        assert raised.value.errno == errno.ELOOP


def test_magic_links_of_proc_are_not_followed() -> None:
    for use_openat2 in (True, False):
        with confined(b"/proc", use_openat2=use_openat2) as files, pytest.raises(OSError):
            os.close(files.open(b"%d/root/etc/passwd" % os.getpid(), os.O_RDONLY))


def test_the_root_may_itself_be_reached_through_a_link(root: Path) -> None:
    other = root.parent / "other"
    other.symlink_to(root)
    (root / "back").symlink_to(other / "sub")
    with confined(os.fsencode(other)) as files:
        assert files.root == os.fsencode(root)
        assert content(files, b"back/deep") == "deep inside"


# What the methods do


def test_renaming_without_replacing_never_replaces(files: Files, root: Path) -> None:
    with pytest.raises(FileExistsError):
        files.rename(b"file", b"sub/deep", replace=False)
    files.rename(b"file", b"sub/free", replace=False)
    files.rename(b"sub/free", b"sub/deep")
    assert (root / "sub" / "deep").read_text() == "inside"


def test_a_file_system_without_such_a_rename_gets_a_link_instead(
    files: Files, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, "rename_without_replacing", lambda *_: False)
    with pytest.raises(FileExistsError):
        files.rename(b"file", b"sub/deep", replace=False)
    files.rename(b"file", b"sub/free", replace=False)
    assert not (root / "file").exists()
    assert (root / "sub" / "free").read_text() == "inside"


def test_folders_are_made_as_far_as_they_are_missing(files: Files, root: Path) -> None:
    files.make_folders(b"sub/x/y/z")
    files.make_folders(b"sub/x/y/z")
    files.make_folders(b"")
    assert (root / "sub" / "x" / "y" / "z").is_dir()
    with pytest.raises(NotADirectoryError):
        files.make_folders(b"file/x")


def test_only_regular_files_are_opened_as_files(files: Files, root: Path) -> None:
    os.mkfifo(root / "pipe")
    with pytest.raises(PermissionError, match="regular"):
        files.open_file(b"pipe", os.O_RDONLY)
    with pytest.raises(IsADirectoryError):
        files.open_file(b"sub", os.O_RDONLY)


def test_attributes_are_set_on_what_a_name_leads_to_or_on_the_link_itself(files: Files, root: Path) -> None:
    (root / "link").symlink_to("file")
    files.set_mode(b"link", 0o640)
    files.set_times(b"link", 1_000_000_001, 2_000_000_002)
    files.set_times(b"link", 3, 4, follow=False)
    files.set_owner(b"link", os.getuid(), os.getgid())
    assert stat.S_IMODE((root / "file").stat().st_mode) == 0o640
    assert (root / "file").stat().st_mtime_ns == 2_000_000_002
    assert (root / "link").lstat().st_mtime_ns == 4


def test_links_are_made_read_and_linked_again(files: Files, root: Path) -> None:
    files.make_link(b"../file", b"sub/link")
    files.make_link(b"not/there/../yet", b"later")
    files.link(b"file", b"sub/twin")
    assert files.read_link(b"sub/link") == b"../file"
    assert (root / "sub" / "twin").stat().st_ino == (root / "file").stat().st_ino


def test_a_descriptor_is_not_handed_to_other_programs(files: Files) -> None:
    descriptor = files.open(b"file", os.O_RDONLY)
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)


def test_no_descriptor_is_left_behind(files: Files, root: Path) -> None:
    (root / "out").symlink_to("..")
    (root / "loop").symlink_to("loop")
    before = open_descriptors()
    for name in (b"sub/deep", b"out/x", b"loop/x", b"none/x", b"file/x", b"sub/none"):
        for call in (files.stat, files.resolve, files.entries, files.make_folder):
            try:
                call(name)
            except OSError:
                continue
    assert open_descriptors() == before


def test_without_a_root_paths_are_as_the_kernel_takes_them(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root / "sub")
    with confined(None) as files:
        assert content(files, b"../file") == "inside"
        assert content(files, os.fsencode(root / "file")) == "inside"
        assert [name for name, _ in files.entries(b"")] == [b"deep"]
        files.make_link(b"../../secret", b"link")
        assert content(files, b"link") == "secret"
        files.rename(b"deep", os.fsencode(root / "moved"), replace=False)
        with pytest.raises(BadPathError):
            files.stat(b"a\0b")


# Both ways to open agree


words = st.sampled_from(
    ["a", "b", "c", "..", ".", "a/b", "b/c", "../a", "/", "{root}", "{root}/a", "{root}/../x"]
)
link_texts = st.lists(words, min_size=1, max_size=4).map("/".join)
trees = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c", "a/b", "b/c", "c/a"]), st.none() | link_texts), max_size=6
)
ways_down = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4).map("/".join)


@pytest.mark.skipif(not kernel.has_openat2(), reason="no openat2 to compare with")
@given(trees, ways_down, st.sampled_from([os.O_RDONLY, os.O_PATH, os.O_PATH | os.O_NOFOLLOW, os.O_DIRECTORY]))
@settings(max_examples=300, deadline=None)
def test_kernel_and_walk_find_the_same_and_never_what_is_outside(
    tree: list[tuple[str, str | None]], name: str, flags: int
) -> None:
    with tempfile.TemporaryDirectory() as top:
        folder = Path(os.path.realpath(top), "root")
        folder.mkdir()
        for place, text in tree:
            entry = folder / place
            if os.path.lexists(entry) or not entry.parent.is_dir():
                continue
            if text is None:
                entry.mkdir()
            else:
                entry.symlink_to(text.replace("{root}", str(folder)))
        outcomes = [_outcome(folder, os.fsencode(name), flags, use_openat2=way) for way in (True, False)]
        assert outcomes[0] == outcomes[1]
        if isinstance(outcomes[0], str):
            assert outcomes[0] == str(folder) or outcomes[0].startswith(f"{folder}/")


def _outcome(folder: Path, name: bytes, flags: int, *, use_openat2: bool) -> str | int | None:
    with confined(os.fsencode(folder), use_openat2=use_openat2) as files:
        try:
            descriptor = files.open(name, flags)
        except OSError as error:
            return error.errno
        try:
            return str(Path(f"/proc/self/fd/{descriptor}").readlink())
        finally:
            os.close(descriptor)


# Races


class Renaming:
    """Does the same renames over and over while it is entered; they end where they began."""

    def __init__(self, *steps: tuple[Path, Path]) -> None:
        self._steps = steps
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.rounds = 0

    def _run(self) -> None:
        while not self._done.is_set():
            for name, target in self._steps:
                name.rename(target)
            self.rounds += 1

    def __enter__(self) -> Renaming:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


TRIES = 1500
PATIENCE = 60.0
JITTER = 0.0002


def tries(outcomes: set[object], wanted: set[object]) -> Iterator[int]:
    """At least TRIES, and more until all `wanted` outcomes were seen, for a minute at most.

    On a busy machine the threads may fall into step, so that one always looks at the same moment of the other's
    round; then looking a little late breaks the step.
    """
    until = time.monotonic() + PATIENCE
    for number in itertools.count():
        if number >= TRIES:
            if wanted <= outcomes or time.monotonic() > until:
                return
            time.sleep(random.uniform(0, JITTER))
        yield number


def test_swapping_a_folder_for_a_link_never_leads_outside(files: Files, root: Path) -> None:
    outside = root.parent / "root-beside"
    (root / "folder").mkdir()
    (root / "folder" / "file").write_text("inside")
    (root / "folder" / "below").mkdir()
    (outside / "below").mkdir()
    (root / "trap").symlink_to("../root-beside")
    outcomes: set[object] = set()
    folder, trap, between = root / "folder", root / "trap", root / "between"
    with Renaming((folder, between), (trap, folder), (folder, trap), (between, folder)) as renaming:
        for number in tries(outcomes, {"inside", "BadPathError"}):
            calls: list[Callable[[], object]] = [
                lambda: content(files, b"folder/file"),
                lambda number=number: files.make_folder(b"folder/below/%d" % number),  # type: ignore[misc]
                lambda: os.close(files.open_file(b"folder/new", os.O_CREAT | os.O_WRONLY)),
                lambda: files.set_mode(b"folder/file", 0o600),
                lambda: files.rename(b"folder/new", b"folder/below/new"),
            ]
            for call in calls:
                try:
                    outcomes.add(call())
                except OSError as error:
                    outcomes.add(type(error).__name__)
    assert renaming.rounds > 0
    assert "secret" not in outcomes
    assert {"inside", "BadPathError"} <= outcomes, "the race was never lost or never won"
    assert sorted(entry.name for entry in outside.iterdir()) == ["below", "file"]
    assert not list((outside / "below").iterdir())
    assert stat.S_IMODE((outside / "file").stat().st_mode) != 0o600


def test_moving_a_folder_up_while_dots_are_followed_never_leads_outside(files: Files, root: Path) -> None:
    """A link's text full of `..` is followed while the folder that holds it moves nearer to the root and back."""
    low, moved = root / "sub" / "low", root / "low"
    low.mkdir()
    (low / "up").symlink_to("../../secret")
    (root / "secret").write_text("inside")
    outcomes: set[object] = set()
    with Renaming((low, moved), (moved, low)) as renaming:
        for _ in tries(outcomes, {"inside"}):
            try:
                outcomes.add(content(files, b"sub/low/up"))
            except OSError as error:
                outcomes.add(type(error).__name__)
    assert renaming.rounds > 0
    assert "inside" in outcomes
    assert "secret" not in outcomes
