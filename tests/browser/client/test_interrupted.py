"""Transfers that do not come to their end, by every way: what the page is told, what disks and the store have then."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from asperacentral.commands.local import LocalDaemon
from tests.browser.client.browser import Browser
from tests.browser.client.conftest import LOCAL, VERSIONS, serving
from tests.browser.client.ways import ByGateway, ByLocalClient, Way, digest, ended, last_told
from tests.browser.conftest import ClientPorts
from tests.bulk import bulky
from tests.gateway.site import BASE, Site
from tests.gateway.test_sessions import Central

HUGE = 4_000_000_000
"""Bytes of a file: more than is moved until somebody breaks in."""


@pytest.fixture
def huge(tmp_path: Path) -> Path:
    return bulky(tmp_path / "huge.bin", HUGE)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A file that takes the place of the huge one."""
    (tmp_path / "small").mkdir()
    file = tmp_path / "small" / "huge.bin"
    file.write_bytes(b"small")
    return file


@pytest.fixture(scope="module", params=VERSIONS)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Site, Central]]:
    """A gateway beside a Central, at a port that it keeps when it starts again."""
    prefix = tmp_path_factory.mktemp("served") / "s"
    daemon = LocalDaemon(prefix)
    site = Site(prefix, options={"version": VERSIONS[request.param], "idle_timeout": "15"})
    with daemon, site:
        configuration = prefix / "etc/aspera.conf"
        text = configuration.read_text().replace("<port>0</port>", f"<port>{site.port}</port>", 1)
        configuration.write_text(text)
        yield site, Central(daemon)


@pytest.fixture
def gateway(served: tuple[Site, Central], browser: Browser) -> ByGateway:
    way = ByGateway(browser, served[0])
    way.begin()
    return way


@pytest.fixture
def central(served: tuple[Site, Central]) -> Central:
    return served[1]


def moving(way: Way, uuid: str) -> None:
    """Wait until bytes have gone, and more are to go."""

    def some() -> bool:
        told = last_told(way.browser, uuid)
        assert not told.get("end_time"), told
        return bool(0 < told.get("bytes_written", 0) < told["bytes_expected"])

    way.browser.page.until(some, "bytes that move")


def begun(way: Way, file: Path, cookie: str) -> str:
    """An upload that moves."""
    uuid = way.start(way.spec("send", *way.choose("File", file), cookie=cookie))
    moving(way, uuid)
    return uuid


def again(site: Site) -> None:
    """Start a gateway that was killed."""
    (site.folder / "var/run/aspera/httpgateway.http").unlink()
    site.start()


def test_an_upload_that_is_cancelled_leaves_nothing_and_can_be_begun_anew(
    gateway: ByGateway, central: Central, huge: Path, small: Path
) -> None:
    uuid = begun(gateway, huge, "cancelled upload")
    gateway.browser.ask("aspera.stopTransfer(given[0])", uuid)
    assert ended(gateway.browser, uuid)["status"] == "cancelled"
    assert central.session("cancelled upload")["status"] == "cancelled"
    assert list(gateway.server.iterdir()) == []
    assert gateway.send("File", small)["status"] == "completed"
    assert digest(gateway.server / "huge.bin") == digest(small)


def test_uploads_that_wait_for_their_turn_can_be_cancelled_and_the_others_go_on(
    gateway: ByGateway, huge: Path, small: Path
) -> None:
    names = gateway.choose("File", huge)
    first = [gateway.start(gateway.spec("send", *names, destination_root=f"/{at}")) for at in range(3)]
    for uuid in first:
        moving(gateway, uuid)
    waiting = [gateway.start(gateway.spec("send", *names, destination_root="/w")) for _ in range(2)]
    assert [last_told(gateway.browser, uuid)["status"] for uuid in waiting] == ["queued", "queued"]
    for uuid in (*waiting, *first):
        gateway.browser.ask("aspera.stopTransfer(given[0])", uuid)
    for uuid in (*waiting, *first):
        assert ended(gateway.browser, uuid)["status"] == "cancelled"
    for _ in range(4):  # each place is free again
        assert gateway.send("File", small)["status"] == "completed"
    assert {file.name for file in gateway.server.rglob("*") if file.is_file()} == {"huge.bin"}


def test_a_page_that_is_left_ends_its_upload(gateway: ByGateway, central: Central, huge: Path) -> None:
    begun(gateway, huge, "left page")
    # A browser that keeps the page may keep a slice that is on its way, and the end of its WebSocket behind that.
    meant = ("cancelled",) if gateway.version >= "3" else ("cancelled", "error")
    gateway.browser.page.open("about:blank")
    assert central.session("left page")["status"] in meant
    assert list(gateway.server.iterdir()) == []


def test_a_gateway_that_is_killed_is_told_to_the_page_and_leaves_nothing_once_it_runs_again(
    gateway: ByGateway, central: Central, huge: Path, small: Path
) -> None:
    uuid = begun(gateway, huge, "killed")
    gateway.site.stop(signal.SIGKILL)
    told = ended(gateway.browser, uuid)
    assert (told["status"], told["error_desc"]) == ("failed", "the connection was lost")
    assert not (gateway.server / "huge.bin").exists()
    assert central.session("killed")["status"] in ("error", "orphaned")
    again(gateway.site)
    assert list(gateway.server.iterdir()) == []
    assert gateway.send("File", small)["status"] == "completed"
    assert digest(gateway.server / "huge.bin") == digest(small)


def test_a_download_whose_gateway_is_killed_is_not_taken_for_whole(gateway: ByGateway, huge: Path) -> None:
    huge.rename(gateway.server / "huge.bin")
    page = gateway.browser.page
    in_page = {"aspera": {"http-gateway": {"expected_size": 1}}}
    by_link = gateway.version < "3"
    uuid = gateway.start(gateway.spec("receive", "huge.bin", tags=in_page))
    if by_link:
        page.until(lambda: list(gateway.received.iterdir()), "bytes that come")
    else:
        moving(gateway, uuid)
    gateway.site.stop(signal.SIGKILL)
    if not by_link:
        told = ended(gateway.browser, uuid)
        assert (told["status"], told["error_desc"]) == ("failed", "the connection was lost")
    again(gateway.site)
    (gateway.server / "huge.bin").write_bytes(b"whole")
    assert gateway.receive("huge.bin")["status"] == "completed"
    page.until((gateway.received / "huge.bin").exists, "the file")
    assert (gateway.received / "huge.bin").read_bytes() == b"whole", "the broken one never had this name"


def test_what_is_refused_is_told_with_its_reason(gateway: ByGateway, small: Path) -> None:
    (gateway.server / "there").write_bytes(b"x")
    for told in (
        gateway.send("File", small, **gateway.forbidden),
        gateway.receive("there", **gateway.forbidden),
        gateway.receive("there", tags={"aspera": {"http-gateway": {"expected_size": 1}}}, token="forged"),
    ):
        assert told["status"] == "failed", told
        assert "token" in told["error_desc"]
    assert "no such file" in gateway.receive("not there")["error_desc"].lower()
    assert [file.name for file in gateway.server.iterdir()] == ["there"]
    assert list(gateway.received.iterdir()) == []


def links(way: ByGateway, name: str) -> list[str]:
    """Both kinds of links to a file."""
    signed = way.start(way.spec("receive", name), disableAutoDownload=True)
    left = way.browser.ask(
        "fetch(given[0], {method: 'POST', body: given[1]}).then((answer) => answer.json())",
        f"http://{way.site.host}{BASE}/v1/download",
        json.dumps({"transfer_spec": way.spec("receive", name)}),
    )
    return [ended(way.browser, signed)["httpDownloadUrl"], left["url"]]


def seen(browser: Browser, link: str) -> str:
    """What a person sees who opens a link."""
    with browser.page.tab(link):
        return browser.page.text("body")


def test_a_link_that_has_expired_says_so_and_brings_nothing(browser: Browser, tmp_path: Path) -> None:
    with Site(tmp_path / "site", options={"link_lifetime": "1"}) as site:
        way = ByGateway(browser, site)
        way.begin()
        (way.server / "file").write_bytes(b"x")
        made = links(way, "file")
        time.sleep(1.1)
        for link in made:
            assert "has expired" in seen(browser, link)
        assert list(way.received.iterdir()) == []


def test_a_link_that_was_used_says_so(browser: Browser, tmp_path: Path) -> None:
    with Site(tmp_path / "site") as site:
        way = ByGateway(browser, site)
        way.begin()
        for at, name in enumerate(("one", "two")):
            (way.server / name).write_bytes(b"x")
            link = links(way, name)[at]
            seen(browser, link)
            browser.page.until((way.received / name).exists, name)
            assert "used before" in seen(browser, link)


# The local client goes on whatever becomes of the page, and can resume.


@pytest.fixture(scope="module", params=LOCAL)
def local_service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, client_ports: ClientPorts
) -> Iterator[Callable[[Browser], Way]]:
    with serving(request.param, tmp_path_factory.mktemp(request.param), client_ports) as making:
        yield making


@pytest.fixture
def local(local_service: Callable[[Browser], Way], browser: Browser) -> ByLocalClient:
    made = local_service(browser)
    made.begin()
    assert isinstance(made, ByLocalClient)
    return made


@pytest.fixture
def reel(tmp_path: Path) -> Path:
    """Three megabytes."""
    file = tmp_path / "reel.bin"
    file.write_bytes(os.urandom(3_000_000))
    return file


SLOW = 2000
"""Kbps: the reel takes twelve seconds."""
FAST = {"target_rate_kbps": 500_000}


def parts(way: ByLocalClient) -> set[str]:
    """What the server has under other names than it is to have."""
    return {file.name for file in way.server.iterdir()} - {"reel.bin"}


def begun_slowly(way: ByLocalClient, file: Path) -> str:
    uuid = way.start(way.spec("send", *way.choose("File", file), target_rate_kbps=SLOW))
    moving(way, uuid)
    return uuid


def test_an_upload_that_is_stopped_is_resumed_where_it_was(local: ByLocalClient, reel: Path) -> None:
    uuid = begun_slowly(local, reel)
    local.browser.ask("aspera.stopTransfer(given[0])", uuid)
    assert ended(local.browser, uuid)["status"] == "cancelled"
    assert not (local.server / "reel.bin").exists()
    local.browser.ask("aspera.resumeTransfer(given[0], given[1])", uuid, FAST)
    local.browser.page.until(lambda: last_told(local.browser, uuid)["status"] == "completed")
    assert digest(local.server / "reel.bin") == digest(reel)
    assert not parts(local)


def test_a_page_that_is_left_finds_its_transfer_again(local: ByLocalClient, reel: Path) -> None:
    uuid = begun_slowly(local, reel)
    local.browser.page.open("about:blank")
    local.begin()
    assert uuid in [each["uuid"] for each in local.browser.ask("aspera.getAllTransfers()")]
    local.browser.ask("aspera.modifyTransfer(given[0], given[1])", uuid, FAST)
    local.browser.page.until(lambda: last_told(local.browser, uuid).get("status") == "completed")
    assert digest(local.server / "reel.bin") == digest(reel)


def test_a_client_that_is_killed_goes_on_when_it_is_back(local: ByLocalClient, reel: Path) -> None:
    uuid = begun_slowly(local, reel)
    local.local.end(signal.SIGKILL)
    lost = "RETRYING" if "connectSettings" in local.options else "DISCONNECTED"
    local.browser.until_statuses("INITIALIZING", "RUNNING", lost)
    local.local.start_client()
    page = local.browser.page
    page.until(lambda: local.browser.run("return statuses.at(-1)") == "RUNNING", "its return")
    local.browser.ask("aspera.modifyTransfer(given[0], given[1])", uuid, FAST)
    page.until(lambda: last_told(local.browser, uuid)["status"] == "completed")
    assert digest(local.server / "reel.bin") == digest(reel)
    assert not parts(local)


def test_what_the_server_refuses_is_told_with_its_reason(local: ByLocalClient, reel: Path) -> None:
    told = local.send("File", reel, **local.forbidden)
    assert (told["status"], told["error_code"]) == ("failed", 19), told
    assert told["error_desc"]
    told = local.receive("not there")
    assert told["status"] == "failed", told
    assert "no such file" in told["error_desc"].lower()
    assert list(local.server.iterdir()) == []
