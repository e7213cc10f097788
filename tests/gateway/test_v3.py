"""Protocol version 3 on a real gateway: uploads, downloads in the page, links; who may, and what is refused."""

from __future__ import annotations

import hashlib
import io
import os
import socket
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.gateway.site import (
    BASE,
    BOUNDARY,
    Answer,
    Site,
    basic,
    form,
    receive_spec,
    send_spec,
    spec_header,
    until,
)
from tests.test_options import free_port

ALICE = {"Authorization": basic("alice")}


def presign(site: Site, spec: object, **headers: str) -> Answer:
    import json

    request = {"transfer_spec": spec, "method": "GET", "protocol": "http", "headers": {"host": site.host}}
    return site.call(
        "POST",
        "v3/presign",
        json.dumps(request).encode(),
        Content_Type="application/json",
        **(headers or ALICE),
    )


def by_link(site: Site, spec: object) -> Answer:
    url = urlsplit(presign(site, spec).document["signed_url"])
    assert url.netloc == site.host
    return site.call("GET", f"{url.path}?{url.query}")


# Information


@pytest.mark.parametrize("path", ["info", "v1/info"])
def test_info_tells_version_and_endpoints_to_anybody(site: Site, path: str) -> None:
    answer = site.call("GET", path)
    assert answer.status == 200
    assert answer.document["version"] == "3.0.0"
    assert f"{BASE}/v2/upload" in answer.document["endpoints"]
    assert answer.document["download_endpoint"]


def test_a_preflight_is_answered_without_authority(site: Site) -> None:
    answer = site.call(
        "OPTIONS", "v3/download", Origin="https://app.example", Access_Control_Request_Method="GET"
    )
    assert answer.status == 204
    assert "x-aspera-spec" in answer.headers["access-control-allow-headers"].lower()
    assert "GET" in answer.headers["access-control-allow-methods"]
    exposed = answer.headers["access-control-expose-headers"]
    assert "X-Request-Id" in exposed
    assert "Content-Disposition" in exposed


# Uploads


def test_a_file_lands_whole(site: Site) -> None:
    data = os.urandom(3_000_000)
    answer = site.upload(send_spec("a.bin", destination_root="/in"), {"a.bin": data})
    assert (answer.status, answer.document) == (200, {})
    assert answer.headers["x-request-id"]
    assert (site.root / "alice/in/a.bin").read_bytes() == data
    assert site.files() == {"in/a.bin"}


@pytest.mark.parametrize(
    "name",
    [
        "ümläut ☃.txt",
        'quo"te.txt',
        "100%22.txt",
        'both" and %22',
        "sp ace",
        "semi;colon=x",
        "-rf",
        "~",
        "a\\b",
        "..txt",
        "%2e%2e",
    ],
)
def test_awkward_names_stay_as_they_are(site: Site, name: str) -> None:
    assert site.upload(send_spec(name), {name: b"x"}).status == 200
    assert site.files() == {name}


def test_folders_keep_their_shape_and_empty_files_are_made(site: Site) -> None:
    files = {"reel/a": b"a", "reel/deep/b": b"", "lone": b"c"}
    assert site.upload(send_spec("reel", "lone"), files).status == 200
    assert {name: (site.root / "alice" / name).read_bytes() for name in site.files()} == files


def test_each_path_of_the_spec_may_have_a_destination(site: Site) -> None:
    spec = send_spec("a") | {"paths": [{"source": "a", "destination": "/x/b"}], "destination_root": "d"}
    assert site.upload(spec, {"a": b"1"}).status == 200
    assert site.files() == {"d/x/b"}


def test_a_token_permits_what_it_says_and_nothing_else(site: Site) -> None:
    token = site.token("send", "/in")
    allowed = send_spec("a", remote_user="bob", destination_root="/in", token=token)
    body, kind = form(allowed, {"a": b"1"})
    assert site.call("POST", "v3/upload", body, Content_Type=kind).status == 200
    assert site.files("bob") == {"in/a"}
    body, kind = form({**allowed, "destination_root": "/elsewhere"}, {"a": b"1"})
    answer = site.call("POST", "v3/upload", body, Content_Type=kind)
    assert (answer.status, "token" in answer.error) == (403, True)
    assert site.files("bob") == {"in/a"}


def test_a_bearer_token_serves_as_well(site: Site) -> None:
    body, kind = form(send_spec("a", remote_user="bob"), {"a": b"1"})
    bearer = {"Authorization": f"Bearer {site.token('send', '/')}"}
    assert site.call("POST", "v3/upload", body, Content_Type=kind, **bearer).status == 200


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, 401),
        ({"token": "act1.e30.AAAA"}, 401),
        ({"token": "expired"}, 401),
        ({"token": "recv"}, 401),
        ({"remote_user": "nobody", "token": "send"}, 401),
        ({"remote_user": "alice", "token": "send"}, 401),
    ],
)
def test_without_authority_nothing_moves(site: Site, change: dict[str, str], status: int) -> None:
    made = {
        "send": site.token("send", "/", user=""),
        "recv": site.token("recv", "/"),
        "expired": site.token("send", "/", life=-100),
    }
    change = {name: made.get(value, value) for name, value in change.items()}
    body, kind = form(send_spec("a", **{"remote_user": "bob", **change}), {"a": b"1"})
    answer = site.call("POST", "v3/upload", body, Content_Type=kind)
    assert answer.status == status
    assert answer.error
    assert not site.files("bob") | site.files("alice")


def test_a_wrong_password_is_refused_and_nothing_leaks_into_the_log(site: Site) -> None:
    answer = site.upload(send_spec("a"), {"a": b"1"}, Authorization=basic("alice", "wrong-secret"))
    assert (answer.status, answer.error) == (401, "the user or the password is wrong")
    token = site.token("recv", "/")
    body, kind = form(send_spec("a", token=token, remote_user="bob"), {"a": b"1"})
    assert site.call("POST", "v3/upload", body, Content_Type=kind).status == 401
    assert "wrong-secret" not in site.log
    assert token not in site.log


@pytest.mark.parametrize(
    "name",
    ["../x", "a/../../x", "/../x", "a/./b", "a//b", "", "a\0b", "a\nb", "a\rb", "\x1b[31m", "x" * 256, "a/"],
)
def test_names_that_lead_elsewhere_or_are_none_are_refused(site: Site, name: str) -> None:
    (site.root / "x").unlink(missing_ok=True)
    answer = site.upload(send_spec(name), {name: b"evil"})
    assert answer.status == 400
    assert answer.error
    assert not site.files()
    assert not (site.root / "x").exists()


def test_an_absolute_name_is_taken_as_one_beneath_the_docroot(site: Site) -> None:
    assert site.upload(send_spec("/etc/passwd"), {"/etc/passwd": b"x"}).status == 200
    assert site.files() == {"etc/passwd"}


def test_a_link_in_the_docroot_leads_no_upload_outside(site: Site) -> None:
    outside = site.folder / "outside"
    outside.mkdir(exist_ok=True)
    (site.root / "alice/way").symlink_to(outside)
    answer = site.upload(send_spec("f", destination_root="/way"), {"f": b"x"})
    assert answer.status == 403
    assert not list(outside.iterdir())


def test_a_file_that_the_spec_does_not_name_is_refused(site: Site) -> None:
    assert site.upload(send_spec("a"), {"b": b"1"}).status == 400
    assert not site.files()


def test_a_file_shorter_or_longer_than_was_said_does_not_land(site: Site) -> None:
    for said in (b"5", b"1"):
        body, kind = form(send_spec("a"), {"a": b"123"})
        wrong = body.replace(b'"Content-Length"\r\n\r\n3', b'"Content-Length"\r\n\r\n' + said)
        assert wrong != body
        assert site.call("POST", "v3/upload", wrong, Content_Type=kind, **ALICE).status == 400
    assert not site.files()


def test_files_that_are_missing_are_told(site: Site) -> None:
    answer = site.upload(send_spec("a", "b"), {"a": b"1"})
    assert (answer.status, "not all files" in answer.error) == (400, True)


def test_without_overwrite_a_file_that_is_there_stays(site: Site) -> None:
    (site.root / "alice/a").write_bytes(b"old")
    assert site.upload(send_spec("a", overwrite="never"), {"a": b"new"}).status == 409
    assert (site.root / "alice/a").read_bytes() == b"old"
    assert site.upload(send_spec("a"), {"a": b"new"}).status == 200
    assert (site.root / "alice/a").read_bytes() == b"new"
    assert site.files() == {"a"}


def test_a_body_in_chunks_of_unknown_length_is_taken(site: Site) -> None:
    body, kind = form(send_spec("a"), {"a": b"123"})
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:50], body[50:200], body[200:]))
    head = (
        f"POST {BASE}/v3/upload HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nConnection: close\r\n"
        f"Authorization: {ALICE['Authorization']}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    assert site.raw(head.encode() + chunks + b"0\r\n\r\n").startswith(b"HTTP/1.1 200")
    assert (site.root / "alice/a").read_bytes() == b"123"


def test_many_uploads_at_once_with_one_password_are_no_guessing(tmp_path: Path) -> None:
    names = [f"f{number}" for number in range(25)]
    with Site(tmp_path / "s") as site, ThreadPoolExecutor(len(names)) as pool:
        answers = list(pool.map(lambda name: site.upload(send_spec(name), {name: b"x"}), names))
        assert [answer.status for answer in answers] == [200] * len(names)
        assert site.files() == set(names)


def test_a_client_that_leaves_leaves_nothing_behind(site: Site) -> None:
    body, kind = form(send_spec("big"), {"big": os.urandom(2_000_000)})
    head = (
        f"POST {BASE}/v3/upload HTTP/1.1\r\nHost: {site.host}\r\nContent-Type: {kind}\r\n"
        f"Authorization: {ALICE['Authorization']}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", site.port)) as connection:
        connection.sendall(head.encode() + body[:1_000_000])
        until(site.files, "the partial file")
        assert "big" not in site.files()
    until(lambda: not site.files(), "its removal")


def test_a_client_that_sends_next_to_nothing_is_dropped(site: Site) -> None:
    head = (
        f"POST {BASE}/v3/upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"Authorization: {ALICE['Authorization']}\r\nContent-Length: 100000\r\n\r\n--"
    )
    assert site.raw(head.encode()) == b""


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "multipart"),
        (b"no form at all", "form"),
        (f"--{BOUNDARY}\r\n\r\n\r\n--{BOUNDARY}--".encode(), "must begin with"),
        (form(b"[" * 100_000, {})[0], "JSON"),
        (form(b'{"a":' * 50_000, {})[0], "JSON"),
        (form(b"1" * 100_000, {})[0], "JSON"),
        (form([], {})[0], "object"),
        (form({"direction": "up"}, {})[0], "direction"),
        (form({"direction": "send", "paths": 5}, {})[0], "paths"),
        (form(send_spec("a", token=5), {})[0], "token"),
        (form(send_spec("a"), {})[0][:-10], "too early"),
        (form(b'{"direction":"send","paths":[{"source":"\\ud800"}]}', {})[0], "surrogate"),
    ],
)
def test_a_body_that_is_no_form_with_a_spec_is_refused_in_words(site: Site, body: bytes, why: str) -> None:
    answer = site.call(
        "POST", "v3/upload", body, Content_Type=f"multipart/form-data; boundary={BOUNDARY}", **ALICE
    )
    assert answer.status == 400
    assert why in answer.error
    assert "Traceback" not in site.log


def test_ten_thousand_parts_that_nobody_announced_cost_little(site: Site) -> None:
    body, kind = form(send_spec("a"), {f"f{number}": b"" for number in range(10_000)}, lengths=False)
    assert site.call("POST", "v3/upload", body, Content_Type=kind, **ALICE).status == 400
    assert not site.files()


# The [BETA] gateway


def test_with_its_limits_and_its_page_it_is_as_the_beta_was(tmp_path: Path) -> None:
    port = free_port()
    limits = {"page_port": str(port), "most_files": "10", "folders": "disable"}
    with Site(tmp_path / "s", options=limits) as site:
        names = [f"f{number}" for number in range(11)]
        answer = site.upload(send_spec(*names), dict.fromkeys(names, b""))
        assert (answer.status, "10 files" in answer.error) == (413, True)
        answer = site.upload(send_spec("d/a"), {"d/a": b""})
        assert (answer.status, "folders" in answer.error) == (403, True)
        site.port = port
        answer = site.call("GET", "/")
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("text/html")
        assert b"Connected to the gateway" in answer.body
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert site.call("GET", "info").status == 200


# Downloads


def test_a_download_in_the_page_brings_the_file_under_its_name(site: Site) -> None:
    data = os.urandom(5_000_000)
    (site.root / "alice/a b.bin").write_bytes(data)
    answer = site.call(
        "GET", "v3/download", b"", X_Aspera_Spec=spec_header(receive_spec("/a b.bin")), **ALICE
    )
    assert answer.status == 200
    assert answer.headers["content-disposition"] == 'attachment; filename="a b.bin"'
    assert answer.headers["content-length"] == str(len(data))
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(data).digest()


def test_a_transfer_spec_of_a_thousand_paths_fits_into_its_header(site: Site) -> None:
    names = [f"a rather long name of a file, number {number}" for number in range(1000)]
    for name in names:
        (site.root / "alice" / name).touch()
    answer = site.call("GET", "v3/download", b"", X_Aspera_Spec=spec_header(receive_spec(*names)), **ALICE)
    assert set(zipfile.ZipFile(io.BytesIO(answer.body)).namelist()) == set(names)


def test_a_link_brings_several_files_as_a_zip(site: Site) -> None:
    (site.root / "alice/d/e").mkdir(parents=True)
    contents = {"d/a.txt": b"1" * 1000, "d/e/b.txt": b"", "lone.txt": os.urandom(700_000)}
    for name, data in contents.items():
        (site.root / "alice" / name).write_bytes(data)
    answer = by_link(site, receive_spec("d", "lone.txt", zip_required=True, download_name="päck"))
    assert answer.status == 200
    assert "filename*=UTF-8''p%C3%A4ck.zip" in answer.headers["content-disposition"]
    zipped = zipfile.ZipFile(io.BytesIO(answer.body))
    assert {name: zipped.read(name) for name in zipped.namelist()} == contents


def test_files_of_one_name_get_names_of_their_own_in_a_zip(site: Site) -> None:
    for folder in ("x", "y"):
        (site.root / "alice" / folder).mkdir()
        (site.root / "alice" / folder / "same.txt").write_text(folder)
    zipped = zipfile.ZipFile(io.BytesIO(by_link(site, receive_spec("x/same.txt", "y/same.txt")).body))
    assert {name: zipped.read(name) for name in zipped.namelist()} == {"same.txt": b"x", "same (2).txt": b"y"}


def test_an_empty_file_comes_by_link(site: Site) -> None:
    (site.root / "alice/empty").touch()
    answer = by_link(site, receive_spec("empty"))
    assert (answer.status, answer.body) == (200, b"")


def test_a_link_is_good_once_and_tells_when_it_is_not(site: Site) -> None:
    (site.root / "alice/a").write_bytes(b"1")
    url = urlsplit(presign(site, receive_spec("a")).document["signed_url"])
    link = f"{url.path}?{url.query}"
    assert site.call("GET", link).body == b"1"
    again = site.call("GET", link)
    assert (again.status, "used before" in again.error) == (410, True)


@pytest.mark.parametrize("what", ["id", "expires", "signature"])
def test_a_forged_link_is_refused(site: Site, what: str) -> None:
    (site.root / "alice/a").write_bytes(b"1")
    url = urlsplit(presign(site, receive_spec("a")).document["signed_url"])
    parts = dict(part.split("=") for part in url.query.split("&"))
    parts[what] = str(int(parts[what]) + 999) if what == "expires" else parts[what][:-1] + "_"
    query = "&".join(f"{name}={value}" for name, value in parts.items())
    assert site.call("GET", f"{url.path}?{query}").status == 403
    assert site.call("GET", f"{url.path}?{url.query}", Host="evil.example").status == 403
    assert site.call("POST", f"{url.path}?{url.query}").status == 405
    assert site.call("GET", f"{url.path}?{url.query}").status == 200


def test_a_link_for_another_host_is_not_made(site: Site) -> None:
    (site.root / "alice/a").write_bytes(b"1")
    request = b'{"transfer_spec":{"direction":"receive","paths":[{"source":"a"}]},"headers":{"host":"evil"}}'
    assert site.call("POST", "v3/presign", request, **ALICE).status == 403


def test_a_link_does_not_outlive_its_token(site: Site) -> None:
    (site.root / "bob/a").write_bytes(b"1")
    spec = receive_spec("a", remote_user="bob", token=site.token("recv", "/", life=2))
    url = urlsplit(presign(site, spec, X_None="").document["signed_url"])
    time.sleep(2.1)
    assert site.call("GET", f"{url.path}?{url.query}").status == 401


@pytest.mark.parametrize("name", ["missing", "../alice/a", "/../../etc/passwd", "a\0", "a\n"])
def test_what_is_not_there_or_not_beneath_the_docroot_is_told_before_there_is_a_link(
    site: Site, name: str
) -> None:
    (site.root / "alice/a").write_bytes(b"1")
    answer = presign(site, receive_spec(name))
    assert answer.status in (400, 404)
    assert answer.error


def test_a_link_out_of_the_docroot_is_neither_sent_nor_zipped(site: Site) -> None:
    secret = site.folder / "secret.txt"
    secret.write_text("not for you")
    (site.root / "alice/d").mkdir()
    (site.root / "alice/d/good").write_text("good")
    (site.root / "alice/d/bad").symlink_to(secret)
    (site.root / "alice/d/up").symlink_to("../../bob")
    assert presign(site, receive_spec("d/bad")).status == 403
    answer = by_link(site, receive_spec("d"))
    assert zipfile.ZipFile(io.BytesIO(answer.body)).namelist() == ["d/good"]
    assert b"not for you" not in answer.body
    assert "bad' is left out" in site.log


def test_links_inside_are_followed_but_not_for_ever(site: Site) -> None:
    (site.root / "alice/d").mkdir()
    (site.root / "alice/d/loop").symlink_to(".")
    (site.root / "alice/d/a").write_text("a")
    answer = presign(site, receive_spec("d"))
    assert answer.status == 500
    assert "loop" in answer.error


# Others


def test_what_is_not_served_is_told_in_words(site: Site) -> None:
    assert site.call("GET", "/elsewhere").status == 404
    assert site.call("DELETE", "info").status == 405
    assert "nothing here" in site.call("GET", "v9/info").error


def test_a_client_that_does_not_take_its_download_is_dropped(site: Site) -> None:
    (site.root / "alice/large").write_bytes(bytes(64 << 20))
    spec = spec_header(receive_spec("large"))
    head = f"GET {BASE}/v3/download HTTP/1.1\r\nHost: x\r\nX-Aspera-Spec: {spec}\r\n"
    with socket.create_connection(("127.0.0.1", site.port)) as connection:
        connection.sendall(f"{head}Authorization: {ALICE['Authorization']}\r\n\r\n".encode())
        here = f"127.0.0.1:{connection.getsockname()[1]}"
        until(lambda: f"closed the connection of {here}" in site.log, "its end")


def test_headers_without_end_are_refused(site: Site) -> None:
    came = site.raw(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: " + b"y" * (2 << 20) + b"\r\n\r\n")
    assert came.startswith(b"HTTP/1.1 4") or came == b""


def test_only_pages_of_the_origins_that_are_named_may_ask(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("origins") / "s"
    with Site(folder, options={"origins": "https://app.example"}, certificate=True) as site:
        assert site.call("GET", "info").status == 200
        friend = site.call("GET", "info", Origin="https://app.example")
        assert friend.headers["access-control-allow-origin"] == "https://app.example"
        stranger = site.call("GET", "info", Origin="https://evil.example")
        assert (stranger.status, "access-control-allow-origin" in stranger.headers) == (403, False)
        body, kind = form(send_spec("a"), {"a": b"1"})
        refused = site.call("POST", "v3/upload", body, Content_Type=kind, Origin="null", **ALICE)
        assert refused.status == 403
        # The same site speaks TLS: bytes come back whole by pieces, too.
        data = os.urandom(3_000_000)
        assert site.upload(send_spec("t"), {"t": data}).status == 200
        back = site.call("GET", "v3/download", b"", X_Aspera_Spec=spec_header(receive_spec("t")), **ALICE)
        assert back.body == data
