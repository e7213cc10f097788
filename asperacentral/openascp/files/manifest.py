"""The manifest of a session: a text file that lists what was moved, one line for each file.

While it is written its name has a suffix, `.aspera-inprogress` unless another is asked for. Lines are tab-separated:
what became of the file, its bytes, checksum (`sha-256:...` or `-`), source and target. In paths a backslash stands
before `\\`, and tabs and line breaks are written `\\t`, `\\n` and `\\r`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

IN_PROGRESS = ".aspera-inprogress"
POLICIES = ("none", "text")
_ESCAPES = {b"\\": b"\\\\", b"\t": b"\\t", b"\n": b"\\n", b"\r": b"\\r"}


def manifest_name(session_id: str) -> str:
    """What the manifest of a session is called."""
    return f"aspera-transfer-{session_id}.manifest.txt"


class ManifestText:
    """The lines of a manifest, written to `file` as they come. OSError."""

    def __init__(self, file: IO[bytes], session_id: str, heading: str) -> None:
        self._file = file
        self._file.write(f"# manifest of session {session_id} {heading}".rstrip().encode() + b"\n")
        self._file.write(b"# result\tbytes\tchecksum\tsource\ttarget\n")
        self._file.flush()

    def add(self, result: str, size: int, checksum: str, source: bytes, target: bytes) -> None:
        """Write the line of one file; `result` is completed, skipped or failed. OSError."""
        fields = (result.encode(), b"%d" % size, checksum.encode() or b"-", escaped(source), escaped(target))
        self._file.write(b"\t".join(fields) + b"\n")
        self._file.flush()

    def end(self, outcome: str) -> None:
        """Say how the session ended, and sync. OSError."""
        self._file.write(f"# session {outcome}\n".encode())
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    @property
    def ended(self) -> bool:
        """Whether nothing can be written any more."""
        return self._file.closed


class Manifest(ManifestText):
    """An open manifest in `folder`, which is made if it is missing; named by the session. OSError."""

    def __init__(self, folder: Path, session_id: str, *, suffix: str = "", heading: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / manifest_name(session_id)
        """Where it is once the session has ended."""
        self._unfinished = self.path.with_name(self.path.name + (suffix or IN_PROGRESS))
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        super().__init__(os.fdopen(os.open(self._unfinished, flags, 0o644), "wb"), session_id, heading)

    def close(self, outcome: str) -> None:
        """End it with how the session ended, sync it and give it its name. OSError. A second call does nothing."""
        if self.ended:
            return
        self.end(outcome)
        self._unfinished.rename(self.path)


def escaped(path: bytes) -> bytes:
    """A path as it stands in a manifest."""
    for plain, code in _ESCAPES.items():  # the backslash first: the others bring new ones
        path = path.replace(plain, code)
    return path
