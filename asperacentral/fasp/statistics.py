"""What a session's messages add up to: counters of the session and of each of its files. Pure; told by messages.

Bytes are told in two ways by a transfer process, and they differ in meaning: `TransferBytes` were moved by this
session; `FileBytes` are at the destination, mostly with what an earlier session had brought, and for one part of a
file that several sessions share without it. A file found whole is told by its STOP alone (`StartByte` is its size,
nothing moved) and is in neither number. So what was there before is FileBytes less TransferBytes, plus such whole
files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from asperacentral.fasp.dialogue import HEARD, SessionState
from asperacentral.fasp.management import Message, MessageType
from asperacentral.fasp.messages import policy_of

KEPT_FILES = 10_000
"""Files that have ended and are remembered; older ones are forgotten, their counts stay."""


class FileState(StrEnum):
    """Where a file stands."""

    TRANSFERRING = "Transferring"
    FINISHED = "Finished"
    FAILED = "Failed"
    SKIPPED = "Skipped"


@dataclass(frozen=True, slots=True)
class FileStatistics:
    """One file. Sizes are bytes; up to `contiguous` the file at the destination may be read already."""

    name: str
    state: FileState = FileState.TRANSFERRING
    size: int = 0
    written: int = 0
    contiguous: int = 0
    start_byte: int = 0
    end_byte: int | None = None
    error_code: int = 0
    error_description: str = ""
    checksum: str = ""
    checksum_type: str = ""


@dataclass(frozen=True, slots=True)
class SessionStatistics:
    """One session, or a whole job. Rates are Kbps, sizes bytes, `delay` milliseconds, `elapsed` microseconds.

    `transferred_bytes` were moved, `existing_bytes` were at the destination before, `written_bytes` is FileBytes as
    the process tells it, which does not count files that were found whole.
    """

    state: SessionState = SessionState.SUBMITTED
    session_id: str = ""
    remote: bool = False
    direction: str = ""
    host: str = ""
    user: str = ""
    tcp_port: int = 0
    udp_port: int = 0
    encryption: bool = False
    cipher: str = ""
    target_rate: int = 0
    minimum_rate: int = 0
    policy: str = ""
    bandwidth_cap: int = 0
    measured_rate: int = 0
    path_mtu: int = 0
    transferred_bytes: int = 0
    written_bytes: int = 0
    existing_bytes: int = 0
    lost_bytes: int = 0
    delay: int = 0
    elapsed: int = 0
    total_bytes: int | None = None
    total_files: int | None = None
    files_complete: int = 0
    files_skipped: int = 0
    files_failed: int = 0
    transfers_attempted: int = 0
    transfers_failed: int = 0
    transfers_passed: int = 0
    transfers_skipped: int = 0
    paths_attempted: int = 0
    paths_failed: int = 0
    paths_irregular: int = 0
    paths_excluded: int = 0
    manifest_path: str = ""
    error_code: int = 0
    error_description: str = ""

    @property
    def average_rate(self) -> float:
        """Kbps of what was moved, since the session began."""
        return self.transferred_bytes * 8000 / self.elapsed if self.elapsed else 0.0


_NUMBERS: Mapping[str, str] = {
    "TCPPort": "tcp_port",
    "Port": "udp_port",
    "Rate": "target_rate",
    "MinRate": "minimum_rate",
    "ServiceLevel": "bandwidth_cap",
    "BWMeasurement": "measured_rate",
    "PMTU": "path_mtu",
    "TransferBytes": "transferred_bytes",
    "FileBytes": "written_bytes",
    "Loss": "lost_bytes",
    "Delay": "delay",
    "Elapsedusec": "elapsed",
    "TransfersAttempted": "transfers_attempted",
    "TransfersFailed": "transfers_failed",
    "TransfersPassed": "transfers_passed",
    "TransfersSkipped": "transfers_skipped",
    "PathScansAttempted": "paths_attempted",
    "PathScansFailed": "paths_failed",
    "PathScansIrregular": "paths_irregular",
    "PathScansExcluded": "paths_excluded",
}
_TEXTS: Mapping[str, str] = {
    "SessionId": "session_id",
    "Direction": "direction",
    "Host": "host",
    "User": "user",
    "Cipher": "cipher",
    "ManifestFile": "manifest_path",
}
_FIRST_ONLY: Mapping[str, str] = {"PreTransferBytes": "total_bytes", "PreTransferFiles": "total_files"}
"""Totals count when first told: what is told later may leave out what has been moved."""
_ABOUT_FILES = {
    MessageType.START,
    MessageType.STATS,
    MessageType.STOP,
    MessageType.SKIP,
    MessageType.FILEERROR,
}
_FILE_ENDS = {
    MessageType.STOP: FileState.FINISHED,
    MessageType.SKIP: FileState.SKIPPED,
    MessageType.FILEERROR: FileState.FAILED,
}


@dataclass(slots=True)
class Accumulator:
    """Adds up one session's messages. `session` is always up to date; `files` are by name, oldest first."""

    session: SessionStatistics = field(default_factory=SessionStatistics)
    files: dict[str, FileStatistics] = field(default_factory=dict)
    _whole_bytes: int = 0
    _ended: dict[str, None] = field(default_factory=dict)

    def take(self, message: Message) -> FileStatistics | None:
        """Count a message; the file it is about, if any. Fields that are absent or no numbers change nothing."""
        file = self._take_file(message) if message.type in _ABOUT_FILES and message.text("File") else None
        self._take_session(message)
        return file

    def _take_session(self, message: Message) -> None:
        changes: dict[str, object] = {
            name: message.count(wire)
            for wire, name in _NUMBERS.items()
            if message.count(wire, -1) >= 0 and not (wire == "FileBytes" and ":" in message.text(wire))
        }
        changes |= {name: message.text(wire) for wire, name in _TEXTS.items() if message.text(wire)}
        for wire, name in _FIRST_ONLY.items():
            if getattr(self.session, name) is None and message.count(wire, -1) >= 0:
                changes[name] = message.count(wire)
        for wire, name in (("Remote", "remote"), ("Encryption", "encryption")):
            if wire in message.fields:
                changes[name] = message.boolean(wire)
        if policy := policy_of(message):
            changes["policy"] = policy
        if message.type == MessageType.ERROR:
            changes |= {
                "error_code": message.count("Code"),
                "error_description": message.text("Description"),
            }
        state = HEARD.get((self.session.state, message.type))
        if state is not None:
            changes["state"] = state
        session = replace(self.session, **changes)  # type: ignore[arg-type]  # the tables name its fields
        before = max(session.written_bytes - session.transferred_bytes, 0)
        self.session = replace(session, existing_bytes=before + self._whole_bytes)

    def _take_file(self, message: Message) -> FileStatistics:
        name = message.text("File")
        known = self.files.get(name) or FileStatistics(name)
        state = _FILE_ENDS.get(MessageType(message.type), FileState.TRANSFERRING)
        file = replace(
            known,
            state=state,
            size=message.count("Size", known.size),
            written=message.count("Written", known.written),
            contiguous=message.count("Bytescont", known.contiguous),
            start_byte=message.count("StartByte", known.start_byte),
            end_byte=message.count("EndByte") if "EndByte" in message.fields else known.end_byte,
            error_code=message.count("Code") if state is FileState.FAILED else 0,
            error_description=message.text("Description") if state is FileState.FAILED else "",
            checksum=message.text("FileChecksum", known.checksum),
            checksum_type=message.text("FileChecksumType", known.checksum_type),
        )
        if state is not FileState.TRANSFERRING and name not in self._ended:
            self._count_ended(file, moved=known.written)
        self.files[name] = file
        return file

    def _count_ended(self, file: FileStatistics, moved: int) -> None:
        session = self.session
        self.session = replace(
            session,
            files_complete=session.files_complete + (file.state is not FileState.FAILED),
            files_skipped=session.files_skipped + (file.state is FileState.SKIPPED),
            files_failed=session.files_failed + (file.state is FileState.FAILED),
        )
        if file.state is not FileState.FAILED and not moved and file.start_byte >= file.size:
            self._whole_bytes += file.size
        self._ended[file.name] = None
        if len(self._ended) > KEPT_FILES:
            oldest = next(iter(self._ended))
            del self._ended[oldest]
            self.files.pop(oldest, None)
