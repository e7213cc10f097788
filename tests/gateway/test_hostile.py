"""Pages and clients that mean ill, on a real gateway: refused, noted, nothing outside written or told.

What belongs to one protocol alone (names, forms, forged links, sizes) is tried with it, in test_v3 and test_websocket.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.gateway.site import BASE, Site, basic, form, receive_spec, send_spec, spec_header, until
from tests.gateway.test_v3 import presign
from tests.gateway.test_websocket import BINARY, CLOSE, TEXT, Client, record

ALICE = {"Authorization": basic("alice")}
PING, CONTINUED = 9, 0
EVIL = "https://evil.example"


@pytest.fixture(autouse=True)
def nothing_leaks(site: Site) -> Iterator[None]:
    """Whatever a test tries: no traceback and no password is in the log, and nothing is written beside the docroots."""
    before = {path.name for path in site.folder.iterdir()}
    yield
    assert "Traceback" not in site.log
    assert basic("alice").split()[1] not in site.log
    assert {path.name for path in site.folder.iterdir()} == before
    assert site.call("GET", "info").status == 200, "it serves others as before"


def head(site: Site, path: str, *lines: str) -> bytes:
    return "\r\n".join([f"{path} HTTP/1.1", f"Host: {site.host}", *lines, "", ""]).encode()


# Links.


def test_of_many_who_use_a_link_at_once_one_gets_the_file(site: Site) -> None:
    (site.root / "alice/a").write_bytes(b"x" * 1000)
    url = urlsplit(presign(site, receive_spec("a")).document["signed_url"])
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: site.call("GET", f"{url.path}?{url.query}"), range(8)))
    assert sorted(answer.status for answer in answers) == [200] + [410] * 7
    assert url.query not in site.log


def test_an_id_is_not_in_the_log_where_others_could_read_it_and_use_it(site: Site) -> None:
    (site.root / "alice/a").write_bytes(b"1")
    left = json.dumps({"transfer_spec": receive_spec("a")}).encode()
    name = site.call("POST", "v1/download", left, **ALICE).document["transfer_spec_id"]
    assert site.call("POST", f"v1/download/{name}").status == 405
    assert f"POST {BASE}/v1/download/*" in site.log
    assert name not in site.log
    assert site.call("GET", f"v1/download/{name}").body == b"1"


def test_a_file_that_became_a_link_after_its_address_was_given_is_not_sent(site: Site) -> None:
    (site.folder / "root/secret").write_text("not for you")
    (site.root / "alice/d").mkdir()
    for name in ("d/a", "b"):
        (site.root / "alice" / name).write_text("good")
    links = [urlsplit(presign(site, receive_spec(name)).document["signed_url"]) for name in ("d", "b")]
    for name in ("d/a", "b"):
        (site.root / "alice" / name).unlink()
        (site.root / "alice" / name).symlink_to(site.folder / "root/secret")
    for url in links:
        answer = site.call("GET", f"{url.path}?{url.query}")
        assert answer.status == 403
        assert b"not for you" not in answer.body
    (site.folder / "root/secret").unlink()


@pytest.mark.parametrize(
    "name", ["x\r\nSet-Cookie: a=b", "../../etc/x", 'a"; filename="b.exe', "\x1b[31m", "é" * 300]
)
def test_the_name_of_a_download_cannot_write_headers_or_lead_elsewhere(site: Site, name: str) -> None:
    (site.root / "alice/a").write_bytes(b"1")
    spec = receive_spec("a", zip_required=True, download_name=name)
    answer = site.call("GET", "v3/download", b"", X_Aspera_Spec=spec_header(spec), **ALICE)
    if answer.status != 200:
        assert answer.status == 400
        return
    said = answer.headers["content-disposition"]
    assert "set-cookie" not in answer.headers
    assert said.startswith('attachment; filename="') and said.endswith('.zip"')
    inside = said.removeprefix('attachment; filename="').removesuffix('"')
    assert not set(inside) & set('"/\\\r\n\x1b')


@pytest.mark.parametrize("place", ["../../evil", "/../evil", "a/../../evil", "a\0"])
def test_what_is_in_a_zip_leads_nobody_out_of_the_folder_it_is_unpacked_in(site: Site, place: str) -> None:
    (site.root / "alice/a").write_bytes(b"1")
    spec = receive_spec(zip_required=True) | {"paths": [{"source": "a", "destination": place}]}
    answer = site.call("GET", "v3/download", b"", X_Aspera_Spec=spec_header(spec), **ALICE)
    if answer.status == 200:
        names = zipfile.ZipFile(io.BytesIO(answer.body)).namelist()
        assert not any(".." in name.split("/") or name.startswith("/") for name in names)
    else:
        assert answer.status == 400


# Forms and requests.


def test_a_request_whose_length_is_told_in_two_ways_is_refused(site: Site) -> None:
    body, kind = form(send_spec("a"), {"a": b"1"})
    lines = (f"Content-Type: {kind}", f"Content-Length: {len(body)}", "Transfer-Encoding: chunked")
    came = site.raw(head(site, f"POST {BASE}/v3/upload", *lines, f"Authorization: {basic('alice')}") + body)
    assert not came.startswith(b"HTTP/1.1 200")
    assert not site.files()


def test_ten_thousand_files_of_which_each_was_announced_are_taken_or_refused_within_bounds(
    site: Site,
) -> None:
    names = [f"f{number:05}" for number in range(10_001)]
    answer = site.upload(send_spec(*names), dict.fromkeys(names, b""))
    assert (answer.status, "more than 10000 files" in answer.error) == (413, True)
    assert len(site.files()) <= 10_000
    assert site.memory < 200 << 20


def test_a_part_with_headers_without_end_is_refused(site: Site) -> None:
    body, kind = form(send_spec("a"), {"a": b"1"})
    wrong = body.replace(b"Content-Type: application/octet-stream", b"X-Y: " + b"z" * 100_000)
    answer = site.call("POST", "v3/upload", wrong, Content_Type=kind, **ALICE)
    assert (answer.status, "form" in answer.error) == (400, True)
    assert not site.files()


def test_headers_that_do_not_come_to_an_end_are_not_waited_for(site: Site) -> None:
    begun = [b"GET / HTTP/1.1\r\nHost: x\r\nX: ", b"GET", b"\r\n", b""]
    with ThreadPoolExecutor(len(begun)) as pool:
        assert list(pool.map(site.raw, begun)) == [b""] * len(begun)


def test_what_pages_call_themselves_is_noted_in_printable_letters(site: Site) -> None:
    site.raw(b"GET /a\x1b[2J\x07 HTTP/1.1\r\nHost: x\r\nOrigin: \x1b[31m\r\nConnection: close\r\n\r\n")
    assert not any(ord(letter) < 32 and letter != "\n" for letter in site.log)


def test_who_guesses_passwords_is_soon_not_listened_to(tmp_path: Path) -> None:
    with Site(tmp_path / "s") as site:
        answers = [
            site.upload(send_spec("a"), {"a": b"1"}, Authorization=basic("alice", f"guess {number}")).status
            for number in range(12)
        ]
        assert answers == [401] * 10 + [429] * 2
        assert site.upload(send_spec("a"), {"a": b"1"}).status == 429
        assert not site.files()


# WebSockets.


def test_pages_of_others_open_no_websocket_and_get_no_answer_where_origins_are_named(tmp_path: Path) -> None:
    with Site(tmp_path / "s", options={"origins": "https://app.example"}) as site:
        (site.root / "alice/a").write_bytes(b"1")
        for origin in (EVIL, "null", "https://app.example.evil.example"):
            assert Client(site, Origin=origin).status == 403
            for method, path in (("GET", "info"), ("POST", "v1/download"), ("POST", "v3/presign")):
                answer = site.call(method, path, b"", Origin=origin, **ALICE)
                assert (answer.status, "access-control-allow-origin" in answer.headers) == (403, False)
        assert Client(site, Origin="https://app.example").status == 101


def test_a_message_in_endless_fragments_is_refused_when_it_is_too_long(site: Site) -> None:
    with Client(site) as client:
        client.say({"transfer_spec": send_spec("a")})
        piece = bytes(4 << 20)
        client.socket.sendall(struct.pack("!BBQ", BINARY, 0x80 | 127, len(piece)) + b"\0\0\0\0" + piece)
        for _ in range(8):
            client.socket.sendall(
                struct.pack("!BBQ", CONTINUED, 0x80 | 127, len(piece)) + b"\0\0\0\0" + piece
            )
        kind, data = client.frame()
        assert (kind, struct.unpack("!H", data[:2])[0]) == (CLOSE, 1009)
    until(lambda: not site.files(), "the removal of what came")


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (struct.pack("!BB", 0x80 | TEXT, 2) + b"hi", 1002),
        (struct.pack("!BB", 0xC0 | TEXT, 0x82) + b"\0\0\0\0hi", 1002),
        (struct.pack("!BBH", 0x80 | PING, 0x80 | 126, 200) + b"\0\0\0\0" + bytes(200), 1002),
        (struct.pack("!BB", 0x80 | TEXT, 0x82) + b"\0\0\0\0\xff\xfe", 1007),
    ],
    ids=["not masked", "compressed", "a long ping", "no UTF-8"],
)
def test_frames_against_the_rules_end_the_connection(site: Site, frame: bytes, code: int) -> None:
    with Client(site) as client:
        client.socket.sendall(frame)
        kind, data = client.frame()
        assert (kind, struct.unpack("!H", data[:2])[0]) == (CLOSE, code)


def test_a_websocket_that_is_silent_is_closed(site: Site) -> None:
    with Client(site) as client:
        client.say({"transfer_spec": send_spec("a")})
        client.say(record("a", 10, 0, 2))
        client.data(b"12345")
        with pytest.raises(ConnectionResetError):
            client.socket.recv(100)
    until(lambda: not site.files(), "the removal of what came")


# Readers.


def test_who_reads_a_zip_slower_than_anybody_would_is_dropped(site: Site) -> None:
    (site.root / "alice/d").mkdir()
    for name in ("a", "b"):
        with (site.root / "alice/d" / name).open("wb") as file:
            file.truncate(64 << 20)
    with site.connection() as slow:
        asked = f"X-Aspera-Spec: {spec_header(receive_spec('d'))}"
        slow.sendall(head(site, f"GET {BASE}/v3/download", asked, f"Authorization: {basic('alice')}"))
        assert slow.recv(20).startswith(b"HTTP/1.1 200")
        here = f"127.0.0.1:{slow.getsockname()[1]}"
        until(lambda: f"closed the connection of {here}" in site.log, "its end")
