"""The init script with LSB exit statuses, in a prefix of its own, and the systemd unit."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent
SCRIPT = TOP / "init/asperacentral"
UNIT = TOP / "init/asperacentral.service"
GATEWAY_SCRIPT = TOP / "init/asperacentral-gateway"
GATEWAY_UNIT = TOP / "init/asperacentral-gateway.service"

PROGRAM = f"""#!/bin/sh
PYTHONPATH={TOP}
export PYTHONPATH
exec {sys.executable} {{}} "$@"
"""


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)


class Installation:
    """A prefix with program and configuration, and the init script told of it by $PREFIX."""

    def __init__(self, prefix: Path, python_arguments: str) -> None:
        self.prefix = prefix
        self.pid_file = prefix / "var/run/aspera/asperacentral.pid"
        self.environ = {"PREFIX": str(prefix), "STANDIN": "run", "PATH": os.environ["PATH"]}
        self.program = prefix / "sbin/asperacentral"
        self.program.parent.mkdir(parents=True)
        self.program.write_text(PROGRAM.format(python_arguments))
        self.program.chmod(0o755)
        self.conf = prefix / "etc/aspera.conf"
        self.conf.parent.mkdir()
        self.conf.write_text(
            '<CONF version="2"><central_server><port>0</port><mgmt_port>0</mgmt_port></central_server></CONF>'
        )

    def __call__(self, verb: str, script: Path = SCRIPT, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", str(script), verb],
            env=self.environ | environ,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    def pid(self) -> int:
        return int(self.pid_file.read_text())

    def is_running(self) -> bool:
        """A daemon of this prefix holds the pid file."""
        try:
            return str(self.pid_file) in Path(f"/proc/{self.pid()}/cmdline").read_text()
        except (FileNotFoundError, ValueError):
            return False


@pytest.fixture
def init(tmp_path: Path) -> Iterator[Installation]:
    """The script with a daemon that serves nothing."""
    init = Installation(tmp_path / "relocated prefix", str(TOP / "tests/standin_daemon.py"))
    yield init
    if init.is_running():
        os.kill(init.pid(), signal.SIGKILL)


def test_start_brings_a_daemon_up_and_stop_ends_it(init: Installation) -> None:
    assert init("start").returncode == 0
    assert init.is_running()
    assert init("stop").returncode == 0
    assert not init.pid_file.exists()


def test_status_tells_running_from_stopped(init: Installation) -> None:
    assert init("status").returncode == 3
    init("start")
    said = init("status")
    assert said.returncode == 0
    assert f"process {init.pid()}" in said.stdout
    init("stop")
    assert init("status").returncode == 3


def test_a_second_start_changes_nothing(init: Installation) -> None:
    init("start")
    pid = init.pid()
    said = init("start")
    assert said.returncode == 0
    assert "already running" in said.stdout
    assert init.pid() == pid


def test_the_script_needs_no_lsb_functions(init: Installation) -> None:
    script = init.prefix / "script"
    script.write_text(SCRIPT.read_text().replace("/lib/lsb/init-functions", "/nowhere"))
    assert init("status", script).returncode == 3
    assert init("start", script).stdout == "asperacentral has started\n"
    assert init("status", script).returncode == 0
    assert init("stop", script).stdout == "asperacentral has stopped\n"
    assert init("status", script).stderr == "asperacentral is not running\n"


def test_stopping_what_does_not_run_is_well(init: Installation) -> None:
    assert init("stop").returncode == 0


@pytest.mark.parametrize("verb", ["restart", "force-reload"])
def test_restart_brings_a_new_daemon_up_whether_one_ran_or_not(init: Installation, verb: str) -> None:
    assert init(verb).returncode == 0
    pid = init.pid()
    assert init(verb).returncode == 0
    assert init.is_running()
    assert init.pid() != pid


def test_a_killed_daemon_is_dead_with_a_pid_file_and_can_be_started_again(init: Installation) -> None:
    init("start")
    os.kill(init.pid(), signal.SIGKILL)
    wait_for(lambda: not init.is_running(), "the end of the daemon")
    assert init("status").returncode == 1
    assert init("stop").returncode == 0
    assert init("start").returncode == 0
    assert init("status").returncode == 0


def test_a_pid_that_belongs_to_another_program_is_neither_running_nor_stopped(init: Installation) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        init.pid_file.parent.mkdir(parents=True)
        init.pid_file.write_text(f"{other.pid}\n")
        assert init("status").returncode == 1
        assert init("stop").returncode == 0
        assert other.poll() is None
        other.kill()


@pytest.mark.parametrize("content", ["", "x\n", "-1\n", "1 2\n"])
def test_a_broken_pid_file_is_not_acted_upon(init: Installation, content: str) -> None:
    init.pid_file.parent.mkdir(parents=True)
    init.pid_file.write_text(content)
    assert init("status").returncode == 1
    assert init("stop").returncode == 0


def test_a_daemon_that_does_not_start_is_a_failure_with_its_reason(init: Installation) -> None:
    said = init("start", STANDIN="refuse")
    assert said.returncode == 1
    assert "asperacentral: cannot listen on 127.0.0.1:40001: Address already in use" in said.stderr


def test_a_missing_program_is_status_5(init: Installation) -> None:
    said = init("start", PROGRAM=str(init.prefix / "nothing"))
    assert said.returncode == 5
    assert "not installed" in said.stdout + said.stderr


def test_a_missing_configuration_is_status_6(init: Installation) -> None:
    init.conf.unlink()
    said = init("start")
    assert said.returncode == 6
    assert f"not configured: no {init.prefix}/etc/asperacentral/aspera.conf" in said.stdout + said.stderr


def test_anything_else_is_status_2_with_the_usage(init: Installation) -> None:
    said = init("frobnicate")
    assert said.returncode == 2
    assert said.stderr.endswith("{start|stop|restart|force-reload|status}\n")


def test_options_and_the_core_file_limit_reach_the_daemon(init: Installation) -> None:
    assert init("start", OPTIONS="-D -DD", DAEMON_COREFILE_LIMIT="0").returncode == 0
    arguments = Path(f"/proc/{init.pid()}/cmdline").read_text().split("\0")
    assert arguments[-4:-1] == [str(init.pid_file), "-D", "-DD"]
    limits = Path(f"/proc/{init.pid()}/limits").read_text()
    (core,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
    assert core.split()[4] == "0"


def test_a_daemon_that_ignores_the_request_to_end_is_reported(init: Installation) -> None:
    init("start")
    os.kill(init.pid(), signal.SIGSTOP)
    said = init("stop", STOP_TIMEOUT="1")
    assert said.returncode == 1
    assert "has not ended within 1 s" in said.stdout + said.stderr
    os.kill(init.pid(), signal.SIGCONT)


def test_the_script_tells_lsb_what_it_provides() -> None:
    text = SCRIPT.read_text()
    header = text[text.index("### BEGIN INIT INFO") : text.index("### END INIT INFO")]
    for key in (
        "Provides",
        "Required-Start",
        "Required-Stop",
        "Default-Start",
        "Default-Stop",
        "Short-Description",
    ):
        assert f"# {key}:" in header
    assert os.access(SCRIPT, os.X_OK)


def test_the_gateway_has_a_script_that_starts_it_beside_the_daemon(tmp_path: Path) -> None:
    init = Installation(tmp_path / "with gateway", "-m asperacentral")
    init.conf.write_text(
        '<CONF version="2"><http_gateway><port>0</port><page_port>0</page_port></http_gateway>'
        "<default><file_system><access><paths><path><absolute>/nowhere</absolute></path></paths></access>"
        "</file_system></default></CONF>"
    )
    run = init.prefix / "var/run/aspera"
    try:
        started = init("start", GATEWAY_SCRIPT)
        assert started.returncode == 0, started.stderr
        assert init("status", GATEWAY_SCRIPT).returncode == 0
        assert (run / "httpgateway.http").exists()
        assert init("status").returncode == 3
        assert "http-gwy" in (init.prefix / "httpgateway/httpgateway.log").read_text()
        assert init("stop", GATEWAY_SCRIPT).returncode == 0
        assert not {file.name for file in run.iterdir()} & {"httpgateway.pid", "httpgateway.http"}
    finally:
        if (run / "httpgateway.pid").exists():
            os.kill(int((run / "httpgateway.pid").read_text()), signal.SIGKILL)


@pytest.mark.skipif(not shutil.which("dash"), reason="dash is not installed")
def test_the_script_is_plain_sh() -> None:
    assert subprocess.run(["dash", "-n", str(SCRIPT)], check=False).returncode == 0


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
@pytest.mark.parametrize("file", [UNIT, GATEWAY_UNIT], ids=["daemon", "gateway"])
def test_systemd_takes_the_unit(tmp_path: Path, file: Path) -> None:
    unit = tmp_path / file.name
    unit.write_text(file.read_text().replace("ExecStart=asperacentral", "ExecStart=/bin/true"))
    ended = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60, check=False
    )
    assert file.name not in ended.stderr


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_as_root_the_real_daemon_starts_serves_and_stops_in_a_relocated_prefix(tmp_path: Path) -> None:
    init = Installation(tmp_path / "relocated", "-m asperacentral")
    try:
        started = init("start")
        assert started.returncode == 0, started.stderr
        assert init("status").returncode == 0
        host, port = (init.prefix / "var/run/aspera/asperacentral.soap").read_text().strip().split(":")
        with socket.create_connection((host, int(port)), timeout=5):
            pass
        assert init("start").returncode == 0
        assert init("stop").returncode == 0
        assert init("status").returncode == 3
        left = {file.name for file in (init.prefix / "var/run/aspera").iterdir()}
        assert not left & {"asperacentral.pid", "asperacentral.port", "asperacentral.soap"}
    finally:
        if init.is_running():
            os.kill(init.pid(), signal.SIGKILL)
