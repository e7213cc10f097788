"""A client as a process of its own, whose addresses for the user are written to a file, and ways to talk to it."""

from __future__ import annotations

import html
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlencode, urlsplit

from asperacentral.client.book import Book
from asperacentral.commands.local import LocalNode, _Process

SECONDS = 60.0


class RpcRefused(Exception):
    """A JSON-RPC error."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.code = error["code"]


class LocalDesktop(_Process):
    """`asperacentral desktop` below `folder`. A context manager; `start_client` after `end` is its next life."""

    def __init__(
        self,
        folder: Path,
        *more: str,
        ports: tuple[int, int] = (0, 0),
        environment: dict[str, str] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.state, self.downloads, self._shown = folder / "state", folder / "Downloads", folder / "shown"
        opener = folder / "opener"
        opener.write_text(f'#!/bin/sh\nprintf "%s\\n" "$1" >> {self._shown}\n')
        opener.chmod(0o755)
        arguments = ["desktop", "--state", str(self.state), "--downloads", str(self.downloads)]
        arguments += ["--port", str(ports[0]), "--connect-port", str(ports[1]), "--opener", str(opener), "-D"]
        arguments += ["--known-hosts", str(folder / "known_hosts"), *more]
        home = folder / "home"
        home.mkdir(exist_ok=True)
        told = {"HOME": str(home), "DISPLAY": "", "WAYLAND_DISPLAY": "", **(environment or {})}
        super().__init__(folder / "desktop.log", arguments, told)
        self._addresses_seen = 0
        self.site = ""

    def visit(self, site: str) -> None:
        """Be used by another site from now on; what happened before is forgotten, and the downloads are empty."""
        self.site = site
        self._addresses_seen = len(self._shown.read_text().splitlines()) if self._shown.exists() else 0
        shutil.rmtree(self.downloads, ignore_errors=True)

    def decide(self, allowed: bool, site: str = "") -> None:
        """Have the user's decision for a site."""
        book = Book(self.state)
        book.decide(site or self.site, allowed)
        book.close()

    @property
    def decision(self) -> bool | None:
        """What the user decided for the site."""
        book = Book(self.state)
        try:
            return book.sites().get(self.site)
        finally:
            book.close()

    @property
    def ports(self) -> dict[str, int]:
        """Where it listens."""
        told: dict[str, int] = json.loads((self.state / "ports.json").read_text())
        return told

    def start_client(self) -> None:
        """Start it."""
        (self.state / "ports.json").unlink(missing_ok=True)
        self.start((self.state / "ports.json").exists)

    def command(self, *arguments: str) -> tuple[int, str]:
        """Run `asperacentral desktop` with other options on the same state."""

        done = subprocess.run(
            [sys.executable, "-m", "asperacentral", "desktop", "--state", str(self.state), *arguments],
            capture_output=True,
            check=False,
            text=True,
            timeout=SECONDS,
        )
        return done.returncode, done.stdout + done.stderr

    def call(self, method: str, params: Any = None, *, origin: str | None = "") -> Any:
        """The result of a JSON-RPC call. RpcRefused."""
        body = json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params or {}})
        status, answer, _ = self.http("rpc", "POST", "/", body, origin=self.site if origin == "" else origin)
        assert status == 200, answer
        told = json.loads(answer)
        assert told["id"] == 7
        if "error" in told:
            raise RpcRefused(told["error"])
        return told["result"]

    def connect(
        self, method: str, path: str, body: Any = None, *, origin: str | None = ""
    ) -> tuple[int, Any]:
        """The status and value of a call of Connect's API."""
        text = None if body is None else json.dumps(body)
        status, answer, _ = self.http(
            "connect", method, f"/v5/connect/{path}", text, origin=self.site if origin == "" else origin
        )
        return status, json.loads(answer)

    def http(
        self,
        port: str,
        method: str,
        path: str,
        body: str | None = None,
        *,
        origin: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, str, dict[str, str]]:
        """Status, body and headers (names in lower case) of a request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[port], timeout=SECONDS)
        given = {**({"Origin": origin} if origin is not None else {}), **(headers or {})}
        try:
            connection.request(method, path, body, given)
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, answer.read().decode(), told
        finally:
            connection.close()

    def shown(self) -> str:
        """The next address that the client shows to the user."""

        def addresses() -> list[str]:
            return self._shown.read_text().splitlines() if self._shown.exists() else []

        until(lambda: len(addresses()) > self._addresses_seen)
        self._addresses_seen += 1
        return addresses()[self._addresses_seen - 1]

    @property
    def has_shown_more(self) -> bool:
        """Whether an address was shown that nobody has looked at."""
        return self._shown.exists() and len(self._shown.read_text().splitlines()) > self._addresses_seen

    def user(self) -> User:
        """The user before the next page."""
        return User(self, self.shown())

    def until_status(self, uuid: str, *statuses: str, origin: str | None = "") -> dict[str, Any]:
        """The transfer once it has one of these statuses; it must not end with another one."""
        found: dict[str, Any] = {}

        def reached() -> bool:
            found.update(self.call("get_transfer", {"transfer_id": uuid}, origin=origin))
            if found["status"] in ("completed", "failed", "cancelled") and found["status"] not in statuses:
                raise AssertionError(f"{found['status']}: {found.get('error_desc')}")
            return found["status"] in statuses

        until(reached)
        return found

    def __enter__(self) -> LocalDesktop:
        self.start_client()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()


class User:
    """Looks at a page of the client and uses its form, as a browser without scripts does."""

    def __init__(self, desktop: LocalDesktop, address: str) -> None:
        self._desktop = desktop
        self.path = urlsplit(address).path
        assert urlsplit(address).port == desktop.ports["pages"]
        self.status, self.text, self.headers = desktop.http("pages", "GET", self.path)

    @property
    def step(self) -> str:
        """The secret of the form."""
        found = re.search(r'name="step" value="([^"]+)"', self.text)
        assert found, self.text
        return html.unescape(found[1])

    def press(self, *fields: tuple[str, str]) -> int:
        """Send the form; the status of the answer."""
        origin = f"http://127.0.0.1:{self._desktop.ports['pages']}"
        body = urlencode([("step", self.step), *fields])
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = self._desktop.http("pages", "POST", self.path, body, origin=origin, headers=headers)
        self.status, self.text, self.headers = answer
        return self.status


def until(condition: Callable[[], bool]) -> None:
    """Wait for it."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def spec(node: LocalNode, direction: str, *paths: str, **more: Any) -> dict[str, Any]:
    """A transfer spec for the node of the tests."""
    return {
        "direction": direction,
        "remote_host": "127.0.0.1",
        "ssh_port": node.port,
        "remote_user": "demo",
        "remote_password": "a long password",
        "target_rate_kbps": 500_000,
        "paths": [{"source": path} for path in paths],
        **more,
    }


def content(size: int) -> bytes:
    """Bytes that no compression or mistake makes."""
    return os.urandom(size)
