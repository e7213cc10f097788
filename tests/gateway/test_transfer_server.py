"""The back end of a transfer server: a real node on loopback, reached with openascp and the token of the spec."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from asperacentral.openascp.token import Permission, issue
from tests.gateway.site import PATIENCE, Site, form, receive_spec, send_spec, spec_header, until
from tests.gateway.test_websocket import Client, record

KEY = b"another secret of many bytes"


class Far:
    """A node whose user `far` transfers with a token only."""

    def __init__(self, folder: Path) -> None:
        self.docroot = folder / "docroot"
        self.docroot.mkdir(parents=True)
        key = asyncssh.generate_private_key("ssh-ed25519")
        self.key_file = folder / "id"
        key.write_private_key(self.key_file)
        self.key_file.chmod(0o600)
        (folder / "token.key").write_bytes(KEY)
        (folder / "users.toml").write_text(
            f'[users.far]\nauthorized_keys = ["{key.export_public_key().decode().strip()}"]\n'
            f'docroot = "{self.docroot}"\ntoken_key = "token.key"\n'
        )
        port_file = folder / "port"
        command = [
            sys.executable,
            "-m",
            "asperacentral",
            "node",
            "--port",
            "0",
            "--port-file",
            str(port_file),
        ]
        self.process = subprocess.Popen(
            [*command, "--users", str(folder / "users.toml"), "--host-key", str(folder / "host_key")],
            stdout=subprocess.DEVNULL,
            env={**os.environ, "OPENASCP_RUN_DIRECTORY": str(folder / "nowhere")},
        )
        until(port_file.exists, "the node")
        self.port = int(port_file.read_text())

    def token(self, direction: str, *paths: str) -> str:
        now = int(time.time())
        return issue(KEY, Permission(direction, tuple(map(os.fsencode, paths)), now, now + 600))

    def spec(self, spec: dict[str, Any], *paths: str) -> dict[str, Any]:
        """A spec for this server, with a token for the paths if there are any."""
        direction = "send" if spec["direction"] == "send" else "recv"
        token = {"token": self.token(direction, *paths)} if paths else {}
        return {**spec, "remote_host": "127.0.0.1", "ssh_port": self.port, "remote_user": "far", **token}

    def files(self) -> dict[str, bytes]:
        found = [path for path in self.docroot.rglob("*") if path.is_file()]
        return {str(path.relative_to(self.docroot)): path.read_bytes() for path in found}


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    server = Far(tmp_path_factory.mktemp("far"))
    yield server
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(PATIENCE)


@pytest.fixture(scope="module")
def gateway(far: Far, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    options = {
        "transfer_servers": f"127.0.0.1:{far.port}",
        "transfer_key": str(far.key_file),
        "staging_size": "8 MB",
    }
    with Site(tmp_path_factory.mktemp("gateway") / "s", options=options) as site:
        yield site


def upload(site: Site, spec: Any, files: dict[str, bytes]) -> Any:
    body, kind = form(spec, files)
    return site.call("POST", "v3/upload", body, Content_Type=kind)


def staged(site: Site) -> list[Path]:
    return [path for path in (site.folder / "var/gateway-staging").rglob("*") if path.is_file()]


def test_an_upload_goes_on_to_the_server_and_leaves_nothing_here(gateway: Site, far: Far) -> None:
    files = {"d/a": os.urandom(3_000_000), "d/b": b"", "c ü": b"c"}
    spec = far.spec(send_spec("d", "c ü", destination_root="/in"), "/in")
    answer = upload(gateway, spec, files)
    assert answer.status == 200, answer.body
    assert {name: data for name, data in far.files().items() if name.startswith("in/")} == {
        f"in/{name}": data for name, data in files.items()
    }
    until(lambda: not staged(gateway), "an empty staging folder")
    assert not gateway.files("alice") | gateway.files("bob")


def test_more_than_there_is_room_for_goes_through_file_by_file(gateway: Site, far: Far) -> None:
    files = {f"many/{number}": os.urandom(2_000_000) for number in range(10)}
    answer = upload(gateway, far.spec(send_spec(*files), "/"), files)
    assert answer.status == 200, answer.body
    assert {name: data for name, data in far.files().items() if name.startswith("many/")} == files


def test_one_file_that_is_larger_than_the_room_is_refused(gateway: Site, far: Far) -> None:
    answer = upload(gateway, far.spec(send_spec("huge"), "/"), {"huge": bytes(9 << 20)})
    assert (answer.status, "room" in answer.error) == (507, True)
    assert "huge" not in far.files()
    until(lambda: not staged(gateway), "an empty staging folder")


def test_a_websocket_upload_is_acknowledged_when_the_server_has_the_file(gateway: Site, far: Far) -> None:
    with Client(gateway, Authorization="") as client:
        assert client.say({"transfer_spec": far.spec(send_spec("w"), "/")}) == "end upload"
        client.say(record("w", 4, 0, 1))
        assert client.data(b"1234") == "end upload"
        assert far.files()["w"] == b"1234"


def test_a_token_for_another_folder_is_refused_by_the_server(gateway: Site, far: Far) -> None:
    answer = upload(gateway, far.spec(send_spec("a", destination_root="/elsewhere"), "/in"), {"a": b"1"})
    assert answer.status in (401, 403, 500)
    assert "transfer server" in answer.error
    assert "elsewhere/a" not in far.files()


@pytest.mark.parametrize(("change", "status"), [({"token": ""}, 401), ({"token": "act1.e30.x"}, 401)])
def test_without_a_token_that_holds_nothing_is_read(
    gateway: Site, far: Far, change: dict[str, str], status: int
) -> None:
    answer = upload(gateway, {**far.spec(send_spec("refused"), "/"), **change}, {"refused": bytes(1 << 20)})
    assert answer.status == status, answer.body
    assert "refused" not in far.files()
    until(lambda: not staged(gateway), "an empty staging folder")


def test_a_server_that_is_not_named_is_not_reached(gateway: Site, far: Far) -> None:
    spec = {**far.spec(send_spec("x"), "/"), "ssh_port": far.port + 1}
    assert (
        upload(gateway, spec, {"x": b"1"}).status == 401
    )  # a spec for the docroots here, of an unknown user


def test_a_download_is_fetched_and_sent(gateway: Site, far: Far) -> None:
    (far.docroot / "out/deep").mkdir(parents=True)
    data = os.urandom(2_000_000)
    (far.docroot / "out/deep/a.bin").write_bytes(data)
    spec = far.spec(receive_spec("/out/deep/a.bin"), "/out")
    answer = gateway.call("GET", "v3/download", b"", X_Aspera_Spec=spec_header(spec))
    assert answer.status == 200, answer.body
    assert answer.headers["content-disposition"] == 'attachment; filename="a.bin"'
    assert answer.body == data
    left = gateway.call(
        "POST", "v1/download", json.dumps({"transfer_spec": far.spec(receive_spec("out"), "/out")}).encode()
    )
    zipped = gateway.call("GET", f"v1/download/{left.document['transfer_spec_id']}")
    assert zipped.headers["content-type"] == "application/zip"
    assert data in zipped.body
    until(lambda: not staged(gateway), "an empty staging folder")


def test_a_download_that_is_not_there_or_too_large_is_told(gateway: Site, far: Far) -> None:
    spec = far.spec(receive_spec("/nothing"), "/")
    assert gateway.call("GET", "v3/download", b"", X_Aspera_Spec=spec_header(spec)).status == 404
    (far.docroot / "large").write_bytes(bytes(9 << 20))
    spec = far.spec(receive_spec("/large"), "/")
    answer = gateway.call("GET", "v3/download", b"", X_Aspera_Spec=spec_header(spec))
    assert (answer.status, "room" in answer.error) == (507, True)
    until(lambda: not staged(gateway), "an empty staging folder")
