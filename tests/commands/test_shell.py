"""The shell, driven through a pseudo-terminal and through a pipe, against a node."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

from asperacentral.commands.local import LocalNode

SECONDS = 60
PROMPT = "asperacentral>"
COMMAND = ["-m", "asperacentral", "shell"]


class Terminal(pexpect.spawn):  # type: ignore[misc]
    """A pseudo-terminal that, as real ones do, tells where its cursor is when asked."""

    def read_nonblocking(self, size: int = 1, timeout: float = -1) -> str:
        text: str = super().read_nonblocking(size, timeout)
        for _ in range(text.count("\x1b[6n")):
            self.send("\x1b[1;1R")
        return text


class Site:
    """A node, files, and shells that talk to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.far, self.near = folder / "far", folder / "near"
        self.far.mkdir()
        self.near.mkdir()
        self.node = LocalNode(folder, self.far, "me", "secret")
        self.options = [f"--history={folder / 'history'}", f"--known-hosts={folder / 'known'}"]

    @property
    def place(self) -> str:
        return f"me@127.0.0.1:{self.node.port}:"

    def file(self, name: str, size: int) -> Path:
        path = self.near / name
        path.write_bytes(os.urandom(size))
        return path

    def shell(self) -> Any:
        environment = {**os.environ, "TERM": "xterm", "HOME": str(self.folder)}
        environment.pop("ASPERA_SCP_PASS", None)
        shell = Terminal(
            sys.executable,
            [*COMMAND, *self.options],
            env=environment,
            timeout=SECONDS,
            dimensions=(40, 160),
            encoding="utf-8",
        )
        shell.expect_exact(PROMPT)
        return shell


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    with site.node:
        yield site


def say(shell: Any, line: str, *answers: str) -> None:
    """Type a line, and wait for what is to be shown, in order."""
    shell.send(line + "\r")
    for answer in answers:
        shell.expect(answer)


def say_until(shell: Any, line: str, answer: str) -> None:
    """Type a line again and again until the answer is shown: what is asked for takes a moment."""
    deadline = time.monotonic() + SECONDS
    while True:
        shell.send(line + "\r")
        if shell.expect([answer, "files failed"]) == 0:
            return
        assert time.monotonic() < deadline


def test_transfers_are_started_watched_steered_and_ended_from_the_prompt(site: Site) -> None:
    big, small = site.file("big", 3_000_000), site.file("small", 1000)
    shell = site.shell()
    say(shell, "help", "push .*SOURCE", "quit")
    say(shell, "frobnicate", "there is no 'frobnicate'")
    say(shell, "list", "no jobs yet")

    say(shell, f"push --rate 400 {big} {site.place}/", "password of me at 127.0.0.1")
    say(shell, "secret", "job 1: .*big to 127.0.0.1:/")
    shell.expect("█")  # its progress is drawn below the prompt, and only what changes is drawn anew
    shell.expect("█")
    say(shell, f"push -d {small} {site.place}/in", "job 2: ", "job 2: completed, 1000 B moved")
    assert (site.far / "in/small").read_bytes() == small.read_bytes()

    say(shell, "list", "Running .*big", "Completed .*1000 B of 1000 B")
    say(shell, "pause 1", "paused")
    say(shell, "rate 1 300 100")
    say(shell, "policy 1 high")
    say_until(shell, "stats 1", r"target rate +0 bit/s\s+minimum rate +0 bit/s\s+policy +high")
    say(shell, "files 2", "Finished +1000 B +1000 B .*small")
    say(shell, "resume all")
    say_until(shell, "stats 1", r"target rate +300.0 kbit/s\s+minimum rate +100.0 kbit/s")
    say(shell, "rate 1 1g", "job 1: completed, 2.9 MiB moved")
    assert (site.far / "big").read_bytes() == big.read_bytes()
    say(shell, "pause 1", "no such job is under way")

    say(shell, f"pull {site.place}/in/small {site.near}/back", "job 3: completed")
    assert (site.near / "back").read_bytes() == small.read_bytes()
    say(shell, f"push --rate 100 {big} {site.place}/again", "job 4: ")
    say(shell, "cancel 4", "job 4: cancelled")
    say(shell, f"pull {site.place}/nothing {site.near}/x", "job 5: failed, 0 B moved: ")
    say(shell, "quit", pexpect.EOF)
    shell.close()
    assert shell.exitstatus == 0
    assert "secret" not in (site.folder / "history").read_text()


def test_words_are_completed_and_lines_are_remembered(site: Site) -> None:
    site.file("a-long-name", 10)
    shell = site.shell()
    shell.send("li\t")
    shell.expect("st")
    shell.send("\r")
    shell.expect("no jobs yet")
    shell.send(f"push {site.near}/a-l\t")
    shell.expect("ong-name")
    shell.send("\x03")
    shell.expect_exact(PROMPT)
    say(shell, "quit", pexpect.EOF)
    shell.close()
    again = site.shell()
    again.send("\x1b[A\x1b[A\r")
    again.expect("no jobs yet")
    again.send("\x04")
    again.expect(pexpect.EOF)
    again.close()
    assert again.exitstatus == 0


@pytest.mark.parametrize(("password", "status"), [("secret", 0), ("wrong", 1)])
def test_lines_from_a_pipe_are_carried_out_one_after_the_other(
    site: Site, password: str, status: int
) -> None:
    source = site.file("one", 1000)
    lines = f"push {source} {site.place}/two\npull {site.place}/two {site.near}/three\nlist\n"
    environment = {**os.environ, "ASPERA_SCP_PASS": password, "HOME": str(site.folder)}
    ended = subprocess.run(
        [sys.executable, *COMMAND, *site.options],
        input=lines,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert ended.returncode == status, ended.stderr
    assert (site.near / "three").exists() == (status == 0)
    assert ("Completed" in ended.stdout) == (status == 0)
