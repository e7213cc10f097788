"""One transfer over an emulated path, by the fast plane alone or by whole programs, and what it took."""

from __future__ import annotations

import json
import os
import pwd
import secrets
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path as File
from typing import Any

from bench.wan.path import Path

_PORT = 33001
_SSH_PORT = 2222


@dataclass(frozen=True)
class Result:
    """Mbit/s of the bytes that matter, and shares of datagrams."""

    goodput: float
    meeting: float = 0.0
    lost: float = 0.0
    twice: float = 0.0
    cpu_per_gb: float = 0.0
    queue_ms: float = 0.0
    marks: tuple[tuple[float, float], ...] = ()
    """Seconds since the first datagram, Mbit/s."""


class PlaneTransfer:
    """The fast plane from a to b, memory to memory; starts at once."""

    def __init__(
        self, path: Path, *, rate: int, policy: str = "fixed", size: int = 0, seconds: float = 0
    ) -> None:
        secret = secrets.token_hex(32)
        self._size = size
        port = str(_PORT + secrets.randbelow(90))
        words = [sys.executable, "-m", "bench.wan.peer"]
        ends = [path.addresses["b"], port, secret]
        self._receiver = path.start("b", [*words, "receive", *ends], stdout=subprocess.PIPE)
        assert self._receiver.stdout is not None
        self._receiver.stdout.readline()
        amount = ["--seconds", str(seconds), "--size", str(1 << 60)] if seconds else ["--size", str(size)]
        pace = ["--rate", str(rate), "--policy", policy]
        self._sender = path.start("a", [*words, "send", *ends, *amount, *pace], stdout=subprocess.PIPE)

    def result(self) -> Result:
        """Wait for the end. RuntimeError when not all arrived."""
        sent, got = _told(self._sender), _told(self._receiver)
        if self._size and not (got["whole"] and got["size"] == self._size):
            raise RuntimeError("not all arrived")
        seconds = got["ended"] - sent["began"]
        marks = [(at - sent["began"], size) for at, size in got["marks"]]
        rates = tuple(
            (late, (more - less) * 8e-6 / (late - early)) for (early, less), (late, more) in pairwise(marks)
        )
        return Result(
            goodput=got["size"] * 8e-6 / seconds,
            meeting=sent["meeting"],
            lost=sent["lost"] / sent["datagrams"],
            twice=got["duplicates"] / sent["datagrams"],
            cpu_per_gb=(sent["cpu"] + got["cpu"]) / (got["size"] / 1e9),
            marks=rates,
        )


def _told(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, _ = process.communicate()
    if process.returncode:
        raise RuntimeError("one end of the transfer failed")
    told: dict[str, Any] = json.loads(out.splitlines()[-1])
    return told


class Server:
    """An sshd on side b, for the programs; `folder` is where keys and files are."""

    def __init__(self, path: Path, folder: File) -> None:
        self._path = path
        self.folder = folder
        for name in ("host", "user"):
            make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(make, check=True)
        File("/run/sshd").mkdir(exist_ok=True)
        config = folder / "sshd_config"
        config.write_text(
            f"Port {_SSH_PORT}\nHostKey {folder / 'host'}\nAuthorizedKeysFile {folder / 'user.pub'}\n"
            "StrictModes no\nPermitRootLogin prohibit-password\nUsePAM no\nPidFile none\n"
            "Subsystem sftp internal-sftp\n"
        )
        self._process = path.start(
            "b", ["/usr/sbin/sshd", "-D", "-e", "-f", config], stderr=subprocess.DEVNULL
        )
        self.user = pwd.getpwuid(os.getuid()).pw_name
        time.sleep(1.0)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()

    def run(self, program: str, source: File, limit: float, link: float) -> tuple[float, float]:
        """Copy a file or folder by a program, for so many seconds at most; bytes that arrived, and seconds."""
        received = self.folder / f"received-{program}"
        received.mkdir()
        began = time.monotonic()
        process = self._path.start(
            "a", self._command(program, source, received, link), stderr=subprocess.DEVNULL
        )
        try:
            process.wait(limit)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait()
        seconds = time.monotonic() - began
        arrived = sum(file.stat().st_size for file in received.rglob("*") if file.is_file())
        subprocess.run(["rm", "-rf", str(received)], check=True)
        return arrived, seconds

    def _command(self, program: str, source: File, received: File, link: float) -> Sequence[str]:
        host, port = self._path.addresses["b"], str(_SSH_PORT)
        quiet = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
        key = str(self.folder / "user")
        ssh = f"ssh -p {port} -i {key} -F /dev/null {quiet}"
        there = f"{self.user}@{host}:{received}/"
        remote = f"{sys.executable} -P -m asperacentral.openascp"
        openascp = [
            sys.executable,
            "-m",
            "asperacentral.openascp",
            "--mode=send",
            f"--host={host}",
            "-P",
            port,
        ]
        openascp += [
            f"--user={self.user}",
            "-i",
            key,
            f"--known-hosts={self.folder / 'known'}",
            "-q",
            "-S",
            remote,
        ]
        openascp += ["-l", f"{int(link * 995)}k", "--policy=fixed", str(source), f"{received}/"]
        sftp = f":sftp,host={host},port={port},user={self.user},key_file={key}:{received}"
        commands = {
            "openascp": openascp,
            "scp": [
                "scp",
                "-q",
                "-r",
                "-P",
                port,
                "-i",
                key,
                "-F",
                "/dev/null",
                *quiet.split(),
                str(source),
                there,
            ],
            "rsync": ["rsync", "-r", "--whole-file", "--inplace", "-e", ssh, str(source), there],
            "rclone": ["rclone", "copy", "--config", "/dev/null", "--inplace", str(source), sftp],
        }
        return commands[program]
