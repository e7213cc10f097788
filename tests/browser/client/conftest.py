"""A page with our module, which finds local clients on ports of the test's own.

Tests of published packages are skipped where npm cannot install them.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from asperacentral.commands.local import LocalNode
from tests.browser.chromium import Page
from tests.browser.client.browser import Browser
from tests.browser.client.ways import ByGateway, ByLocalClient, Way
from tests.browser.conftest import ClientPorts
from tests.client.support import LocalDesktop
from tests.gateway.site import Site

HERE = Path(__file__).parents[1]
VERSIONS = {"v1": "2.2.9", "v2": "2.3.0", "v3": "3.0.0"}
"""What a gateway announces, by the protocol that pages then use."""
LOCAL: dict[str, dict[str, Any]] = {
    "desktop": {},
    "connect": {"connectSettings": {"useConnect": True, "method": "http"}},
}
"""Options by which pages use the local client, by the product that it is then."""


@pytest.fixture
def browser(page: Page, client_ports: ClientPorts, pages: str) -> Browser:
    return Browser(page, client_ports.rpc, client_ports.connect, pages)


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


@pytest.fixture
def docroot(tmp_path: Path) -> Path:
    """What the node serves."""
    folder = tmp_path / "docroot"
    folder.mkdir()
    return folder


@pytest.fixture
def node(tmp_path: Path, docroot: Path) -> Iterator[LocalNode]:
    """A server that the local client moves files to and from."""
    with LocalNode(tmp_path, docroot, "demo", "a long password") as node:
        yield node


@contextmanager
def serving(name: str, folder: Path, ports: ClientPorts) -> Iterator[Callable[[Browser], Way]]:
    """What pages use for a way: a gateway, or a local client and a node."""
    if name in VERSIONS:
        with Site(folder / "site", options={"version": VERSIONS[name]}) as site:
            yield lambda browser: ByGateway(browser, site)
        return
    docroot = folder / "docroot"
    docroot.mkdir()
    desktop = LocalDesktop(folder / "client", ports=(ports.rpc, ports.connect))
    with LocalNode(folder, docroot, "demo", "a long password") as node, desktop:
        yield lambda browser: ByLocalClient(browser, desktop, node, docroot, LOCAL[name])


@pytest.fixture(scope="module", params=[*VERSIONS, *LOCAL])
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, client_ports: ClientPorts
) -> Iterator[Callable[[Browser], Way]]:
    """Makes the way of the test's page."""
    with serving(request.param, tmp_path_factory.mktemp(request.param), client_ports) as making:
        yield making


@pytest.fixture
def way(service: Callable[[Browser], Way], browser: Browser) -> Way:
    """A way of transfer with a page that is ready to use it; the server's folder is empty."""
    made = service(browser)
    made.begin()
    return made
