"""`asperacentral node` as a process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from asperacentral.credentials.passwords import read_hash

from .support import PASSWORD, docroot_of

START = """
import argparse, sys
from asperacentral.commands import node
parser = argparse.ArgumentParser(prog="asperacentral node")
node.add_arguments(parser)
sys.exit(node.run(parser.parse_args()))
"""


def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    clean = {name: value for name, value in os.environ.items() if name != "ASPERA_NODE_PASS"}
    return subprocess.Popen(
        [sys.executable, "-c", START, *arguments],
        env=clean | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], feed: str = "") -> tuple[int, str, str]:
    out, err = process.communicate(feed, timeout=30)
    return process.returncode, out, err


def test_it_tells_where_it_listens_writes_the_port_and_ends_on_sigterm(tmp_path: Path) -> None:
    process = start(
        *("--one-user", "demo", "--docroot", str(docroot_of(tmp_path)), "--port", "0"),
        *("--host-key", str(tmp_path / "key"), "--port-file", str(tmp_path / "port")),
        ASPERA_NODE_PASS=PASSWORD,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    port = int((tmp_path / "port").read_text())
    assert line.startswith(f"listening on 127.0.0.1 port {port}, host key SHA256:")
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        assert client.recv(4) == b"SSH-"
        assert PASSWORD.encode() not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
        process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        status, _, err = finish(process)
    assert (status, err) == (0, "")
    assert time.monotonic() - begun < 10


def test_without_users_it_says_how_to_make_some(tmp_path: Path) -> None:
    status, out, err = finish(start("--port", "0"))
    assert (status, out) == (1, "")
    assert "--users FILE" in err and "--hash-password" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "environment", "reason"),
    [
        (["--one-user", "demo", "--docroot", "/tmp"], {}, "ASPERA_NODE_PASS"),
        (["--one-user", "demo"], {"ASPERA_NODE_PASS": "x"}, "--docroot"),
        (["--users", "/no/such.toml"], {}, "/no/such.toml"),
        (["--one-user", "demo", "--docroot", "/no/such"], {"ASPERA_NODE_PASS": "x"}, "/no/such"),
    ],
)
def test_what_keeps_it_from_starting_is_told_in_one_line(
    arguments: list[str], environment: dict[str, str], reason: str
) -> None:
    status, _, err = finish(start(*arguments, **environment))
    assert status == 1
    assert reason in err
    assert len(err.splitlines()) == 1


def test_a_port_in_use_is_told_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        status, _, err = finish(
            start(
                *(
                    "--one-user",
                    "demo",
                    "--docroot",
                    str(tmp_path),
                    "--port",
                    port,
                    "--host-key",
                    str(tmp_path / "key"),
                ),
                ASPERA_NODE_PASS=PASSWORD,
            )
        )
    assert status == 1
    assert f"cannot listen on 127.0.0.1 port {port}" in err
    assert len(err.splitlines()) == 1


def test_hash_password_prints_a_hash_of_what_it_reads() -> None:
    status, out, err = finish(start("--hash-password"), f"{PASSWORD}\n")
    assert (status, err) == (0, "")
    assert read_hash(out.strip()).matches(PASSWORD)


def test_hash_password_refuses_an_empty_one() -> None:
    status, out, err = finish(start("--hash-password"), "\n")
    assert (status, out) == (1, "")
    assert "empty" in err
