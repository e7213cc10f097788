"""A gateway in a process of its own, with users and a docroot for each, and a client that speaks HTTP to it."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from asperacentral.credentials.passwords import hash_password
from asperacentral.openascp.token import Permission, issue

BASE = "/aspera/http-gwy"
PASSWORD = "open sesame"
PATIENCE = 60.0

_HASH = hash_password(PASSWORD)


def until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)
    return found


@dataclass
class Answer:
    """An HTTP answer as it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """What an error says; its shape is looked at on the way."""
        document = self.document
        assert set(document) == {"code", "message"}
        assert document["code"] == self.status >= 400
        return str(document["message"])


class Site:
    """`alice` has a password, `bob` moves nothing without a token. Their folders are `root/NAME`."""

    def __init__(self, folder: Path, *, options: Mapping[str, str] | None = None, certificate: bool = False):
        self.folder = folder
        self.root = folder / "root"
        self.key = b"a secret of many bytes"
        self.secure = certificate
        (folder / "etc").mkdir(parents=True, exist_ok=True)
        (folder / "token.key").write_bytes(self.key)
        users = []
        for name, more in (("alice", ""), ("bob", 'token_key = "token.key"\n')):
            (self.root / name).mkdir(parents=True)
            users.append(f'[users.{name}]\npassword = "{_HASH}"\ndocroot = "{self.root / name}"\n{more}')
        (folder / "users.toml").write_text("\n".join(users))
        given = {
            "address": "127.0.0.1",
            "port": "0",
            "page_port": "0",
            "users": "users.toml",
            **(options or {}),
        }
        if certificate:
            make_certificate(folder / "gateway.pem")
            given["certificate"] = "gateway.pem"
        rows = "".join(f"<{name}>{value}</{name}>" for name, value in given.items())
        (folder / "etc/aspera.conf").write_text(
            f'<CONF version="2"><http_gateway>{rows}</http_gateway>'
            "<central_server><port>0</port></central_server></CONF>"
        )
        self.log_file = folder / "httpgateway/httpgateway.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "asperacentral", "gateway", "--no-daemon"]
        self.process = subprocess.Popen(
            [*command, "--config", str(self.folder / "etc/aspera.conf")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        file = self.folder / "var/run/aspera/httpgateway.http"

        def listening() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, "the gateway ended at once"
            return file.exists()

        until(listening, "the gateway")
        self.port = int(file.read_text().strip().rpartition(":")[2])

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(PATIENCE)
            self.process = None

    def __enter__(self) -> Site:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(signal.SIGKILL if kind else signal.SIGTERM)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    @property
    def memory(self) -> int:
        """Bytes the gateway's process has needed at most."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    def files(self, user: str = "alice") -> set[str]:
        folder = self.root / user
        return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}

    def token(self, direction: str, *paths: str, user: str = "bob", life: int = 600) -> str:
        now = int(time.time())
        issued = now if life > 0 else now + life - 10
        return issue(
            self.key, Permission(direction, tuple(map(os.fsencode, paths)), issued, now + life, user)
        )

    def call(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """A request with a connection of its own; `_` in a header's name stands for `-`."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.secure:
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                "localhost", self.port, timeout=PATIENCE, context=self._trust()
            )
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path if path.startswith("/") else f"{BASE}/{path}", body or None, sent)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())
        finally:
            connection.close()

    def connection(self) -> socket.socket:
        """A connection to it, by TLS where it has a certificate."""
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        return self._trust().wrap_socket(plain, server_hostname="localhost") if self.secure else plain

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.folder / "gateway.pem"))

    def upload(self, spec: Any, files: Mapping[str, bytes], **headers: str) -> Answer:
        """Protocol version 3, as the page's library sends it. Without headers it is alice with her password."""
        body, kind = form(spec, files)
        given = headers or {"Authorization": basic("alice")}
        return self.call("POST", "v3/upload", body, Content_Type=kind, **given)

    def raw(self, data: bytes) -> bytes:
        """Send bytes and return all that comes until the server closes, politely or not."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            came = b""
            with contextlib.suppress(ConnectionError):
                connection.sendall(data)
                while part := connection.recv(65536):
                    came += part
            return came


def send_spec(*names: str, **more: Any) -> dict[str, Any]:
    return {"direction": "send", "remote_host": "x", "paths": [{"source": name} for name in names], **more}


def receive_spec(*names: str, **more: Any) -> dict[str, Any]:
    return {"direction": "receive", "remote_host": "x", "paths": [{"source": name} for name in names], **more}


def basic(user: str, password: str = PASSWORD) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def spec_header(spec: Any) -> str:
    return base64.b64encode(json.dumps(spec).encode()).decode()


BOUNDARY = "----WebKitFormBoundaryABCDEF0123456789"


def form(spec: Any, files: Mapping[str, bytes], *, lengths: bool = True) -> tuple[bytes, str]:
    """The body that a browser makes, and its type."""
    text = spec if isinstance(spec, bytes) else json.dumps(spec).encode()
    parts = [(b'name="x-aspera-spec"', text)]
    for name, data in files.items():
        if lengths:
            parts.append((b'name="Content-Length"', str(len(data)).encode()))
        shown = os.fsencode(name).replace(b'"', b"%22").replace(b"\r", b"%0D").replace(b"\n", b"%0A")
        head = b'name="file"; filename="' + shown + b'"\r\nContent-Type: application/octet-stream'
        parts.append((head, data))
    body = b"".join(
        b"--%s\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (BOUNDARY.encode(), head, data)
        for head, data in parts
    )
    return body + f"--{BOUNDARY}--\r\n".encode(), f"multipart/form-data; boundary={BOUNDARY}"


def make_certificate(file: Path) -> None:
    """A certificate for localhost and its key, in one file."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
