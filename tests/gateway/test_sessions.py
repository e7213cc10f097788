"""Browser transfers as sessions of a real Central: its REST and SOAP show them with their files, and cancel them."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import zeep

from asperacentral.commands.client import CentralClient
from asperacentral.commands.local import LocalDaemon
from tests.gateway.site import BASE, Site, basic, form, receive_spec, send_spec, spec_header, until
from tests.gateway.test_websocket import BINARY, Client, record

ALICE = {"Authorization": basic("alice")}


class Central:
    """The daemon beside a gateway, asked by REST."""

    def __init__(self, daemon: LocalDaemon) -> None:
        self.daemon = daemon
        self.client = CentralClient(daemon.url)

    def ask(self, what: str, **members: Any) -> Any:
        request = urllib.request.Request(
            f"{self.daemon.url}/services/rest/transfers/v1/{what}",
            json.dumps(members).encode(),
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def session(self, cookie: str, *, ended: bool = True) -> Any:
        """The one session with this cookie, when it has ended."""

        def found() -> Any:
            result = self.ask("sessions", session_filter={"cookie": [cookie]})["session_info_result"]
            sessions = result.get("session_info", [])
            return [each for each in sessions if not ended or each["status"] != "running"]

        (session,) = until(found, f"the session {cookie}")
        return session

    def files(self, session: str) -> dict[str, str]:
        result = self.ask("files", file_transfer_filter={"session_uuid": [session]})[
            "file_transfer_info_result"
        ]
        return {each["path"]: each["status"] for each in result.get("file_transfer_info", [])}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Central]]:
    prefix = tmp_path_factory.mktemp("both") / "s"
    daemon = LocalDaemon(prefix)
    site = Site(prefix, options={"idle_timeout": "5"})
    with daemon, site:
        yield site, Central(daemon)


def test_an_upload_is_an_incoming_session_with_its_files(both: tuple[Site, Central]) -> None:
    site, central = both
    files = {"d/a": os.urandom(300_000), "d/b": b"b" * 10}
    assert site.upload(send_spec("d", destination_root="/in", cookie="up"), files).status == 200
    session = central.session("up")
    assert session["transport"] == "http"
    assert (session["status"], session["direction"]) == ("completed", "incoming")
    assert (session["user"], session["client_address"]) == ("alice", "127.0.0.1")
    assert (session["files_complete"], session["files_failed"]) == (2, 0)
    assert session["bytes_transferred"] == session["bytes_written"] == 300_010
    assert session["destination_path"] == "/in"
    assert central.files(session["session_uuid"]) == {"in/d/a": "completed", "in/d/b": "completed"}
    service = zeep.Client(f"{central.daemon.url}/services/soap/Transfer-201210?wsdl").service
    (info,) = service.GetSessionInfo(SessionFilter={"Cookie": ["up"]}).SessionInfo
    assert (info.Status, info.FilesComplete, info.Direction) == ("completed", 2, "incoming")


def test_a_websocket_upload_is_one_as_well(both: tuple[Site, Central]) -> None:
    site, central = both
    with Client(site) as client:
        client.say({"transfer_spec": send_spec("w", cookie="socket")})
        client.say(record("w", 4, 0, 1))
        client.data(b"1234")
    session = central.session("socket")
    assert (session["status"], session["bytes_transferred"]) == ("completed", 4)


def test_a_download_of_many_is_an_outgoing_session_with_each_of_them(both: tuple[Site, Central]) -> None:
    site, central = both
    (site.root / "alice/z").mkdir()
    for name in ("1", "2"):
        (site.root / "alice/z" / name).write_bytes(b"x" * 1000)
    spec = receive_spec("z", cookie="down")
    assert site.call("GET", "v3/download", b"", X_Aspera_Spec=spec_header(spec), **ALICE).status == 200
    session = central.session("down")
    assert (session["status"], session["direction"]) == ("completed", "outgoing")
    assert (session["expected_file_count"], session["expected_byte_count"]) == (2, 2000)
    assert session["bytes_transferred"] == 2000
    assert central.files(session["session_uuid"]) == {"z/1": "completed", "z/2": "completed"}


def test_a_link_out_of_the_docroot_makes_the_session_one_with_an_error(both: tuple[Site, Central]) -> None:
    site, central = both
    (site.root / "alice/y").mkdir()
    (site.root / "alice/y/good").write_bytes(b"x")
    (site.root / "alice/y/bad").symlink_to("/etc/passwd")
    spec = receive_spec("y", cookie="bad link")
    assert site.call("GET", "v3/download", b"", X_Aspera_Spec=spec_header(spec), **ALICE).status == 200
    session = central.session("bad link")
    assert (session["status"], session["files_complete"], session["files_failed"]) == ("error", 1, 1)
    assert central.files(session["session_uuid"])["y/bad"] == "error"


def test_a_client_that_leaves_cancels_its_session_with_the_file_that_was_under_way(
    both: tuple[Site, Central],
) -> None:
    site, central = both
    body, kind = form(
        send_spec("first", "second", cookie="left"), {"first": b"1", "second": os.urandom(500_000)}
    )
    head = (
        f"POST {BASE}/v3/upload HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n"
        f"Authorization: {ALICE['Authorization']}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", site.port)) as connection:
        connection.sendall(head.encode() + body[:300_000])
        until(lambda: "first" in site.files(), "the first file")
        central.session("left", ended=False)
    session = central.session("left")
    assert (session["status"], session["error_code"]) == ("cancelled", 28)
    assert central.files(session["session_uuid"]) == {"first": "completed", "second": "error"}


def test_central_cancels_an_upload(both: tuple[Site, Central]) -> None:
    site, central = both
    with Client(site) as client:
        client.say({"transfer_spec": send_spec("c", cookie="cancelled")})
        client.say(record("c", 10, 0, 2))
        client.data(b"12345")
        session = central.session("cancelled", ended=False)
        central.client.cancel_session(session["session_uuid"])
        assert client.refusal()[1] == 1011
    assert central.session("cancelled")["status"] == "cancelled"
    assert "c" not in site.files()


def test_central_cancels_a_download(both: tuple[Site, Central]) -> None:
    site, central = both
    (site.root / "alice/long").write_bytes(bytes(64 << 20))
    with socket.create_connection(("127.0.0.1", site.port), timeout=60) as connection:
        fetch(connection, "long", "cancelled download")
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        session = central.session("cancelled download", ended=False)
        central.client.cancel_session(session["session_uuid"])
        assert central.session("cancelled download")["status"] == "cancelled"
        with pytest.raises(ConnectionError):
            while connection.recv(1 << 20):
                pass


def test_central_pauses_an_upload_and_lets_it_go_on(both: tuple[Site, Central]) -> None:
    site, central = both
    with Client(site) as client:
        client.say({"transfer_spec": send_spec("p", cookie="held")})
        client.say(record("p", 15, 0, 3))
        client.data(b"12345")
        session = central.session("held", ended=False)["session_uuid"]
        central.client.pause_session(session)
        until(lambda: central.session("held", ended=False)["status"] == "paused", "the pause")
        client.send(BINARY, b"12345")
        assert is_silent(client.socket), "the slice is not acknowledged, so no more comes"
        central.client.resume_session(session)
        assert client.answer() == "end upload"
        until(lambda: central.session("held", ended=False)["status"] == "running", "its going on")
        assert client.data(b"12345") == "end upload"
    assert central.session("held")["status"] == "completed"
    assert (site.root / "alice/p").read_bytes() == b"12345" * 3


def test_central_pauses_a_download_and_gives_it_a_rate(both: tuple[Site, Central]) -> None:
    site, central = both
    size, rate = 24 << 20, 48_000
    with (site.root / "alice/r").open("wb") as file:
        file.truncate(size)
    with site.connection() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        fetch(connection, "r", "rated")
        session = central.session("rated", ended=False)["session_uuid"]
        central.client.pause_session(session)
        until(lambda: central.session("rated", ended=False)["status"] == "paused", "the pause")
        came = b""
        while not is_silent(connection):
            came += connection.recv(1 << 20)
        head, _, body = came.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert len(body) < size
        rest = size - len(body)
        began = time.monotonic()
        central.client.set_rate(session, rate, None, None)
        while rest:
            rest -= len(connection.recv(1 << 20))
        assert time.monotonic() - began > 0.8 * (size - len(body)) * 8 / 1000 / rate
    done = central.session("rated")
    assert (done["status"], done["target_rate"]) == ("completed", rate)


def test_a_paused_upload_whose_page_was_closed_ends(both: tuple[Site, Central]) -> None:
    site, central = both
    with Client(site) as client:
        client.say({"transfer_spec": send_spec("q", cookie="closed")})
        client.say(record("q", 15, 0, 3))
        client.data(b"12345")
        session = central.session("closed", ended=False)["session_uuid"]
        central.client.pause_session(session)
        until(lambda: central.session("closed", ended=False)["status"] == "paused", "the pause")
        client.send(BINARY, b"12345")
        assert is_silent(client.socket)
    until(lambda: central.session("closed")["status"] == "cancelled", "its end")
    assert "q" not in site.files()


def is_silent(connection: socket.socket) -> bool:
    """Whether nothing comes for a second."""
    return not select.select([connection], [], [], 1.0)[0]


def test_a_gateway_that_is_killed_leaves_no_session_running(both: tuple[Site, Central]) -> None:
    site, central = both
    with Client(site) as client:
        client.say({"transfer_spec": send_spec("k", cookie="killed")})
        client.say(record("k", 10, 0, 2))
        client.data(b"12345")
        central.session("killed", ended=False)
        site.stop(signal.SIGKILL)
        assert central.session("killed")["status"] in ("error", "orphaned")
    (site.folder / "var/run/aspera/httpgateway.http").unlink()
    site.start()


def fetch(connection: socket.socket, name: str, cookie: str) -> None:
    """Ask for a file, as a page does with protocol version 3."""
    spec = spec_header(receive_spec(name, cookie=cookie))
    connection.sendall(
        f"GET {BASE}/v3/download HTTP/1.1\r\nHost: x\r\nX-Aspera-Spec: {spec}\r\n"
        f"Authorization: {ALICE['Authorization']}\r\n\r\n".encode()
    )
