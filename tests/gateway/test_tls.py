"""A gateway with a certificate: every protocol over TLS, for pages of any origin; the page that makes an exception."""

from __future__ import annotations

import base64
import io
import json
import os
import socket
import zipfile
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.gateway.site import BASE, Site, basic, receive_spec, send_spec, spec_header
from tests.gateway.test_websocket import Client, cut, record
from tests.test_options import free_port

ALICE = {"Authorization": basic("alice")}
PAGE = "https://app.example"


@pytest.fixture(scope="module")
def running_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    port = str(free_port())
    with Site(tmp_path_factory.mktemp("tls") / "s", options={"page_port": port}, certificate=True) as site:
        yield site


def test_version_3_brings_files_both_ways(site: Site) -> None:
    files = {"d/a": os.urandom(1_500_000), "d/b": b"b", "d/empty": b""}
    assert site.upload(send_spec("d"), files).status == 200
    one = site.call("GET", "v3/download", b"", X_Aspera_Spec=spec_header(receive_spec("d/a")), **ALICE)
    assert one.body == files["d/a"]
    asked = {
        "transfer_spec": receive_spec("d"),
        "method": "GET",
        "protocol": "https",
        "headers": {"host": f"localhost:{site.port}"},
    }
    link = site.call("POST", "v3/presign", json.dumps(asked).encode(), **ALICE).document["signed_url"]
    assert link.startswith(f"https://localhost:{site.port}{BASE}/")
    url = urlsplit(link)
    whole = zipfile.ZipFile(io.BytesIO(site.call("GET", f"{url.path}?{url.query}").body))
    assert {name: whole.read(name) for name in whole.namelist()} == files


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_secure_websocket_takes_uploads_and_an_id_brings_them_back(site: Site, version: str) -> None:
    data = os.urandom(2_500_000)
    pieces = cut(data, 1 << 20)
    with Client(site, version) as client:
        assert client.say({"transfer_spec": send_spec("a")}) == "end upload"
        for number, piece in enumerate(pieces):
            if version == "v1":
                text = base64.b64encode(piece).decode()
                assert client.say(record("a", len(data), number, len(pieces), data=text)) == "end upload"
            else:
                if number == 0:
                    client.say(record("a", len(data), 0, len(pieces)))
                assert client.data(piece) == "end upload"
    assert (site.root / "alice/a").read_bytes() == data
    left = site.call(
        "POST", "v1/download", json.dumps({"transfer_spec": receive_spec("a")}).encode(), **ALICE
    )
    assert left.document["url"].startswith("https://")
    assert site.call("GET", f"v1/download/{left.document['transfer_spec_id']}").body == data


@pytest.mark.parametrize("path", ["info", "v1/info", "v3/upload", "v3/download", "v3/presign", "v1/download"])
def test_pages_may_ask_and_may_read_what_they_need(site: Site, path: str) -> None:
    asked = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "content-type"}
    before = site.call("OPTIONS", path, b"", Origin=PAGE, **asked)
    assert before.status == 204
    allowed = before.headers["access-control-allow-headers"].lower()
    assert {"content-type", "x-aspera-spec", "authorization", "x-aspera-accesskey"} <= set(
        allowed.split(", ")
    )
    answer = site.call("POST" if path.endswith(("upload", "presign")) else "GET", path, Origin=PAGE)
    assert answer.headers["access-control-allow-origin"] == "*"
    exposed = answer.headers["access-control-expose-headers"].lower()
    assert {"x-request-id", "content-disposition"} <= set(exposed.split(", "))
    assert answer.headers["x-request-id"]


def test_the_connection_page_is_on_its_own_port_with_the_same_certificate(site: Site) -> None:
    usual = site.port
    port = int((site.folder / "etc/aspera.conf").read_text().partition("<page_port>")[2].partition("<")[0])
    try:
        site.port = port
        answer = site.call("GET", "/")
    finally:
        site.port = usual
    assert (answer.status, b"Connected to the gateway" in answer.body) == (200, True)


def test_what_does_not_speak_tls_gets_nothing(site: Site) -> None:
    with socket.create_connection(("127.0.0.1", site.port), timeout=60) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"HTTP/1.1" not in plain.recv(1000)
    assert site.call("GET", "info").status == 200
