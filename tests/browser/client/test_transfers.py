"""Files sent and fetched by a page, by the local client and a node and by the gateway; looked at on the disk."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asperacentral.commands.local import LocalNode
from tests.browser.client.browser import Browser
from tests.browser.client.ways import digests, ended, pick
from tests.client.support import LocalDesktop, content, spec, until
from tests.gateway.site import BASE, Site, receive_spec, send_spec

NAMES = {"plain.bin": 3_000_000, "empty": 0, "äö ü 100%.txt": 17, "it's [a] #file; ok.dat": 70_000}


@pytest.fixture
def docroot(tmp_path: Path) -> Path:
    folder = tmp_path / "docroot"
    folder.mkdir()
    return folder


@pytest.fixture
def node(tmp_path: Path, docroot: Path) -> Iterator[LocalNode]:
    with LocalNode(tmp_path, docroot, "demo", "a long password") as node:
        yield node


@pytest.fixture
def reel(tmp_path: Path) -> Path:
    """A folder with files in folders."""
    folder = tmp_path / "reel"
    (folder / "deep" / "er").mkdir(parents=True)
    for name, size in NAMES.items():
        (folder / "deep" / name).write_bytes(content(size))
    (folder / "deep" / "er" / "last").write_bytes(b"last")
    return folder


@pytest.mark.parametrize("settings", [{}, {"connectSettings": {"useConnect": True, "method": "http"}}])
def test_a_folder_and_files_go_through_the_local_client_and_come_back(
    browser: Browser,
    local: LocalDesktop,
    node: LocalNode,
    docroot: Path,
    reel: Path,
    settings: dict[str, Any],
) -> None:
    local.start_client()
    browser.begin(settings)
    browser.until_statuses("INITIALIZING", "RUNNING")
    local.downloads.mkdir()
    browser.run("window.chosen = aspera.showSelectFolderDialog({allowMultipleSelection: false})")
    pick(browser, local, reel)
    (folder,) = browser.ask("chosen.then(({dataTransfer}) => dataTransfer.files)")
    begun = browser.ask("aspera.startTransfer(given[0])", spec(node, "send", folder["name"]))
    assert ended(browser, begun["uuid"])["status"] == "completed"
    assert digests(docroot / "reel") == digests(reel)

    wanted = spec(node, "receive", "/reel", "/reel/deep/plain.bin")
    begun = browser.ask("aspera.startTransfer(given[0])", wanted)
    done = ended(browser, begun["uuid"])
    assert (done["status"], done["percentage"]) == ("completed", 1)
    assert digests(local.downloads / "reel") == digests(reel)
    assert [each["uuid"] for each in browser.ask("aspera.getAllTransfers()")][-1] == begun["uuid"]


def test_a_transfer_is_steered_stopped_resumed_and_removed(
    browser: Browser, local: LocalDesktop, node: LocalNode, docroot: Path
) -> None:
    (docroot / "big").write_bytes(content(1_500_000))
    local.start_client()
    browser.begin()
    browser.until_statuses("INITIALIZING", "RUNNING")
    uuid = browser.ask(
        "aspera.startTransfer(given[0])", spec(node, "receive", "/big", target_rate_kbps=1500)
    )["uuid"]
    until(lambda: browser.ask("aspera.getTransfer(given[0])", uuid)["status"] == "running")
    browser.ask("aspera.modifyTransfer(given[0], {target_rate_kbps: 900})", uuid)
    browser.ask("aspera.stopTransfer(given[0])", uuid)
    assert ended(browser, uuid)["status"] == "cancelled"
    browser.ask("aspera.resumeTransfer(given[0], {target_rate_kbps: 500000})", uuid)
    until(lambda: browser.ask("aspera.getTransfer(given[0])", uuid)["status"] == "completed")
    browser.ask("aspera.removeTransfer(given[0])", uuid)
    assert browser.ask("aspera.getAllTransfers()") == []
    assert digests(local.downloads) == digests(docroot)


def test_a_page_that_is_not_allowed_moves_nothing(
    browser: Browser, local: LocalDesktop, node: LocalNode, docroot: Path
) -> None:
    local.decide(False)
    local.start_client()
    browser.begin()
    browser.until_statuses("INITIALIZING", "RUNNING")
    assert "not allowed" in browser.refused("aspera.startTransfer(given[0])", spec(node, "receive", "/x"))
    local.decide(True)
    stolen = spec(node, "send", "/etc/passwd")
    assert "not chosen" in browser.refused("aspera.startTransfer(given[0])", stolen)
    assert not any(docroot.iterdir())


def test_a_framed_or_posted_dialog_cannot_be_answered_by_the_page(
    browser: Browser, local: LocalDesktop
) -> None:
    local.start_client()
    browser.begin()
    browser.until_statuses("INITIALIZING", "RUNNING")
    browser.run(
        "window.chosen = aspera.showSelectFileDialog().then(() => 'chosen', (problem) => problem.message)"
    )
    address = local.shown()  # more than a page ever learns
    framed = (
        "new Promise((resolve) => { const frame = document.createElement('iframe'); frame.src = given[0];"
        "frame.onload = () => { try { resolve(frame.contentDocument.body.innerText) } catch { resolve('closed') } };"
        "document.body.append(frame) })"
    )
    assert browser.ask(framed, address) == "closed"
    posted = "fetch(given[0], {method: 'POST', body: 'step=&choose='}).then(() => 'read', () => 'closed')"
    assert browser.ask(posted, address) == "closed"
    assert browser.ask("Promise.race([chosen, Promise.resolve('open')])") != "chosen"


# The gateway.


@pytest.fixture(scope="module", params=["3.0.0", "2.3.0", "2.2.9"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("gateway") / "site"
    with Site(folder, options={"version": request.param}) as site:
        yield site


def take(browser: Browser, files: dict[str, bytes]) -> None:
    """Give the page files, as its picker does."""
    browser.run(
        "window.named = Object.entries(arguments[0]).map(([name, text]) =>"
        " [name, new File([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], name.split('/').pop())]);"
        "const data = new DataTransfer(); named.forEach(([, file]) => data.items.add(file)); window.data = data;",
        {name: _base64(data) for name, data in files.items()},
    )


def _base64(data: bytes) -> str:
    import base64

    return base64.b64encode(data).decode()


def test_files_dropped_on_a_page_go_through_the_gateway_and_come_back(browser: Browser, site: Site) -> None:
    files = {"one äö.bin": content(2_500_000), "two": content(1)}
    browser.begin({"httpGatewaySettings": {"url": f"http://{site.host}{BASE}", "forceGateway": True}})
    browser.until_statuses("INITIALIZING", "RUNNING")
    take(browser, files)
    browser.run(
        "window.dropped = new Promise((resolve) => aspera.createDropzone(document.body, resolve));"
        "document.body.dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true}))"
    )
    chosen = browser.ask("dropped")["dataTransfer"]["files"]
    assert {each["name"]: each["size"] for each in chosen} == {
        name: len(data) for name, data in files.items()
    }
    sent = send_spec(*files, remote_user="bob", token=site.token("send", "/"))
    begun = browser.ask("aspera.startTransfer(given[0])", sent)
    done = ended(browser, begun["uuid"])
    assert (done["status"], done["bytes_written"]) == ("completed", 2_500_001), done
    assert {name: (site.root / "bob" / name).read_bytes() for name in files} == files

    refused = browser.ask("aspera.startTransfer(given[0])", {**sent, "token": "forged"})
    assert ended(browser, refused["uuid"])["status"] == "failed"

    wanted = receive_spec("one äö.bin", remote_user="bob", token=site.token("recv", "/"))
    begun = browser.ask("aspera.startTransfer(given[0], {disableAutoDownload: true})", wanted)
    done = ended(browser, begun["uuid"])
    assert done["status"] == "completed", done
    if link := done["httpDownloadUrl"]:
        host, _, path = link.removeprefix("http://").partition("/")
        connection = http.client.HTTPConnection(host, timeout=60)
        connection.request("GET", f"/{path}")
        assert connection.getresponse().read() == files["one äö.bin"]
        connection.close()
