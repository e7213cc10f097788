"""One Chromium for each test process, a window of its own for each test, and a site for pages to come from."""

from __future__ import annotations

import functools
import http.server
import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import asperacentral.client
from tests.browser.chromium import Chromium, Page

MODULE = Path(asperacentral.client.__file__).with_name("static")


@dataclass(frozen=True)
class ClientPorts:
    """Ports of the test's own, to which pages are led that look for local clients at 33024 and 33003."""

    rpc: int
    connect: int


@pytest.fixture(scope="session")
def client_ports() -> ClientPorts:
    return ClientPorts(_free_port(), _free_port())


@pytest.fixture(scope="session")
def chromium(client_ports: ClientPorts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    led = {33024: client_ports.rpc, 33003: client_ports.connect}
    started = Chromium(tmp_path_factory.mktemp("chromium"), led)
    yield started
    started.close()


@pytest.fixture
def page(chromium: Chromium, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A window of ordinary size and light colours."""
    folder = request.config.getoption("--screenshots")
    with chromium.page(tmp_path / "saved", Path(folder) if folder else None) as page:
        page.size(1280, 800)
        page.colours("light")
        page.complaints()
        yield page


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The origin of a site that serves our module, and a gateway's `info` that names no version."""
    root = tmp_path_factory.mktemp("site")
    shutil.copytree(MODULE, root / "client")
    (root / "page.html").write_text(
        "<!DOCTYPE html><meta charset=utf-8><title>A page</title><script type=module>"
        "import * as aspera from './client/transfer-client.js';"
        "const statuses = [], activity = [];"
        "aspera.registerStatusCallback((status) => statuses.push(status));"
        "aspera.registerActivityCallback((news) => activity.push(news));"
        "Object.assign(window, {aspera, statuses, activity});</script>"
    )
    (root / "nameless").mkdir()
    (root / "nameless/info").write_text('{"name": "a gateway"}')
    (root / "old").mkdir()
    (root / "old/info").write_text('{"name": "a gateway", "version": "2.3.0"}')
    handler = functools.partial(_Quiet, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
