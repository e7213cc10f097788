"""Observers as they are met in the field: real HTTP servers on loopback, each request answered as scripted."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

TIMEOUT = 40.0

Answer = Callable[["Conversation"], None]
"""What is done once a request has been read whole."""


@dataclass(frozen=True)
class Post:
    """A request that arrived."""

    line: str
    headers: dict[str, str]
    body: str


class Conversation:
    """One connection of one observer, seen by an answer."""

    def __init__(self, connection: socket.socket, observer: Observer) -> None:
        self.connection = connection
        self.observer = observer
        self.open = True

    def say(self, text: str) -> None:
        self.connection.sendall(text.encode())

    def hang_up(self) -> None:
        self.open = False

    def wait_for_hang_up(self) -> None:
        """Until the other side closes."""
        self.connection.settimeout(TIMEOUT)
        with contextlib.suppress(ConnectionError):
            while self.connection.recv(1 << 16):
                pass
        self.hang_up()


def answer(status: int = 200, body: str = "", *headers: str) -> Answer:
    lines = [f"HTTP/1.1 {status} Because", f"Content-Length: {len(body)}", *headers, "", body]
    return lambda talk: talk.say("\r\n".join(lines))


good = answer()
soap_fault = answer(200, "<s:Envelope><s:Body><s:Fault><faultcode>s:Server</faultcode></s:Fault></s:Body>")


def hanging(talk: Conversation) -> None:
    talk.wait_for_hang_up()


def hanging_in_the_answer(talk: Conversation) -> None:
    talk.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    talk.wait_for_hang_up()


def dying_in_the_answer(talk: Conversation) -> None:
    talk.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    talk.hang_up()


def hanging_up(talk: Conversation) -> None:
    talk.hang_up()


def talking_no_http(talk: Conversation) -> None:
    talk.say("220 mail.example ESMTP ready\r\n")
    talk.wait_for_hang_up()


def talking_without_end(talk: Conversation) -> None:
    """More than anybody should read; `observer.said` tells how much was taken."""
    with contextlib.suppress(ConnectionError, TimeoutError):
        talk.connection.settimeout(TIMEOUT)
        talk.say("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            talk.connection.sendall(b"x" * 65536)
            talk.observer.said += 65536
    talk.hang_up()


def answering_like_old_servers(talk: Conversation) -> None:
    """No length: the end of the connection is the end of the answer."""
    talk.say("HTTP/1.0 200 OK\r\nContent-Type: text/xml\r\n\r\n<ok/>")
    talk.hang_up()


class Gate:
    """An answer that comes when the test opens the gate."""

    def __init__(self, then: Answer = good) -> None:
        self._opened = threading.Event()
        self._then = then

    def open(self) -> None:
        self._opened.set()

    def __call__(self, talk: Conversation) -> None:
        assert self._opened.wait(TIMEOUT)
        self._then(talk)


class Observer:
    """Answers with `script`, one answer per request, and then with `good`; keeps what it was sent in `posts`.

    A context manager; `address` is its URL. `connections` counts those accepted.
    """

    def __init__(
        self,
        script: Iterable[Answer] = (),
        *,
        port: int = 0,
        always: Answer = good,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self.posts: list[Post] = []
        self.connections = 0
        self.said = 0
        self._script = iter(script)
        self._always = always
        self._tls = tls
        self._host = host
        self._changed = threading.Condition()
        self._open: set[socket.socket] = set()
        self._server = _server(self, host, port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def address(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}/observer"

    @property
    def bodies(self) -> list[str]:
        return [post.body for post in self.posts]

    def wait_for(self, reached: Callable[[], bool]) -> None:
        """Until `reached`, which is asked after every post and every connection."""
        with self._changed:
            if not self._changed.wait_for(reached, TIMEOUT):
                raise TimeoutError(f"the observer was told {self.bodies[-100:]}")

    def wait_for_posts(self, count: int) -> list[str]:
        """The bodies, once there are so many."""
        self.wait_for(lambda: len(self.posts) >= count)
        return self.bodies

    def wait_for_body(self, body: str) -> list[str]:
        """The bodies, once this one is among them."""
        self.wait_for(lambda: body in self.bodies)
        return self.bodies

    def __enter__(self) -> Observer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def serve(self, connection: socket.socket) -> None:
        """Hold one conversation."""
        with self._changed:
            self.connections += 1
            self._changed.notify_all()
        if self._tls:
            try:
                connection = self._tls.wrap_socket(connection, server_side=True)
            except OSError:
                return
        self._open.add(connection)
        talk = Conversation(connection, self)
        with connection, connection.makefile("rb") as stream, contextlib.suppress(OSError):
            while talk.open and (post := _read(stream)):
                with self._changed:
                    self.posts.append(post)
                    doing = next(self._script, self._always)
                    self._changed.notify_all()
                doing(talk)
        self._open.discard(connection)


def _server(observer: Observer, host: str, port: int) -> socketserver.ThreadingTCPServer:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            observer.serve(self.request)

    class Server(socketserver.ThreadingTCPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        allow_reuse_address = True
        daemon_threads = True
        request_queue_size = 100

    return Server((host, port), Handler)


def _read(stream: Any) -> Post | None:
    line = stream.readline().decode().strip()
    if not line:
        return None
    headers: dict[str, str] = {}
    while header := stream.readline().decode().strip():
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    return Post(line, headers, stream.read(int(headers.get("content-length", "0"))).decode())


def closed_port() -> int:
    """A port of 127.0.0.1 where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
