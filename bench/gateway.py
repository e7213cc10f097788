"""How fast the HTTP Gateway takes and gives a file, beside nginx, and what it needs in memory while many send at once.

Both serve over loopback, with one process, from and to the same file system; one client at a time, the same for both:
it sends from a file by sendfile, and receives into a buffer that it throws away. The gateway's upload is the form that
browsers send, with a token, checked and landed under its name; nginx's is a PUT (its WebDAV module). Rounds alternate.
Every upload is compared with what was sent, outside of the time. Files are in memory (`--folder`), else it is the disk
that is measured.

For memory, clients send at once, each a file of its own, and the gateway's largest resident size is read at the end.
"""

from __future__ import annotations

import argparse
import base64
import filecmp
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from asperacentral.credentials.passwords import hash_password
from asperacentral.openascp.token import DIRECTIONS, Permission, issue
from bench import report
from bench.report import Report, Table, median

_PLACE = "/aspera/http-gwy/v3"
_BOUNDARY = "----bench0123456789"
_PATIENCE = 120.0

_NGINX = """
user root;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.error;
events {{ }}
http {{
  access_log off;
  sendfile on;
  client_max_body_size 0;
  client_body_temp_path {folder}/body;
  server {{
    listen 127.0.0.1:{port};
    root {root};
    location / {{ dav_methods PUT; create_full_put_path on; }}
  }}
}}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=3, help="transfers of each kind")
    parser.add_argument("--size", type=int, default=1024, help="MiB of the file")
    parser.add_argument(
        "--folder", type=Path, default=Path("/dev/shm"), help="where files of the first table are"
    )
    parser.add_argument("--clients", type=int, default=20, help="clients that send at once")
    parser.add_argument("--client-size", type=int, default=1024, help="MiB that each of them sends")


def run(args: argparse.Namespace) -> Report:
    tables = []
    with tempfile.TemporaryDirectory(prefix="bench-gateway-") as name, report.conditions() as told:
        folder = Path(name)
        if args.rounds:
            with tempfile.TemporaryDirectory(prefix="bench-gateway-", dir=args.folder) as fast:
                tables.append(_speed(Path(fast), args.size, args.rounds))
        if args.clients:
            tables.append(_memory(folder, args.clients, args.client_size))
        return Report("gateway", told(), tables)


def _speed(folder: Path, size: int, rounds: int) -> Table:
    source = folder / "source"
    _fill(source, size)
    table = Table(
        f"One file of {size:,} MiB, MB/s, medians of {rounds}",
        ["direction", "gateway", "nginx", "gateway / nginx"],
        note="nginx takes the file by PUT, the gateway as a browser's form, and gives it in the page (`v3/download`).",
    )
    with _Gateway(folder / "gateway") as gateway, _nginx(folder / "nginx") as peer:
        for each in (gateway.root / "f", folder / "nginx/root/f"):
            shutil.copyfile(source, each)
        kinds: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
            "upload": (lambda: gateway.upload(source, "up"), lambda: _put(peer, source, "up")),
            "download": (lambda: gateway.download("f", source), lambda: _get(peer, "/f", source)),
        }
        for kind, pair in kinds.items():
            seconds: tuple[list[float], list[float]] = [], []
            for number in range(rounds + 1):  # the first warms up
                for place, transfer in enumerate(pair):
                    (gateway.root / "up").unlink(missing_ok=True)
                    (folder / "nginx/root/up").unlink(missing_ok=True)
                    began = time.perf_counter()
                    transfer()
                    if number:
                        seconds[place].append(time.perf_counter() - began)
                    if kind == "upload":
                        came = (gateway.root if place == 0 else folder / "nginx/root") / "up"
                        assert filecmp.cmp(came, source, shallow=False)
            ours, theirs = (size * 1.048576 / median(each) for each in seconds)
            table.rows.append([kind, ours, theirs, ours / theirs])
    return table


def _memory(folder: Path, clients: int, size: int) -> Table:
    source = folder / "source"
    _fill(source, size)
    failures: list[BaseException] = []
    with _Gateway(folder / "many") as gateway:
        before = gateway.memory("VmRSS")

        def send(number: int) -> None:
            try:
                gateway.upload(source, f"f{number}")
            except BaseException as error:
                failures.append(error)

        began = time.perf_counter()
        threads = [threading.Thread(target=send, args=(number,)) for number in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - began
        assert not failures, failures
        peak = gateway.memory("VmHWM")
        assert all((gateway.root / f"f{number}").stat().st_size == size << 20 for number in range(clients))
    return Table(
        "Memory of the gateway, MiB",
        ["clients at once", "MiB each", "seconds", "resident before", "largest resident"],
        [[clients, size, seconds, before / 2**20, peak / 2**20]],
        note="Files are on disk here, which bounds the time.",
    )


class _Gateway:
    """`asperacentral gateway` with one user."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.root = folder / "root"
        self.root.mkdir(parents=True)
        key = secrets.token_bytes(32).hex().encode()
        (folder / "token.key").write_bytes(key)
        password = hash_password(secrets.token_urlsafe(12))
        (folder / "users.toml").write_text(
            f'[users.bench]\npassword = "{password}"\ndocroot = "{self.root}"\ntoken_key = "token.key"\n'
        )
        now = int(time.time())
        self._tokens = {way: issue(key, Permission(way, (b"",), now, now + 3600)) for way in DIRECTIONS}
        (folder / "etc").mkdir()
        (folder / "etc/aspera.conf").write_text(
            '<CONF version="2"><http_gateway><port>0</port><page_port>0</page_port><users>users.toml</users>'
            "</http_gateway></CONF>"
        )
        self._port = 0

    def __enter__(self) -> _Gateway:
        command = [sys.executable, "-m", "asperacentral", "gateway", "--no-daemon"]
        self._process = subprocess.Popen(
            [*command, "--config", str(self._folder / "etc/aspera.conf")], stdout=subprocess.DEVNULL
        )
        file = self._folder / "var/run/aspera/httpgateway.http"
        _wait(file.exists)
        self._port = int(file.read_text().strip().rpartition(":")[2])
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(_PATIENCE)

    def memory(self, what: str) -> int:
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition(f"{what}:")[2].split()[0]) * 1024

    def upload(self, source: Path, name: str) -> None:
        size = source.stat().st_size
        spec: dict[str, object] = {
            "direction": "send",
            "remote_host": "x",
            "paths": [{"source": name, "file_size": size}],
        }
        spec["token"] = self._tokens["send"]
        head = "".join(
            f"--{_BOUNDARY}\r\nContent-Disposition: form-data; name={field}\r\n\r\n{text}"
            for field, text in (
                ('"x-aspera-spec"', f"{json.dumps(spec)}\r\n"),
                ('"Content-Length"', f"{size}\r\n"),
                (f'"file"; filename="{name}"', ""),
            )
        ).encode()
        tail = f"\r\n--{_BOUNDARY}--\r\n".encode()
        lines = (
            f"POST {_PLACE}/upload HTTP/1.1\r\nHost: x\r\n"
            f"Content-Type: multipart/form-data; boundary={_BOUNDARY}\r\n"
            f"Content-Length: {len(head) + size + len(tail)}\r\nConnection: close\r\n\r\n"
        ).encode()
        _send(self._port, lines + head, source, tail)

    def download(self, name: str, source: Path) -> None:
        spec: dict[str, object] = {"direction": "receive", "remote_host": "x", "paths": [{"source": name}]}
        spec["token"] = self._tokens["recv"]
        header = base64.b64encode(json.dumps(spec).encode()).decode()
        _receive(self._port, f"{_PLACE}/download", source, f"X-Aspera-Spec: {header}\r\n")


@contextmanager
def _nginx(folder: Path) -> Iterator[int]:
    """Its port. It serves and fills `root` in the folder."""
    (folder / "root").mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, root=folder / "root", port=port))
    process = subprocess.Popen(
        ["nginx", "-c", str(folder / "nginx.conf"), "-g", "daemon off;"], stderr=subprocess.DEVNULL
    )
    try:
        _wait(lambda: _answers(port))
        yield port
    finally:
        process.terminate()
        process.wait(_PATIENCE)


def _put(port: int, source: Path, name: str) -> None:
    size = source.stat().st_size
    lines = f"PUT /{name} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n"
    _send(port, lines.encode(), source, b"")


def _get(port: int, path: str, source: Path) -> None:
    _receive(port, path, source, "")


def _send(port: int, head: bytes, source: Path, tail: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection, source.open("rb") as file:
        connection.sendall(head)
        connection.sendfile(file)
        connection.sendall(tail)
        status = connection.recv(65536).split(b" ")[1]
        assert status.startswith(b"2"), status


def _receive(port: int, path: str, source: Path, lines: str) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{lines}\r\n".encode())
        buffer = bytearray(1 << 20)
        count = connection.recv_into(buffer)
        head, _, body = bytes(buffer[:count]).partition(b"\r\n\r\n")
        assert head.split(b" ")[1] == b"200", head
        received = len(body)
        while count := connection.recv_into(buffer):
            received += count
        assert received == source.stat().st_size, received


def _fill(file: Path, mebibytes: int) -> None:
    block = os.urandom(1 << 20)
    with file.open("wb") as opened:
        for number in range(mebibytes):
            opened.write(number.to_bytes(8, "big") + block[8:])


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


if __name__ == "__main__":
    report.main(run, __doc__, add_arguments)
