"""`asperacentral demo --web` as a new user meets it: from the address to a file received and seen in the console."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.console.conftest import Page


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address that is printed, and the demo's folder; the demo ends well at SIGINT."""
    folder, said = tmp_path / "demo", tmp_path / "said"
    with said.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "asperacentral", "demo", "--web", "--keep", str(folder)],
            stdout=output,
            stderr=output,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "DISPLAY": "", "WAYLAND_DISPLAY": ""},
            start_new_session=True,
        )
    try:
        for _ in range(1200):
            found = re.search(r"open (http://\S+)", said.read_text())
            if found or process.poll() is not None:
                break
            time.sleep(0.05)
        assert found, said.read_text()
        yield found[1], folder
    finally:
        process.send_signal(signal.SIGINT)
        status = process.wait(60)
    assert status == 0, said.read_text()


def test_from_the_address_to_a_file_received_and_watched(page: Page, demo: tuple[str, Path]) -> None:
    address, folder = demo
    page.open(address)
    user, password = page.text("#user"), page.text("#password")
    console = page.find("#console").get_attribute("href")
    page.find("#page").click()
    page.find("#user").send_keys(user)
    page.find("#password").send_keys(password)
    page.button("Log in").click()
    page.until(
        lambda: "carries the files" in page.text("#client") or "carry the files" in page.text("#client")
    )
    local = "of this machine" in page.text("#client")
    page.until(lambda: "welcome.txt" in page.text("#entries"))
    page.script("document.querySelector('#entries input').click()")
    page.button("Receive").click()
    page.until(lambda: page.text("#transfer-list .facts").startswith("completed"), "the file")
    if local:  # unless something else has its port on this machine
        assert (folder / "desktop/downloads/welcome.txt").read_text() == "This file was received.\n"
    page.open(console)
    page.find("#user").send_keys(user)
    page.find("#password").send_keys(password)
    page.button("Log in").click()
    page.until(lambda: "completed" in page.text("#table .row"), "the session")
    assert (folder / "remote/welcome.txt").exists()
