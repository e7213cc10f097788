"""`asperacentral demo --web` as a new user meets it: from its address to files sent, received and watched."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.browser.chromium import Chromium, Page


@dataclass
class Demo:
    """A demo that runs: the address it printed, its folder, and where its user's desktop notes what it is to show."""

    address: str
    folder: Path
    shown: Path


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    """A demo that ends well at SIGINT; its user has no desktop but a note of addresses."""
    folder, said, shown, home = (tmp_path / name for name in ("demo", "said", "shown", "home"))
    programs = tmp_path / "bin"
    for each in (home, programs):
        each.mkdir()
    shown.touch()
    opener = programs / "xdg-open"
    opener.write_text(f'#!/bin/sh\nprintf "%s\\n" "$1" >> {shown}\n')
    opener.chmod(0o755)
    told = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(home),
        "PYTHONUNBUFFERED": "1",
        "DISPLAY": "",
        "WAYLAND_DISPLAY": "",
    }
    with said.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "asperacentral", "demo", "--web", "--keep", str(folder)],
            stdout=output,
            stderr=output,
            env={**os.environ, **told},
            start_new_session=True,
        )
    found = None
    try:
        for _ in range(1200):
            found = re.search(r"open (http://\S+)", said.read_text())
            if found or process.poll() is not None:
                break
            time.sleep(0.05)
        assert found, said.read_text()
        yield Demo(found[1], folder, shown)
    finally:
        process.send_signal(signal.SIGINT)
        status = process.wait(60)
    assert status == 0, said.read_text()


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    """A window of a browser that looks for local clients where they are."""
    chromium = Chromium(tmp_path / "chromium")
    try:
        with chromium.page(tmp_path / "saved") as page:
            yield page
    finally:
        chromium.close()


def test_from_the_address_to_files_sent_received_and_watched(page: Page, demo: Demo) -> None:
    page.open(demo.address)
    user, password = page.text("#user"), page.text("#password")
    console = page.find("#console").get_attribute("href")
    page.find("#page").click()
    log_in(page, user, password)
    page.until(
        lambda: "carries the files" in page.text("#client") or "carry the files" in page.text("#client")
    )
    local = "of this machine (version" in page.text("#client")
    page.until(lambda: "welcome.txt" in page.text("#entries"))
    page.script("document.querySelector('#entries input').click()")
    page.button("Receive").click()
    page.until(lambda: page.text("#transfer-list .facts").startswith("completed"), "the file")
    if local:  # by <page_server>, unless something else has the client's port on this machine
        received = demo.folder / "desktop/downloads/welcome.txt"
        assert received.read_text() == "This file was received.\n"
        reel = received.with_name("reel.bin")  # where the client's dialog begins
        reel.write_bytes(os.urandom(3_000_000))
        page.button("Send files…").click()
        choose_in_dialog(page, demo, reel)
        page.until(lambda: "reel.bin" in page.text("#entries"), "the file that was sent")
        assert (demo.folder / "remote/reel.bin").read_bytes() == reel.read_bytes()
    page.open(console)
    log_in(page, user, password)
    wanted = 2 if local else 1
    page.until(lambda: page.text("#table").count("completed") >= wanted, "the sessions")


def log_in(page: Page, user: str, password: str) -> None:
    page.find("#user").send_keys(user)
    page.find("#password").send_keys(password)
    page.button("Log in").click()


def choose_in_dialog(page: Page, demo: Demo, file: Path) -> None:
    """Be the user before the local client's dialog, which is a page where there is no desktop."""
    address = page.until(lambda: demo.shown.read_text().split())[-1]
    with page.tab(address):
        page.find(f'input[name="path"][value="{file}"]').click()
        page.script("document.querySelector('[name=choose]').click()")
        page.until(lambda: not page.all("[name=choose]"), "the dialog's end")
