"""What of a session is written down for people: ascp's log lines, and the manifest.

Lines begin with `LOG FASP Session` or `LOG FASP Transfer` and go on with key=value; rates in them are bit/s, times
seconds. No secret is among the values, and no value can begin a new line.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path

from asperacentral import __version__, logs
from asperacentral.fasp.errors import FaspCode
from asperacentral.fasp.messages import Progress, Rates, Tally
from asperacentral.openascp.failures import Failure, SessionFailure, from_os_error, shown
from asperacentral.openascp.files.manifest import Manifest
from asperacentral.openascp.options import Options
from asperacentral.openascp.plan import PlannedFile

log = logging.getLogger(__name__)

Value = str | int | bool | None

_PLAIN = re.compile(r"[!#-<>-\[\]-~]+")
"""What is written as it is: no blank, quote, equals sign or backslash, nothing that is not ASCII."""


class SessionLog:
    """Of one session. `cookie` is shown as the other end sees it."""

    def __init__(self, options: Options, cookie: str = "") -> None:
        self._options = options
        self._cookie = cookie
        self._manifest: Manifest | None = None
        self._op = "send" if options.sending else "recv"
        self._common = pairs({"uuid": options.session_id, "op": self._op})
        self._lines = logs.Lines()

    @property
    def manifest_path(self) -> str | None:
        """Where the manifest is once the session has ended; None when there is none."""
        return None if self._manifest is None else str(self._manifest.path)

    def began(self, local: str, peer: str, rates: Rates) -> None:
        """The connection is up: say what was agreed on, and begin the manifest. SessionFailure when that fails."""
        options = self._options
        self._say(
            "Session Start",
            status="started",
            source=shown(options.sources[0]) if options.sources else "",
            dest=shown(options.destination),
            local=local,
            peer=peer,
            tcp_port=options.port,
            ver=__version__,
        )
        self._say(
            "Session Params",
            status="started",
            user=options.user,
            targetrate=rates.target_rate * 1000,
            minrate=rates.minimum_rate * 1000,
            rate_policy=rates.policy,
            cipher=options.cipher,
            resume=options.resume_level,
            create=options.create_path,
            ovr=options.overwrite,
            times=options.preserve.times,
            precalc=options.precalculate,
            mf=options.manifest,
            mf_path=None if options.manifest_path is None else str(options.manifest_path),
            keepalive=options.keepalive,
            udp_port=options.udp_port,
            dgram_sz=options.datagram_size,
            read_block=options.read_block,
            write_block=options.write_block,
            links=options.links,
            crypt=options.file_crypt or "none",
            cookie=self._cookie,
        )
        if options.manifest == "text":
            try:
                folder = options.manifest_path or manifest_folder(options)
                self._manifest = Manifest(
                    folder,
                    options.session_id,
                    suffix=options.manifest_suffix,
                    heading=self._op,
                )
            except OSError as error:
                failure = from_os_error(error, FaspCode.DISK_WRITE)
                raise SessionFailure(failure.code, f"the manifest cannot be written: {failure}") from error

    def started(self, file: PlannedFile, size: int, kept: int = 0) -> None:
        """A file begins to move, from byte `kept` on."""
        if log.isEnabledFor(logging.INFO):
            self._say_soon(
                "Start", f"status=started file={_value(shown(file.source))} size={size} start_byte={kept}"
            )

    def settled(
        self, file: PlannedFile, result: str, size: int, checksum: str = "", failure: Failure | None = None
    ) -> None:
        """A file ended as `result`: completed, skipped or failed. SessionFailure when the manifest cannot be kept."""
        summed = f"{self._options.checksum}:{checksum}" if checksum else ""
        if log.isEnabledFor(logging.INFO):
            text = f"status={result} file={_value(shown(file.source))} size={size}"
            if summed or failure is not None:
                code, why = (None, None) if failure is None else (int(failure.code), str(failure))
                text = f"{text} {pairs({'checksum': summed or None, 'code': code, 'err': why})}"
            self._say_soon("Stop", text)
        if self._manifest is None:
            return
        try:
            self._manifest.add(result, size, summed, file.source, file.target)
        except OSError as error:
            reason = from_os_error(error, FaspCode.DISK_WRITE)
            raise SessionFailure(reason.code, f"the manifest cannot be written: {reason}") from error

    def ended(self, failure: Failure | None, progress: Progress, tally: Tally) -> None:
        """The session ended; a manifest that cannot be finished is told in the log only, since all else is done."""
        seconds = progress.elapsed / 1_000_000
        status = "success" if failure is None else "failed"
        self._say(
            "Session Statistics",
            status=status,
            bytes=progress.transfer_bytes,
            elapsed=f"{seconds:.3f}",
            rate=round(progress.transfer_bytes * 8 / seconds) if seconds else 0,
            delay=progress.delay,
            loss=progress.loss,
            files_passed=tally.passed,
            files_skipped=tally.skipped,
            files_failed=tally.failed,
            paths_excluded=tally.paths_excluded,
        )
        self._say(
            "Session Stop",
            status=status,
            code=None if failure is None else int(failure.code),
            err=None if failure is None else str(failure),
        )
        if self._manifest is not None:
            try:
                self._manifest.close(
                    "completed" if failure is None else f"failed with code {int(failure.code)}"
                )
            except OSError as error:
                log.error("the manifest cannot be finished: %s", error.strerror)

    def _say(self, what: str, **values: Value) -> None:
        self._write()
        if log.isEnabledFor(logging.INFO):
            log.info("LOG FASP %s %s %s", what, self._common, pairs(values))

    def _say_soon(self, what: str, text: str) -> None:
        """Of a file. There may be very many: those of one turn of the loop are written at its end, at once."""
        self._lines.append(f"LOG FASP Transfer {what} {self._common} {text}")
        if len(self._lines) == 1:
            asyncio.get_running_loop().call_soon(self._write)

    def _write(self) -> None:
        if self._lines:
            lines, self._lines = self._lines, logs.Lines()
            log.info(lines)


def pairs(values: Mapping[str, Value]) -> str:
    """As key=value; texts that are not plain words are quoted as in JSON."""
    return " ".join(f"{name}={_value(value)}" for name, value in values.items() if value is not None)


def manifest_folder(options: Options) -> Path:
    """Where a manifest goes if nothing is said: below the first source, or below the destination."""
    if options.sending:
        first = Path(os.fsdecode(options.sources[0] if options.sources else b"."))
        return first if first.is_dir() else first.parent
    target = Path(os.fsdecode(options.destination))
    into = options.create_path or options.several or len(options.sources) > 1 or bool(options.placed)
    return target if into or target.is_dir() else target.parent


def _value(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) else json.dumps(value)
    return str(value)
