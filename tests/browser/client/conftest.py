"""A real browser for pages on loopback, which finds local clients on ports of the test's own.

Pages look for clients at fixed ports; the browser leads these to ports that were free when it started, so tests run
side by side. Without Chromium, its driver or selenium, tests here are skipped; so are those of published packages
where npm cannot install them.
"""

from __future__ import annotations

import fcntl
import functools
import http.server
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import asperacentral.client
from tests.client.support import LocalDesktop, until

HERE = Path(__file__).parents[1]
MODULE = Path(asperacentral.client.__file__).with_name("static")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")


@dataclass
class Browser:
    """The driver, the ports that pages reach as 33024 and 33003, and where pages come from."""

    driver: Any
    rpc_port: int
    connect_port: int
    origin: str
    downloads: Path

    def open(self) -> None:
        """A fresh page with our module in `aspera`, and the statuses it was told in `statuses`."""
        self.driver.get(f"{self.origin}/page.html")
        until(lambda: self.run("return window.aspera !== undefined"))

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script in the page returns."""
        return self.driver.execute_script(script, *arguments)

    def ask(self, script: str, *arguments: Any) -> Any:
        """What an expression that is a promise resolves to; what it is rejected with fails the test."""
        text = (
            "const done = arguments[arguments.length - 1], given = [...arguments].slice(0, -1);"
            f"(async () => {script})().then((value) => done({{value}}),"
            " (problem) => done({problem: String(problem?.message ?? JSON.stringify(problem))}))"
        )
        told = self.driver.execute_async_script(text, *arguments)
        assert "problem" not in told, told["problem"]
        return told.get("value")

    def refused(self, script: str, *arguments: Any) -> str:
        """With what a promise is rejected."""
        problem = self.ask(f"({script}).then(() => '', (problem) => String(problem.message))", *arguments)
        assert problem
        return str(problem)

    def begin(self, options: dict[str, Any] | None = None) -> None:
        """Start a session in a fresh page, impatiently."""
        self.open()
        self.run(
            "aspera.registerStatusCallback((status) => statuses.push(status));"
            "aspera.registerActivityCallback((news) => activity.push(news));"
            "aspera.initSession({appId: 'app', retryInterval: 200, retryTimeout: 700, ...arguments[0]})",
            options or {},
        )

    def until_statuses(self, *wanted: str) -> None:
        """Wait for exactly these statuses, from the first to the last."""

        def told() -> list[str]:
            found: list[str] = self.run("return statuses")
            return found

        until(lambda: len(told()) >= len(wanted))
        assert told() == list(wanted)


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The origin of a site that serves our module, and published packages if they are there."""
    root = tmp_path_factory.mktemp("site")
    shutil.copytree(MODULE, root / "client")
    (root / "page.html").write_text(
        "<!DOCTYPE html><title>A page</title><script type=module>"
        "import * as aspera from './client/transfer-client.js';"
        "Object.assign(window, {aspera, statuses: [], activity: []});</script>"
    )
    handler = functools.partial(_Quiet, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="session")
def browser(pages: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("needs chromium and chromedriver")
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
    rpc, connect = _free_port(), _free_port()
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    rules = f"MAP 127.0.0.1:33024 127.0.0.1:{rpc},MAP 127.0.0.1:33003 127.0.0.1:{connect}"
    options.add_argument("--headless=new")
    options.add_argument(f"--host-resolver-rules={rules}")
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('chromium')}")
    options.add_argument("--disable-dev-shm-usage")
    downloads = tmp_path_factory.mktemp("downloads")
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    if os.getuid() == 0:
        options.add_argument("--no-sandbox")
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.set_script_timeout(90)
    yield Browser(driver, rpc, connect, pages, downloads)
    driver.quit()


@pytest.fixture(scope="session")
def packages() -> Path:
    """The published packages, unmodified, as npm installs them."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("needs npm")
    folder = HERE / "node_modules" / "@ibm-aspera"
    with (HERE / "package.json").open() as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        if not (folder / "connect-sdk-js").is_dir() or not (folder / "http-gateway-sdk-js").is_dir():
            command = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock"]
            done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=120, check=False)
            if done.returncode:
                pytest.skip(f"npm cannot install the published packages: {done.stderr[-300:]}")
    return folder


@pytest.fixture
def local(browser: Browser, tmp_path: Path) -> Iterator[LocalDesktop]:
    """A local client that pages find, not started yet; their site is allowed."""
    desktop = LocalDesktop(tmp_path / "client", ports=(browser.rpc_port, browser.connect_port))
    desktop.visit(browser.origin)
    desktop.decide(True)
    yield desktop
    desktop.end()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
