"""Files of every kind, sent and received by every way: what is on the other disk is what was on the one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.client.browser import Browser
from tests.browser.client.ways import ByGateway, Way, digest, digests, ended, unpacked
from tests.gateway.site import Site

AWKWARD = (
    " blanks  all around ",
    "composed \u00e9.txt",
    "decomposed e\u0301.txt",
    'it\'s "quoted".txt',
    "100% %41 %2F %22.txt",
    "a#b?c&d=e+f.txt",
    ".hidden",
    "-rf",
    "~",
    "two..dots.",
    "\U0001f600 \U0001f3f3\ufe0f\u200d\U0001f308.txt",
    "日本語 русский עברית.txt",
    "\u00fc" * 100,
    "x" * 250,
    "<img src=x onerror=alert(1)>.html",
    "$HOME `id` $(id); *[glob]{}.txt",
    "a:b|c.txt",
    "back\\slash.txt",
    "two\\\\in the middle.txt",
    "one at the end\\",
)
"""Names of at most 255 bytes, with what means something to a shell, an address, a header, a page or a ZIP."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """What is sent, or lies on the server: `alone`, `many` and `tree`."""
    folder = tmp_path / "source"
    for name in ("alone", "many", "tree/deep/er"):
        (folder / name).mkdir(parents=True)
    (folder / "alone/one.bin").write_bytes(os.urandom(5_000_001))
    (folder / "alone/empty").write_bytes(b"")
    for at in range(100):
        (folder / f"many/{at:03}.bin").write_bytes(os.urandom(at * 7))
    for at, name in enumerate(AWKWARD):
        (folder / "many" / name).write_bytes(os.urandom(1000 + at))
    for name in ("top", "deep/middle", "deep/er/bottom ü#%.txt", "deep/.hidden", "deep/er/empty"):
        (folder / "tree" / name).write_bytes(os.urandom(2000) if not name.endswith("empty") else b"")
    (folder / "tree/deep/big").write_bytes(os.urandom(2_500_000))
    return folder


def test_what_is_sent_arrives_as_it_is(way: Way, source: Path) -> None:
    for name in ("one.bin", "empty"):
        told = way.send("File", source / "alone" / name)
        size = (source / "alone" / name).stat().st_size
        assert (told["status"], told["bytes_written"]) == ("completed", size), told
        assert digests(way.server) == digests(source / "alone") if name == "empty" else True
    if way.hides:
        (source / "many/.hidden").unlink()
    many = sorted((source / "many").iterdir())
    told = way.send("File", *many, destination_root="/many", create_dir=True)
    assert told["status"] == "completed", told
    assert told["file_counts"]["completed"] == len(many)
    assert digests(way.server / "many") == digests(source / "many")
    told = way.send("Folder", source / "tree", destination_root="/in", create_dir=True)
    assert told["status"] == "completed", told
    assert digests(way.server / "in") == {
        f"tree/{name}": sum for name, sum in digests(source / "tree").items()
    }
    assert not list(way.server.rglob("*.partial"))


def test_what_is_received_is_what_the_server_has(way: Way, source: Path, tmp_path: Path) -> None:
    until = way.browser.page.until
    (source / "alone").rename(way.server / "alone")
    (source / "many").rename(way.server / "many")
    (source / "tree").rename(way.server / "tree")
    for name in ("one.bin", "empty"):
        told = way.receive(f"alone/{name}")
        assert told["status"] == "completed", told
        until((way.received / name).exists, name)
        assert digest(way.received / name) == digest(way.server / "alone" / name)
    many = [f"many/{file.name}" for file in (way.server / "many").iterdir()]
    told = way.receive(*many, download_name="several")
    assert told["status"] == "completed", told
    if way.zips:
        until((way.received / "several.zip").exists, "the ZIP")
        expected = {name.replace("\\", "_"): sum for name, sum in digests(way.server / "many").items()}
        assert digests(unpacked(way.received / "several.zip", tmp_path / "several")) == expected
    else:
        assert digests(way.received) == digests(way.server / "many") | digests(way.server / "alone")
    told = way.receive("tree")
    assert told["status"] == "completed", told
    if way.zips:
        until((way.received / "download.zip").exists, "the ZIP of a folder")
        tree = unpacked(way.received / "download.zip", tmp_path / "unpacked") / "tree"
    else:
        tree = way.received / "tree"
    assert digests(tree) == digests(way.server / "tree")


def test_a_folder_is_chosen_in_the_browsers_dialog(page_site: ByGateway, source: Path) -> None:
    way = page_site
    way.begin()
    opening = "window.chosen = aspera.showSelectFolderDialog(); void 0"
    way.browser.page.choose(lambda: way.browser.run(opening), source / "tree")
    chosen = {each["name"] for each in way.browser.ask("chosen")["dataTransfer"]["files"]}
    assert chosen == {f"tree/{name}" for name in digests(source / "tree")}
    assert ended(way.browser, way.start(way.spec("send", "tree")))["status"] == "completed"
    assert digests(way.server / "tree") == digests(source / "tree")


@pytest.fixture
def page_site(browser: Browser, tmp_path: Path) -> Iterator[ByGateway]:
    with Site(tmp_path / "site") as site:
        yield ByGateway(browser, site)
