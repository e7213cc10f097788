"""The fork server as a real process."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asperacentral.fasp.forkserver import child_environment
from asperacentral.fasp.spawn_protocol import (
    Ended,
    Ready,
    Refused,
    Report,
    ReportReader,
    Request,
    Started,
    encode_request,
)
from tests.fasp.bench import is_alive

TIMEOUT = 40.0


class Server:
    """A fork server, and what it reported."""

    def __init__(self, *words: str, limit: str = "") -> None:
        command = [sys.executable, "-P", "-m", "asperacentral.fasp.spawner", *words]
        if limit:
            command = ["/bin/sh", "-c", f'{limit}; exec "$@"', "sh", *command]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=child_environment(os.environ),
        )
        self.reader = ReportReader()
        self.reports: list[Report] = []

    def ask(self, *requests: Request) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"".join(encode_request(request) for request in requests))
        self.process.stdin.flush()

    def wait_for(self, kind: type[Report], number: int | None = None) -> Any:
        """The first report of this kind, and about this request."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + TIMEOUT
        while True:
            for report in self.reports:
                if isinstance(report, kind) and number in (None, getattr(report, "id", None)):
                    return report
            left = deadline - time.monotonic()
            assert left > 0, f"no {kind.__name__} among {self.reports}"
            if select.select([self.process.stdout], [], [], left)[0]:
                data = os.read(self.process.stdout.fileno(), 65536)
                assert data, "the server ended"
                self.reports += self.reader.feed(data)

    def run(self, *argv: str, **more: Any) -> int:
        """Let a child run and return its status."""
        number = len(self.reports) + 1
        self.ask(Request(number, argv, **more))
        ended = self.wait_for(Ended, number)
        assert ended.pid == self.wait_for(Started, number).pid
        return int(ended.status)

    def close(self) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        if not self.process.stdin.closed:
            self.process.stdin.close()
        status = self.process.wait(TIMEOUT)
        self.process.stdout.close()
        self.process.stderr.close()
        return status


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server("tests.fasp.forkee")
    yield server
    server.close()


@pytest.fixture
def facts(server: Server, tmp_path: Path) -> dict[str, Any]:
    """What a child found about itself."""
    told = tmp_path / "told"
    secret = {"ASPERA_SCP_PASS": "pa55"}
    assert server.run("tell", str(told), environment=secret, directory=str(tmp_path)) == 0
    return json.loads(told.read_text())  # type: ignore[no-any-return]


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + TIMEOUT
    while is_alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_it_reports_when_it_is_ready_and_then_each_start_and_end(server: Server) -> None:
    assert server.run("exit", "7") == 7
    assert [type(report) for report in server.reports] == [Ready, Started, Ended]


def test_a_child_that_dies_of_a_signal_is_reported_with_it(server: Server) -> None:
    assert server.run("die") == -signal.SIGKILL


def test_a_child_that_raises_ends_with_status_1(server: Server) -> None:
    assert server.run("raise") == 1


def test_many_children_run_at_once_and_each_end_is_reported(server: Server) -> None:
    server.ask(*(Request(number, ("exit", str(number % 3))) for number in range(1, 31)))
    for number in range(1, 31):
        assert server.wait_for(Ended, number).status == number % 3


def test_a_child_is_a_fork_of_what_was_imported_once(server: Server, facts: dict[str, Any]) -> None:
    assert facts["imported_in"] == server.process.pid
    assert facts["pid"] != server.process.pid
    assert facts["threads"] == 1


def test_a_child_gets_its_arguments_and_directory(facts: dict[str, Any], tmp_path: Path) -> None:
    assert facts["argv"] == ["tests.fasp.forkee", "tell", str(tmp_path / "told")]
    assert facts["directory"] == str(tmp_path)


def test_a_child_is_alone_in_its_session_without_descriptors_or_handlers_of_the_server(
    facts: dict[str, Any],
) -> None:
    assert facts["session"] == facts["pid"]
    assert (facts["stdin"], facts["stdout"]) == ("/dev/null", "/dev/null")
    assert facts["descriptors"] in ([0, 1, 2], [0, 1, 2, 3])  # 3: the listing's own
    assert facts["sigint"]
    assert facts["sigterm"]
    assert facts["sigchld"]


def test_secrets_are_in_the_childs_environment_but_not_in_what_others_can_read(
    server: Server, facts: dict[str, Any]
) -> None:
    assert facts["environment"]["ASPERA_SCP_PASS"] == "pa55"
    assert "pa55" not in facts["initial_environment"]
    for name in ("environ", "cmdline"):
        assert b"pa55" not in Path(f"/proc/{server.process.pid}/{name}").read_bytes()


def test_the_next_child_does_not_see_the_secrets_of_the_one_before(server: Server, tmp_path: Path) -> None:
    server.run("exit", "0", environment={"ASPERA_SCP_PASS": "pa55"})
    server.run("tell", str(tmp_path / "told"))
    assert "ASPERA_SCP_PASS" not in json.loads((tmp_path / "told").read_text())["environment"]


def test_names_that_are_not_utf_8_reach_the_child(server: Server, tmp_path: Path) -> None:
    odd = os.fsdecode(bytes(tmp_path) + b"/caf\xe9")
    server.run("tell", odd)
    assert Path(odd).exists()


@pytest.mark.parametrize("death", ["end of stdin", "SIGKILL"])
def test_children_outlive_the_server(server: Server, tmp_path: Path, death: str) -> None:
    go, done = tmp_path / "go", tmp_path / "done"
    server.ask(Request(1, ("linger", str(go), str(done))))
    pid = server.wait_for(Started).pid
    if death == "SIGKILL":
        server.process.kill()
    status = server.close()
    assert status == (-signal.SIGKILL if death == "SIGKILL" else 0)
    assert is_alive(pid)
    go.touch()
    wait_until_gone(pid)
    assert done.read_text() == "outlived"


def test_an_interrupt_from_the_terminal_does_not_end_it(server: Server) -> None:
    server.wait_for(Ready)
    server.process.send_signal(signal.SIGINT)
    assert server.run("exit", "0") == 0


def test_bytes_that_are_no_request_end_it(server: Server) -> None:
    server.wait_for(Ready)
    assert server.process.stdin is not None
    server.process.stdin.write(b"\xff" * 8)
    assert server.close() == 1


def test_when_nobody_reads_its_reports_it_ends(server: Server) -> None:
    server.wait_for(Ready)
    assert server.process.stdout is not None
    server.process.stdout.close()
    server.ask(Request(1, ("exit", "0")))
    assert server.process.wait(TIMEOUT) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="limits on processes do not bind root")
def test_a_child_that_cannot_be_made_is_refused_with_the_reason() -> None:
    server = Server("tests.fasp.forkee", limit="ulimit -u 1 2>/dev/null || ulimit -p 1")
    server.ask(Request(1, ("exit", "0")))
    assert server.wait_for(Refused).reason
    server.close()


def test_a_module_that_cannot_be_imported_ends_it_at_once() -> None:
    server = Server("tests.fasp.no_such_module")
    assert server.process.wait(TIMEOUT) == 1
    server.close()


def test_it_tells_how_it_is_used() -> None:
    server = Server()
    assert server.process.stderr is not None
    assert b"usage: python -m asperacentral.fasp.spawner MODULE" in server.process.stderr.read()
    assert server.close() == 2
