"""The gateway as a browser uses it: a page of another origin, and the requests of the page's library, one by one.

Bytes are compared on the server's and the browser's disk, not believed from the page.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.chromium import Page
from tests.gateway.site import BASE, Site, receive_spec, send_spec, until

HELPERS = """
const done = arguments[arguments.length - 1];
const [base, spec] = arguments;
const bytes = n => new Uint8Array(n).map((_, i) => i * 7 % 251);
const post = (path, body, headers) => fetch(base + path, {method: 'POST', body, headers});
const upload = (spec, files) => new Promise(resolve => {
  const form = new FormData();
  form.append('x-aspera-spec', JSON.stringify(spec));
  for (const [name, file] of files) { form.append('Content-Length', file.size); form.append('file', file, name); }
  const request = new XMLHttpRequest();
  let progress = 0;
  request.upload.addEventListener('progress', event => { progress = event.loaded; });
  request.onloadend = () => resolve({status: request.status, text: request.responseText, progress,
                                     id: request.getResponseHeader('X-Request-Id')});
  request.open('POST', base + '/v3/upload');
  request.send(form);
});
const run = async () => { %s };
run().then(done, error => done({error: String(error)}));
"""


@pytest.fixture(scope="module")
def running_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("gateway") / "site") as site:
        yield site


@pytest.fixture
def site(running_site: Site) -> Site:
    """The module's gateway; bob's folder is empty."""
    shutil.rmtree(running_site.root / "bob")
    (running_site.root / "bob").mkdir()
    return running_site


class Browser:
    """A window on a page that the gateway did not serve."""

    def __init__(self, page: Page, origin: str) -> None:
        self._page = page
        self.downloads = page.downloads
        page.open(f"{origin}/page.html")

    def run(self, site: Site, script: str, *arguments: Any) -> Any:
        """What an asynchronous function of the page returns; it has `base`, `spec` and the helpers above."""
        text = HELPERS.replace("%s", script)
        return self._page.driver.execute_async_script(text, f"http://{site.host}{BASE}", *arguments)


@pytest.fixture
def browser(page: Page, pages: str) -> Browser:
    return Browser(page, pages)


def bob(site: Site, spec: dict[str, Any]) -> dict[str, Any]:
    way = "send" if spec["direction"] == "send" else "recv"
    return {**spec, "remote_user": "bob", "token": site.token(way, "/")}


def test_a_form_of_the_page_uploads_files_and_the_page_reads_the_answer(site: Site, browser: Browser) -> None:
    names = ["reel/big ü.bin", "reel/empty", 'quo"te %22.txt']
    spec = bob(site, send_spec("reel", names[2], destination_root="/in"))
    result = browser.run(
        site,
        """return upload(spec, [
            ['reel/big ü.bin', new File([bytes(3000000)], 'x')],
            ['reel/empty', new File([], 'y')],
            ['quo"te %22.txt', new File(['hello'], 'z')],
        ]);""",
        spec,
    )
    assert (result["status"], result["text"]) == (200, "{}")
    assert result["id"]
    assert result["progress"] > 3_000_000
    assert site.files("bob") == {f"in/{name}" for name in names}
    assert (site.root / "bob/in/reel/big ü.bin").read_bytes() == bytes(i * 7 % 251 for i in range(3_000_000))


def test_the_page_reads_why_it_was_refused(site: Site, browser: Browser) -> None:
    spec = {**bob(site, send_spec("a")), "token": "act1.e30.x"}
    result = browser.run(site, "return upload(spec, [['a', new File([bytes(20000000)], 'a')]]);", spec)
    assert result["status"] == 401
    assert "token" in result["text"]
    assert not site.files("bob")


def test_a_download_in_the_page_is_read_with_its_name(site: Site, browser: Browser) -> None:
    data = os.urandom(1_000_000)
    (site.root / "bob/a b.bin").write_bytes(data)
    result = browser.run(
        site,
        "const answer = await fetch(base + '/v3/download', {headers: {'X-Aspera-Spec': btoa(JSON.stringify(spec))}});"
        "const digest = await crypto.subtle.digest('SHA-256', await answer.arrayBuffer());"
        "return {name: answer.headers.get('Content-Disposition'), id: answer.headers.get('X-Request-Id'),"
        " sum: [...new Uint8Array(digest)].map(byte => byte.toString(16).padStart(2, '0')).join('')};",
        bob(site, receive_spec("/a b.bin")),
    )
    assert result["name"] == 'attachment; filename="a b.bin"'
    assert result["id"]
    assert result["sum"] == hashlib.sha256(data).hexdigest()


def test_a_signed_link_in_a_frame_saves_the_files(site: Site, browser: Browser) -> None:
    data = os.urandom(1_000_000)
    (site.root / "bob/ü.bin").write_bytes(data)
    browser.run(
        site,
        "const answer = await post('/v3/presign', JSON.stringify({transfer_spec: spec, method: 'GET', protocol: 'http',"
        " headers: {host: new URL(base).host}}), {'Content-Type': 'application/json'});"
        "const frame = document.createElement('iframe');"
        "frame.src = (await answer.json()).signed_url; document.body.append(frame);",
        bob(site, receive_spec("/ü.bin")),
    )
    saved = browser.downloads / "ü.bin"
    until(saved.exists, "the download")
    assert saved.read_bytes() == data


def test_a_socket_that_is_refused_tells_the_page_code_and_reason(site: Site, browser: Browser) -> None:
    result = browser.run(
        site,
        "return new Promise(resolve => { const socket = new WebSocket(base.replace('http', 'ws') + '/v2/upload');"
        "socket.onopen = () => socket.send(JSON.stringify({transfer_spec: spec}));"
        "socket.onclose = event => resolve([event.code, event.reason]); });",
        {**bob(site, send_spec("a")), "token": ""},
    )
    assert result == [1008, "the transfer spec has no token"]
