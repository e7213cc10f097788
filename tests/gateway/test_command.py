"""`asperacentral gateway`: what it says when it cannot start, and what it does with its log."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gateway.site import Site, until


def start(conf: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "asperacentral", "gateway", "--no-daemon", "--config", str(conf)]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=90, check=False)


def conf(folder: Path, options: str) -> Path:
    file = folder / "aspera.conf"
    file.write_text(
        f'<CONF version="2"><http_gateway><page_port>0</page_port>{options}</http_gateway></CONF>'
    )
    return file


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("<certificate>aspera.conf</certificate>", "no certificate and its key"),
        ("<users>missing.toml</users>", "missing.toml"),
        ("<version>three</version>", '"three" is not allowed'),
    ],
)
def test_what_is_wrong_with_its_settings_is_one_line(tmp_path: Path, options: str, why: str) -> None:
    ended = start(conf(tmp_path, f"<port>0</port>{options}"))
    assert ended.returncode == 1
    assert why in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = start(conf(tmp_path, ""), "--port", str(port))
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert f"cannot listen on 127.0.0.1:{port}" in ended.stderr
    assert "cannot listen" in (tmp_path / "httpgateway/httpgateway.log").read_text()


def test_a_log_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    with Site(tmp_path / "s") as site:
        assert "http-gwy" in site.log
        site.log_file.rename(site.log_file.with_suffix(".old"))
        assert site.process is not None
        site.process.send_signal(signal.SIGHUP)
        until(lambda: site.log_file.exists() and "reopened" in site.log, "the new log")
        assert site.call("GET", "info").status == 200
