"""Log levels and where lines go: `YYYY-MM-DD hh:mm:ss.mmm [pid-tid] LEVEL text` on stderr or in a directory.

Every module logs with `logging.getLogger(__name__)`. What is always shown: errors (`log.error`) and the life
of jobs (`log.info`). `-D` adds steps (`log.debug`), `-DD` messages (`log.log(MESSAGES, ...)`) and `-DDD`
every SOAP body and management frame (`log.log(BODIES, ...)`), secrets masked by whoever logs them. Times are
local, as in the system's log. This module knows nothing of what is logged.
"""

from __future__ import annotations

import logging
import logging.handlers
import os
import re
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from twisted.logger import LogEvent

STEPS = logging.DEBUG
MESSAGES = 8
BODIES = 6

MAX_LINE = 64 * 1024
"""Bytes of one message that are written; what is cut off is counted at its end."""

_OTHERS = logging.WARNING
"""Libraries are heard from this level on: some log whole bodies, unmasked, at lower ones."""


def configure(
    level: int, directory: Path | None, *, size: int = 10 << 20, count: int = 9, name: str = "asperacentral"
) -> None:
    """Send log lines of `level` and above to `directory`/`name`.log, or to stderr when it is None.

    At `size` bytes a new file is begun and `count` old ones are kept. Replaces what was configured before.
    Raises OSError when the file cannot be opened.
    """
    handler: logging.Handler
    if directory is None:
        handler = logging.StreamHandler(sys.stderr)
    else:
        directory.mkdir(parents=True, exist_ok=True)
        handler = _LogFile(
            directory / f"{name}.log",
            maxBytes=size,
            backupCount=count,
            encoding="utf-8",
            errors="backslashreplace",
        )
    handler.setFormatter(_LineFormatter())
    root = logging.getLogger()
    for former in root.handlers[:]:
        root.removeHandler(former)
        former.close()
    root.addHandler(handler)
    # No line tells where in the program it was written; not to look for that is a third of what a line costs.
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    set_level(level)


def set_level(level: int) -> None:
    """Log lines of `level` and above from now on."""
    logging.getLogger().setLevel(max(level, _OTHERS))
    for own in ("asperacentral", "twisted"):
        logging.getLogger(own).setLevel(level)


def reopen() -> None:
    """Open the log file again by its name: another program has moved it away (logrotate)."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            handler.close()  # the next line opens it again


def capture_twisted() -> None:
    """Take in what Twisted logs: its errors as errors, its chatter about ports and factories as messages."""
    from twisted.logger import ILogObserver, LogLevel, formatEvent, globalLogBeginner

    levels = {
        LogLevel.debug: MESSAGES,
        LogLevel.info: MESSAGES,
        LogLevel.warn: logging.WARNING,
        LogLevel.error: logging.ERROR,
        LogLevel.critical: logging.ERROR,
    }
    logger = logging.getLogger("twisted")

    def observe(event: LogEvent) -> None:
        level = levels.get(event.get("log_level", LogLevel.info), logging.ERROR)
        if not logger.isEnabledFor(level):
            return
        failure: Any = event.get("log_failure") or event.get("failure")
        error = (failure.type, failure.value, failure.getTracebackObject()) if failure else None
        text = formatEvent(event)
        if failure:
            text = text.partition("\n")[
                0
            ]  # events of the older interface carry the traceback in their text, too
        logger.log(level, "%s", text, exc_info=error)

    globalLogBeginner.beginLoggingTo(
        [cast(ILogObserver, observe)], redirectStandardIO=False, discardBuffer=True
    )


_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _escaped(text: str) -> str:
    """Nothing in a line may end it, or turn the writing direction of a terminal."""
    return _CONTROL.sub(lambda found: _SHORT.get(found[0], f"\\x{ord(found[0]):02x}"), text)


def _cut(text: str) -> str:
    if len(text) * 4 <= MAX_LINE:
        return text
    encoded = text.encode("utf-8", "backslashreplace")
    if len(encoded) <= MAX_LINE:
        return text
    return f"{encoded[:MAX_LINE].decode('utf-8', 'ignore')} ... [{len(encoded) - MAX_LINE} bytes more]"


class Lines(list[str]):
    """What a record may have for its message: several messages of one moment, each of which becomes a line."""


class _LogFile(logging.handlers.RotatingFileHandler):
    """Makes each line once, and writes whole records: other processes may write to the file as well."""

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        try:
            text = self.format(record) + self.terminator
            if self.stream is None:
                self.stream = self._open()
            if 0 < self.maxBytes <= os.fstat(self.stream.fileno()).st_size + len(text):
                self.doRollover()
            self.stream.write(text)
            self.stream.flush()
        except Exception:
            self.handleError(record)


class _LineFormatter(logging.Formatter):
    """One line per message; the lines of a traceback follow it, indented, so that none looks like a record."""

    def __init__(self) -> None:
        super().__init__()
        self._second = -1
        self._stamp = ""

    def format(self, record: logging.LogRecord) -> str:
        second = int(record.created)
        if second != self._second:
            self._stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))
            self._second = second
        place = f"{os.getpid()}-{threading.get_native_id()}"
        head = f"{self._stamp}.{int(record.msecs):03d} [{place}] {_word(record.levelno)} "
        texts = record.msg if isinstance(record.msg, Lines) else [record.getMessage()]
        line = "\n".join([head + _cut(_escaped(text)) for text in texts])
        if record.exc_info:
            trace = self.formatException(record.exc_info)
            line += _cut("".join(f"\n    {_escaped(part)}" for part in trace.split("\n")))
        return line


def _word(level: int) -> str:
    for least, word in ((logging.WARNING, "ERR"), (logging.INFO, "LOG"), (STEPS, "DBG1"), (MESSAGES, "DBG2")):
        if level >= least:
            return word
    return "DBG3"
