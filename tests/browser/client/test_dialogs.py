"""What the client asks its user, as pages of the user's browser: how they look, and that everybody can use them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.browser.chromium import Page
from tests.browser.console.test_console import contrast
from tests.client.support import LocalDesktop, RpcRefused

SITE = "https://files.example.com"
FILES = {"interview.mov": 48_000_000, "notes.txt": 2_100, "stills.zip": 9_300_000, "transcript.pdf": 410_000}
PAIRS = [("--text", "--card"), ("--soft", "--card"), ("--accent", "--card"), ("--on-accent", "--accent")]


@pytest.fixture
def downloads() -> Iterator[Path]:
    """Where the dialog for files begins: a folder with a name that one may see in a picture."""
    with tempfile.TemporaryDirectory(prefix="home-") as home:
        folder = Path(home) / "alice" / "Downloads"
        (folder / "reel 7").mkdir(parents=True)
        for name, size in FILES.items():
            with (folder / name).open("wb") as file:
                file.truncate(size)
        yield folder


@pytest.fixture
def desktop(tmp_path: Path, downloads: Path) -> Iterator[LocalDesktop]:
    with LocalDesktop(tmp_path / "client", "--downloads", str(downloads)) as desktop:
        desktop.visit(SITE)
        yield desktop


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def looked_at(page: Page) -> None:
    """It fits a phone, everything to press has a name, and text stands out in light and dark."""
    page.size(360, 740)
    assert page.script("return document.documentElement.scrollWidth") <= 360
    unnamed = page.script(
        "return [...document.querySelectorAll('button, input:not([type=hidden])')].filter((each) =>"
        " !(each.textContent.trim() || each.getAttribute('aria-label') || each.labels?.length))"
        ".map((each) => each.outerHTML)"
    )
    assert unnamed == []
    for scheme in ("dark", "light"):
        page.colours(scheme)
        for pair in PAIRS:
            colours = [
                page.script("return getComputedStyle(document.body).getPropertyValue(arguments[0])", name)
                for name in pair
            ]
            assert contrast(*colours) >= 4.5, (scheme, pair, colours)


def test_the_user_is_asked_for_consent_then_for_files_then_sees_the_transfers(
    page: Page, desktop: LocalDesktop, pool: ThreadPoolExecutor
) -> None:
    chosen: Future[Any] = pool.submit(desktop.call, "show_file_dialog", {"app_id": "app", "options": {}})
    page.open(desktop.shown())
    assert SITE in page.text("h1")
    looked_at(page)
    page.until(lambda: page.script(_AWAKE, page.button("Allow")), "a button that is awake")
    page.size(760, 310)
    page.picture("desktop-consent")
    page.button("Allow").click()
    page.until(lambda: page.driver.title == "Thank you")
    assert desktop.decision is True

    page.open(desktop.shown())
    assert f"Choose files for {SITE}" in page.text("h1")
    looked_at(page)
    boxes = page.all("input[type=checkbox]")
    assert [box.get_attribute("aria-label") for box in boxes] == list(FILES)
    boxes[0].click()
    boxes[2].find_element("xpath", "..").click()  # its name does as well
    page.until(lambda: page.script(_AWAKE, page.button("Choose")), "a button that is awake")
    page.size(760, 440)
    page.colours("dark")
    page.picture("desktop-files-dark")
    page.button("Choose").click()
    page.until(lambda: page.driver.title == "Thank you")
    files = chosen.result(60)["dataTransfer"]["files"]
    assert [Path(each["name"]).name for each in files] == ["interview.mov", "stills.zip"]

    desktop.call("show_transfer_manager")
    page.open(desktop.shown())
    looked_at(page)
    page.button("Sites").click()
    page.until(lambda: SITE in page.text("table"))
    assert page.complaints() == []


_AWAKE = "return getComputedStyle(arguments[0]).pointerEvents === 'auto'"


def test_a_click_that_was_meant_for_what_was_there_before_permits_nothing(
    page: Page, desktop: LocalDesktop, pool: ThreadPoolExecutor
) -> None:
    refused: Future[Any] = pool.submit(desktop.call, "show_about")
    page.open(desktop.shown())
    lasts = "return document.querySelector('.permit').getAnimations()[0].effect.getTiming().duration"
    assert page.script(lasts) == 1000
    page.script(
        "const [wake] = document.querySelector('.permit').getAnimations(); wake.currentTime = 0; wake.pause()"
    )
    before = page.driver.current_url
    from selenium.webdriver import ActionChains

    ActionChains(page.driver).move_to_element(page.button("Allow")).click().perform()
    assert page.driver.current_url == before
    assert desktop.decision is None
    page.button("Not now").click()
    with pytest.raises(RpcRefused, match="has not allowed"):
        refused.result(60)
