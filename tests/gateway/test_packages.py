"""Packages: downloaded when every file has been, whichever requests carried them, and after a kill, too."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from asperacentral.gateway.backends import Offered
from asperacentral.gateway.packages import DOWNLOADED, NEW, PARTLY, Packages, package_name
from tests.gateway.site import Site, receive_spec, spec_header, until


def offered(name: str, size: int = 1, modified: int = 1) -> Offered:
    return Offered(name.encode(), name, size, modified, lambda: os.open(os.devnull, os.O_RDONLY))


@pytest.fixture
def packages(tmp_path: Path) -> Packages:
    return Packages(tmp_path / "gateway.db")


def test_a_package_comes_by_and_by(packages: Packages) -> None:
    all_files = [offered("a"), offered("b"), offered("c")]
    assert packages.state("p", all_files).word == NEW
    packages.note("p", all_files[:1], 1.0)
    packages.note("p", all_files[:2], 2.0)
    state = packages.state("p", all_files)
    assert (state.word, state.missing) == (PARTLY, [b"c"])
    packages.note("p", all_files[2:], 3.0)
    assert packages.state("p", all_files).word == DOWNLOADED
    assert packages.state("other", all_files).word == NEW


def test_a_file_that_has_changed_or_was_added_is_missing_again(packages: Packages) -> None:
    packages.note("p", [offered("a"), offered("b")], 1.0)
    state = packages.state("p", [offered("a", modified=2), offered("b", size=2), offered("c")])
    assert state.missing == [b"a", b"b", b"c"]


def test_a_package_without_files_is_not_downloaded(packages: Packages) -> None:
    assert packages.state("p", []).word == NEW


def test_what_was_noted_is_there_for_the_next_process(packages: Packages, tmp_path: Path) -> None:
    packages.note("p", [offered("a")], 1.0)
    assert Packages(tmp_path / "gateway.db").state("p", [offered("a")]).word == DOWNLOADED


def test_packages_are_told_apart_by_user_and_paths() -> None:
    names = {package_name("u", [b"a", b"b"]), package_name("u", [b"a/b"]), package_name("v", [b"a", b"b"])}
    assert len(names) == 3
    assert package_name("u", [b"b", b"a"]) in names


def test_files_of_several_requests_make_a_package_whole_though_the_gateway_is_killed(tmp_path: Path) -> None:
    with Site(tmp_path / "s") as site:
        folder = site.root / "bob/pack"
        folder.mkdir()
        for name in ("a", "b", "c"):
            (folder / name).write_bytes(name.encode() * 1000)

        def spec(*names: str) -> dict[str, Any]:
            return receive_spec(*names, remote_user="bob", token=site.token("recv", "/pack"))

        def state() -> Any:
            answer = site.call("POST", "v3/package", json.dumps({"transfer_spec": spec("pack")}).encode())
            assert answer.status == 200, answer.body
            return answer.document

        assert state() == {
            "state": "new",
            "files": 3,
            "downloaded": 0,
            "missing": ["/pack/a", "/pack/b", "/pack/c"],
        }
        got = site.call("GET", "v3/download", b"", X_Aspera_Spec=spec_header(spec("pack/a", "pack/b")))
        assert got.status == 200
        half = {"state": "partially downloaded", "files": 3, "downloaded": 2, "missing": ["/pack/c"]}
        until(lambda: state() == half, "the note of two files")
        site.stop(signal.SIGKILL)
        (site.folder / "var/run/aspera/httpgateway.http").unlink()
        site.start()
        left = site.call("POST", "v1/download", json.dumps({"transfer_spec": spec("pack/c")}).encode())
        assert site.call("GET", f"v1/download/{left.document['transfer_spec_id']}").body == b"c" * 1000
        whole = {"state": "downloaded", "files": 3, "downloaded": 3, "missing": []}
        until(lambda: state() == whole, "the note of the last file")
        nobody = receive_spec("pack", remote_user="bob")
        refused = site.call("POST", "v3/package", json.dumps({"transfer_spec": nobody}).encode())
        assert refused.status == 401, "a package is told only to who has its token"
