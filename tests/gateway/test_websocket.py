"""Protocol versions 1 and 2 on a real gateway: uploads over WebSocket, downloads by id."""

from __future__ import annotations

import base64
import json
import os
import struct
from types import TracebackType
from typing import Any

import pytest

from tests.gateway.site import BASE, Site, basic, receive_spec, send_spec, until

TEXT, BINARY, CLOSE = 1, 2, 8


class Client:
    """A WebSocket client that does what it is told, right or wrong."""

    def __init__(self, site: Site, version: str = "v2", **headers: str) -> None:
        self.socket = site.connection()
        lines = {"Authorization": basic("alice")} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        sent = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
        self.socket.sendall(
            f"GET {BASE}/{version}/upload HTTP/1.1\r\nHost: {site.host}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            f"Sec-WebSocket-Version: 13\r\n{sent}\r\n".encode()
        )
        self._came = b""
        while b"\r\n\r\n" not in self._came:
            part = self.socket.recv(4096)
            if not part:
                break
            self._came += part
        head, _, self._came = self._came.partition(b"\r\n\r\n")
        self.status = int(head.split(b" ")[1])

    def __enter__(self) -> Client:
        assert self.status == 101
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def send(self, kind: int, data: bytes) -> None:
        length = len(data)
        if length < 126:
            head = struct.pack("!BB", 0x80 | kind, 0x80 | length)
        elif length < 65536:
            head = struct.pack("!BBH", 0x80 | kind, 0x80 | 126, length)
        else:
            head = struct.pack("!BBQ", 0x80 | kind, 0x80 | 127, length)
        self.socket.sendall(head + b"\0\0\0\0" + data)

    def say(self, document: Any) -> str:
        self.send(TEXT, json.dumps(document).encode())
        return self.answer()

    def data(self, data: bytes) -> str:
        self.send(BINARY, data)
        return self.answer()

    def frame(self) -> tuple[int, bytes]:
        kind, length = self._read(2)
        length &= 127
        if length == 126:
            (length,) = struct.unpack("!H", self._read(2))
        return kind & 15, self._read(length)

    def answer(self) -> str:
        kind, data = self.frame()
        assert kind == TEXT, (kind, data)
        return data.decode()

    def refusal(self) -> tuple[str, int, str]:
        """The message, the code and the reason with which the gateway ends it."""
        message = json.loads(self.answer())["message"]
        kind, data = self.frame()
        assert kind == CLOSE
        return message, struct.unpack("!H", data[:2])[0], data[2:].decode()

    def _read(self, count: int) -> bytes:
        while len(self._came) < count:
            part = self.socket.recv(65536)
            assert part, "the connection ended"
            self._came += part
        data, self._came = self._came[:count], self._came[count:]
        return data


def record(name: str, size: int, number: int, total: int, index: int = 0, **more: Any) -> dict[str, Any]:
    fields = {
        "name": name,
        "type": "",
        "size": size,
        "slice": number,
        "total_slices": total,
        "fileIndex": index,
    }
    return {"slice_upload": {**fields, **more}}


def cut(data: bytes, width: int) -> list[bytes]:
    return [data[at : at + width] for at in range(0, len(data), width)]


def test_version_2_acknowledges_each_slice_and_the_last_when_the_file_is_in_its_place(site: Site) -> None:
    data = os.urandom(5_000_000)
    with Client(site) as client:
        assert client.say({"transfer_spec": send_spec("a.bin", destination_root="/in")}) == "end upload"
        slices = cut(data, 2 << 20)
        assert client.say(record("a.bin", len(data), 0, len(slices))) == "end_slice_upload"
        for piece in slices[:-1]:
            assert client.data(piece) == "end upload"
            assert "in/a.bin" not in site.files()
        assert client.data(slices[-1]) == "end upload"
        assert (site.root / "alice/in/a.bin").read_bytes() == data
        assert client.say(record("a.bin", len(data), 2, len(slices))) == "end_slice_upload"


def test_version_1_takes_slices_in_base64(site: Site) -> None:
    data = os.urandom(3_000_000)
    with Client(site, "v1") as client:
        assert client.say({"transfer_spec": send_spec("d/a")}) == "end upload"
        slices = cut(data, 1 << 20)
        for number, piece in enumerate(slices):
            text = base64.b64encode(piece).decode()
            assert client.say(record("d/a", len(data), number, len(slices), data=text)) == "end upload"
    assert (site.root / "alice/d/a").read_bytes() == data


def test_a_client_that_waits_for_nothing_is_taken_as_well(site: Site) -> None:
    files = {f"f{index}": os.urandom(150_000) for index in range(3)}
    with Client(site) as client:
        client.send(TEXT, json.dumps({"transfer_spec": send_spec(*files)}).encode())
        for index, (name, data) in enumerate(files.items()):
            slices = cut(data, 64_000)
            client.send(TEXT, json.dumps(record(name, len(data), 0, len(slices), index)).encode())
            for piece in slices:
                client.send(BINARY, piece)
            client.send(
                TEXT, json.dumps(record(name, len(data), len(slices) - 1, len(slices), index)).encode()
            )
        client.send(CLOSE, struct.pack("!H", 1000))
        while client.frame()[0] != CLOSE:
            pass
        assert client.socket.recv(1) == b""
    assert {name: (site.root / "alice" / name).read_bytes() for name in site.files()} == files


def test_empty_files_are_made_though_no_slice_of_them_comes(site: Site) -> None:
    spec = send_spec("full") | {
        "paths": [{"source": "empty", "file_size": 0}, {"source": "full", "file_size": 1}]
    }
    with Client(site) as client:
        client.say({"transfer_spec": spec})
        client.say(record("full", 1, 0, 1))
        assert client.data(b"1") == "end upload"
        assert site.files() == {"empty", "full"}
    with Client(site) as client:
        client.say({"transfer_spec": send_spec() | {"paths": [{"source": "lone", "file_size": 0}]}})
        assert "lone" in site.files()


def test_a_token_in_the_spec_is_enough(site: Site) -> None:
    token = site.token("send", "/in")
    spec = send_spec("a", destination_root="/in", remote_user="bob", token=token)
    with Client(site, Authorization="") as client:
        assert client.say({"transfer_spec": spec}) == "end upload"
        client.say(record("a", 1, 0, 1))
        assert client.data(b"1") == "end upload"
    assert site.files("bob") == {"in/a"}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"transfer_spec": send_spec("a", remote_user="bob", token="act1.e30.x")}, "token"),
        ({"transfer_spec": send_spec("../a", remote_user="bob")}, ".."),
        ({"transfer_spec": receive_spec("a", remote_user="bob")}, "direction"),
        ({"no": "spec"}, "transfer_spec"),
        ([], "object"),
    ],
)
def test_a_refusal_is_told_in_a_message_and_in_the_reason_of_the_close(
    site: Site, said: Any, why: str
) -> None:
    with Client(site, Authorization="") as client:
        client.send(TEXT, json.dumps(said).encode())
        message, code, reason = client.refusal()
        assert code == 1008
        assert why in message
        assert reason == message[:120]
    assert not site.files("bob")


def test_a_wrong_password_is_refused_before_there_is_a_websocket(site: Site) -> None:
    assert Client(site, Authorization=basic("alice", "no")).status == 401


def test_data_beyond_what_was_said_is_refused_and_removed(site: Site) -> None:
    with Client(site) as client:
        client.say({"transfer_spec": send_spec("a", "b")})
        client.say(record("a", 3, 0, 1))
        client.send(BINARY, b"12345")
        assert client.refusal()[1] == 1008
    until(lambda: not site.files(), "the removal of what came")


def test_a_name_out_of_the_docroot_is_refused_in_a_slice_as_well(site: Site) -> None:
    with Client(site) as client:
        client.say({"transfer_spec": send_spec("a")})
        client.send(TEXT, json.dumps(record("../../evil", 1, 0, 1)).encode())
        assert ".." in client.refusal()[0]
    assert not (site.folder / "evil").exists()


def test_a_client_that_cancels_leaves_nothing_behind(site: Site) -> None:
    with Client(site) as client:
        client.say({"transfer_spec": send_spec("a")})
        client.say(record("a", 10, 0, 2))
        client.data(b"12345")
        assert site.files()
    until(lambda: not site.files(), "the removal of what came")


def test_huge_frames_are_refused_before_they_come(site: Site) -> None:
    with Client(site) as client:
        client.say({"transfer_spec": send_spec("a")})
        client.socket.sendall(struct.pack("!BBQ", 0x82, 0x80 | 127, 1 << 40) + b"\0\0\0\0")
        kind, data = client.frame()
        assert kind == CLOSE
        assert struct.unpack("!H", data[:2])[0] == 1009
    assert site.memory < 200 << 20


def test_what_is_no_websocket_is_told_so(site: Site) -> None:
    answer = site.call("GET", "v2/upload")
    assert (answer.status, answer.headers["upgrade"]) == (426, "websocket")


def test_an_id_fetches_the_files_once(site: Site) -> None:
    (site.root / "alice/a.txt").write_bytes(b"hello")
    body = json.dumps({"transfer_spec": receive_spec("a.txt", source_root="/", zip_required=False)}).encode()
    left = site.call(
        "POST", "v1/download", body, Authorization=basic("alice"), Content_Type="application/json"
    )
    name = left.document["transfer_spec_id"]
    assert left.document["url"] == f"http://{site.host}{BASE}/v1/download/{name}"
    answer = site.call("GET", f"v1/download/{name}")
    assert (answer.status, answer.body) == (200, b"hello")
    assert answer.headers["content-disposition"] == 'attachment; filename="a.txt"'
    assert site.call("GET", f"v1/download/{name}").status == 410
    assert site.call("GET", "v1/download/guess").status == 403


def test_what_cannot_be_downloaded_is_told_with_the_spec(site: Site) -> None:
    body = json.dumps({"transfer_spec": receive_spec("missing")}).encode()
    assert site.call("POST", "v1/download", body, Authorization=basic("alice")).status == 404
    assert site.call("POST", "v1/download", body).status == 401
