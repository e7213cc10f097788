"""A reactor in the background, and sites that listen on ports of their own in it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from twisted.internet import reactor as installed_reactor
from twisted.internet.threads import blockingCallFromThread

from asperacentral.soap.site import soap_face
from asperacentral.web.site import make_site
from tests.recording import IN_PROCESS
from tests.soap.memory_central import MemoryCentral

reactor: Any = installed_reactor


@pytest.fixture(scope="session")
def running_reactor() -> Iterator[Any]:
    started = threading.Event()
    reactor.callWhenRunning(started.set)
    thread = threading.Thread(target=reactor.run, kwargs={"installSignalHandlers": False}, daemon=True)
    thread.start()
    assert started.wait(10)
    yield reactor
    reactor.callFromThread(reactor.stop)
    thread.join(10)


@dataclass
class Answer:
    """An HTTP answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")


@dataclass
class Server:
    """A listening site and the central behind it."""

    port: int
    central: MemoryCentral

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def raw(self, data: bytes, timeout: float = 10) -> bytes:
        """Send bytes on a connection of their own and return all that comes back until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as connection:
            try:
                connection.sendall(data)
                return _read_all(connection)
            except (ConnectionResetError, BrokenPipeError):
                return _read_all(connection)

    def request(
        self,
        body: bytes = b"",
        *,
        method: str = "POST",
        path: str = "/services/soap/Transfer-201210",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request on a connection of its own."""
        sent = {
            "Host": f"127.0.0.1:{self.port}",
            "Content-Type": "text/xml; charset=UTF-8",
            "Content-Length": str(len(body)),
            "Connection": "close",
        } | (headers or {})
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(
            f"{name}: {value}\r\n" for name, value in sent.items()
        )
        return parse_answer(self.raw(head.encode("latin-1") + b"\r\n" + body))

    def soap(self, inner: str, **options: Any) -> Answer:
        """Send a body element in a plain envelope."""
        return self.request(enveloped(inner).encode(), **options)


def enveloped(inner: str) -> str:
    return (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/">'
        f"<e:Body>{inner}</e:Body></e:Envelope>"
    )


def parse_answer(data: bytes) -> Answer:
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Answer(int(first.split(" ")[1]), headers, body)


def _read_all(connection: socket.socket) -> bytes:
    chunks: list[bytes] = []
    try:
        while chunk := connection.recv(65536):
            chunks.append(chunk)
    except ConnectionResetError:
        pass
    return b"".join(chunks)


@pytest.fixture
def serve(running_reactor: Any) -> Iterator[Callable[..., Server]]:
    """Start a site with the given limits; it stops with the test."""
    listening: list[Any] = []

    def start(central: MemoryCentral | None = None, *, strict: bool = False, **options: Any) -> Server:
        central = central or MemoryCentral()
        soap = soap_face(central, strict=strict, recorder=IN_PROCESS)
        site = make_site([soap], reactor=running_reactor, **options)
        port = blockingCallFromThread(running_reactor, _listen, running_reactor, site)
        listening.append(port)
        return Server(port.getHost().port, central)

    yield start
    for port in listening:
        blockingCallFromThread(running_reactor, port.stopListening)


def _listen(running_reactor: Any, site: Any) -> Any:
    return running_reactor.listenTCP(0, site, interface="127.0.0.1")


@pytest.fixture
def server(serve: Callable[..., Server]) -> Server:
    """A site with the ordinary limits."""
    return serve()
