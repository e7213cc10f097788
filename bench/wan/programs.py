"""Whole programs that copy files to an sshd on the other side: what they took, and whether the copy is the same.

openascp writes its log, whose times tell setting up from moving. A file is there when it has its name on the far side:
the receiving end gives it when every byte is verified.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.wan.path import Loopback
from bench.wan.path import Path as Link

_PORT = 2222
_TICKS = os.sysconf("SC_CLK_TCK")
_LINE = re.compile(r"^(\S+ \S+)\.(\d{3}) .* FASP (Transfer Start|Session Stop)")
_QUIET = ("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR")
_KILL_SECONDS = 10
_LOOK_SECONDS = 0.005


@dataclass(frozen=True)
class Copied:
    """Seconds; CPU seconds of all processes of an end; bytes. `setting_up` and `moving` are known of openascp only."""

    size: int
    seconds: float
    near: float
    far: float
    same: bool
    setting_up: float = 0.0
    moving: float = 0.0

    @property
    def goodput(self) -> float:
        """Mbit/s from the first byte of the stream to the verified end; of other programs from start to end."""
        return self.size * 8e-6 / (self.moving or self.seconds)


class Server:
    """An sshd on side b; keys and copies are in `folder`."""

    def __init__(self, path: Link | Loopback, folder: Path) -> None:
        self._path = path
        self._folder = folder
        self.host = path.addresses["b"]
        for name in ("host", "user"):
            make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(make, check=True)
        Path("/run/sshd").mkdir(exist_ok=True)
        config = folder / "sshd_config"
        config.write_text(
            f"Port {_PORT}\nListenAddress {self.host}\nHostKey {folder / 'host'}\n"
            f"AuthorizedKeysFile {folder / 'user.pub'}\n"
            "StrictModes no\nPermitRootLogin prohibit-password\nUsePAM no\nPidFile none\n"
            "Subsystem sftp internal-sftp\n"
        )
        words = ["/usr/sbin/sshd", "-D", "-e", "-f", str(config)]
        self._process = path.start("b", words, stderr=subprocess.DEVNULL)
        self.user = pwd.getpwuid(os.getuid()).pw_name
        time.sleep(1.0)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()

    def copy(self, program: str, source: Path, limit: float, rate: int) -> Copied:
        """Copy a file or folder by a program, for so many seconds at most. `rate` is openascp's target, Kbps."""
        received = self._folder / "received"
        log = self._folder / "openascp.log"
        received.mkdir()
        log.unlink(missing_ok=True)
        far = self._far_cpu()
        began, clock = time.time(), time.monotonic()
        process = self._path.start(
            "a", self._command(program, source, received, rate), stderr=subprocess.DEVNULL
        )
        with _Named(received / source.name) as named:
            near = _ended(process, limit)
        seconds = time.monotonic() - clock
        self._settle()
        lines = _moments(log) if log.exists() else []
        try:
            return Copied(
                sum(file.stat().st_size for file in received.rglob("*") if file.is_file()),
                seconds,
                near,
                self._far_cpu() - far,
                _digest(source) == _digest(received / source.name),
                lines[0] - began if lines else 0.0,
                (named.at if source.is_file() else lines[1]) - lines[0] if lines else 0.0,
            )
        finally:
            shutil.rmtree(received)

    def _far_cpu(self) -> float:
        """CPU seconds of the processes that sshd has started and that are over."""
        words = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[13]) + int(words[14])) / _TICKS

    def _settle(self) -> None:
        """Wait until sshd has no processes left, so that they count."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        until = time.monotonic() + _KILL_SECONDS
        while children.read_text().strip() and time.monotonic() < until:
            time.sleep(0.05)

    def _command(self, program: str, source: Path, received: Path, rate: int) -> Sequence[str]:
        return _COMMANDS[program](self, str(source), str(received), rate)

    @property
    def ssh(self) -> list[str]:
        """An ssh client without any configuration."""
        return ["ssh", "-p", str(_PORT), "-i", self.key, "-F", "/dev/null", *_QUIET]

    @property
    def key(self) -> str:
        """The user's key."""
        return str(self._folder / "user")

    @property
    def folder(self) -> Path:
        """Where logs and keys are."""
        return self._folder


class _Named:
    """Looks for a name to appear; `at` is when it was seen, seconds since 1970."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.at = 0.0

    def __enter__(self) -> _Named:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._place.exists():
            if self._over.wait(_LOOK_SECONDS):
                break
        self.at = time.time()


def _openascp(server: Server, source: str, received: str, rate: int) -> list[str]:
    program = [sys.executable, "-P", "-m", "asperacentral.openascp"]
    return [
        *program,
        *(
            "--mode=send",
            f"--host={server.host}",
            f"--user={server.user}",
            "-P",
            str(_PORT),
            "-i",
            server.key,
        ),
        *(
            f"--known-hosts={server.folder / 'known'}",
            "-q",
            "-L",
            str(server.folder),
            "-S",
            " ".join(program),
        ),
        *("-c", "aes128", "-l", f"{rate}k", "--policy=fixed", source, f"{received}/"),
    ]


def _scp(server: Server, source: str, received: str, rate: int) -> list[str]:
    key = ["-i", server.key, "-F", "/dev/null", *_QUIET]
    return ["scp", "-q", "-r", "-P", str(_PORT), *key, source, f"{server.user}@{server.host}:{received}/"]


def _rsync(server: Server, source: str, received: str, rate: int) -> list[str]:
    there = f"{server.user}@{server.host}:{received}/"
    return ["rsync", "-r", "--whole-file", "--inplace", "-e", " ".join(server.ssh), source, there]


def _rclone(server: Server, source: str, received: str, rate: int) -> list[str]:
    there = f":sftp,host={server.host},port={_PORT},user={server.user},key_file={server.key}:{received}"
    return ["rclone", "copy", "--config", "/dev/null", source, there]


def _lftp(server: Server, source: str, received: str, rate: int) -> list[str]:
    # Files of a folder go by eight connections at a time; a file that is sent goes by one.
    put = f"mirror -R {source}" if Path(source).is_dir() else f"put -c {source}"
    lines = [
        f"set sftp:connect-program '{' '.join([*server.ssh, '-a', '-x'])}'",
        "set mirror:parallel-transfer-count 8",
        f"open sftp://{server.user}:none@{server.host}:{_PORT}",
        f"cd {received}",
        put,
    ]
    return ["lftp", "-c", "; ".join(lines)]


_COMMANDS: dict[str, Callable[[Server, str, str, int], list[str]]] = {
    "openascp": _openascp,
    "scp": _scp,
    "rsync": _rsync,
    "rclone": _rclone,
    "lftp": _lftp,
}


def _ended(process: subprocess.Popen[str], limit: float) -> float:
    """Wait for a process, `limit` seconds at most; the CPU seconds it and its children used."""
    before = os.times()
    try:
        process.wait(limit)
    except subprocess.TimeoutExpired:
        process.terminate()
        process.wait()
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def _moments(log: Path) -> list[float]:
    """When the first file began and the session was over, seconds since 1970."""
    found = (_LINE.match(line) for line in log.read_text().splitlines())
    moments = [
        (each[3], time.mktime(time.strptime(each[1], "%Y-%m-%d %H:%M:%S")) + int(each[2]) / 1000)
        for each in found
        if each
    ]
    starts = [at for what, at in moments if what == "Transfer Start"]
    stops = [at for what, at in moments if what == "Session Stop"]
    return [min(starts), max(stops)] if starts and stops else []


def _digest(place: Path) -> str:
    """Of a file's bytes, or of those of a folder's files with their names."""
    files = sorted(place.rglob("*")) if place.is_dir() else [place]
    digest = hashlib.blake2b()
    for file in files:
        digest.update(str(file.relative_to(place)).encode())
        if file.is_file():
            with file.open("rb") as opened:
                digest.update(hashlib.file_digest(opened, "blake2b").digest())
    return digest.hexdigest()
