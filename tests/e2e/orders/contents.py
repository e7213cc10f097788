"""Which files are moved, and what is kept of them."""

from __future__ import annotations

import os
import shutil
import socket
import time
from pathlib import Path

import pytest

from asperacentral.commands.client import Refused
from tests.e2e.orders.trial import Trial, code, completed, names, shows, status
from tests.e2e.site import until


@shows("FileParameters/SymbolicLinks")
def treats_links_as_asked(trial: Trial) -> None:
    source = trial.near / "source"
    source.mkdir()
    (source / "f").write_text("f")
    (source / "link").symlink_to("f")
    assert completed(trial.push({"FileParameters/SymbolicLinks": "Skip"}, source, "skip"))
    assert names(trial.far / "skip") == ["f"]
    assert completed(trial.push({"FileParameters/SymbolicLinks": "Copy"}, source, "copy"))
    assert (trial.far / "copy/link").is_symlink()
    assert completed(trial.push({"FileParameters/SymbolicLinks": "Follow"}, source, "follow"))
    assert not (trial.far / "follow/link").is_symlink()
    (trial.far / "force/source").mkdir(parents=True)
    (trial.far / "force/source/link").write_text("in the way")
    assert completed(trial.push({"FileParameters/SymbolicLinks": "Copy+Force"}, source, "force"))
    assert (trial.far / "force/source/link").is_symlink()


@shows(
    "FileParameters/PreserveTimestamps",
    "FileParameters/PreserveModificationTime",
    "FileParameters/PreserveAccessTime",
    "FileParameters/PreserveSourceAccessTime",
)
def preserves_times(trial: Trial) -> None:
    accessed, modified = 1_500_000_000, 1_400_000_000
    for what, kept in (
        ("Timestamps", {modified, accessed}),
        ("ModificationTime", {modified}),
        ("AccessTime", {accessed}),
        ("SourceAccessTime", set()),
    ):
        os.utime(trial.file, (accessed, modified))
        assert completed(trial.push({f"FileParameters/Preserve{what}": "Yes"}, target=what))
        found = (trial.far / what).stat()
        assert {found.st_mtime, found.st_atime} & {modified, accessed} == kept
    assert trial.file.stat().st_atime == accessed


@shows("FileParameters/PreserveUID", "FileParameters/PreserveGID")
def preserves_owner_and_group(trial: Trial) -> None:
    elements = {"FileParameters/PreserveUID": "Yes", "FileParameters/PreserveGID": "Yes"}
    owner = (os.getuid(), os.getgid())
    if owner[0] == 0 and trial.side.key:
        owner = (4711, 4712)
        os.chown(trial.file, *owner)
    assert completed(trial.push(elements))
    found = (trial.far / "to").stat()
    assert (found.st_uid, found.st_gid) == owner


@shows("FileParameters/PreserveCreationTime")
def refuses_to_keep_creation_times(trial: Trial) -> None:
    with pytest.raises(Refused, match="PreserveCreationTime"):
        trial.submit({"FileParameters/PreserveCreationTime": "Yes"})


@shows("FileParameters/SkipSpecialFiles")
def skips_special_files(trial: Trial) -> None:
    source = trial.near / "s"
    source.mkdir()
    short = Path("/tmp") / f"s{os.getpid()}{time.monotonic_ns()}"
    with socket.socket(socket.AF_UNIX) as special:
        special.bind(str(short))  # a short name first: sockets have no long ones
        shutil.move(short, source / "socket")
        assert code(trial.push({}, source, "one")[0]) in (21, 27)
        assert completed(trial.push({"FileParameters/SkipSpecialFiles": "Yes"}, source, "two"))


@shows(
    "FileParameters/ExcludeOlderThan",
    "FileParameters/ExcludeNewerThan",
    "FileParameters/ExcludePatterns/ExcludePattern",
)
def leaves_out_what_is_excluded(trial: Trial) -> None:
    source = trial.near / "source"
    source.mkdir()
    for name in ("new.txt", "old.txt", "x.tmp", "y.bak"):
        (source / name).write_text(name)
    os.utime(source / "old.txt", (1000, 1000))
    patterns = {"FileParameters/ExcludePatterns/ExcludePattern": ["*.tmp", "*.bak"]}
    assert completed(trial.push(patterns, source, "one"))
    assert names(trial.far / "one") == ["new.txt", "old.txt"]
    assert completed(trial.push({**patterns, "FileParameters/ExcludeOlderThan": "-3600"}, source, "two"))
    assert names(trial.far / "two") == ["new.txt"]
    assert completed(trial.push({**patterns, "FileParameters/ExcludeNewerThan": "2000"}, source, "three"))
    assert names(trial.far / "three") == ["old.txt"]


@shows("FileParameters/PartialFileSuffix", "FileParameters/SaveBeforeOverwrite")
def names_partial_files_and_backups(trial: Trial) -> None:
    trial.file.write_bytes(os.urandom(3_000_000))
    slow = {"FileParameters/PartialFileSuffix": ".unfinished", "RateParameters/TargetRate": "4000"}
    job = trial.submit(slow)
    until(lambda: list(trial.far.glob("*.unfinished")))
    trial.site.client.cancel_job(job)
    trial.finish(job)
    (trial.far / "to").write_text("old")
    assert completed(trial.push({"FileParameters/SaveBeforeOverwrite": ".kept"}))
    assert (trial.far / "to.kept").read_text() == "old"


@shows("FileParameters/ReadBlockSize", "FileParameters/WriteBlockSize")
def reads_and_writes_in_blocks_of_the_size_asked_for(trial: Trial) -> None:
    sizes = {"FileParameters/ReadBlockSize": "5000", "FileParameters/WriteBlockSize": "6000"}
    assert " read_block=5000 write_block=6000 " in trial.logged(sizes)
    assert (trial.far / "to").read_bytes() == trial.file.read_bytes()


@shows("FileParameters/PostTransferValidation")
def waits_for_a_validator(trial: Trial) -> None:
    for said, state in (("Yes", "to_be_validated"), ("No", "completed")):
        session = trial.push({"FileParameters/PostTransferValidation": said}, target=said)[0]
        assert status(session) == "completed"
        assert [str(file.Status) for file in trial.files(session)] == [state]
