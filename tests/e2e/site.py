"""A whole site on loopback: daemon, far side (our node, or a real sshd), observer, and files to move."""

from __future__ import annotations

import hashlib
import json
import os
import random
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from xml.sax.saxutils import escape

from asperacentral.commands.client import CentralClient
from asperacentral.commands.local import LocalDaemon
from asperacentral.commands.progress import SessionView

T = TypeVar("T")

PASSWORD = "geheim-4711-passwort"


@dataclass(frozen=True)
class FarSide:
    """Where files go and come from: how to log in, and what its paths are here."""

    name: str
    port: int
    user: str
    root: Path
    """The folder that the far side shows as `prefix`."""
    prefix: str
    password: str = ""
    key: Path | None = None
    fingerprint: str = ""

    def path(self, relative: str) -> str:
        return f"{self.prefix}/{relative}"


def order(
    far: FarSide,
    operation: str,
    sources: list[str],
    destination: str,
    *,
    cookie: str = "e2e",
    rate: int = 10_000_000,
    retries: int = 50,
    base: int = 0,
    files: str = "<CreatePath>Yes</CreatePath>",
    fingerprint: str = "",
    transport: str = "Any",
) -> str:
    push = operation == "Push"
    local, remote = (sources, [destination]) if push else ([destination], sources)

    def paths(values: list[str]) -> str:
        return "<Files>" + "".join(f"<Path>{escape(value)}</Path>" for value in values) + "</Files>"

    login = f"<Password>{far.password}</Password>" if far.password else ""
    key = f"<Authentication><KeyPath>{far.key}</KeyPath></Authentication>" if far.key else ""
    return (
        f"<Order><Version>2</Version><Operation>{operation}</Operation>"
        f"<ApplicationData><Cookie>{escape(cookie)}</Cookie></ApplicationData>"
        f"<RemoteLocation><System><Address>127.0.0.1</Address><Port>{far.port}</Port><UserName>{far.user}</UserName>"
        f"{login}</System>{key}{paths(remote)}</RemoteLocation>"
        f"<LocalLocation>{paths(local)}</LocalLocation><FileParameters>{files}</FileParameters>"
        f"<ChannelParameters><Transport>{transport}</Transport></ChannelParameters>"
        f"<RateParameters><Policy>Fair</Policy><TargetRate>{rate}</TargetRate></RateParameters>"
        f"<SecurityParameters><SSHFingerprint>{fingerprint}</SSHFingerprint></SecurityParameters>"
        f"<RetryParameters><Count>{retries}</Count><BaseInterval>{base}</BaseInterval>"
        f"<MaximumInterval>1</MaximumInterval></RetryParameters></Order>"
    )


def make_tree(root: Path, *, big: int = 0, small: int = 0, seed: int = 1) -> dict[str, str]:
    """Files below `root`: one of `big` bytes, `small` ones in folders; returns their hashes."""
    randomness = random.Random(seed)
    root.mkdir(parents=True)
    if big:
        with (root / "big.bin").open("wb") as file:
            for at in range(0, big, 1 << 20):
                file.write(os.urandom(min(1 << 20, big - at)))
    for number in range(small):
        path = root / f"d{number % 5}" / f"e {number % 3}" / f"f{number}.dat"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(randomness.randbytes(randomness.randrange(0, 30_000)))
    return hashes(root)


def hashes(root: Path) -> dict[str, str]:
    """SHA-256 of every file below `root`, by path; partial files included, so that none goes unnoticed."""
    found = {}
    for path in root.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                found[str(path.relative_to(root))] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def until(what: Callable[[], T], timeout: float = 60.0) -> T:
    """Ask `what` again and again until it gives something."""
    deadline = time.monotonic() + timeout
    while True:
        found = what()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError("it did not happen in time")
        time.sleep(0.02)


class Site:
    """A running daemon and its client."""

    def __init__(self, daemon: LocalDaemon) -> None:
        self.daemon = daemon
        self.client = CentralClient(daemon.url)

    def restart(self) -> None:
        self.daemon.start_daemon()
        self.client = CentralClient(self.daemon.url)

    def carriage(self, session: str) -> tuple[str, str]:
        """What moves the files of a session, and what encrypts them, as REST tells it."""
        request = urllib.request.Request(
            f"{self.daemon.url}/services/rest/transfers/v1/sessions",
            json.dumps({"session_filter": {"session_uuid": [session]}}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            (info,) = json.load(answer)["session_info_result"]["session_info"]
        return info["transport"], info["encryption_cipher"]

    def sessions(self, job: str) -> list[SessionView]:
        return sorted(self.client.sessions([job]), key=lambda view: view.age_key)

    def finish(self, job: str, timeout: float = 90.0) -> list[SessionView]:
        """Wait until the job has ended; its sessions, oldest first."""
        until(lambda: job not in self.client.list_jobs(), timeout)
        return self.sessions(job)

    def transfer_process(self, job: str) -> tuple[str, int]:
        """The running session of a job and its process."""
        running = until(lambda: [view for view in self.sessions(job) if view.status == "running"])
        return running[0].id, self.daemon.transfer_process(running[0].id)
