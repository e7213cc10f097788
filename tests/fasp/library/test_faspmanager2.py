"""A program written for the other module runs on ours: the transfer manager of IBM's object storage library."""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
import uuid
import warnings
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from asperacentral.commands.local import LocalNode
from asperacentral.fasp import faspmanager2
from asperacentral.fasp.management import Decoder, Message

SECONDS = 90


class Site:
    """A node, and the service that gives transfer specs for it."""

    def __init__(self, folder: Path) -> None:
        self.far = folder / "far"
        self.far.mkdir()
        self.near = folder / "near"
        self.near.mkdir()
        self.node = LocalNode(folder, self.far, "xfer", "secret")
        self.changes: dict[str, Any] = {}
        site = self

        class Specs(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                paths = asked["transfer_requests"][0]["transfer_request"]["paths"]
                direction = "send" if self.path.endswith("upload_setup") else "receive"
                body = json.dumps(
                    {"transfer_specs": [{"transfer_spec": site.spec(direction=direction, paths=paths)}]}
                ).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Specs)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def spec(self, **more: Any) -> dict[str, Any]:
        return {
            "remote_host": "127.0.0.1",
            "remote_user": "xfer",
            "remote_password": "secret",
            "ssh_port": self.node.port,
            "fasp_port": 33001,
            "target_rate_kbps": 100_000,
            "destination_root": "/",
            "http_fallback": False,
            "cipher": "aes-128",
            **self.changes,
            **more,
        }

    def file(self, name: str, size: int) -> Path:
        path = self.near / name
        path.write_bytes(os.urandom(size))
        return path


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("HOME", str(tmp_path))
    house = faspmanager2._House()
    monkeypatch.setattr(faspmanager2, "_house", house)
    for name in ("faspmanager2", "cos_aspera", "cos_aspera.faspmanager2"):
        monkeypatch.setitem(sys.modules, name, sys)  # so that what is installed is taken back
    faspmanager2.install()
    site = Site(tmp_path)
    with site.node:
        yield site
    if house._manager is not None:
        house._manager.close()
    site.server.shutdown()
    site.server.server_close()


def progress() -> Any:
    """A subscriber of the other library's, which keeps what it is told."""
    from ibm_s3transfer.aspera.subscribers import AsperaBaseSubscriber

    class Progress(AsperaBaseSubscriber):  # type: ignore[misc]
        def __init__(self) -> None:
            self.bytes: list[int] = []
            self.moves = threading.Event()
            self.done = threading.Event()

        def on_progress(self, future: object, bytes_transferred: int, **_: object) -> None:
            self.bytes.append(bytes_transferred)
            self.moves.set()

        def on_done(self, future: object, **_: object) -> None:
            self.done.set()

    return Progress()


def transfer_manager(site: Site) -> Any:
    """IBM's transfer manager, with a client that knows where transfer specs are given."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ibm_botocore.client import BaseClient
        from ibm_s3transfer.aspera.manager import AsperaTransferManager

    class Client(BaseClient):  # type: ignore[misc]
        def __init__(self) -> None:
            pass

        def get_bucket_aspera(self, **_: object) -> object:
            port = site.server.server_address[1]
            return {"AccessKey": {"Id": "i", "Secret": "s"}, "ATSEndpoint": f"http://127.0.0.1:{port}"}

    class Tokens:
        def get_token(self) -> str:
            return "token"

    return AsperaTransferManager(Client(), delegated_token_manager=Tokens())


def test_the_object_storage_library_transfers_fails_and_cancels_through_the_adapter(site: Site) -> None:
    source = site.file("small", 300_000)
    with transfer_manager(site) as manager:
        up = progress()
        future = manager.upload(str(source), "bucket", "up.dat", subscribers=[up])
        assert future.result() is None
        assert future.is_success()
        assert up.done.wait(SECONDS)
        assert up.bytes[-1] == 300_000
        assert (site.far / "up.dat").read_bytes() == source.read_bytes()

        back = site.near / "back"
        assert manager.download("bucket", "up.dat", str(back)).result() is None
        assert back.read_bytes() == source.read_bytes()

        site.changes = {"remote_password": "wrong"}
        future = manager.upload(str(source), "bucket", "never.dat")
        with pytest.raises(Exception, match=r"password|denied|authenticat"):
            future.result()
        assert not (site.far / "never.dat").exists()

        site.changes = {"target_rate_kbps": 1_000}
        slow = progress()
        future = manager.upload(str(site.file("big", 20_000_000)), "bucket", "big.dat", subscribers=[slow])
        assert slow.moves.wait(SECONDS)
        assert future.pause()
        assert future.resume()
        future.cancel()
        with pytest.raises(Exception) as caught:
            future.result()
        assert type(caught.value).__name__ == "CancelledError"
        assert not (site.far / "big.dat").exists()


class Reports(faspmanager2.ITransferListener):
    """Keeps what is reported."""

    def __init__(self) -> None:
        self.all: queue.Queue[tuple[str, Message]] = queue.Queue()

    def transferReporter(self, xferId: str, message: str) -> None:  # noqa: N803
        (read,) = Decoder().feed(message.encode())
        self.all.put((xferId, read))

    def until(self, *kinds: str) -> list[Message]:
        messages: list[Message] = []
        while not messages or messages[-1].type not in kinds:
            messages.append(self.all.get(timeout=SECONDS)[1])
        return messages


def test_reports_carry_the_id_of_the_transfer_and_a_session_id(site: Site) -> None:
    source = site.file("one", 1000)
    xfer_id, reports = str(uuid.uuid4()), Reports()
    text = json.dumps(site.spec(direction="send", paths=[{"source": str(source), "destination": "one.dat"}]))
    assert faspmanager2.startTransfer(xfer_id, None, text, reports) == 0
    with pytest.raises(ValueError, match="under way already"):
        faspmanager2.startTransfer(xfer_id, None, text, reports)
    told = reports.until("DONE", "ERROR")
    assert told[0].type == "INIT"
    assert told[-1].type == "DONE"
    assert told[-1].count("TransferBytes") == 1000
    assert {message.text("UserStr") for message in told} == {xfer_id}
    assert len({message.text("SessionId") for message in told}) == 1
    assert faspmanager2.stopTransfer(xfer_id)
    deadline = time.monotonic() + SECONDS
    while faspmanager2.isRunning(xfer_id):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert not faspmanager2.isRunning("unknown")
    assert not faspmanager2.stopTransfer("unknown")
    assert not faspmanager2.modifyTransfer("unknown", 4)


def test_a_running_transfer_is_changed_and_stopped(site: Site) -> None:
    source = site.file("slow", 5_000_000)
    xfer_id, reports = str(uuid.uuid4()), Reports()
    text = json.dumps(site.spec(direction="send", paths=[{"source": str(source)}], target_rate_kbps=1_000))
    faspmanager2.startTransfer(xfer_id, None, text, reports)
    reports.until("STATS")
    for option, value, field, said in (
        (1, 900, "Rate", "900"),
        (2, 5, "MinRate", "5"),
        (3, 1, "Priority", "1"),
        (4, 0, "Rate", "0"),
        (5, 0, "Rate", "900"),
    ):
        assert faspmanager2.modifyTransfer(xfer_id, option, value)
        while reports.until("NOTIFICATION")[-1].text(field) != said:
            pass
    assert not faspmanager2.modifyTransfer(xfer_id, 9)
    assert not faspmanager2.modifyTransfer(xfer_id, 3, 7)
    assert not faspmanager2.modifyTransfer(xfer_id, 1, -1)
    assert faspmanager2.stopTransfer(xfer_id)
    assert reports.until("ERROR")[-1].count("Code") == 28


def test_a_process_that_dies_without_a_word_is_reported_as_an_error(site: Site, tmp_path: Path) -> None:
    program = tmp_path / "ascp"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    faspmanager2.configureAsperaLocation(str(tmp_path))
    reports = Reports()
    text = json.dumps(site.spec(direction="send", paths=[{"source": "/a"}]))
    faspmanager2.startTransfer("mute", None, text, reports)
    told = reports.until("ERROR")
    assert [message.type for message in told] == ["INIT", "ERROR"]
    assert told[-1].text("Description") == "the transfer process never connected"
    assert all(message.text("SessionId") for message in told)


def test_what_cannot_be_started_is_a_value_error(site: Site, tmp_path: Path) -> None:
    good = json.dumps(site.spec(direction="send", paths=[{"source": "/a"}]))
    for xfer_id, text, listener in (
        ("", good, Reports()),
        ("two\nlines", good, Reports()),
        ("x", "{}", Reports()),
        ("x", good, object()),
    ):
        with pytest.raises(ValueError):
            faspmanager2.startTransfer(xfer_id, None, text, listener)  # type: ignore[arg-type]
    assert not faspmanager2.configureLogLocation(str(tmp_path / "nowhere"))
    assert faspmanager2.configureLogLocation(str(tmp_path))
