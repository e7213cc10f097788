"""A real OpenSSH sshd on an ephemeral loopback port, run as the current user, with keys of its own."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType

import asyncssh

SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
MISSING = "OpenSSH's sshd is not installed"
_START_SECONDS = 10.0


class Sshd:
    """`with Sshd(folder) as sshd:` runs a server until the block ends; files of its own are in `folder`.

    `user`, `host`, `port` and `key` (a private key file it lets in) are what a client needs.
    """

    host = "127.0.0.1"

    def __init__(self, folder: Path, *, config: str = "", port: int = 0) -> None:
        self.folder = folder
        self.user = getpass.getuser()
        self.port = port or free_port()
        self.key = folder / "user_key"
        self.host_key = folder / "host_key"
        self._config = config
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Sshd:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write_keys()
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def fingerprint(self) -> str:
        """The host key's, as `SHA256:` and base64."""
        return asyncssh.read_public_key(self.host_key.with_suffix(".pub")).get_fingerprint()

    @property
    def log(self) -> str:
        """What the server logged so far."""
        return (self.folder / "sshd.log").read_text("utf-8", "replace")

    def start(self) -> None:
        """Start it (again) on its port and wait until it answers."""
        assert SSHD is not None, MISSING
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        configuration = self.folder / "sshd_config"
        configuration.write_text(self._configuration(), "utf-8")
        log = self.folder / "sshd.log"
        # A process group of its own: its children, one per connection, are ended with it.
        self._process = subprocess.Popen(
            [SSHD, "-D", "-f", str(configuration), "-E", str(log)], start_new_session=True
        )
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            try:
                socket.create_connection((self.host, self.port), timeout=1).close()
            except OSError:
                assert self._process.poll() is None, self.log
                time.sleep(0.02)
            else:
                return
        raise TimeoutError(self.log)

    def stop(self) -> None:
        """Kill the server and every connection to it."""
        if self._process is None:
            return
        self.cut_connections()
        self._process.kill()
        self._process.wait()
        self._process = None

    def cut_connections(self) -> None:
        """Kill every connection; the server goes on."""
        for child in self.connections():
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)

    def connections(self) -> list[int]:
        """The ids of the processes that serve a connection each, and of their children."""
        assert self._process is not None
        found: list[int] = []
        waiting = [self._process.pid]
        while waiting:
            try:
                text = Path(f"/proc/{waiting[0]}/task/{waiting[0]}/children").read_text()
            except OSError:
                text = ""
            children = [int(word) for word in text.split()]
            waiting = waiting[1:] + children
            found += children
        return found

    def _configuration(self) -> str:
        return "\n".join(
            [
                self._config,
                f"Port {self.port}",
                f"ListenAddress {self.host}",
                f"HostKey {self.host_key}",
                f"AuthorizedKeysFile {self.key.with_suffix('.pub')}",
                f"PidFile {self.folder / 'sshd.pid'}",
                "PermitRootLogin yes",
                "PasswordAuthentication no",
                "KbdInteractiveAuthentication no",
                "StrictModes no",
                "UsePAM no",
                "MaxStartups 100",
                "Subsystem sftp internal-sftp",
                "",
            ]
        )

    def _write_keys(self) -> None:
        for path in (self.host_key, self.key):
            if not path.exists():
                key = asyncssh.generate_private_key("ssh-ed25519")
                key.write_private_key(path)
                path.chmod(0o600)
                key.write_public_key(path.with_suffix(".pub"))


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
