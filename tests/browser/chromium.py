"""A headless Chromium of a test process, and windows in it, each with a profile of its own.

Starting a browser costs seconds, a profile next to nothing: tests share the process and nothing else. Where there is
no Chromium, driver or selenium, tests that ask for one are skipped, and say so.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds that a page may take; it is waited for no longer than it needs."""

_SWITCHES = (
    "--headless=new",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--no-first-run",
)


class Chromium:
    """A browser's process. `led` are addresses on this machine that it takes for others: `{33024: 51234}`.

    Profiles are made over the browser's own socket, since its driver has no word for them.
    """

    def __init__(self, folder: Path, led: Mapping[int, int] | None = None) -> None:
        webdriver: Any = pytest.importorskip("selenium.webdriver", reason="needs selenium")
        websocket: Any = pytest.importorskip("websocket", reason="needs websocket-client")
        program = _found("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
        driver = _found("chromedriver", "chromium-driver")
        if program is None or driver is None:
            pytest.skip("needs Chromium and its driver (Debian: chromium, chromium-driver)")
        options = webdriver.ChromeOptions()
        options.binary_location = program
        rules = ",".join(f"MAP 127.0.0.1:{asked} 127.0.0.1:{port}" for asked, port in (led or {}).items())
        given = [*_SWITCHES, f"--user-data-dir={folder}", f"--host-resolver-rules={rules}"]
        for argument in (*given, "--no-sandbox") if os.geteuid() == 0 else given:
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
        self.driver.set_script_timeout(PATIENCE)
        self._first = self.driver.current_window_handle
        address = self.driver.capabilities["goog:chromeOptions"]["debuggerAddress"]
        with urllib.request.urlopen(f"http://{address}/json/version", timeout=PATIENCE) as answer:
            socket = json.load(answer)["webSocketDebuggerUrl"]
        self._socket = websocket.create_connection(socket, timeout=PATIENCE, suppress_origin=True)
        self._asked = 0

    @contextmanager
    def page(self, downloads: Path, pictures: Path | None = None) -> Iterator[Page]:
        """A window that knows nothing of others, and saves what it downloads in this folder."""
        downloads.mkdir(exist_ok=True)
        profile = self.ask("Target.createBrowserContext", disposeOnDetach=True)["browserContextId"]
        try:
            self.ask(
                "Browser.setDownloadBehavior",
                behavior="allow",
                browserContextId=profile,
                downloadPath=str(downloads),
            )
            page = Page(self, profile, downloads, pictures)
            with page.tab("about:blank"):
                yield page
        finally:
            self.driver.switch_to.window(self._first)
            self.ask("Target.disposeBrowserContext", browserContextId=profile)

    def ask(self, method: str, **members: Any) -> Any:
        """The answer to a command of the DevTools protocol, for the browser as a whole."""
        self._asked += 1
        self._socket.send(json.dumps({"id": self._asked, "method": method, "params": members}))
        while True:
            told = json.loads(self._socket.recv())
            if told.get("id") == self._asked:
                assert "error" not in told, told["error"]
                return told["result"]

    def memory(self) -> int:
        """Bytes that the process of any page has needed at most."""
        processes = self.ask("SystemInfo.getProcessInfo")["processInfo"]
        found = [Path(f"/proc/{each['id']}/status") for each in processes if each["type"] == "renderer"]
        peaks = [file.read_text().partition("VmHWM:")[2].split()[0] for file in found if file.exists()]
        return max(map(int, peaks)) * 1024

    def close(self) -> None:
        """End it."""
        self._socket.close()
        self.driver.quit()


class Page:
    """A window, as tests use it. `downloads` is the folder where it saves files."""

    def __init__(self, chromium: Chromium, profile: str, downloads: Path, pictures: Path | None) -> None:
        self._chromium = chromium
        self._profile = profile
        self._pictures = pictures
        self.driver = chromium.driver
        self.downloads = downloads

    @contextmanager
    def tab(self, url: str) -> Iterator[None]:
        """Another tab of the same person, at `url`, in front until the block ends."""
        before = self.driver.current_window_handle
        made = self._chromium.ask("Target.createTarget", url="about:blank", browserContextId=self._profile)
        self.until(lambda: made["targetId"] in self.driver.window_handles, "a tab")
        self.driver.switch_to.window(made["targetId"])
        if url != "about:blank":
            self.driver.get(url)
        try:
            yield
        finally:
            self.driver.switch_to.window(made["targetId"])
            self.driver.close()
            self.driver.switch_to.window(before)

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

    def ask(self, script: str, *arguments: Any) -> Any:
        """What an expression that is a promise resolves to; what it is rejected with fails the test.

        The arguments are `given` in it.
        """
        text = (
            "const done = arguments[arguments.length - 1], given = [...arguments].slice(0, -1);"
            f"(async () => {script})().then((value) => done({{value}}),"
            " (problem) => done({problem: String(problem?.message ?? JSON.stringify(problem))}))"
        )
        told = self.driver.execute_async_script(text, *arguments)
        assert "problem" not in told, told["problem"]
        return told.get("value")

    def button(self, label: str) -> Any:
        """The visible button with this text."""

        def look() -> Any:
            return next((b for b in self.all("button") if b.is_displayed() and b.text == label), None)

        return self.until(look, f"button {label}")

    def choose(self, begin: Callable[[], object], *paths: Path) -> None:
        """Choose files in the browser's own dialog, which `begin` opens. Tests cannot see it: its input is shown."""
        self.script(
            "window.realClick ??= HTMLInputElement.prototype.click;"
            "HTMLInputElement.prototype.click = function () { this.id = 'dialog'; document.body.append(this) }"
        )
        begin()
        self.until(lambda: self.all("#dialog"), "a dialog")
        # Not by the driver's send_keys, which takes blanks off names.
        found = self.command("Runtime.evaluate", expression="document.querySelector('#dialog')")
        self.command(
            "DOM.setFileInputFiles", files=list(map(str, paths)), objectId=found["result"]["objectId"]
        )
        self.script(
            "document.querySelector('#dialog').remove(); HTMLInputElement.prototype.click = realClick"
        )

    def drop(self, selector: str, *paths: Path) -> None:
        """Drop files or folders of this machine on an element, as a person does."""
        spot = self.script(
            "const r = document.querySelector(arguments[0]).getBoundingClientRect(); return [r.x + 9, r.y + 9]",
            selector,
        )
        data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.command("Input.dispatchDragEvent", type=kind, x=spot[0], y=spot[1], data=data)

    def until(self, condition: Callable[[], T], what: str = "", patience: float = PATIENCE) -> T:
        """Wait until it is true; what it is then. An element that was just replaced is looked for again."""
        from selenium.common.exceptions import StaleElementReferenceException

        deadline = time.monotonic() + patience
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

    def command(self, method: str, **members: Any) -> Any:
        """The answer to a command of the DevTools protocol, for this tab."""
        return self.driver.execute_cdp_cmd(method, members)

    def slow(self, rate: int) -> None:
        """Let uploads by HTTP move so many bytes a second at most; -1 ends that."""
        self.command("Network.enable")
        speeds = {"downloadThroughput": -1, "uploadThroughput": rate}
        self.command("Network.emulateNetworkConditions", offline=False, latency=0, **speeds)

    def size(self, width: int, height: int) -> None:
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )

    def colours(self, scheme: str) -> None:
        """`light` or `dark`, as the user's system has it."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.command("Emulation.setEmulatedMedia", features=features)

    @property
    def takes_pictures(self) -> bool:
        """Whether the option asks for pictures."""
        return self._pictures is not None

    def picture(self, name: str) -> None:
        """A picture for docs/, if the option asks for it."""
        if self._pictures is not None:
            self._pictures.mkdir(parents=True, exist_ok=True)
            (self._pictures / f"{name}.png").write_bytes(self.driver.get_screenshot_as_png())


def _found(*names: str) -> str | None:
    return next((path for name in names if (path := shutil.which(name))), None)
