"""The send and receive page in a real browser, before a real gateway: bytes are looked at on the server's disk."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

import pytest

from tests.browser.chromium import Page
from tests.browser.page.conftest import hashes
from tests.gateway.site import BASE, PASSWORD, Site

AWKWARD = ("with blank.txt", "ünï-çødé-日本語.txt", "quote'&<b>.txt", "semi;colon.txt", "%41+.txt", ".hidden")


@pytest.fixture
def site(running: Site) -> Site:
    """The gateway; bob's folder is empty."""
    shutil.rmtree(running.root / "bob")
    (running.root / "bob").mkdir()
    return running


def enter(page: Page, site: Site, user: str = "bob", password: str = PASSWORD) -> None:
    page.open(f"http://127.0.0.1:{site.port}{BASE}/page/")
    page.find("#user").send_keys(user)
    page.find("#password").send_keys(password)
    page.button("Log in").click()


def at_work(page: Page, site: Site) -> None:
    enter(page, site)
    page.find("#folder")
    page.until(lambda: "through the HTTP gateway" in page.text("#client"), "the client's line")


def statuses(page: Page) -> list[str]:
    found: list[str] = page.script(
        "return [...document.querySelectorAll('#transfer-list .facts')].map(e => e.textContent)"
    )
    return found


def listed(page: Page) -> list[str]:
    found: list[str] = page.script(
        "return [...document.querySelectorAll('#entries td:nth-child(2)')].map(e => e.textContent)"
    )
    return found


def tick(page: Page, *names: str) -> None:
    for name in names:
        page.until(lambda name=name: name in listed(page) or f"{name}/" in listed(page), name)  # type: ignore[misc]
        page.script(
            "[...document.querySelectorAll('#entries input')].find(e => e.value === arguments[0]).click()",
            name,
        )


@pytest.mark.parametrize(
    ("user", "password", "said"),
    [
        ("bob", "wrong", "the user or the password is wrong"),
        ("nobody", PASSWORD, "the user or the password is wrong"),
        ("alice", PASSWORD, "this user has no token_key"),
    ],
)
def test_who_may_not_sees_nothing_and_is_told_why(
    page: Page, site: Site, user: str, password: str, said: str
) -> None:
    (site.root / "bob" / "secret.txt").write_text("x")
    enter(page, site, user, password)
    page.until(lambda: said in page.text("#login-problem"))
    assert listed(page) == []


def test_files_with_any_name_and_an_empty_one_are_sent_and_are_whole(
    page: Page, site: Site, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for at, name in enumerate(AWKWARD):
        (source / name).write_bytes(os.urandom(1000 * at + 1))
    (source / "empty").write_bytes(b"")
    (source / "big.bin").write_bytes(os.urandom(20_000_000))
    at_work(page, site)
    page.choose(page.button("Send files…").click, *source.iterdir())
    page.until(lambda: statuses(page) and statuses(page)[0].startswith("completed"), "the end")
    page.until(lambda: set(listed(page)) == set(hashes(source)), "the list")
    assert hashes(site.root / "bob") == hashes(source)
    assert page.text("#overall") == "1 ended"
    assert page.complaints() == []


def test_a_folder_that_is_dropped_arrives_in_the_folder_that_is_open(
    page: Page, site: Site, tmp_path: Path
) -> None:
    (tmp_path / "tree/deep/er").mkdir(parents=True)
    (tmp_path / "tree/a.txt").write_text("a")
    (tmp_path / "tree/deep/er/b.txt").write_text("b")
    (site.root / "bob/inbox").mkdir()
    at_work(page, site)
    page.button("inbox/").click()
    page.until(lambda: "inbox" in page.text("#crumbs"))
    page.drop("#drop", tmp_path / "tree")
    page.until(lambda: listed(page) == ["tree/"])
    assert hashes(site.root / "bob/inbox/tree") == hashes(tmp_path / "tree")


def test_one_file_and_several_are_received_and_are_whole(page: Page, site: Site) -> None:
    saved = page.downloads
    home = site.root / "bob"
    (home / "folder").mkdir()
    for name in (*AWKWARD, "folder/inner.bin"):
        (home / name).write_bytes(os.urandom(3000))
    (home / "big.bin").write_bytes(os.urandom(5_000_000))
    at_work(page, site)
    tick(page, "big.bin")
    page.button("Receive").click()
    page.until((saved / "big.bin").exists, "the file")
    page.until(lambda: hashes(saved)["big.bin"] == hashes(home)["big.bin"], "all of it")
    tick(page, "big.bin", "folder", "with blank.txt", AWKWARD[1])
    page.button("Receive 3").click()
    page.until((saved / "download.zip").exists, "the ZIP")
    with zipfile.ZipFile(saved / "download.zip") as zipped:
        assert zipped.testzip() is None
        brought = {name.rpartition("/")[2] for name in zipped.namelist() if not name.endswith("/")}
    assert brought == {"inner.bin", "with blank.txt", AWKWARD[1]}


def test_a_transfer_that_is_cancelled_leaves_nothing_and_one_that_moves_guards_the_page(
    page: Page, site: Site, tmp_path: Path
) -> None:
    (tmp_path / "large.bin").write_bytes(os.urandom(1 << 20) * 300)
    at_work(page, site)
    page.slow(2_000_000)
    try:
        page.choose(page.button("Send files…").click, tmp_path / "large.bin")
        page.until(lambda: statuses(page) and " of 315 MB, " in statuses(page)[0], "bytes that move")
        guarded = page.script(
            "const e = new Event('beforeunload', {cancelable: true}); dispatchEvent(e); return e.defaultPrevented"
        )
        assert guarded
        page.button("Cancel").click()
        page.until(lambda: statuses(page)[0].startswith("cancel"))
    finally:
        page.slow(-1)
    page.until(lambda: list((site.root / "bob").iterdir()) == [], "an empty folder")
    assert not page.script(
        "const e = new Event('beforeunload', {cancelable: true}); dispatchEvent(e); return e.defaultPrevented"
    )


def test_names_are_text_whatever_is_in_them(page: Page, site: Site) -> None:
    evil = "<img src=x onerror=\"document.title='owned'\">"
    (site.root / "bob" / evil).write_text("x")
    at_work(page, site)
    page.until(lambda: listed(page) == [evil])
    assert page.script("return document.querySelectorAll('main img').length") == 0
    assert "owned" not in page.script("return document.title")


def test_what_is_outside_the_docroot_is_not_seen_and_not_permitted(site: Site) -> None:
    import base64
    import json
    import urllib.error
    import urllib.request

    (site.root / "bob/link").symlink_to("/etc")

    def ask(what: str, document: object, words: str = f"bob:{PASSWORD}") -> tuple[int, dict[str, object]]:
        asked = urllib.request.Request(
            f"http://127.0.0.1:{site.port}{BASE}/page/{what}", json.dumps(document).encode()
        )
        asked.add_header("Authorization", "Basic " + base64.b64encode(words.encode()).decode())
        try:
            with urllib.request.urlopen(asked, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused)

    assert ask("look", {"path": "../.."})[1]["path"] == ""
    assert ask("look", {"path": ""})[1]["entries"] == []
    assert ask("look", {"path": "link"})[0] >= 400
    assert ask("look", {"path": "none"})[0] == 404
    assert ask("look", {"path": 3})[0] == 400
    assert ask("look", {"path": ""}, "bob:wrong")[0] == 401
    assert ask("permit", {"direction": "receive", "folder": "", "names": ["../x"]})[0] == 400
    assert ask("permit", {"direction": "receive", "folder": "", "names": []})[0] == 400
    assert ask("permit", {"direction": "both", "folder": ""})[0] == 400
    status, spec = ask("permit", {"direction": "send", "folder": "a/../b"})
    assert (status, spec["destination_root"]) == (200, "/b")


def test_at_phone_width_nothing_is_cut_off_and_all_is_named(page: Page, site: Site) -> None:
    (site.root / "bob" / ("long" * 40)).write_text("x")
    page.size(360, 740)
    at_work(page, site)
    page.until(lambda: listed(page))
    assert page.script("return document.documentElement.scrollWidth") <= 360
    unnamed = page.script(
        "return [...document.querySelectorAll('button, input, progress, nav')].filter(e => e.checkVisibility() && "
        "!(e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.length)).map(e => e.outerHTML)"
    )
    assert unnamed == []


def test_pictures_for_the_documentation(page: Page, site: Site, tmp_path: Path) -> None:
    """Taken only with --screenshots DIR."""
    if not page.takes_pictures:
        pytest.skip("takes pictures with --screenshots DIR")
    home = site.root / "bob"
    for name, size in (("interview.mov", 48_000_000), ("notes.txt", 2_100), ("stills.zip", 9_300_000)):
        with (home / name).open("wb") as file:
            file.truncate(size)
    (home / "reel 7").mkdir()
    (tmp_path / "reel-8.mov").write_bytes(bytes(60_000_000))
    a_part = "return document.querySelector('#transfer-list progress')?.value > 0.2"
    for scheme, width, height, name in (
        ("light", 1000, 760, "page-light"),
        ("dark", 390, 844, "page-phone-dark"),
    ):
        page.size(width, height)
        page.colours(scheme)
        at_work(page, site)
        page.slow(3_000_000)
        page.choose(page.button("Send files…").click, tmp_path / "reel-8.mov")
        page.until(lambda: page.script(a_part) and " left" in statuses(page)[0], "a forecast")
        page.picture(name)
        page.button("Cancel").click()
        page.until(lambda: statuses(page)[0].startswith("cancel"))
        page.slow(-1)
