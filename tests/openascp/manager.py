"""A small manager for tests: starts openascp as a process, listens to it, and gives it commands."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from asperacentral.fasp.management import Decoder, Message, encode

_SECONDS = 60.0


class Listener:
    """Accepts management connections on an ephemeral port and keeps every message in order."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.messages: list[Message] = []
        self._news: queue.Queue[None] = queue.Queue()
        self._connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Be gone, as a manager that was killed."""
        for connection in [self._socket, *self._connections]:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def send(self, message: Message) -> None:
        """Give a command on the last connection."""
        self.send_bytes(encode(message))

    def send_bytes(self, data: bytes) -> None:
        """Send on the last connection whatever a manager should not."""
        self._connections[-1].sendall(data)

    def of_type(self, kind: str) -> list[Message]:
        """All messages of one type so far."""
        return [message for message in list(self.messages) if message.type == kind]

    def wait_for(self, wanted: Callable[[Message], bool] | str, seconds: float = _SECONDS) -> Message:
        """The first message of a type, or the first that `wanted` says yes to."""
        deadline = time.monotonic() + seconds
        looked_at = 0
        while True:
            for message in self.messages[looked_at:]:
                looked_at += 1
                if message.type == wanted if isinstance(wanted, str) else wanted(message):
                    return message
            remaining = deadline - time.monotonic()
            assert remaining > 0, f"not among {self.messages!r}"
            try:
                self._news.get(timeout=remaining)
            except queue.Empty:
                continue

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        decoder = Decoder()
        while True:
            try:
                data = connection.recv(65536)
            except OSError:
                return
            if not data:
                connection.close()
                return
            for message in decoder.feed(data):
                self.messages.append(message)
                self._news.put(None)


class Openascp:
    """One openascp process with its listener; `with Openascp(...) as process:` ends with it gone."""

    def __init__(
        self,
        *arguments: str | bytes | Path,
        password: str = "",
        environment: dict[str, str] | None = None,
        manager: bool = True,
        listener: Listener | None = None,
        prelude: Callable[[], None] | None = None,
    ) -> None:
        self.listener = listener or Listener()
        management = ["-M", str(self.listener.port)] if manager else []
        variables = {**os.environ, **(environment or {})}
        if password:
            variables["ASPERA_SCP_PASS"] = password
        self.process = subprocess.Popen(
            [sys.executable, "-m", "asperacentral.openascp", *management, *arguments],
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=prelude,  # noqa: PLW1509 - sets a resource limit, nothing that threads could hold
        )

    def __enter__(self) -> Openascp:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.communicate()
        self.listener.close()

    def end(self, seconds: float = _SECONDS) -> Message:
        """Wait for the process to exit; its last message. Its exit status must agree with that."""
        self.process.communicate(timeout=seconds)
        last = self.listener.wait_for(lambda message: message.type in ("DONE", "ERROR"), 5)
        assert self.process.returncode == (0 if last.type == "DONE" else 1)
        return last

    def done(self) -> Message:
        """Wait for the end, which must be a good one."""
        last = self.end()
        assert last.type == "DONE", last
        return last

    def error(self) -> int:
        """Wait for the end, which must be a bad one; its code."""
        last = self.end()
        assert last.type == "ERROR", last
        return last.integer("Code")

    def kill(self) -> None:
        """End it the hard way."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
