"""The command line: the daemon's options, the commands, exit statuses; with the real program."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from asperacentral import __version__, logs
from asperacentral.cli import COMMANDS

STANDIN = Path(__file__).with_name("standin_daemon.py")


class Program:
    """The program in a prefix of its own; `daemon` runs it with a daemon that serves nothing."""

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix
        self.conf = prefix / "etc/aspera.conf"
        self.conf.parent.mkdir(parents=True)
        self.write("")
        self.pid_file = prefix / "var/run/aspera/asperacentral.pid"
        self.log = prefix / "var/log/aspera/asperacentral.log"
        self.facts_file = prefix / "facts"

    def write(self, body: str) -> None:
        self.conf.write_text(f'<CONF version="2">{body}</CONF>')

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "asperacentral", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def command(self, behaviour: str, arguments: tuple[str, ...]) -> tuple[list[str], dict[str, str]]:
        environ = dict(os.environ, STANDIN=behaviour, STANDIN_FACTS=str(self.facts_file))
        environ["ASPERA_CONF"] = str(self.conf)
        environ["PYTHONPATH"] = str(STANDIN.parent.parent)
        return [sys.executable, str(STANDIN), *arguments], environ

    def daemon(self, behaviour: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command, environ = self.command(behaviour, arguments)
        return subprocess.run(
            command, env=environ, cwd=self.prefix, capture_output=True, text=True, timeout=60, check=False
        )

    def foreground(self, *arguments: str) -> subprocess.Popen[str]:
        command, environ = self.command("run", ("--no-daemon", *arguments))
        return subprocess.Popen(
            command, env=environ, cwd=self.prefix, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(self.facts_file.read_text())
        return facts

    def end(self) -> None:
        """End the daemon that runs in the background, if there is one; a pid file alone proves nothing."""
        if not self.pid_file.exists():
            return
        pid = int(self.pid_file.read_text())
        try:
            runs = str(STANDIN) in Path(f"/proc/{pid}/cmdline").read_text()
        except FileNotFoundError:
            runs = False
        if runs:
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 20
        while runs and self.pid_file.exists():
            assert time.monotonic() < deadline, "the daemon does not end"
            time.sleep(0.01)


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    program = Program(tmp_path / "prefix")
    yield program
    program.end()


# Help


def test_help_tells_of_every_option_and_command(program: Program) -> None:
    ended = program.run("--help")
    assert ended.returncode == 0
    for word in (
        "--no-daemon",
        "-DDD",
        "-L DIR",
        "-L-",
        "--config FILE",
        "--pid-file FILE",
        "--version",
        *COMMANDS,
    ):
        assert word in ended.stdout


def test_version_is_that_of_the_package(program: Program) -> None:
    ended = program.run("--version")
    assert (ended.returncode, ended.stdout) == (0, f"asperacentral {__version__}\n")


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(option: str) -> None:
    code = (
        "import sys\nfrom asperacentral import cli\n"
        f"try: cli.main([{option!r}])\n"
        "except SystemExit: pass\n"
        "print([n for n in ('lxml', 'twisted', 'spyne', 'zeep', 'asyncssh', 'sqlalchemy') if n in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_worth_reading(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    from asperacentral.cli import main

    module = import_module(f"asperacentral.commands.{name.replace('-', '_')}")
    assert "\n" not in module.HELP
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert said.startswith(f"usage: asperacentral {name}")
    assert len(said) > 200


# Wrong usage


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["frobnicate"], "unknown command 'frobnicate'; there are: demo, submit"),
        (["--no-daemon", "jobs"], "the command must come first: asperacentral jobs ..."),
        (["--frobnicate"], "unrecognized arguments: --frobnicate"),
        (["-DDDD"], "-DDD is the most there is to log"),
        (["-L", ""], "-L needs a directory, or - for standard error"),
        (["-L"], "argument -L: expected one argument"),
        (["--conf", "x"], "unrecognized arguments: --conf"),
    ],
)
def test_wrong_usage_is_explained_with_status_2(program: Program, arguments: list[str], said: str) -> None:
    ended = program.run(*arguments)
    assert ended.returncode == 2
    assert said in ended.stderr.splitlines()[-1]


def test_a_mistake_in_the_configuration_is_one_line_with_status_1(program: Program) -> None:
    program.write("\n<central_server><port>x</port></central_server>")
    ended = program.run("--config", str(program.conf))
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"asperacentral: {program.conf}:2: <central_server><port>: ")
    assert ended.stderr.count("\n") == 1


# The daemon


def test_the_daemon_goes_to_the_background_before_the_reactor_is_there(program: Program) -> None:
    ended = program.daemon("run")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert program.facts()["pid"] == int(program.pid_file.read_text())
    assert not program.facts()["reactor"]
    assert "asperacentral" in program.log.read_text()


def test_the_daemon_starts_without_any_file_below_the_users_state_directory(
    program: Program, tmp_path: Path
) -> None:
    command, environ = program.command("refuse", ("--no-daemon",))
    del environ["ASPERA_CONF"]
    environ["XDG_STATE_HOME"] = str(tmp_path / "state")
    subprocess.run(command, env=environ, capture_output=True, timeout=60, check=False)
    facts = program.facts()
    if not any(
        Path(usual).exists() for usual in ("/opt/aspera/etc/aspera.conf", "/etc/asperacentral/aspera.conf")
    ):
        assert facts["prefix"] == str(tmp_path / "state/asperacentral")
        assert facts["port"] == 40001


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("refuse", "cannot listen on 127.0.0.1:40001: Address already in use"),
        ("crash", "internal error: RuntimeError: boom second line"),
        ("vanish", "ended before it was ready; its log may tell why"),
    ],
)
def test_a_daemon_that_fails_to_start_is_one_line_with_status_1(
    program: Program, behaviour: str, reason: str
) -> None:
    ended = program.daemon(behaviour)
    assert (ended.returncode, ended.stderr) == (1, f"asperacentral: {reason}\n")


def test_why_it_failed_is_in_the_log_too(program: Program) -> None:
    program.daemon("refuse")
    program.daemon("crash", "--no-daemon")
    text = program.log.read_text()
    assert "ERR cannot start: cannot listen" in text
    assert "    RuntimeError: boom" in text


def test_a_second_daemon_in_the_same_place_is_refused(program: Program) -> None:
    program.daemon("run")
    pid = program.pid_file.read_text().strip()
    for options in ((), ("--no-daemon",)):
        ended = program.daemon("run", *options)
        assert ended.returncode == 1
        assert ended.stderr == (
            f"asperacentral: already running: process {pid} holds the pid file {program.pid_file}\n"
        )


def test_an_unwritable_log_directory_is_one_line(program: Program) -> None:
    ended = program.daemon("run", "-L", str(program.conf))
    assert (ended.returncode, ended.stderr) == (
        1,
        f"asperacentral: cannot write a log in {program.conf}: File exists\n",
    )


def test_a_relative_pid_file_is_relative_to_where_the_program_was_started(program: Program) -> None:
    program.daemon("run", "--pid-file", "here.pid")
    program.pid_file = program.prefix / "here.pid"
    assert program.pid_file.read_text() == f"{program.facts()['pid']}\n"


@pytest.mark.parametrize(
    ("options", "level"),
    [
        ([], 20),
        (["-D"], logs.STEPS),
        (["-DD"], logs.MESSAGES),
        (["-DDD"], logs.BODIES),
        (["-D", "-D"], logs.MESSAGES),
        (["-DL", "logs"], logs.STEPS),
    ],
)
def test_each_d_logs_more(program: Program, options: list[str], level: int) -> None:
    program.daemon("refuse", "--no-daemon", *options)
    assert program.facts()["level"] == level


def test_the_level_of_the_configuration_counts_without_d(program: Program) -> None:
    program.write("<logging><level>dbg1</level></logging>")
    program.daemon("refuse", "--no-daemon")
    assert program.facts()["level"] == logs.STEPS


@pytest.mark.parametrize("options", [["-L", "logs/here"], ["-Llogs/here"]])
def test_a_log_directory_may_be_relative_to_where_the_program_was_started(
    program: Program, options: list[str]
) -> None:
    program.daemon("run", *options)
    assert program.facts()["log_directory"] == str(program.prefix / "logs/here")
    assert (program.prefix / "logs/here/asperacentral.log").exists()


@pytest.mark.parametrize("options", [["-L-"], ["-L", "-"]])
def test_l_minus_logs_on_standard_error(program: Program, options: list[str]) -> None:
    program.write("<oops/>")
    with program.foreground(*options) as running:
        assert running.stdout
        assert running.stdout.readline() == "asperacentral: listening on 127.0.0.1:40001\n"
        running.send_signal(signal.SIGTERM)
        _, said = running.communicate(timeout=30)
    assert running.returncode == 0
    assert "ERR " in said and "unknown group <oops> passed over" in said
    assert "LOG asperacentral has ended with status 0" in said
    assert not program.log.exists()
    assert not program.pid_file.exists()


def test_the_module_is_the_program() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "asperacentral", "--version"], capture_output=True, text=True, check=True
    )
    assert __version__ in ended.stdout


def test_a_reader_that_goes_away_is_no_error_message() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    code = (
        "import sys, types\nm = types.ModuleType('asperacentral.commands.jobs')\n"
        "m.DESCRIPTION = ''; m.add_arguments = lambda parser: None\n"
        "m.run = lambda args: [print('x' * 100000, flush=True), 0][1]\n"
        "sys.modules[m.__name__] = m\n"
        "from asperacentral.cli import main\nsys.exit(main(['jobs']))"
    )
    ended = subprocess.run([sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (1, b"")
