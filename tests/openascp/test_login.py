"""Servers, keys, passwords and host keys that are refused, and the codes a manager hears."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import asyncssh
import pytest

from tests.openascp.conftest import Run
from tests.openascp.manager import Openascp
from tests.openascp.sshd import Sshd, free_port

pytestmark = pytest.mark.sshd
PASSWORD = "correct horse"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "source").write_text("content")
    return tmp_path / "source"


class PasswordServer(asyncssh.SSHServer):
    """Lets anybody in who has the password, and remembers what was tried."""

    tried: ClassVar[list[str]] = []

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        self.tried.append(password)
        return password == PASSWORD


@pytest.fixture
def password_port(tmp_path: Path) -> Iterator[int]:
    """The port of a small server with passwords."""
    PasswordServer.tried.clear()
    ready: list[int] = []
    started = threading.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        key = asyncssh.generate_private_key("ssh-ed25519")
        server = await asyncssh.create_server(
            PasswordServer, "127.0.0.1", 0, server_host_keys=[key], sftp_factory=True
        )
        ready.append(server.sockets[0].getsockname()[1])
        started.set()

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(serve(), loop)
    assert started.wait(10)
    yield ready[0]
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


def with_password(port: int, source: Path, password: str, *options: str) -> Openascp:
    return Openascp(
        "--mode=send",
        "--host=127.0.0.1",
        "--user=somebody",
        "-P",
        str(port),
        f"--known-hosts={source.parent / 'known_hosts'}",
        "-q",
        *options,
        source,
        source.parent / "copy",
        password=password,
    )


def test_the_right_password_moves_files_and_stays_secret(password_port: int, source: Path) -> None:
    options = ["-DDD", "-L", str(source.parent)]
    with with_password(password_port, source, PASSWORD, *options) as process:
        command = Path(f"/proc/{process.process.pid}/cmdline").read_bytes()
        process.done()
        assert not any(PASSWORD in str(dict(message.fields)) for message in process.listener.messages)
    assert (source.parent / "copy").read_text() == "content"
    assert PASSWORD.encode() not in command
    log = (source.parent / "openascp.log").read_text()
    assert "<DONE " in log
    assert PASSWORD not in log


def test_the_wrong_password_ends_with_code_19(password_port: int, source: Path) -> None:
    with with_password(password_port, source, "wrong") as process:
        assert process.error() == 19
        assert [message.type for message in process.listener.messages] == ["INIT", "ERROR"]


def test_without_key_and_password_nobody_gets_in(password_port: int, source: Path) -> None:
    with with_password(password_port, source, "") as process:
        assert process.error() == 19


def test_an_unknown_key_ends_with_code_19(run: Run, source: Path) -> None:
    other = source.parent / "other_key"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(other)
    assert run("send", [source], source.parent / "copy", key=other).error() == 19


def test_an_encrypted_key_is_opened_with_the_password(run: Run, sshd: Sshd, source: Path) -> None:
    sealed = source.parent / "sealed"
    asyncssh.read_private_key(sshd.key).write_private_key(
        sealed, passphrase=PASSWORD, rounds=16, ignore_few_rounds=True
    )
    run("send", [source], source.parent / "copy", key=sealed, password=PASSWORD).done()
    assert run("send", [source], source.parent / "copy", key=sealed, password="wrong").error() == 19


def test_the_key_can_come_by_environment(run: Run, sshd: Sshd, source: Path) -> None:
    other = source.parent / "other_key"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(other)
    environment = {"ASPERA_SCP_KEY": Path(sshd.key).read_text()}
    run("send", [source], source.parent / "copy", key=other, environment=environment).done()


@pytest.mark.parametrize("content", [None, "no key"])
def test_a_key_file_that_is_none_ends_with_code_19(run: Run, source: Path, content: str | None) -> None:
    file = source.parent / "bad_key"
    if content:
        file.write_text(content)
    assert run("send", [source], source.parent / "copy", "-i", str(file)).error() == 19


def test_the_agent_and_the_users_own_keys_are_not_used(run: Run, sshd: Sshd, source: Path) -> None:
    home = source.parent / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "id_ed25519").write_bytes(sshd.key.read_bytes())
    process = Openascp(
        "--mode=send",
        f"--host={sshd.host}",
        f"--user={sshd.user}",
        "-P",
        str(sshd.port),
        "-q",
        source,
        source.parent / "copy",
        environment={"HOME": str(home)},
    )
    with process:
        assert process.error() == 19


def test_the_right_fingerprint_lets_in_and_another_ends_with_code_51(
    run: Run, sshd: Sshd, source: Path
) -> None:
    right = f"--check-sshfp={sshd.fingerprint}"
    run("send", [source], source.parent / "copy", right).done()
    process = run("send", [source], source.parent / "copy", "--check-sshfp=" + "ab" * 20)
    assert process.error() == 51
    assert "fingerprint" in process.listener.of_type("ERROR")[0].text("Description")


def test_the_first_key_is_recorded_and_another_ends_with_code_51(run: Run, sshd: Sshd, source: Path) -> None:
    known = source.parent / "known_hosts"
    run("send", [source], source.parent / "copy").done()
    assert known.read_text().startswith(f"[127.0.0.1]:{sshd.port} ssh-ed25519 ")
    stranger = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    known.write_text(f"[127.0.0.1]:{sshd.port} {stranger}")
    assert run("send", [source], source.parent / "copy").error() == 51
    assert run("send", [source], source.parent / "copy", "--host-key-policy=strict").error() == 51
    run("send", [source], source.parent / "copy", "--ignore-host-key").done()


def test_a_host_known_by_a_key_of_another_type_is_not_trusted_anew(
    run: Run, sshd: Sshd, source: Path
) -> None:
    other_type = asyncssh.generate_private_key("ecdsa-sha2-nistp256").export_public_key().decode()
    (source.parent / "known_hosts").write_text(f"[127.0.0.1]:{sshd.port} {other_type}")
    assert run("send", [source], source.parent / "copy").error() == 51


def test_strict_refuses_an_unknown_host(run: Run, source: Path) -> None:
    assert run("send", [source], source.parent / "copy", "--host-key-policy=strict").error() == 51


def test_the_password_is_not_sent_to_a_host_with_the_wrong_key(password_port: int, source: Path) -> None:
    with with_password(password_port, source, PASSWORD, "--check-sshfp=" + "ab" * 20) as process:
        assert process.error() == 51
    assert PasswordServer.tried == []


def test_no_server_ends_with_code_12(run: Run, source: Path) -> None:
    assert run("send", [source], source.parent / "copy", "-P", str(free_port())).error() == 12
    assert run("send", [source], source.parent / "copy", "--host=no-such-host.invalid").error() == 12


def test_a_server_that_speaks_no_ssh_ends_with_code_12(run: Run, source: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        process = run("send", [source], source.parent / "copy", "-P", str(server.getsockname()[1]))
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 100)
        assert process.error() == 12


def test_a_manager_that_is_not_there_ends_it_with_ascps_two_lines(source: Path) -> None:
    port = free_port()
    arguments = ["-M", str(port), "--mode=send", "--host=127.0.0.1", str(source), "copy"]
    ended = subprocess.run(
        [sys.executable, "-m", "asperacentral.openascp", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        f"required management connection to port localhost:{port} failed",
        "failed to connect to management socket, exiting",
    ]


def test_a_wrong_command_line_is_told_to_the_manager_with_code_8(run: Run, source: Path) -> None:
    process = run("send", [source], source.parent / "copy", "--proxy=dnat://relay", "-u", "job-1")
    assert process.error() == 8
    error = process.listener.of_type("ERROR")[0]
    assert "--proxy" in error.text("Description")
    assert error.text("UserStr") == "job-1"


def test_without_a_manager_a_person_reads_the_closing_line(sshd: Sshd, source: Path) -> None:
    arguments = ["--mode=send", "--host=127.0.0.1", f"--user={sshd.user}", "-P", str(sshd.port)]
    arguments += ["-i", str(sshd.key), f"--known-hosts={source.parent / 'known'}"]

    def ended(*paths: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "asperacentral.openascp", *arguments, *map(str, paths)]
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)

    good = ended(source, source.parent / "copy")
    assert (good.returncode, good.stderr) == (0, "")
    assert re.match(r"Completed: 0K bytes transferred in \d+ seconds\n \(", good.stdout)
    bad = ended(source.parent / "missing", source.parent / "copy")
    assert bad.returncode == 1
    assert bad.stdout.startswith("Session Stop  (Error: ")
