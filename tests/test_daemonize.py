"""The way into the background, the pid file, and the word to the service manager; with real processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from asperacentral.daemonize import PidFile, StartError, in_foreground, sd_notify


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    """Ended: not there, or waiting to be collected by an init that may not exist in a container."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


class Script:
    """A Python program whose `work` is `body`; it notes the daemon's pid in `pid`."""

    def __init__(self, folder: Path, body: str, call: str = "in_background(work)") -> None:
        self.folder = folder
        self.pid_note = folder / "pid"
        text = f"""
import json, os, signal, sys, time
from pathlib import Path
from asperacentral.daemonize import StartError, in_background
folder = Path({str(folder)!r})
def work(ready):
    (folder / "pid.new").write_text(str(os.getpid()))
    (folder / "pid.new").rename(folder / "pid")
{textwrap.indent(textwrap.dedent(body).strip(), "    ")}
sys.exit({call})
"""
        self.process = subprocess.Popen(
            [sys.executable, "-c", text], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    @property
    def daemon_pid(self) -> int:
        wait_for(self.pid_note.exists, "the daemon")
        return int(self.pid_note.read_text())

    def outcome(self) -> tuple[int, str]:
        """Exit status and standard error of the process that was started."""
        _, said = self.process.communicate(timeout=30)
        return self.process.returncode, said

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()
        if self.pid_note.exists() and not is_gone(self.daemon_pid):
            os.kill(self.daemon_pid, signal.SIGKILL)


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Callable[..., Script]]:
    started: list[Script] = []

    def start(body: str, call: str = "in_background(work)") -> Script:
        started.append(Script(tmp_path, body, call))
        return started[-1]

    yield start
    for each in started:
        each.end()


# Going to the background


def test_the_parent_stays_until_the_daemon_is_ready(script: Callable[..., Script], tmp_path: Path) -> None:
    run = script("""
        while not (folder / "go").exists():
            time.sleep(0.01)
        ready("listening")
        time.sleep(60)
    """)
    pid = run.daemon_pid
    assert run.process.poll() is None
    (tmp_path / "go").touch()
    assert run.outcome() == (0, "")
    assert not is_gone(pid)


def test_the_daemon_is_detached_from_terminal_directory_and_streams(
    script: Callable[..., Script], tmp_path: Path
) -> None:
    run = script("""
        umask = os.umask(0)
        facts = {
            "umask": umask, "cwd": os.getcwd(), "leader": os.getsid(0) == os.getpid(), "sid": os.getsid(0),
            "streams": [os.readlink(f"/proc/self/fd/{fd}") for fd in (0, 1, 2)],
        }
        (folder / "facts").write_text(json.dumps(facts))
        ready("x")
        return 0
    """)
    assert run.outcome()[0] == 0
    facts = json.loads((tmp_path / "facts").read_text())
    assert facts["umask"] == 0o027
    assert facts["cwd"] == "/"
    assert facts["sid"] != os.getsid(0)
    assert not facts["leader"]
    assert facts["streams"] == ["/dev/null"] * 3


def test_standard_error_can_be_kept_for_the_log(script: Callable[..., Script]) -> None:
    run = script("ready('x'); os.write(2, b'still here'); return 0", "in_background(work, keep_stderr=True)")
    assert run.outcome() == (0, "still here")


def test_a_daemon_that_cannot_start_says_why_in_one_line(script: Callable[..., Script]) -> None:
    run = script("raise StartError('cannot listen\\non é')")
    assert run.outcome() == (1, "asperacentral: cannot listen on é\n")


def test_an_internal_error_is_one_line_without_a_traceback(script: Callable[..., Script]) -> None:
    run = script("raise RuntimeError('boom')")
    assert run.outcome() == (1, "asperacentral: internal error: RuntimeError: boom\n")


@pytest.mark.parametrize("end", ["os._exit(0)", "os.kill(os.getpid(), signal.SIGKILL)", "return 0"])
def test_a_daemon_that_ends_before_it_is_ready_has_failed(script: Callable[..., Script], end: str) -> None:
    assert script(end).outcome() == (1, "asperacentral: ended before it was ready; its log may tell why\n")


def test_a_daemon_that_is_not_ready_in_time_is_told_to_end(script: Callable[..., Script]) -> None:
    run = script("time.sleep(60)", "in_background(work, patience=0.5)")
    assert run.outcome() == (1, "asperacentral: was not ready within 0.5 s and has been told to end\n")
    wait_for(lambda: is_gone(run.daemon_pid), "the end of the daemon")


def test_an_interrupted_wait_ends_the_daemon(script: Callable[..., Script]) -> None:
    run = script("time.sleep(60)")
    pid = run.daemon_pid
    run.process.send_signal(signal.SIGINT)
    assert run.outcome()[0] != 0
    wait_for(lambda: is_gone(pid), "the end of the daemon")


def test_processes_that_the_daemon_forks_do_not_hold_the_parent(
    script: Callable[..., Script], tmp_path: Path
) -> None:
    run = script("""
        child = os.fork()
        if not child:
            time.sleep(60)
            os._exit(0)
        (folder / "child").write_text(str(child))
        ready("x")
        return 0
    """)
    try:
        assert run.outcome()[0] == 0
    finally:
        os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)


def test_in_the_foreground_ready_is_one_line_and_the_status_is_that_of_the_work(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def work(ready: Callable[[str], None]) -> int:
        ready("listening")
        return 3

    assert in_foreground(work) == 3
    assert capsys.readouterr() == ("asperacentral: listening\n", "")


def test_in_the_foreground_a_start_error_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def work(ready: Callable[[str], None]) -> int:
        raise StartError("no room")

    assert in_foreground(work) == 1
    assert capsys.readouterr() == ("", "asperacentral: no room\n")


# The pid file

HOLD = """
import sys, time
from pathlib import Path
from asperacentral.daemonize import PidFile, StartError
try:
    with PidFile(Path(sys.argv[1])):
        print("held", flush=True)
        {then}
        sys.stdin.readline()
except StartError as error:
    print(error, flush=True)
"""


def hold(path: Path, then: str = "pass") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLD.format(then=then), str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def test_the_pid_file_holds_the_pid_and_is_removed_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "var/run/central.pid"
    with PidFile(path):
        assert path.read_text() == f"{os.getpid()}\n"
    assert not path.exists()


def test_the_pid_file_is_removed_when_the_daemon_fails(tmp_path: Path) -> None:
    path = tmp_path / "central.pid"
    with pytest.raises(StartError, match="no port"), PidFile(path):
        raise StartError("no port")
    assert not path.exists()


def test_a_second_daemon_is_refused_and_told_who_holds_the_file(tmp_path: Path) -> None:
    path = tmp_path / "central.pid"
    with hold(path) as first:
        assert first_line(first) == "held"
        with hold(path) as second:
            said = first_line(second)
        assert said == f"already running: process {first.pid} holds the pid file {path}"
        assert path.read_text() == f"{first.pid}\n"
        first.communicate("\n")
    assert not path.exists()


def test_of_daemons_that_start_together_one_gets_the_file(tmp_path: Path) -> None:
    path = tmp_path / "central.pid"
    path.write_text("999999999\n")
    started = [hold(path) for _ in range(4)]
    try:
        said = [first_line(process) for process in started]
        assert sorted(line == "held" for line in said) == [False, False, False, True]
    finally:
        for process in started:
            process.communicate("\n")


def test_the_file_of_a_killed_daemon_is_taken_over_even_while_its_children_live(tmp_path: Path) -> None:
    path = tmp_path / "central.pid"
    fork = "import os; child = os.fork(); child or (time.sleep(60), os._exit(0)); print(child, flush=True)"
    first = hold(path, fork)
    assert first_line(first) == "held"
    child = int(first_line(first))
    try:
        first.kill()
        first.wait()
        assert path.read_text() == f"{first.pid}\n"
        with PidFile(path):
            assert path.read_text() == f"{os.getpid()}\n"
    finally:
        os.kill(child, signal.SIGKILL)
        assert first.stdin and first.stdout
        first.stdin.close()
        first.stdout.close()


def test_a_file_that_is_no_pid_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "passwd"
    path.write_text("root:x:0:0\n")
    with pytest.raises(StartError, match="exists and is not a pid file"), PidFile(path):
        pass
    assert path.read_text() == "root:x:0:0\n"


def test_a_pid_file_that_was_replaced_by_another_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "central.pid"
    with PidFile(path):
        path.unlink()
        path.write_text("1\n")
    assert path.read_text() == "1\n"


def test_an_unwritable_place_is_a_start_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match="cannot write the pid file"), PidFile(tmp_path / "file/x.pid"):
        pass


# The service manager


@pytest.mark.parametrize("abstract", [False, True])
def test_the_service_manager_is_told_by_datagram(tmp_path: Path, abstract: bool) -> None:
    name = f"@asperacentral-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name[1:] if abstract else name)
        manager.settimeout(5)
        assert sd_notify("READY=1\nSTATUS=listening", {"NOTIFY_SOCKET": name})
        assert manager.recv(100) == b"READY=1\nSTATUS=listening"


def test_without_a_service_manager_nothing_is_told(tmp_path: Path) -> None:
    assert not sd_notify("READY=1", {})
    assert not sd_notify("READY=1", {"NOTIFY_SOCKET": "relative"})
    assert not sd_notify("READY=1", {"NOTIFY_SOCKET": str(tmp_path / "nobody")})
