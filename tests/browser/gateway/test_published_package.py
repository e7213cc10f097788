"""The published package http-gateway-sdk-js, unmodified, in Chromium against our gateway: protocols 1 and 2.

It comes from npm: `npm install --prefix tests/browser/gateway`. Without it, or without Chromium, this is skipped.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.site import Site, until
from tests.gateway.test_in_chromium import Browser, pytestmark

__all__ = ["pytestmark"]

LIBRARY = Path(__file__).parent / "node_modules/@ibm-aspera/http-gateway-sdk-js/js/http-gateway.js"

pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
if not LIBRARY.exists():
    pytest.skip("needs: npm install --prefix tests/browser/gateway", allow_module_level=True)

UPLOAD = """
  await asperaHttpGateway.initHttpGateway(base);
  const files = [new File([bytes(5000000)], 'big ü.bin'), new File(['hello'], 'small "1".txt'), new File([], 'empty')];
  spec.paths = files.map(file => ({source: file.name, file_size: file.size}));
  await asperaHttpGateway.upload(spec, 'one', files);
  const ended = () => asperaHttpGateway.getAllTransfers().transfers.find(t => /completed|failed/.test(t.status));
  while (!ended()) await new Promise(resolve => setTimeout(resolve, 20));
  const transfer = ended();
  return [transfer.status, transfer.error_code ?? null, transfer.error_desc ?? null];
"""
DOWNLOAD = """
  await asperaHttpGateway.initHttpGateway(base);
  await asperaHttpGateway.download(spec);
"""


@pytest.fixture(scope="module", params=["2.3.0", "2.2.9"], ids=["binary", "base64"])
def gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("gateway") / "s", options={"version": request.param}) as site:
        yield site


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Browser]:
    browser = Browser(tmp_path, LIBRARY.read_text())
    yield browser
    browser.close()


def bob(site: Site, direction: str, *paths: str, **more: Any) -> dict[str, Any]:
    way = "send" if direction == "send" else "recv"
    who = {"remote_host": "x", "remote_user": "bob", "authentication": "token", "token": site.token(way, "/")}
    return {"direction": direction, **who, "paths": [{"source": path} for path in paths], **more}


def test_it_uploads_and_downloads_files(gateway: Site, page: Browser) -> None:
    assert page.run(gateway, UPLOAD, bob(gateway, "send", destination_root="/in")) == [
        "completed",
        None,
        None,
    ]
    came = {name: (gateway.root / "bob" / name).read_bytes() for name in gateway.files("bob")}
    assert came == {
        "in/big ü.bin": bytes(i * 7 % 251 for i in range(5_000_000)),
        'in/small "1".txt': b"hello",
        "in/empty": b"",
    }
    page.run(gateway, DOWNLOAD, bob(gateway, "receive", *came, zip_required=True, download_name="pack"))
    saved = page.downloads / "pack.zip"
    until(saved.exists, "the download")
    with zipfile.ZipFile(saved) as zipped:
        assert {f"in/{name}": zipped.read(name) for name in zipped.namelist()} == came


def test_it_is_told_of_a_refusal(gateway: Site, page: Browser) -> None:
    spec = {**bob(gateway, "send"), "token": "act1.e30.x"}
    assert page.run(gateway, UPLOAD, spec) == ["failed", 1008, "the token is not valid"]
