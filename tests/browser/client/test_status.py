"""Every way a session's status goes, in a real browser with real clients."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.client.browser import Browser
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


@pytest.mark.parametrize("version", ["3.0.0", "2.3.0"])
def test_a_forced_gateway(browser: Browser, tmp_path: Path, version: str) -> None:
    with Site(tmp_path / "site", options={"version": version}) as site:
        browser.begin(gateway(site, forceGateway=True))
        browser.until_statuses("INITIALIZING", "RUNNING")
        assert browser.run("return aspera.getInfo().httpGateway.info.version") == version
        assert f"GET {BASE}/info " in site.log
        assert (f"GET {BASE}/v1/info " in site.log) == (version < "3"), "asked of old gateways alone"


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("{site}/nothing", id="not found"),
        pytest.param("{pages}/page.html?", id="no JSON"),
        pytest.param("{pages}/nameless", id="no version"),
        pytest.param("{pages}/old", id="an old one without v1"),
        pytest.param("http://127.0.0.1:1", id="nobody there"),
    ],
)
def test_a_forced_gateway_that_is_none(browser: Browser, site: Site, address: str) -> None:
    url = address.format(site=f"http://{site.host}", pages=browser.origin)
    browser.begin({"httpGatewaySettings": {"url": url, "forceGateway": True}})
    browser.until_statuses("INITIALIZING", "FAILED")


def test_a_gateway_that_is_none_does_not_keep_from_looking_for_clients(
    browser: Browser, local: LocalDesktop
) -> None:
    local.start_client()
    for connect in ({}, CONNECT):
        browser.begin({"httpGatewaySettings": {"url": "http://127.0.0.1:1"}, "connectSettings": connect})
        browser.until_statuses("INITIALIZING", "RUNNING")


def test_a_second_session_of_a_page_keeps_its_gateway_and_looks_for_clients_though_it_was_forced(
    browser: Browser, local: LocalDesktop, site: Site
) -> None:
    browser.begin(gateway(site, forceGateway=True))
    browser.until_statuses("INITIALIZING", "RUNNING")
    browser.begin_again(gateway(site, forceGateway=True))
    browser.until_statuses("INITIALIZING", "RUNNING", "INITIALIZING", "DEGRADED")
    local.start_client()
    browser.until_statuses("INITIALIZING", "RUNNING", "INITIALIZING", "DEGRADED", "RUNNING")


@pytest.mark.parametrize("call", ["get_info", "rpc.discover"])
def test_a_client_that_does_not_answer_each_of_the_first_calls_is_none_yet(
    browser: Browser, local: LocalDesktop, call: str
) -> None:
    local.start_client()
    browser.open()
    browser.run(_CUT, call)
    browser.begin_again()
    browser.until_statuses("INITIALIZING", "FAILED")
    browser.run("cut = ''")
    browser.until_statuses("INITIALIZING", "FAILED", "RUNNING")


def test_a_client_that_knows_nothing_of_dropping_is_one(browser: Browser, local: LocalDesktop) -> None:
    local.start_client()
    browser.open()
    browser.run(_CUT, "init_drag_drop")
    browser.begin_again()
    browser.until_statuses("INITIALIZING", "RUNNING")


_CUT = """
window.cut = `"${arguments[0]}"`;
const whole = window.fetch;
window.fetch = (address, options) =>
  cut && options?.body?.includes(cut) ? Promise.reject(new TypeError('cut')) : whole(address, options);
"""
"""Requests of one method do not reach the client while `cut` is its name."""


def test_connect_by_http(browser: Browser, local: LocalDesktop) -> None:
    local.start_client()
    browser.begin({"connectSettings": CONNECT})
    browser.until_statuses("INITIALIZING", "RUNNING")


def test_connect_that_starts_late(browser: Browser, local: LocalDesktop) -> None:
    browser.begin({"connectSettings": CONNECT})
    browser.until_statuses("INITIALIZING", "RETRYING")
    local.start_client()
    browser.until_statuses("INITIALIZING", "RETRYING", "RUNNING")


def test_connect_that_goes_away_and_returns(browser: Browser, local: LocalDesktop) -> None:
    local.start_client()
    browser.begin({"connectSettings": CONNECT})
    browser.until_statuses("INITIALIZING", "RUNNING")
    local.end(signal.SIGKILL)
    browser.until_statuses("INITIALIZING", "RUNNING", "RETRYING")
    local.start_client()
    browser.until_statuses("INITIALIZING", "RUNNING", "RETRYING", "RUNNING")


def test_connect_that_is_not_there(browser: Browser) -> None:
    browser.begin({"connectSettings": CONNECT})
    browser.until_statuses("INITIALIZING", "RETRYING", "FAILED")


def test_a_gateway_is_used_while_connect_is_not_there(browser: Browser, site: Site) -> None:
    browser.begin({"connectSettings": CONNECT, **gateway(site)})
    browser.until_statuses("INITIALIZING", "RETRYING", "DEGRADED")


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


def test_connect_by_its_extension_where_the_desktop_client_is_not_there(browser: Browser) -> None:
    browser.open()
    browser.run(_EXTENSION)
    browser.begin_again({"connectSettings": {"fallback": True}})
    browser.until_statuses("INITIALIZING", "RUNNING")
    assert browser.run("return aspera.getInfo().connect.active")


@pytest.mark.parametrize("there", [False, True], ids=["no gateway", "gateway"])
def test_connect_that_will_not_do_is_let_go_and_the_desktop_client_looked_for(
    browser: Browser, local: LocalDesktop, site: Site, tmp_path: Path, there: bool
) -> None:
    lost = "DEGRADED" if there else "FAILED"
    with LocalDesktop(tmp_path / "old", ports=(0, browser.connect_port)):
        settings = {"fallback": True, "method": "http", "minVersion": "99.0"}
        browser.begin({"connectSettings": settings, **(gateway(site) if there else {})})
        browser.until_statuses("INITIALIZING", lost)
        assert browser.run("return aspera.getInfo().connect.status ?? null") is None
    local.start_client()
    browser.until_statuses("INITIALIZING", lost, "RUNNING")


@pytest.mark.parametrize("there", [False, True], ids=["no gateway", "gateway"])
def test_neither_of_two_and_then_the_desktop_client(
    browser: Browser, local: LocalDesktop, site: Site, there: bool
) -> None:
    lost = "DEGRADED" if there else "FAILED"
    fallback = {"connectSettings": {"fallback": True, "method": "http"}}
    browser.begin({**fallback, **(gateway(site) if there else {})})
    browser.until_statuses("INITIALIZING", lost)
    local.start_client()
    browser.until_statuses("INITIALIZING", lost, "RUNNING")
