"""A node and a daemon of one's own, as real processes on free loopback ports: for the demo, tests and measurements.

Each keeps all it writes in a folder of the caller's. Nothing here knows SOAP or SSH.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar

_CONF = """<?xml version="1.0" encoding="UTF-8"?>
<CONF version="2">
  <central_server>
    <port>{port}</port>
{options}  </central_server>
</CONF>
"""

START_TIMEOUT = 30.0


class NotStarted(Exception):
    """A process did not come up; `str(error)` ends with what it printed."""


class _Process:
    """A program of this package in a process of its own, its output in `log`."""

    program: ClassVar[tuple[str, ...]] = ("-m", "asperacentral")
    """What Python runs."""

    def __init__(self, log: Path, arguments: Sequence[str], environment: dict[str, str]) -> None:
        self.log = log
        self._arguments = [sys.executable, *self.program, *arguments]
        self._environment = {**os.environ, "PYTHONUNBUFFERED": "1", **environment}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process is not None  # noqa: S101 - asked only while it runs
        return self._process.pid

    def start(self, up: Callable[[], bool]) -> None:
        """Start the process and wait until it is `up`. Raises NotStarted."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self._arguments,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_TIMEOUT
        while not up():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.end(signal.SIGKILL)
                said = self.log.read_text(errors="replace")[-2000:].strip()
                raise NotStarted(f"{' '.join(self._arguments[1:4])} did not start: {said}")
            time.sleep(0.01)

    def end(self, how: signal.Signals = signal.SIGTERM, timeout: float = 20.0) -> int:
        """End the process with a signal and wait for it; its exit status."""
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.send_signal(how)
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


class LocalNode(_Process):
    """`asperacentral node` with one user, whose files are in `docroot`. A context manager."""

    def __init__(self, folder: Path, docroot: Path, user: str, password: str) -> None:
        self._port_file = folder / "node.port"
        arguments = ["node", "--port", "0", "--port-file", str(self._port_file), "--docroot", str(docroot)]
        arguments += ["--host-key", str(folder / "node_host_key"), "--one-user", user]
        super().__init__(folder / "node.log", arguments, {"ASPERA_NODE_PASS": password})

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1."""
        return int(self._port_file.read_text())

    def __enter__(self) -> LocalNode:
        self._port_file.unlink(missing_ok=True)
        self.start(lambda: self._port_file.exists() and bool(self._port_file.read_text()))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()


class LocalUsersNode(LocalNode):
    """`asperacentral node` with the users of a file; sessions there are told to the manager whose port is in `run`."""

    def __init__(self, folder: Path, users: Path, run: Path) -> None:
        self._port_file = folder / "node.port"
        arguments = ["node", "--port", "0", "--port-file", str(self._port_file), "--users", str(users)]
        arguments += ["--host-key", str(folder / "node_host_key")]
        _Process.__init__(self, folder / "node.log", arguments, {"OPENASCP_RUN_DIRECTORY": str(run)})


class LocalGateway(_Process):
    """`asperacentral gateway`, configured by `prefix`/etc/aspera.conf. A context manager."""

    def __init__(self, prefix: Path) -> None:
        self._address_file = prefix / "var/run/aspera/httpgateway.http"
        conf = str(prefix / "etc/aspera.conf")
        super().__init__(prefix / "gateway.log", ["gateway", "--no-daemon", "-L-", "--config", conf], {})

    @property
    def url(self) -> str:
        """Where it is, without its base path."""
        return f"http://{self._address_file.read_text().strip()}"

    def __enter__(self) -> LocalGateway:
        self._address_file.unlink(missing_ok=True)
        self.start(lambda: self._address_file.exists() and bool(self._address_file.read_text()))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()


class LocalDesktop(_Process):
    """`asperacentral desktop` below `folder`, where its transfer.key and known_hosts are. A context manager."""

    def __init__(self, folder: Path) -> None:
        self.downloads = folder / "downloads"
        self._ports_file = folder / "state/ports.json"
        arguments = ["desktop", "--state", str(folder / "state"), "--downloads", str(self.downloads)]
        arguments += ["--transfer-key", str(folder / "transfer.key")]
        arguments += ["--known-hosts", str(folder / "known_hosts")]
        super().__init__(folder / "desktop.log", arguments, {})

    def __enter__(self) -> LocalDesktop:
        self._ports_file.unlink(missing_ok=True)
        self.start(self._ports_file.exists)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()


class LocalDaemon(_Process):
    """`asperacentral --no-daemon -L-` below `prefix`; `options` are `<central_server>` options. A context manager.

    `verbosity` is `-D`, `-DD` or `-DDD`. `start_daemon` after `end` starts it anew on the same files, and, unless
    `port` is 0, on the same port.
    """

    def __init__(
        self,
        prefix: Path,
        *,
        port: int = 0,
        verbosity: str = "-D",
        options: dict[str, str] | None = None,
        more: str = "",
    ) -> None:
        self.prefix = prefix
        self._conf = prefix / "etc" / "aspera.conf"
        self._conf.parent.mkdir(parents=True, exist_ok=True)
        lines = "".join(f"    <{name}>{value}</{name}>\n" for name, value in (options or {}).items())
        text = _CONF.format(port=port, options=lines)
        self._conf.write_text(text.replace("</CONF>", f"{more}</CONF>"))
        arguments = ["--no-daemon", verbosity, "-L-", "--config", str(self._conf)]
        super().__init__(prefix / "daemon.log", arguments, {})

    @property
    def _address_file(self) -> Path:
        return self.prefix / "var/run/aspera/asperacentral.soap"

    @property
    def url(self) -> str:
        """Where its SOAP services are."""
        return f"http://{self._address_file.read_text().strip()}"

    def start_daemon(self) -> None:
        """Start it; SOAP answers when this returns. Raises NotStarted."""
        self._address_file.unlink(missing_ok=True)
        self.start(self._address_file.exists)

    def transfer_process(self, session: str, timeout: float = 10.0) -> int:
        """The id of the process that moves `session`, as the log tells it. TimeoutError."""
        told = re.compile(rf"session {re.escape(session)} runs as process (\d+)")
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            found = told.search(self.log.read_text(errors="replace"))
            if found:
                return int(found.group(1))
            time.sleep(0.02)
        raise TimeoutError(f"no process was told for session {session}")

    def __enter__(self) -> LocalDaemon:
        self.start_daemon()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
