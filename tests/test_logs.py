"""Log lines: their shape, where they go, and what never gets into them."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral import logs

log = logging.getLogger("asperacentral.test")
LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\.\d{3} \[(\d+)-(\d+)\] (LOG|ERR|DBG1|DBG2|DBG3) (.*)")


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    for own in ("asperacentral", "twisted"):
        logging.getLogger(own).setLevel(logging.NOTSET)


@pytest.fixture
def stderr(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    def lines() -> list[str]:
        return capsys.readouterr().err.splitlines()

    return lines


def test_a_line_has_time_process_thread_level_and_text(stderr: Callable[[], list[str]]) -> None:
    logs.configure(logging.INFO, None)
    before = time.time()
    log.info("job %s accepted", 7)
    match = LINE.fullmatch(stderr()[0])
    assert match
    stamp = time.mktime(time.strptime(match[1], "%Y-%m-%d %H:%M:%S"))
    assert int(before) <= stamp <= time.time()
    assert (int(match[2]), int(match[3])) == (os.getpid(), threading.get_native_id())
    assert (match[4], match[5]) == ("LOG", "job 7 accepted")


@pytest.mark.parametrize(
    ("level", "words"),
    [
        (logging.INFO, ["ERR", "ERR", "LOG"]),
        (logs.STEPS, ["ERR", "ERR", "LOG", "DBG1"]),
        (logs.MESSAGES, ["ERR", "ERR", "LOG", "DBG1", "DBG2"]),
        (logs.BODIES, ["ERR", "ERR", "LOG", "DBG1", "DBG2", "DBG3"]),
    ],
)
def test_each_level_shows_itself_and_what_is_graver(
    stderr: Callable[[], list[str]], level: int, words: list[str]
) -> None:
    logs.configure(level, None)
    for each in (logging.ERROR, logging.WARNING, logging.INFO, logs.STEPS, logs.MESSAGES, logs.BODIES):
        log.log(each, "x")
    assert [line.split()[3] for line in stderr()] == words


def test_libraries_are_heard_from_warnings_on_only(stderr: Callable[[], list[str]]) -> None:
    logs.configure(logs.BODIES, None)
    logging.getLogger("spyne.protocol").info("<Password>secret</Password>")
    logging.getLogger("asyncssh").warning("odd")
    assert [line.split(" ", 4)[4] for line in stderr()] == ["odd"]


def test_a_text_can_neither_end_its_line_nor_steer_a_terminal(stderr: Callable[[], list[str]]) -> None:
    logs.configure(logging.INFO, None)
    log.info("a\nb\r\tc\x1b[31m\x00\x7f\x85\u2028\u202ed é")
    (line,) = stderr()
    assert line.endswith(r"LOG a\nb\r\tc\x1b[31m\x00\x7f\x85\x2028\x202ed é")


@given(st.text())
def test_any_text_makes_one_printable_line(text: str) -> None:
    formatter = logs._LineFormatter()
    record = logging.LogRecord("asperacentral", logging.INFO, "", 0, "%s", (text,), None)
    line = formatter.format(record)
    assert len(line.splitlines()) == 1
    assert LINE.fullmatch(line)


def test_a_long_text_is_cut_at_64_kib_and_tells_what_is_missing(stderr: Callable[[], list[str]]) -> None:
    logs.configure(logging.INFO, None)
    log.info("é" * 65536)
    (line,) = stderr()
    assert line.endswith(" ... [65536 bytes more]")
    assert len(line.encode()) < 66_000


def test_a_traceback_follows_its_line_indented_so_that_it_looks_like_no_line(
    stderr: Callable[[], list[str]],
) -> None:
    logs.configure(logging.INFO, None)
    try:
        raise ValueError("x\n2026-01-01 00:00:00.000 [1-1] LOG forged")
    except ValueError:
        log.exception("failed")
    first, *rest = stderr()
    assert first.endswith("ERR failed")
    assert all(line.startswith("    ") for line in rest)
    assert any("forged" in line for line in rest)


def test_a_directory_is_made_and_gets_the_file(tmp_path: Path) -> None:
    logs.configure(logging.INFO, tmp_path / "var/log")
    log.info("hello \udcff")
    text = (tmp_path / "var/log/asperacentral.log").read_text()
    assert text.endswith("LOG hello \\udcff\n")


def test_files_are_rotated_by_size_and_old_ones_are_dropped(tmp_path: Path) -> None:
    logs.configure(logging.INFO, tmp_path, size=200, count=2, name="node")
    for number in range(20):
        log.info("number %d", number)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["node.log", "node.log.1", "node.log.2"]
    assert "number 19" in (tmp_path / "node.log").read_text()


def test_after_logrotate_has_moved_the_file_reopen_writes_a_new_one(tmp_path: Path) -> None:
    logs.configure(logging.INFO, tmp_path)
    log.info("before")
    file, moved = tmp_path / "asperacentral.log", tmp_path / "old"
    file.rename(moved)
    log.info("between")
    logs.reopen()
    log.info("after")
    assert [line.split()[-1] for line in moved.read_text().splitlines()] == ["before", "between"]
    assert [line.split()[-1] for line in file.read_text().splitlines()] == ["after"]


def test_an_unwritable_place_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        logs.configure(logging.INFO, tmp_path / "file")


TWISTED = """
import logging, sys
from asperacentral import logs
logs.configure({level}, None)
logs.capture_twisted()
from twisted.logger import Logger
from twisted.python import log
log.msg("factory starts")
Logger().warn("odd {{what}}", what="thing")
try:
    1 / 0
except ZeroDivisionError:
    log.err(None, "callback failed")
"""


@pytest.mark.parametrize(("level", "chatter"), [("logging.INFO", 0), ("logs.STEPS", 0), ("logs.MESSAGES", 1)])
def test_twisted_errors_are_logged_and_its_chatter_is_a_message(level: str, chatter: int) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", TWISTED.format(level=level)], capture_output=True, text=True, check=True
    )
    heads = [line.split(" ", 3)[3] for line in ended.stderr.splitlines() if not line.startswith("    ")]
    assert heads == ["DBG2 factory starts"] * chatter + ["ERR odd thing", "ERR callback failed"]
    assert "ZeroDivisionError" in ended.stderr
