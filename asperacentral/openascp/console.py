"""What a person at a terminal sees of a session: a progress line, and ascp's closing line."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TextIO

from asperacentral.fasp.messages import Progress, Tally, Value

_BAR = 30


class Console:
    """Writes to `stream`; the moving line only on a terminal, nothing at all when `quiet`."""

    def __init__(self, *, quiet: bool, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._quiet = quiet
        self._moving = not quiet and self._stream.isatty()

    def progress(self, progress: Progress, totals: Mapping[str, Value]) -> None:
        """Renew the progress line; `totals` are those of the NOTIFICATION, empty before the scan ends."""
        if not self._moving:
            return
        total = totals.get("PreTransferBytes")
        if isinstance(total, int) and total > 0:
            share = min(1.0, progress.file_bytes / total)
            bar = ("#" * round(_BAR * share)).ljust(_BAR, "-")
            text = f"[{bar}] {share:4.0%} of {total >> 10}K bytes"
        else:
            text = "scanning"
        self._write(f"\r{text}, {_kilobits(progress)}K bits/sec  ")

    def completed(self, progress: Progress, tally: Tally) -> None:
        """Close a session that ended well."""
        files = tally.passed + tally.skipped
        self._close(
            f"Completed: {progress.transfer_bytes >> 10}K bytes transferred in"
            f" {progress.elapsed // 1_000_000} seconds\n"
            f" ({_kilobits(progress)}K bits/sec), in {files} file{'' if files == 1 else 's'}."
        )

    def failed(self, code: int, text: str) -> None:
        """Close a session that failed."""
        self._close(f"Session Stop  (Error: {text}, code {int(code)})")

    def _close(self, text: str) -> None:
        if not self._quiet:
            self._write(f"{chr(10) if self._moving else ''}{text}\n")

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:  # nobody looks any more; the transfer goes on
            self._quiet = True
            self._moving = False


def _kilobits(progress: Progress) -> int:
    return progress.transfer_bytes * 8000 // max(progress.elapsed, 1)
