"""Encryption at rest, on two halves and over SFTP: the far side has encrypted files only, no wrong one gets a name."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from asperacentral.fasp.management import Message
from asperacentral.openascp.files.filecrypt import CHUNK, sealed_size
from tests.openascp import sshd as openssh
from tests.openascp.conftest import ON_BOTH, Run, names
from tests.openascp.sshd import Sshd

pytestmark = pytest.mark.sshd
PASSPHRASE = {"ASPERA_SCP_FILEPASS": "open sesame"}
SIZE = 6 << 20
JOB = "--partial-tag=job"


@pytest.fixture
def big(tmp_path: Path) -> Path:
    path = tmp_path / "big"
    path.write_bytes(random.Random(3).randbytes(SIZE))
    os.utime(path, (1_700_000_000, 1_700_000_000))
    return path


@pytest.fixture
def own_sshd(tmp_path: Path) -> Iterator[Sshd]:
    """A server that may be harmed."""
    if openssh.SSHD is None:
        pytest.skip(openssh.MISSING)
    with Sshd(tmp_path / "sshd") as server:
        yield server


@ON_BOTH
def test_files_are_encrypted_at_rest_and_come_back_clear(run: Run, tree: Path) -> None:
    (tree / "nothing").touch()
    there, back = tree.parent / "there", tree.parent / "back"
    big = tree / "big"
    big.write_bytes(os.urandom(3_000_000))
    run("send", [tree], there, "--file-crypt=encrypt", environment=PASSPHRASE).done()
    assert {path.suffix for path in there.rglob("*") if path.is_file()} == {".aspera-env"}
    assert b"a.txta.txt" not in (there / "a.txt.aspera-env").read_bytes()
    again = run("send", [f"{tree}/."], there, "--file-crypt=encrypt", "-k3", environment=PASSPHRASE)
    assert again.done().integer("TransfersSkipped") == 6
    run("recv", [there], back, "--file-crypt=decrypt", environment=PASSPHRASE).done()
    assert names(back) == names(tree)
    assert all((back / path.name).read_bytes() == path.read_bytes() for path in (big, tree / "nothing"))
    assert (back / "sub" / "c.txt").read_bytes() == (tree / "sub" / "c.txt").read_bytes()


@ON_BOTH
def test_what_cannot_be_decrypted_does_not_arrive(run: Run, tree: Path) -> None:
    there, back = tree.parent / "there", tree.parent / "back"
    run("send", [tree / "a.txt"], there, "--file-crypt=encrypt", environment=PASSPHRASE).done()
    sealed = tree.parent / "there.aspera-env"
    wrong = {"ASPERA_SCP_FILEPASS": "wrong"}
    assert run("recv", [sealed], back, "--file-crypt=decrypt", environment=wrong).error() == 49
    assert run("recv", [tree / "a.txt"], back, "--file-crypt=decrypt", environment=PASSPHRASE).error() == 48
    damaged = bytearray(sealed.read_bytes())
    damaged[-1] ^= 1
    sealed.write_bytes(damaged)
    assert run("recv", [sealed], back, "--file-crypt=decrypt", environment=PASSPHRASE).error() == 48
    assert not [path for path in tree.parent.iterdir() if path.name.startswith("back")]


@ON_BOTH
def test_encryption_without_a_passphrase_is_refused(run: Run, tree: Path) -> None:
    process = run("send", [tree], tree.parent / "copy", "--file-crypt=encrypt")
    assert process.error() == 8
    assert "ASPERA_SCP_FILEPASS" in (process.listener.of_type("ERROR")[0].text("Description") or "")


def test_files_of_every_size_around_a_chunks_come_back_and_tell_their_checksums(
    run: Run, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for size in (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 17 * CHUNK + 5):
        (source / str(size)).write_bytes(os.urandom(size))
    options = ["-d", "--file-crypt=encrypt", "--file-checksum=sha-256"]
    process = run("send", [source], tmp_path / "there", *options, environment=PASSPHRASE)
    assert process.done().integer("TransferBytes") == sum(
        sealed_size(path.stat().st_size) for path in source.iterdir()
    )
    told = {message.text("FileChecksum") for message in process.listener.of_type("STOP")}
    there = tmp_path / "there" / "source"
    assert told == {hashlib.sha256(path.read_bytes()).hexdigest() for path in there.iterdir()}
    options[1] = "--file-crypt=decrypt"
    run("recv", [f"{there}/."], tmp_path / "back", *options, environment=PASSPHRASE).done()
    assert names(tmp_path / "back") == names(source)
    assert all((tmp_path / "back" / path.name).read_bytes() == path.read_bytes() for path in source.iterdir())


def moved_some(message: Message) -> bool:
    return message.type == "STATS" and message.integer("TransferBytes") > 2 << 20


@pytest.mark.parametrize("level", [1, 3])
def test_a_session_after_a_kill_goes_on_where_the_encrypted_file_was(
    run: Run, tmp_path: Path, own_sshd: Sshd, big: Path, level: int
) -> None:
    there, back = tmp_path / "in" / "there", tmp_path / "out" / "back"
    for mode, source, target, what in (
        ("send", big, there, "encrypt"),
        ("recv", there.with_name("there.aspera-env"), back, "decrypt"),
    ):
        target.parent.mkdir()
        options = [JOB, f"-k{level}", f"--file-crypt={what}"]
        killed = run(mode, [source], target, *options, "-l24m", server=own_sshd, environment=PASSPHRASE)
        killed.listener.wait_for(moved_some)
        killed.kill()
        own_sshd.cut_connections()
        done = run(mode, [source], target, *options, server=own_sshd, environment=PASSPHRASE).done()
        assert 0 < done.integer("TransferBytes") < SIZE - (1 << 20)
        assert done.integer("FileBytes") == sealed_size(SIZE)
    assert names(there.parent) == ["there.aspera-env"]
    assert names(back.parent) == ["back"]
    assert back.read_bytes() == big.read_bytes()


def test_a_decrypted_file_that_is_there_already_is_skipped_by_its_attributes(
    run: Run, tmp_path: Path, big: Path
) -> None:
    run("send", [big], tmp_path / "there", "-p", "--file-crypt=encrypt", environment=PASSPHRASE).done()
    sealed = tmp_path / "there.aspera-env"
    for skipped in (0, 1):
        options = ["-p", "-k1", "--file-crypt=decrypt"]
        done = run("recv", [sealed], tmp_path / "back", *options, environment=PASSPHRASE).done()
        assert done.integer("TransfersSkipped") == skipped
    assert (tmp_path / "back").read_bytes() == big.read_bytes()


def test_a_wrong_passphrase_ends_a_file_before_its_bytes_have_moved(
    run: Run, tmp_path: Path, big: Path
) -> None:
    with big.open("ab") as file:
        file.truncate(200 << 20)
    run("send", [big], tmp_path / "there", "--file-crypt=encrypt", environment=PASSPHRASE).done()
    (tmp_path / "out").mkdir()
    process = run(
        "recv",
        [tmp_path / "there.aspera-env"],
        tmp_path / "out" / "back",
        "-l50m",
        "--file-crypt=decrypt",
        environment={"ASPERA_SCP_FILEPASS": "wrong"},
    )
    assert process.error() == 49
    (told,) = process.listener.of_type("FILEERROR")
    assert told.integer("Code") == 49
    assert process.listener.of_type("ERROR")[0].integer("TransferBytes") < 100 << 20
    assert names(tmp_path / "out") == []


def test_a_part_of_an_encrypted_file_cannot_be_decrypted(run: Run, tmp_path: Path) -> None:
    options = ["-@", "0:9", "--file-crypt=decrypt"]
    process = run("recv", [tmp_path / "x"], tmp_path / "copy", *options, environment=PASSPHRASE)
    assert process.error() == 8


@pytest.mark.parametrize("plane", ["sftp"])
def test_sftp_refuses_checksums_of_encrypted_files(run: Run, tree: Path) -> None:
    options = ["--file-crypt=encrypt", "--file-checksum=md5"]
    process = run("send", [tree], tree.parent / "copy", *options, environment=PASSPHRASE)
    assert process.error() == 8
    assert "--file-checksum with --file-crypt" in (
        process.listener.of_type("ERROR")[0].text("Description") or ""
    )
