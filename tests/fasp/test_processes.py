"""Transfer processes, however they were started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from asperacentral.fasp.errors import LaunchError
from asperacentral.fasp.processes import (
    AdoptedProcess,
    ExecutedProcess,
    ForkedProcess,
    Process,
    ProcessEnd,
    UnknownProcess,
)

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)", "asperacentral"]


def executed(*words: str) -> ExecutedProcess:
    return ExecutedProcess([sys.executable, "-c", *words], os.environ)


def end_of(process: Process) -> ProcessEnd:
    deadline = time.monotonic() + 20
    while (end := process.poll()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return end


@pytest.fixture
def sleeper() -> subprocess.Popen[bytes]:
    child = subprocess.Popen(SLEEP)
    wait_for_arguments(child.pid, b"asperacentral")
    return child


def wait_for_arguments(pid: int, word: bytes) -> None:
    """The kernel shows a new program's arguments a moment after it began."""
    deadline = time.monotonic() + 20
    while word not in Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def kill(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()


# Executed.


def test_an_executed_process_ends_with_its_status_or_signal() -> None:
    assert end_of(executed("raise SystemExit(3)")) == ProcessEnd(exit_status=3)
    process = executed("import time; time.sleep(60)")
    assert process.poll() is None
    assert process.signal(signal.SIGTERM)
    assert end_of(process) == ProcessEnd(signal=signal.SIGTERM)
    assert process.signal(signal.SIGTERM)


def test_an_executed_process_is_alone_in_its_session_with_nothing_to_read(tmp_path: Path) -> None:
    inherited = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(inherited, True)
    told = tmp_path / "told"
    script = (
        "import os, sys; names = ' '.join(os.readlink(f'/proc/self/fd/{n}') for n in (0, 1));"
        f"open({str(told)!r}, 'w').write(f'{{os.getsid(0) == os.getpid()}} {{names}} '"
        f"+ str(os.path.exists('/proc/self/fd/{inherited}')))"
    )
    assert end_of(executed(script)) == ProcessEnd(exit_status=0)
    os.close(inherited)
    assert told.read_text() == "True /dev/null /dev/null False"


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (["/no/such/program"], "cannot start /no/such/program: No such file or directory"),
        (["/"], "cannot start /: Permission denied"),
        (["/bin/true", "a\0b"], "cannot start /bin/true: embedded null byte"),
        (["/bin/true", "x" * 3_000_000], "cannot start /bin/true: Argument list too long"),
    ],
)
def test_a_program_that_cannot_be_started_is_told_with_the_reason(command: list[str], reason: str) -> None:
    with pytest.raises(LaunchError) as caught:
        ExecutedProcess(command, {})
    assert str(caught.value) == reason


# Adopted.


def test_an_adopted_process_is_followed_to_its_end_though_nobody_reaps_it(
    sleeper: subprocess.Popen[bytes],
) -> None:
    process = AdoptedProcess(sleeper.pid, "session")
    assert process.poll() is None
    assert process.signal(signal.SIGKILL)
    assert end_of(process) == ProcessEnd()
    sleeper.wait()
    assert process.poll() == ProcessEnd()
    assert process.signal(signal.SIGKILL)


def test_a_process_whose_arguments_name_the_session_is_adopted() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "-u", "the-session"])
    wait_for_arguments(child.pid, b"the-session")
    assert AdoptedProcess(child.pid, "the-session").poll() is None
    assert AdoptedProcess(child.pid, "another").poll() == ProcessEnd()
    kill(child)


def test_a_stranger_with_the_same_id_is_neither_waited_for_nor_killed() -> None:
    stranger = subprocess.Popen(["/bin/sleep", "60"])
    process = AdoptedProcess(stranger.pid, "session")
    assert process.poll() == ProcessEnd()
    process.signal(signal.SIGKILL)
    time.sleep(0.05)
    assert stranger.poll() is None
    kill(stranger)


def test_an_id_without_a_process_is_gone() -> None:
    child = subprocess.Popen(["/bin/true"])
    child.wait()
    assert AdoptedProcess(child.pid, "session").poll() == ProcessEnd()
    assert AdoptedProcess(child.pid).poll() == ProcessEnd()


def test_a_program_with_parentheses_in_its_name_is_followed(tmp_path: Path) -> None:
    odd = tmp_path / "a) Z (b"
    odd.symlink_to("/bin/sleep")
    child = subprocess.Popen([str(odd), "60"])
    assert AdoptedProcess(child.pid).poll() is None
    kill(child)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may signal everybody")
def test_a_process_that_must_not_be_signalled_cannot_be_reached() -> None:
    assert not AdoptedProcess(1).signal(signal.SIGTERM)


# Forked.


def test_a_forked_process_is_what_the_server_reports() -> None:
    process = ForkedProcess()
    assert (process.pid, process.poll(), process.watched) == (None, None, True)
    assert not process.signal(signal.SIGKILL)
    process.started(os.getpid())
    assert (process.pid, process.poll()) == (os.getpid(), None)
    process.ended(ProcessEnd(exit_status=1))
    assert process.poll() == ProcessEnd(exit_status=1)
    assert process.signal(signal.SIGKILL), "nothing is sent to a process that has ended"


def test_a_forked_process_is_followed_after_its_server_is_lost(sleeper: subprocess.Popen[bytes]) -> None:
    process = ForkedProcess()
    process.started(sleeper.pid)
    process.lose_server()
    assert process.watched
    assert process.poll() is None
    assert process.signal(signal.SIGKILL)
    assert end_of(process) == ProcessEnd()
    sleeper.wait()


@pytest.mark.parametrize("lost", [UnknownProcess, ForkedProcess])
def test_the_end_of_a_process_without_known_id_will_not_be_seen(lost: Callable[[], Process]) -> None:
    process = lost()
    if isinstance(process, ForkedProcess):
        process.lose_server()
    assert (process.pid, process.poll(), process.watched) == (None, None, False)
    assert not process.signal(signal.SIGKILL)
