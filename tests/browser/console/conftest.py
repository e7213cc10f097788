"""A headless Chromium for tests of pages; where there is none they are skipped, and say so."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds that a page may take; it is waited for no longer than it needs."""


def _found(*names: str) -> str | None:
    return next((path for name in names if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def driver() -> Iterator[Any]:
    """A Chromium of this test process; its window is used by one test after another."""
    webdriver: Any = pytest.importorskip("selenium.webdriver", reason="needs selenium")
    chromium = _found("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    chromedriver = _found("chromedriver", "chromium-driver")
    if chromium is None or chromedriver is None:
        pytest.skip("needs Chromium and its driver (Debian: chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"):
        options.add_argument(argument)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=chromedriver))
    started.set_script_timeout(PATIENCE)
    yield started
    started.quit()


class Page:
    """The browser's window, as tests use it."""

    def __init__(self, driver: Any, pictures: Path | None) -> None:
        self.driver = driver
        self._pictures = pictures

    def open(self, url: str) -> None:
        self.driver.get(url)

    def find(self, selector: str) -> Any:
        """The first visible element, as soon as there is one."""
        return self.until(
            lambda: next((each for each in self.all(selector) if each.is_displayed()), None), selector
        )

    def all(self, selector: str) -> list[Any]:
        return list(self.driver.find_elements("css selector", selector))

    def text(self, selector: str) -> str:
        """The text of the first element; empty where there is none."""
        return str(self.script("return document.querySelector(arguments[0])?.textContent ?? ''", selector))

    def script(self, code: str, *arguments: Any) -> Any:
        return self.driver.execute_script(code, *arguments)

    def button(self, label: str) -> Any:
        """The visible button with this text."""

        def look() -> Any:
            return next((b for b in self.all("button") if b.is_displayed() and b.text == label), None)

        return self.until(look, f"button {label}")

    def until(self, condition: Callable[[], T], what: str = "") -> T:
        """Wait until it is true; what it is then. An element that was just replaced is looked for again."""
        from selenium.common.exceptions import StaleElementReferenceException

        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                found = condition()
            except StaleElementReferenceException:
                found = None
            if found:
                return found
            assert time.monotonic() < deadline, (
                f"not in time: {what}; the page says: {self.text('body')[:2000]}"
            )
            time.sleep(0.05)

    def complaints(self) -> list[str]:
        """What the browser has complained of since the last call: errors of scripts, refused content."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    def size(self, width: int, height: int) -> None:
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500},
        )

    def colours(self, scheme: str) -> None:
        """`light` or `dark`, as the user's system has it."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def picture(self, name: str) -> None:
        """A picture for docs/, if the option asks for it."""
        if self._pictures is not None:
            self._pictures.mkdir(parents=True, exist_ok=True)
            (self._pictures / f"{name}.png").write_bytes(self.driver.get_screenshot_as_png())


@pytest.fixture
def page(driver: Any, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A window of ordinary size and light colours, without cookies of earlier tests."""
    folder = request.config.getoption("--screenshots")
    driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
    page = Page(driver, Path(folder) if folder else None)
    page.size(1280, 800)
    page.colours("light")
    page.complaints()
    yield page
    driver.get("about:blank")
