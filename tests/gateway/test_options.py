"""Options of the gateway whose effect no other test sees."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tests.gateway.site import BASE, BOUNDARY, Answer, Site, basic, receive_spec, send_spec
from tests.gateway.test_v3 import presign


def follow(site: Site, link: str) -> Answer:
    url = urlsplit(link)
    return site.call("GET", f"{url.path}?{url.query}")


def test_links_are_good_as_long_and_as_often_as_the_options_say(tmp_path: Path) -> None:
    with Site(tmp_path / "s", options={"link_lifetime": "2", "link_reuse": "enable"}) as site:
        (site.root / "alice/a").write_bytes(b"1")
        link = presign(site, receive_spec("a")).document["signed_url"]
        assert [follow(site, link).body for _ in range(2)] == [b"1", b"1"]
        time.sleep(3)  # the gateway is a process of its own, with the system's clock
        assert follow(site, link).status == 410


def test_the_version_that_is_announced_is_that_of_the_option_and_all_are_served(tmp_path: Path) -> None:
    with Site(tmp_path / "s", options={"version": "2.2.9"}) as site:
        assert site.call("GET", "info").document["version"] == "2.2.9"
        assert site.upload(send_spec("a"), {"a": b"by version 3"}).status == 200


def test_a_key_may_be_in_a_file_of_its_own(tmp_path: Path) -> None:
    site = Site(tmp_path / "s", options={"key": "own.key"}, certificate=True)
    both = site.folder / "gateway.pem"
    key = load_pem_private_key(both.read_bytes(), None)
    (site.folder / "own.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    certificate = both.read_text()
    start = certificate.index("-----BEGIN CERTIFICATE")
    end = certificate.index("-----END CERTIFICATE-----") + len("-----END CERTIFICATE-----\n")
    both.write_text(certificate[start:end])
    with site:
        assert site.call("GET", "info").status == 200


def test_users_without_a_docroot_have_a_folder_in_that_of_the_option(tmp_path: Path) -> None:
    site = Site(tmp_path / "s", options={"docroot": "all"})
    users = site.folder / "users.toml"
    lines = [line for line in users.read_text().splitlines() if not line.startswith("docroot")]
    users.write_text("\n".join(lines))
    with site:
        assert site.upload(send_spec("a"), {"a": b"1"}).status == 200
    assert (site.folder / "all/alice/a").read_bytes() == b"1"


def test_staging_is_in_the_given_folder_which_is_emptied_at_the_start(tmp_path: Path) -> None:
    options = {"staging": "elsewhere", "transfer_servers": "127.0.0.1:1"}
    site = Site(tmp_path / "s", options=options)
    left = site.folder / "elsewhere/left by a killed gateway"
    left.parent.mkdir()
    left.write_bytes(b"1")
    with site:
        assert left.parent.is_dir()
        assert not left.exists()


def test_a_client_that_sends_nothing_is_dropped_when_the_option_says(tmp_path: Path) -> None:
    with Site(tmp_path / "s", options={"idle_timeout": "1"}) as site:
        head = f"POST {BASE}/v3/upload HTTP/1.1\r\nHost: {site.host}\r\nContent-Length: 100000\r\n"
        kind = f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        site.raw(f"{head}{kind}Authorization: {basic('alice')}\r\n\r\n--".encode())
        assert "closed the connection" in site.log
