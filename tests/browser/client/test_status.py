"""Every way a session's status goes, in a real browser with real clients."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.client.conftest import Browser
from tests.client.support import LocalDesktop
from tests.gateway.site import BASE, Site

CONNECT = {"useConnect": True, "method": "http"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("gateway") / "site") as site:
        yield site


def gateway(site: Site, **more: object) -> dict[str, object]:
    return {"httpGatewaySettings": {"url": f"http://{site.host}{BASE}", **more}}


def test_a_client_that_drops_and_returns(browser: Browser, local: LocalDesktop) -> None:
    local.start_client()
    browser.begin()
    browser.until_statuses("INITIALIZING", "RUNNING")
    assert browser.run("return aspera.getInfo().version").count(".") == 2
    local.end(signal.SIGKILL)
    browser.until_statuses("INITIALIZING", "RUNNING", "DISCONNECTED")
    local.start_client()
    browser.until_statuses("INITIALIZING", "RUNNING", "DISCONNECTED", "RUNNING")
    browser.run("window.late = []; aspera.registerStatusCallback((status) => late.push(status))")
    assert browser.run("return late") == ["RUNNING"], "who comes late is told at once"


def test_nobody_there_and_a_client_that_starts_late(browser: Browser, local: LocalDesktop) -> None:
    browser.begin()
    browser.until_statuses("INITIALIZING", "FAILED")
    assert "no transfer client" in browser.refused("aspera.startTransfer({})")
    local.start_client()
    browser.until_statuses("INITIALIZING", "FAILED", "RUNNING")


def test_a_gateway_is_used_while_there_is_no_client(
    browser: Browser, local: LocalDesktop, site: Site
) -> None:
    browser.begin(gateway(site))
    browser.until_statuses("INITIALIZING", "DEGRADED")
    assert browser.run("return aspera.getInfo().httpGateway.verified")
    local.start_client()
    browser.until_statuses("INITIALIZING", "DEGRADED", "RUNNING")
    local.end()
    browser.until_statuses("INITIALIZING", "DEGRADED", "RUNNING", "DEGRADED")
    local.start_client()
    browser.until_statuses("INITIALIZING", "DEGRADED", "RUNNING", "DEGRADED", "RUNNING")


def test_a_forced_gateway(browser: Browser, site: Site) -> None:
    browser.begin(gateway(site, forceGateway=True))
    browser.until_statuses("INITIALIZING", "RUNNING")


@pytest.mark.parametrize("address", ["{site}/nothing", "{pages}/page.html?", "{pages}", "http://127.0.0.1:1"])
def test_a_forced_gateway_that_is_none(browser: Browser, site: Site, address: str) -> None:
    url = address.format(site=f"http://{site.host}", pages=browser.origin)
    browser.begin({"httpGatewaySettings": {"url": url, "forceGateway": True}})
    browser.until_statuses("INITIALIZING", "FAILED")


def test_connect_by_http(browser: Browser, local: LocalDesktop) -> None:
    local.start_client()
    browser.begin({"connectSettings": CONNECT})
    browser.until_statuses("INITIALIZING", "RUNNING")


def test_connect_that_is_not_there(browser: Browser) -> None:
    browser.begin({"connectSettings": CONNECT})
    browser.until_statuses("INITIALIZING", "RETRYING", "FAILED")


def test_connect_that_is_too_old(browser: Browser, local: LocalDesktop) -> None:
    local.start_client()
    browser.begin({"connectSettings": {**CONNECT, "minVersion": "99.0"}})
    browser.until_statuses("INITIALIZING", "OUTDATED")
    assert "/window/" in local.shown(), "the user is told"


def test_connect_by_an_extension_that_is_installed_late(browser: Browser) -> None:
    browser.begin({"connectSettings": {"useConnect": True}})
    browser.until_statuses("INITIALIZING", "EXTENSION_INSTALL")
    browser.run(_EXTENSION)
    browser.until_statuses("INITIALIZING", "EXTENSION_INSTALL", "RUNNING")


_EXTENSION = """
const answer = (type, detail) => window.postMessage({type, detail}, '*');
document.addEventListener('AsperaConnectCheck', () => answer('AsperaConnectCheckResponse', {}));
document.addEventListener('AsperaConnectRequest', ({detail}) => {
  const body = detail.uri_reference === '/connect/info/version'
    ? {version: '4.2.0'} : {iteration_token: 0, result_count: 0, transfers: []};
  answer('AsperaConnectResponse', {request_id: detail.request_id, status: 200, body: JSON.stringify(body)});
});
"""


def test_connect_where_the_desktop_client_is_not_there(browser: Browser, tmp_path: Path) -> None:
    with LocalDesktop(tmp_path / "client", ports=(0, browser.connect_port)):
        browser.begin({"connectSettings": {"fallback": True, "method": "http"}})
        browser.until_statuses("INITIALIZING", "RUNNING")
        assert browser.run("return aspera.getInfo().connect.active")


def test_neither_of_two_and_then_the_desktop_client(
    browser: Browser, local: LocalDesktop, site: Site
) -> None:
    browser.begin({"connectSettings": {"fallback": True, "method": "http"}, **gateway(site)})
    browser.until_statuses("INITIALIZING", "DEGRADED")
    local.start_client()
    browser.until_statuses("INITIALIZING", "DEGRADED", "RUNNING")
