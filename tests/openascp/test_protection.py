"""A server that takes only files which the client has encrypted."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.openascp import sshd as openssh
from tests.openascp.conftest import Run
from tests.openascp.sshd import Sshd

pytestmark = pytest.mark.sshd
CONF = """<CONF version="2"><default>
  <file_system><access><paths><path><absolute>{docroot}</absolute></path></paths></access></file_system>
  <transfer><encryption><content_protection_required>true</content_protection_required></encryption></transfer>
</default></CONF>
"""


@pytest.fixture
def docroot(tmp_path: Path) -> Path:
    (tmp_path / "docroot" / "in").mkdir(parents=True)
    (tmp_path / "docroot" / "out").write_text("as it is")
    return tmp_path / "docroot"


@pytest.fixture
def server(tmp_path: Path, docroot: Path) -> Iterator[Sshd]:
    if openssh.SSHD is None:
        pytest.skip(openssh.MISSING)
    conf = tmp_path / "aspera.conf"
    conf.write_text(CONF.format(docroot=docroot))
    with Sshd(tmp_path / "server") as server:
        public = server.key.with_suffix(".pub")
        program = f"{sys.executable} -P -m asperacentral.openascp --server --config {conf}"
        public.write_text(f'command="{program}",restrict {public.read_text()}')
        yield server


def test_plain_files_are_refused_with_what_to_do_and_may_still_be_fetched(
    run: Run, server: Sshd, docroot: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("plain")
    process = run("send", [tmp_path / "file"], "/in", server=server)
    assert process.error() == 5
    assert "--file-crypt=encrypt" in process.listener.of_type("ERROR")[0].text("Description")
    assert not list((docroot / "in").iterdir())
    run("recv", ["/out"], tmp_path / "fetched", server=server).done()
    assert (tmp_path / "fetched").read_text() == "as it is"
