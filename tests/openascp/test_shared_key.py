"""The shared transfer key: an sshd whose one key lets everybody in, and serves nobody without a token."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from asperacentral.openascp.token import RECEIVE, SEND, Permission, issue
from tests.openascp import sshd as openssh
from tests.openascp.conftest import Run
from tests.openascp.manager import Openascp
from tests.openascp.sshd import Sshd

pytestmark = pytest.mark.sshd

KEY = "a key of sixteen bytes or more"
CONF = """<CONF version="2"><default>
  <file_system><access><paths><path><absolute>{docroot}</absolute></path></paths></access></file_system>
  <authorization><token><encryption_key>{key}</encryption_key></token></authorization>
</default></CONF>
"""


@pytest.fixture
def docroot(tmp_path: Path) -> Path:
    for folder in ("in/alice", "in/alice2", "out"):
        (tmp_path / "docroot" / folder).mkdir(parents=True)
    (tmp_path / "docroot" / "out" / "file").write_text("for those with a token")
    return tmp_path / "docroot"


@pytest.fixture
def server(tmp_path: Path, docroot: Path) -> Iterator[Sshd]:
    if openssh.SSHD is None:
        pytest.skip(openssh.MISSING)
    conf = tmp_path / "aspera.conf"
    conf.write_text(CONF.format(docroot=docroot, key=KEY))
    with Sshd(tmp_path / "server") as server:
        public = server.key.with_suffix(".pub")
        program = f"{sys.executable} -P -m asperacentral.openascp --server --token-required --config {conf}"
        public.write_text(f'command="{program}",restrict {public.read_text()}')
        yield server


def token(way: str, path: str, *, key: str = KEY, expires: int = 600) -> dict[str, str]:
    now = int(time.time())
    permission = Permission(way, (os.fsencode(path),), now - 1000, now + expires)
    return {"ASPERA_SCP_TOKEN": issue(key.encode(), permission)}


def test_a_token_lets_files_in_and_out_where_it_says(
    run: Run, server: Sshd, docroot: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("sent")
    run("send", [tmp_path / "file"], "/in/alice", server=server, environment=token(SEND, "/in/alice")).done()
    assert (docroot / "in" / "alice" / "file").read_text() == "sent"
    (tmp_path / "here").mkdir()
    run("recv", ["/out/file"], tmp_path / "here", server=server, environment=token(RECEIVE, "out")).done()
    assert (tmp_path / "here" / "file").read_text() == "for those with a token"


def refusals(tmp_path: Path) -> dict[str, dict[str, str]]:
    return {
        "none": {},
        "nonsense": {"ASPERA_SCP_TOKEN": "act1.e30.AAAA"},
        "of another key": token(SEND, "in/alice2", key="another key of sixteen bytes"),
        "the other way": token(RECEIVE, "in/alice2"),
        "expired": token(SEND, "in/alice2", expires=-1),
        "of another path": token(SEND, "out"),
        "of a path that only begins alike": token(SEND, "in/alice"),
        "of a path below": token(SEND, "in/alice2/deeper"),
    }


def test_every_other_token_and_none_are_refused(
    run: Run, server: Sshd, docroot: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("sent")
    started: dict[str, Openascp] = {
        name: run("send", [tmp_path / "file"], "/in/alice2", server=server, environment=environment)
        for name, environment in refusals(tmp_path).items()
    }
    codes = {name: process.error() for name, process in started.items()}
    no_such_path = {"of another path", "of a path that only begins alike", "of a path below"}
    assert codes == {name: 41 if name in no_such_path else 19 for name in codes}
    assert not list((docroot / "in" / "alice2").iterdir())


def test_the_key_gives_no_shell_no_sftp_and_no_other_command(
    run: Run, server: Sshd, docroot: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("sent")
    other_program = ("-S", "touch /tmp/should-not-be-there;")
    process = run("send", [tmp_path / "file"], "/in/alice", *other_program, server=server)
    assert process.error() == 19
    assert not Path("/tmp/should-not-be-there").exists()
    assert not list((docroot / "in" / "alice").iterdir())
