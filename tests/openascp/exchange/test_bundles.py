"""Small files in bundles end as they do one by one, whatever happens to them on the way."""

from __future__ import annotations

import contextlib
import os
import random
import stat
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.confined import confined
from asperacentral.openascp.exchange import partial
from asperacentral.openascp.exchange.bundle import GOOD, SMALL, VOID
from asperacentral.openascp.exchange.finishing import Finisher
from asperacentral.openascp.exchange.messages import DONE, FAILED, FILE, Entry, Settled, Verdict
from asperacentral.openascp.exchange.sharing import SharedFiles
from asperacentral.openascp.exchange.target import Target
from asperacentral.openascp.exchange.terms import Terms
from asperacentral.openascp.exchange.writing import StreamWriter
from asperacentral.openascp.plan import PlannedFile
from tests.openascp.exchange.pair import Pair

LONG_AGO = 1_600_000_000_123_456_789
CODE = int(FaspCode.DISK_READ)


def fill(folder: Path) -> None:
    """Files of all sorts, in folders."""
    noise = random.Random(5).randbytes
    for number in range(150):
        (folder / f"f{number:03}").write_bytes(bytes([number]) * (number * 37 % 5000))
    (folder / "large").write_bytes(noise(3 * 1024 * 1024))
    (folder / "largest small").write_bytes(noise(SMALL))
    (folder / "smallest large").write_bytes(noise(SMALL + 1))
    (folder / ("n" * 255)).write_text("a name as long as can be")
    (folder / "program").write_text("#!/bin/sh\n")
    (folder / "program").chmod(0o755)
    (folder / "link").symlink_to("f001")
    for name in ("vanishes", "changes", "grows", "shrinks", "becomes a folder", "becomes a pipe"):
        (folder / name).write_text(f"this {name}")
    for number in range(20):
        (folder / "deep" / str(number)).mkdir(parents=True)
        for each in range(number % 4):
            (folder / "deep" / str(number) / f"{each}").write_text(f"{number} {each}")
    for path in folder.rglob("*"):
        os.utime(path, ns=(LONG_AGO, LONG_AGO), follow_symlinks=False)


def spoil(file: Path) -> None:
    """What happens to some files after they were announced and before they are read."""
    name = file.name
    if name in ("vanishes", "becomes a folder", "becomes a pipe"):
        file.unlink()
    if name == "becomes a folder":
        file.mkdir()
    elif name == "becomes a pipe":
        os.mkfifo(file)
    elif name in ("changes", "grows", "shrinks"):
        size = file.stat().st_size + {"changes": 0, "grows": 5, "shrinks": -5}[name]
        file.write_bytes(b"x" * size)


def tree(folder: Path) -> dict[str, Any]:
    """All there is, with its bytes, its mode, and whether it has its time."""
    return {
        str(path.relative_to(folder)): (
            path.read_bytes() if path.is_file() else None,
            stat.S_IMODE(path.lstat().st_mode),
            path.lstat().st_mtime_ns == LONG_AGO,
        )
        for path in sorted(folder.rglob("*"))
    }


def outcomes(heard: list[tuple[str, tuple[Any, ...]]]) -> dict[str, list[Any]]:
    """What was told of each file, its bytes counted together."""
    told: dict[str, list[Any]] = {}
    for name, arguments in heard:
        if not arguments or not isinstance(arguments[0], PlannedFile):
            continue
        of_file = told.setdefault(os.fsdecode(arguments[0].source), [])
        if name == "moved" and of_file[-1][0] == "moved":
            of_file[-1] = ("moved", of_file[-1][1] + arguments[1])
        elif name == "failed":
            of_file[:] = [("failed", int(arguments[1].code), str(arguments[1]))]
        else:
            of_file.append((name, arguments[1] if name == "moved" else None))
    return told


def moved(base: Path, features: tuple[str, ...], prepare: Callable[[Path], None], **terms: Any) -> Any:
    """Move the same tree, and tell what there is then and what was told."""
    base.mkdir()
    source, target = base / "source", base / "target"
    source.mkdir()
    fill(source)
    target.mkdir()
    prepare(target)
    with contextlib.chdir(base):
        pair = Pair([Path("source")], Path("target"), features=features, **terms)
        pair.sender.when("started", lambda file, _size: spoil(base / os.fsdecode(file.source)))
        pair.run()
    return tree(target), outcomes(pair.sender.heard), outcomes(pair.receiver.heard)


def nothing(_target: Path) -> None: ...


def some_there(target: Path) -> None:
    """An older copy, a file with another size, a folder and a pipe where files are to be, a partial file."""
    there = target / "source"
    there.mkdir()
    (there / "f010").write_bytes(bytes([10]) * 370)
    (there / "f011").write_text("something else")
    (there / "f012").mkdir()
    os.mkfifo(there / "f013")
    (there / "f014..partial").write_text("half of it, as it was once")


@pytest.mark.parametrize(
    ("prepare", "terms"),
    [
        (nothing, {}),
        (nothing, {"preserve": [True, True, False, False, False, "none", "none"]}),
        (nothing, {"resume_level": 1, "overwrite": "never"}),
        (nothing, {"checksum": "md5"}),
        (nothing, {"save": True, "save_suffix": b"old"}),
        (some_there, {}),
        (some_there, {"overwrite": "always"}),
        (some_there, {"overwrite": "diff+older", "resume_level": 2}),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else value.__name__,
)
def test_all_ends_as_it_does_one_by_one(
    tmp_path: Path, prepare: Callable[[Path], None], terms: dict[str, Any]
) -> None:
    one_by_one = moved(tmp_path / "a", (), prepare, **terms)
    bundled = moved(tmp_path / "b", ("bundles", "pressed"), prepare, **terms)
    for singly, together in zip(one_by_one, bundled, strict=True):
        assert together == singly
    told = bundled[1]
    assert told["source/vanishes"][0][0] == told["source/changes"][0][0] == "failed"
    assert told["source/f000"][-1][0] == "finished"


def test_what_is_given_up_meanwhile_does_not_come(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for number in range(50):
        (source / f"{number:02}").write_text("some bytes")
    pair = Pair([source], tmp_path / "to")
    pair.sender.when("started", lambda file, _size: pair.halves[0].withdraw(file.source[:-1] + b"7"))
    pair.run()
    there = {path.name for path in (tmp_path / "to" / "source").iterdir()}
    assert there == {f"{number:02}" for number in range(50) if number % 10 != 7}


# The writer alone, which gets bytes as a network brings them.

SIZES = st.lists(st.integers(0, 40), min_size=1, max_size=8)


def targets(folder: bytes, sizes: list[int], *, fresh: bool) -> list[Target]:
    found = []
    for number, size in enumerate(sizes):
        place, terms = folder + b"/%d" % number, Terms(folder)
        names = partial.partial_name(place, terms), partial.checkpoint_name(place, terms)
        entry = Entry(number, 0, b"%d" % number, FILE, size, 0, 0o644)
        found.append(Target(entry, place, *names, None, ((0, size),) if size else (), fresh=fresh))
    return found


@settings(max_examples=60, deadline=None)
@given(sizes=SIZES, fresh=st.booleans(), data=st.data())
def test_however_bytes_come_whole_files_get_their_names_and_others_none(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], fresh: bool, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("bundle")
    bad = data.draw(st.sets(st.integers(0, len(sizes) - 1)))
    refused = data.draw(st.sets(st.integers(0, len(sizes) - 1)))
    contents = [bytes([65 + number]) * size for number, size in enumerate(sizes)]
    stream = b"".join(content + (VOID if number in bad else GOOD) for number, content in enumerate(contents))
    cuts = sorted({0, len(stream), *data.draw(st.lists(st.integers(0, len(stream)), max_size=10))})
    pieces = data.draw(st.permutations([(start, stream[start:end]) for start, end in pairwise(cuts)]))
    terms = Terms(bytes(folder))
    with confined(None) as files:
        writer = StreamWriter(files, lambda: None, Finisher(files, terms), SharedFiles(files))
        writer.lay_bundle(targets(bytes(folder), sizes, fresh=fresh))
        for number in refused:  # before their bytes have come
            writer.judge(Verdict(number, CODE, "given up"))
        for start, piece in pieces:
            writer.write(start, piece)
        for number in bad:
            writer.judge(Verdict(number, CODE, "changed"))
        writer.stop()
        assert writer.join(60)
        news = writer.news()
    assert news.error is None
    assert news.written == len(stream)
    ended = sorted(news.settled)
    for number, settled in enumerate(ended):
        if number in refused:
            assert settled == Settled(number, FAILED, CODE, "given up")
        else:
            assert settled == (
                Settled(number, FAILED, CODE, "changed") if number in bad else Settled(number, DONE)
            )
    assert len(ended) == len(sizes)
    here = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert here == {
        str(number): content for number, content in enumerate(contents) if number not in bad | refused
    }
