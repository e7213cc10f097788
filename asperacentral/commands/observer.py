"""An observer: a small HTTP server in threads of its own that takes notifications and keeps them.

    with Observer() as observer:
        client.subscribe("session", observer.url, duration=60)
        started = observer.wait_for(lambda n: n.topic == "Started")

Knows how to receive; what notifications look like is in `notification`.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

from asperacentral.commands.notification import (
    NotANotification,
    Notification,
    new_events,
    parse_notification,
    response_to,
)

_LONGEST_BODY = 1024 * 1024
_IDLE = 60.0
"""Seconds after which a silent connection is closed."""

Respond = Callable[[Notification], int]
"""Gives the HTTP status to answer a notification with; may also wait, or raise to break the connection."""


class Observer:
    """Receives notifications at `url`, an address nobody can guess. Use as a context manager.

    `received` holds what was answered with 2xx, in order, repeats too; `refused` what `respond` let fail. With
    `keep` off neither is filled, for an observer that runs for long.
    """

    def __init__(
        self, address: str = "127.0.0.1", port: int = 0, respond: Respond | None = None, *, keep: bool = True
    ) -> None:
        self._respond = respond
        self._keep = keep
        self._changed = threading.Condition()
        self.received: list[Notification] = []
        self.refused: list[Notification] = []
        self._path = f"/{secrets.token_urlsafe(12)}"
        self._server = _Server((address, port), _handler_for(self, self._path))
        self.url = f"http://{address}:{self._server.server_address[1]}{self._path}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Observer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def take(self, notification: Notification) -> int:
        """Keep a notification; returns the HTTP status to answer with."""
        status = self._respond(notification) if self._respond is not None else HTTPStatus.OK
        if not self._keep:
            return status
        with self._changed:
            (self.received if 200 <= status < 300 else self.refused).append(notification)
            self._changed.notify_all()
        return status

    def wait_for(self, wanted: Callable[[Notification], bool], timeout: float = 30.0) -> Notification:
        """The first notification received that is `wanted`. TimeoutError if none comes within `timeout` seconds."""
        seen = 0
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                for notification in self.received[seen:]:
                    if wanted(notification):
                        return notification
                seen = len(self.received)
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    raise TimeoutError(f"no such notification within {timeout:g} s; {seen} others came")

    def events(self) -> list[Notification]:
        """What was received, without repeats, in order of first arrival."""
        with self._changed:
            received = list(self.received)
        return list(filter(new_events(), received))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A sender that goes away, or a `respond` that breaks the connection, is no news."""


def _handler_for(observer: Observer, path: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = _IDLE
        server_version = "asperacentral-observer"
        sys_version = ""

        def do_POST(self) -> None:
            """Take a notification."""
            length = self.headers.get("Content-Length", "")
            if self.path != path:
                self._answer(HTTPStatus.NOT_FOUND)
            elif not length.isdecimal():
                self._answer(HTTPStatus.LENGTH_REQUIRED)
            elif int(length) > _LONGEST_BODY:
                self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            else:
                self._take(self.rfile.read(int(length)))

        def _take(self, body: bytes) -> None:
            try:
                notification = parse_notification(body)
            except NotANotification as problem:
                self._answer(HTTPStatus.BAD_REQUEST, str(problem).encode(), "text/plain; charset=utf-8")
                return
            status = observer.take(notification)
            self._answer(status, response_to(notification), "text/xml; charset=utf-8")

        def _answer(self, status: int, body: bytes = b"", content_type: str = "text/plain") -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            if status >= 300:  # the request's body may be unread
                self.send_header("Connection", "close")
                self.close_connection = True
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Silent: whoever owns the observer tells what came."""

    return Handler
