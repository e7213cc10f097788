"""A load generator, run as a process of its own: posts one SOAP request again and again over a few connections.

`python -m bench.load URL --body FILE` prints one line of JSON: requests per second, p50 and p99 in milliseconds. Its
work per request is next to nothing, so that the server is what is measured. Every answer must have status 200.
"""

from __future__ import annotations

import argparse
import json
import re
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


@dataclass(frozen=True)
class Load:
    """What was measured; times in milliseconds."""

    requests: int
    per_second: float
    p50: float
    p99: float


def measure(url: str, body: Path, *, seconds: float, connections: int, most: int = 10**9) -> Load:
    """Run the generator as a process. RuntimeError if a request failed."""
    command = [sys.executable, "-m", "bench.load", url, "--body", str(body), "--seconds", str(seconds)]
    command += ["--connections", str(connections), "--most", str(most)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        raise RuntimeError(f"{url}: {process.stderr.strip()[-500:]}")
    return Load(**json.loads(process.stdout))


def post(url: str, body: bytes) -> bytes:
    """The body of the answer to one request."""
    with Client(url, body) as client:
        return client.ask()


class Client:
    """One connection."""

    def __init__(self, url: str, body: bytes) -> None:
        parts = urlsplit(url)
        host, port = str(parts.hostname), int(parts.port or 80)
        head = (
            f"POST {parts.path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: text/xml; charset=UTF-8\r\n"
        )
        self._request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        self._socket = socket.create_connection((host, port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self) -> bytes:
        """One request. RuntimeError unless the answer's status is 200."""
        self._socket.sendall(self._request)
        data = self._socket.recv(1 << 20)
        while b"\r\n\r\n" not in data:
            more = self._socket.recv(1 << 20)
            if not more:
                raise RuntimeError("the server hung up")
            data += more
        head, _, start = data.partition(b"\r\n\r\n")
        length = _LENGTH.search(head + b"\r\n")
        if not head.startswith(b"HTTP/1.1 200") or length is None:
            raise RuntimeError(f"the server answered {data[:1000]!r}")
        chunks, missing = [start], int(length[1]) - len(start)
        while missing > 0:
            chunk = self._socket.recv(1 << 20)
            if not chunk:
                raise RuntimeError("the server hung up")
            chunks.append(chunk)
            missing -= len(chunk)
        return b"".join(chunks)


def _generate(url: str, body: bytes, seconds: float, connections: int, most: int) -> Load:
    times: list[float] = []
    failures: list[Exception] = []
    barrier = threading.Barrier(connections + 1)
    left = iter(range(most))

    def work() -> None:
        try:
            with Client(url, body) as client:
                barrier.wait()
                deadline = time.perf_counter() + seconds
                while time.perf_counter() < deadline and next(left, None) is not None:
                    asked = time.perf_counter()
                    client.ask()
                    times.append(time.perf_counter() - asked)
        except (OSError, RuntimeError) as error:
            failures.append(error)
            barrier.abort()

    threads = [threading.Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    try:
        barrier.wait()
    except threading.BrokenBarrierError:
        raise failures[0] from None
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    if failures:
        raise failures[0]
    times.sort()
    p99 = times[min(len(times) - 1, int(len(times) * 0.99))]
    return Load(len(times), len(times) / took, 1000 * times[len(times) // 2], 1000 * p99)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("url", help="where to post")
    parser.add_argument("--body", type=Path, required=True, help="a file with the envelope to post")
    parser.add_argument("--seconds", type=float, default=2.0, help="for how long")
    parser.add_argument("--connections", type=int, default=4, help="connections, one request each at a time")
    parser.add_argument("--most", type=int, default=10**9, help="requests after which to stop earlier")
    args = parser.parse_args()
    load = _generate(args.url, args.body.read_bytes(), args.seconds, args.connections, args.most)
    print(json.dumps(load.__dict__))


if __name__ == "__main__":
    main()
