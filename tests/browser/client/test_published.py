"""The published libraries, unmodified, in a real browser: everything they can do, with our client and our gateway.

They are those that npm installs (`packages`). Bytes are looked at on disks, never believed from the page.
"""

from __future__ import annotations

import io
import signal
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asperacentral.commands.local import LocalNode
from tests.browser.client.browser import Browser
from tests.browser.client.ways import digests
from tests.client.support import LocalDesktop, content, spec, until
from tests.gateway.site import BASE, Answer, Site, receive_spec, send_spec

# Connect's library and the local client.


class Connect:
    """A page with Connect's library: `calls` are its methods with callbacks, `seen` what its events told."""

    def __init__(self, browser: Browser, packages: Path, **options: Any) -> None:
        self.browser = browser
        browser.open()
        browser.run(
            (packages / "connect-sdk-js/dist/js/connect-sdk.js").read_text() + "\nwindow.AW4 ??= AW4;"
        )
        browser.run(
            "window.seen = []; window.connectStatuses = [];"
            "window.client = new AW4.Connect({connectMethod: 'http', minVersion: '3.10.1', pollingTime: 200,"
            " dragDropEnabled: true, ...arguments[0]});"
            "client.addEventListener(AW4.Connect.EVENT.STATUS, (_, status) => connectStatuses.push(status));"
            "client.addEventListener(AW4.Connect.EVENT.TRANSFER, (_, told) => seen.push(...told.transfers));"
            "client.initSession('an application of the tests');",
            options,
        )

    @property
    def statuses(self) -> list[str]:
        found: list[str] = self.browser.run("return connectStatuses")
        return [each for at, each in enumerate(found) if at == 0 or found[at - 1] != each]

    def until_status(self, status: str) -> None:
        until(lambda: self.statuses[-1:] == [status])

    def call(self, method: str, *arguments: Any) -> Any:
        """The answer to a call; its error fails the test."""
        script = "new Promise((success, error) => client[given[0]](...given[1], {success, error}))"
        return self.browser.ask(script, method, list(arguments))

    def refused(self, method: str, *arguments: Any) -> dict[str, Any]:
        """The error of a call."""
        script = "new Promise((error, success) => client[given[0]](...given[1], {success, error}))"
        told: dict[str, Any] = self.browser.ask(script, method, list(arguments))["error"]
        return told

    def dialog(self, local: LocalDesktop, method: str, options: dict[str, Any], *paths: Path) -> list[str]:
        """The names that the page gets when the user chooses these."""
        self.browser.run(
            "window.chosen = new Promise((success, error) =>"
            " client[arguments[0]]({success, error}, arguments[1]))",
            method,
            options,
        )
        local.user().press(*(("path", str(path)) for path in paths), ("choose", ""))
        return [each["name"] for each in self.browser.ask("chosen")["dataTransfer"]["files"]]

    def start(self, wanted: dict[str, Any]) -> str:
        begun = self.call("startTransfer", wanted, {"allow_dialogs": "no"})
        uuid: str = begun["transfer_specs"][0]["uuid"]
        return uuid

    def told(self, uuid: str) -> list[str]:
        """The statuses that the page was told of a transfer, without repetitions."""
        script = "return seen.filter(({uuid}) => uuid === arguments[0]).map(({status}) => status)"
        found: list[str] = self.browser.run(script, uuid)
        return [each for at, each in enumerate(found) if at == 0 or found[at - 1] != each]

    def until_told(self, uuid: str, status: str) -> None:
        until(lambda: self.told(uuid)[-1:] == [status])


@pytest.fixture
def connect(browser: Browser, packages: Path, local: LocalDesktop) -> Connect:
    """A page whose client runs."""
    local.start_client()
    connect = Connect(browser, packages)
    connect.until_status("RUNNING")
    return connect


def test_connect_sends_files_and_folders_from_its_dialogs(
    connect: Connect, local: LocalDesktop, node: LocalNode, docroot: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "reel"
    (folder / "deep").mkdir(parents=True)
    for name, size in {"one äö.bin": 400_000, "empty": 0, "deep/two": 7}.items():
        (folder / name).write_bytes(content(size))
    files = connect.dialog(local, "showSelectFileDialog", {}, folder / "one äö.bin", folder / "empty")
    uuid = connect.start(spec(node, "send", *files))
    connect.until_told(uuid, "completed")
    assert "running" in connect.told(uuid) or "initiating" in connect.told(uuid)
    assert digests(docroot) == {name: value for name, value in digests(folder).items() if "/" not in name}

    (name,) = connect.dialog(local, "showSelectFolderDialog", {"allowMultipleSelection": False}, folder)
    connect.until_told(
        connect.start(spec(node, "send", name, destination_root="/in", create_dir=True)), "completed"
    )
    assert digests(docroot / "in" / "reel") == digests(folder)


def test_connect_steers_transfers_and_is_told_of_each_step(
    connect: Connect, local: LocalDesktop, node: LocalNode, docroot: Path
) -> None:
    (docroot / "big").write_bytes(content(1_500_000))
    uuid = connect.start(spec(node, "receive", "/big", target_rate_kbps=1500))
    connect.until_told(uuid, "running")
    connect.call("modifyTransfer", uuid, {"target_rate_kbps": 900})
    info = connect.call("getTransfer", uuid)["transfer_info"]
    assert info["transfer_spec"]["target_rate_kbps"] == 900
    assert info["transfer_spec"]["direction"] == "receive"
    connect.call("stopTransfer", uuid)
    connect.until_told(uuid, "cancelled")
    script = "new Promise((success, error) => client.getAllTransfers({success, error}))"
    everything = connect.browser.ask(script)
    assert [(each["uuid"], each["status"]) for each in everything["transfers"]] == [(uuid, "cancelled")]
    assert everything["result_count"] == 1
    connect.call("resumeTransfer", uuid, {"target_rate_kbps": 500_000})
    connect.until_told(uuid, "completed")
    assert digests(local.downloads) == digests(docroot)
    connect.call("removeTransfer", uuid)
    connect.until_told(uuid, "removed")
    assert connect.browser.ask(script)["transfers"] == []


def test_connect_reads_files_and_tries_servers(
    connect: Connect, local: LocalDesktop, node: LocalNode, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("0123456789")
    types = {"allowedFileTypes": [{"filter_name": "Text", "extensions": ["txt"]}], "title": "Take one"}
    (name,) = connect.dialog(local, "showSelectFileDialog", types, tmp_path / "a.txt")
    assert connect.call("readAsArrayBuffer", {"path": name}) == {
        "data": "MDEyMzQ1Njc4OQ==",
        "type": "text/plain",
    }
    part = {"path": name, "offset": 2, "chunkSize": 3}
    assert connect.call("readChunkAsArrayBuffer", part)["data"] == "MjM0"
    digest = connect.call("getChecksum", {"path": name, "checksumMethod": "md5"})
    assert digest == {"checksum": "781e5e245d69b566979b86e28d23f2c7", "checksumMethod": "md5"}
    here = {"remote_host": "127.0.0.1", "ssh_port": node.port}
    connect.call("testSshPorts", here)
    assert "cannot be reached" in connect.refused("testSshPorts", {**here, "ssh_port": 1})["user_message"]
    login = {**here, "remote_user": "demo", "remote_password": "a long password"}
    connect.call("authenticate", login)
    assert connect.refused("authenticate", {**login, "remote_password": "wrong"})["code"] == 500
    assert connect.call("version")["version"].startswith("4.")
    assert connect.refused("getTransfer", "none")["code"] == 404
    assert connect.refused("readAsArrayBuffer", {"path": "/etc/passwd"})["code"] == 403


def test_connect_shows_its_windows_and_takes_what_is_dropped(
    connect: Connect, local: LocalDesktop, node: LocalNode, docroot: Path, tmp_path: Path
) -> None:
    (docroot / "x").write_text("x")
    uuid = connect.start(spec(node, "receive", "/x"))
    connect.until_told(uuid, "completed")
    windows: list[list[Any]] = [
        ["showAbout"],
        ["showPreferences"],
        ["showPreferencesPage", {"page": "network"}],
        ["showTransferManager"],
        ["showTransferMonitor", uuid],
    ]
    for method, *arguments in windows:
        connect.call(method, *arguments)
        assert "/window/" in local.shown()
    connect.call("showDirectory", uuid)
    assert local.shown() == str(local.downloads)

    (tmp_path / "dropped.txt").write_text("dropped")
    connect.browser.run(
        "window.news = []; client.setDragDropTargets('body', {drop: true}, (told) => news.push(told));"
        "const data = new DataTransfer(); data.items.add(new File(['dropped'], 'dropped.txt'));"
        "document.body.dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true}))"
    )
    user = local.user()
    assert "dropped.txt" in user.text
    user.press(("path", str(tmp_path / "dropped.txt")), ("choose", ""))
    until(lambda: bool(connect.browser.run("return news.length")))
    (file,) = connect.browser.run("return news[0].files.dataTransfer.files")
    connect.until_told(connect.start(spec(node, "send", file["name"])), "completed")
    assert (docroot / "dropped.txt").read_text() == "dropped"


def test_connect_finds_its_transfers_again_with_a_client_that_was_killed_and_is_back(
    connect: Connect, local: LocalDesktop, node: LocalNode, docroot: Path
) -> None:
    """The library's events do not outlive that, its calls do."""
    (docroot / "big").write_bytes(content(1_000_000))
    uuid = connect.start(spec(node, "receive", "/big", target_rate_kbps=1500))
    connect.until_told(uuid, "running")
    local.end(signal.SIGKILL)
    local.start_client()
    connect.call("modifyTransfer", uuid, {"target_rate_kbps": 500_000})
    until(lambda: connect.call("getTransfer", uuid)["transfer_info"]["status"] == "completed")
    assert digests(local.downloads) == digests(docroot)


def test_connect_that_is_too_old_is_outdated_until_it_is_brought_up_to_date(
    browser: Browser, packages: Path, local: LocalDesktop, tmp_path: Path
) -> None:
    local.start_client()
    connect = Connect(browser, packages, minVersion="99.0.0")
    connect.until_status("OUTDATED")
    assert "/window/" in local.shown(), "the user is told"
    local.end()
    ports = (browser.rpc_port, browser.connect_port)
    with LocalDesktop(tmp_path / "newer", "--connect-version", "99.1.0", ports=ports):
        connect.until_status("RUNNING")


def test_connect_of_a_site_that_the_user_refused_moves_nothing(
    connect: Connect, local: LocalDesktop, node: LocalNode
) -> None:
    local.decide(False)
    refused = connect.refused("startTransfer", spec(node, "receive", "/x"), {})
    assert (refused["code"], "not allowed" in refused["user_message"]) == (403, True)
    assert not local.downloads.exists()


# The gateway's library and our gateway.


class Gateway:
    """A page with the library, and a gateway of some version."""

    def __init__(self, browser: Browser, packages: Path, site: Site) -> None:
        self.browser, self.site = browser, site
        browser.open()
        browser.run((packages / "http-gateway-sdk-js/js/http-gateway.js").read_text())
        browser.run(
            "window.gw = asperaHttpGateway; window.seen = [];"
            "window.callback = gw.registerActivityCallback(({transfers}) =>"
            " seen.push(...transfers.map(({status}) => status)));"
        )
        self.info = browser.ask("gw.initHttpGateway(given[0])", f"http://{site.host}{BASE}/v1")

    @property
    def transfers(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.browser.run("return gw.getAllTransfers().transfers")
        return found

    @property
    def statuses(self) -> list[str]:
        return [each["status"] for each in self.transfers]

    def send(self, *names: str, **more: Any) -> dict[str, Any]:
        token = self.site.token("send", "/")
        return send_spec(*names, remote_user="bob", authentication="token", **{"token": token, **more})

    def receive(self, *names: str, **more: Any) -> dict[str, Any]:
        token = self.site.token("recv", "/")
        return receive_spec(*names, remote_user="bob", authentication="token", **{"token": token, **more})

    def refused(self, script: str, *arguments: Any) -> dict[str, Any]:
        """With what a call is rejected."""
        told: dict[str, Any] = self.browser.ask(f"({script}).then(() => ({{}}), (told) => told)", *arguments)
        assert told["error"] is True
        return told


@pytest.fixture(scope="module", params=["3.0.0", "2.3.0", "2.2.9"])
def running_site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("gateway") / "site", options={"version": request.param}) as site:
        yield site


@pytest.fixture
def gateway(browser: Browser, packages: Path, running_site: Site) -> Gateway:
    for path in sorted((running_site.root / "bob").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    return Gateway(browser, packages, running_site)


def test_the_gateways_library_sends_chosen_files_and_folders(gateway: Gateway, tmp_path: Path) -> None:
    folder = tmp_path / "reel"
    (folder / "deep").mkdir(parents=True)
    for name, size in {"one äö.bin": 2_300_000, "two": 1, "deep/three": 70_000}.items():
        (folder / name).write_bytes(content(size))
    browser, driver = gateway.browser, gateway.browser.driver
    browser.run("window.chosen = gw.getFilesForUploadPromise('files')")
    driver.find_element("css selector", "input[type=file]").send_keys(
        "\n".join(str(folder / name) for name in ("one äö.bin", "two"))
    )
    chosen = browser.ask("chosen")["dataTransfer"]["files"]
    assert {each["name"]: each["size"] for each in chosen} == {"one äö.bin": 2_300_000, "two": 1}
    browser.ask("gw.upload(given[0], 'files')", gateway.send("one äö.bin", "two"))
    until(lambda: gateway.statuses == ["completed"])

    browser.run("window.chosen = gw.getFoldersForUploadPromise('folder')")
    driver.find_element("css selector", "input[webkitdirectory]").send_keys(str(folder))
    assert [each["name"] for each in browser.ask("chosen")["dataTransfer"]["files"]] == ["reel"]
    browser.ask("gw.upload(given[0], 'folder')", gateway.send("reel", destination_root="/in"))
    until(lambda: gateway.statuses == ["completed"] * 2)
    home = gateway.site.root / "bob"
    assert digests(home / "in/reel") == digests(folder)
    assert digests(home) == {
        **{f"in/reel/{name}": value for name, value in digests(folder).items()},
        **{name: value for name, value in digests(folder).items() if "/" not in name},
    }
    uuid = gateway.transfers[0]["uuid"]
    found = browser.run("return gw.getTransferById(arguments[0]).transfer_info", uuid)
    assert (found["bytes_written"], found["bytes_expected"]) == (2_300_001, 2_300_001)
    until(lambda: "completed" in browser.run("return seen"))
    browser.run("gw.removeTransfer(arguments[0])", uuid)
    assert len(gateway.transfers) == 1
    browser.run("gw.clearNonActiveTransfers()")
    assert gateway.transfers == []


def test_the_gateways_library_takes_what_is_dropped_until_it_does_no_more(
    gateway: Gateway, tmp_path: Path
) -> None:
    (tmp_path / "d.txt").write_text("dropped")
    browser = gateway.browser
    data = {"items": [], "files": [str(tmp_path / "d.txt")], "dragOperationsMask": 1}

    def drop() -> None:
        for kind in ("dragEnter", "dragOver", "drop"):
            event = {"type": kind, "x": 50, "y": 50, "data": data}
            browser.driver.execute_cdp_cmd("Input.dispatchDragEvent", event)

    browser.run("document.body.style.height = '300px'; window.news = [];")
    browser.run("gw.createDropzone((told) => news.push(told.files.dataTransfer.files[0].name), 'body')")
    drop()
    until(lambda: browser.run("return news") == ["d.txt"])
    browser.ask("gw.upload(given[0], 'http-dropzone-container')", gateway.send("d.txt"))
    until(lambda: gateway.statuses == ["completed"])
    assert (gateway.site.root / "bob/d.txt").read_text() == "dropped"
    browser.run(
        "gw.removeDropzone('body'); addEventListener('drop', (event) => {"
        " event.preventDefault(); news.push('to nobody'); });"
        "addEventListener('dragover', (event) => event.preventDefault())"
    )
    drop()
    until(lambda: browser.run("return news") == ["d.txt", "to nobody"])


def test_the_gateways_library_fetches_one_and_many(gateway: Gateway) -> None:
    home, own = gateway.site.root / "bob", f"{gateway.site.port} äö.bin"
    (home / "d").mkdir()
    for name, size in {own: 900_000, "d/two": 7, "d/empty": 0}.items():
        (home / name).write_bytes(content(size))
    browser = gateway.browser
    browser.ask("gw.download(given[0])", gateway.receive(own))
    saved = browser.downloads / own
    until(saved.exists)
    assert saved.read_bytes() == (home / own).read_bytes()

    def brought(*names: str, zipped: bool, **more: Any) -> Answer:
        """What the link brings that the page gets instead of a download."""
        script = "gw.download(given[0], {disableAutoDownload: true, zipRequire: given[1]})"
        left = browser.ask(script, gateway.receive(*names, **more), zipped)
        assert left["url"].endswith(f"/v1/download/{left['transfer_spec_id']}")
        return gateway.site.call("GET", left["url"].partition(gateway.site.host)[2])

    assert brought("d/two", zipped=False).body == (home / "d/two").read_bytes()
    for names, whole in ((("d", own), {own, "d/two", "d/empty"}), (("d/two",), {"two"})):
        answer = brought(*names, zipped=True, download_name="all")
        assert answer.headers["content-disposition"] == 'attachment; filename="all.zip"'
        zipped = zipfile.ZipFile(io.BytesIO(answer.body))
        assert zipped.testzip() is None
        assert set(zipped.namelist()) == whole
        assert zipped.read(zipped.namelist()[0]) in [
            path.read_bytes() for path in home.rglob("*") if path.is_file()
        ]


def test_the_gateways_library_cancels_and_leaves_nothing_behind(gateway: Gateway) -> None:
    browser = gateway.browser
    browser.run(
        "window.big = new File([new Uint8Array(100_000_000)], 'big');"
        "setInterval(() => gw.getAllTransfers().transfers.filter(({bytes_written}) => bytes_written > 4_000_000)"
        ".forEach(({uuid}) => gw.cancelTransfer(uuid)), 1)"
    )
    browser.ask("gw.upload(given[0], 'one', [big])", gateway.send("big"))
    until(lambda: gateway.statuses == ["canceled"])
    until(lambda: "given up" in gateway.site.log)
    until(lambda: not gateway.site.files("bob"))


def test_the_gateways_library_queues_what_is_more_than_three(gateway: Gateway) -> None:
    names = [f"f{number}" for number in range(5)]
    begun = (
        "(async () => { const send = ({spec, name}) =>"
        " gw.upload(spec, name, [new File([new Uint8Array(8_000_000)], name)]);"
        "await Promise.all(given[0].slice(0, 3).map(send)); given[0].slice(3).forEach(send);"
        "return gw.getAllTransfers().transfers.map(({status}) => status) })()"
    )
    sent = [{"spec": gateway.send(name), "name": name} for name in names]
    assert gateway.browser.ask(begun, sent)[3:] == ["queued", "queued"]
    until(lambda: gateway.statuses == ["completed"] * 5)
    assert gateway.site.files("bob") == set(names)


def test_the_gateways_library_is_told_why_it_is_refused(gateway: Gateway) -> None:
    browser = gateway.browser
    assert gateway.info == browser.ask("gw.testHttpGatewayConnection()")
    browser.ask(
        "gw.upload(given[0], 'one', [new File(['x'], 'x')])",
        gateway.send("x", token=gateway.site.token("recv", "/")),
    )
    until(lambda: gateway.statuses == ["failed"])
    (failed,) = gateway.transfers
    assert (failed["error_code"], "token" in failed["error_desc"]) == (1008, True)
    assert gateway.refused("gw.download(given[0])", gateway.receive("missing"))
    assert gateway.refused("gw.download(given[0])", gateway.receive("x", token="forged"))
    assert gateway.refused("gw.startStream(given[0])", gateway.receive("x"))
    assert gateway.refused("gw.upload(given[0], 'none')", gateway.send("x"))
    assert gateway.refused("gw.initHttpGateway('http://127.0.0.1:1/aspera/http-gwy')")
    assert not gateway.site.files("bob")
    browser.run("gw.deregisterActivityCallback(callback); seen.length = 0")
    browser.ask("gw.initHttpGateway(given[0])", f"http://{gateway.site.host}{BASE}")
    browser.ask("gw.upload(given[0], 'two', [new File(['x'], 'x')])", gateway.send("x"))
    until(lambda: gateway.statuses[-1:] == ["completed"])
    assert browser.run("return seen") == []
