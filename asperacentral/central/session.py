"""A session: one attempt to move a job's files, followed through its process's messages (contract §9.1, §14).

`Session.hear` takes one management message and brings the record and its file transfers up to date; `Session.end`
closes it. Both return what changed as `Changes`; nothing here does I/O or looks at a clock.
"""

from __future__ import annotations

import re
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from asperacentral.central import transfer
from asperacentral.central.model import FileRecord, SessionRecord
from asperacentral.fasp.management import Message, MessageType
from asperacentral.fasp.messages import policy_of


class SessionEvent(StrEnum):
    """What can happen to a session."""

    PAUSE = "its target rate became 0"
    RESUME = "its target rate is above 0 again"
    COMPLETE = "it ended well"
    FAIL = "it ended in an error"
    RETRY = "it ended in an error and another session follows"
    CANCEL = "the user cancelled it"
    LOSE = "it ended while nobody watched"


E = SessionEvent

TABLE: dict[tuple[str, SessionEvent], str] = {
    ("running", E.PAUSE): "paused",
    ("paused", E.RESUME): "running",
    **{
        (state, event): after
        for state in ("running", "paused")
        for event, after in (
            (E.COMPLETE, "completed"),
            (E.FAIL, "error"),
            (E.RETRY, "willretry"),
            (E.CANCEL, "cancelled"),
            (E.LOSE, "orphaned"),
        )
    },
}
"""State on the wire and happening -> state. What is not in it changes nothing."""

TOLD = 50_000
"""How many ended files are remembered by id: more than a process tells again."""

TRANSPORTS = {"udp": "fasp", "ssh": "ssh", "sftp": "sftp", "http": "http"}
"""A process's word for what carries the files -> ours."""

_FILE_ID = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{8}){4}")

UNDER_WAY = frozenset({"running", "paused"})
STATES = frozenset({state for state, _ in TABLE} | set(TABLE.values()))


@dataclass(slots=True)
class Changes:
    """What a message or an end changed: topics to announce, in order, and file transfers that ended."""

    topics: list[str] = field(default_factory=list)
    ended_files: list[FileRecord] = field(default_factory=list)
    status: bool = False
    """Whether the state or a parameter changed, not only counters: worth writing down at once."""


@dataclass(slots=True)
class Session:
    """A session under way: its record, its files in flight, and what its process said last.

    `new_local_id` numbers file transfers in the store; `stamp` gives the next place in the stream of changes.
    """

    record: SessionRecord
    new_local_id: Callable[[], int]
    stamp: Callable[[], int]
    files: dict[str, FileRecord] = field(default_factory=dict)
    told: OrderedDict[str, None] = field(default_factory=OrderedDict)
    """Ids of files that ended lately: a process that lost its manager tells its last seconds again."""
    started: bool = False
    said_done: bool = False
    said_error: bool = False

    def hear(self, message: Message, now: float) -> Changes:
        """Take one message of the session's process; `now` is seconds since the epoch."""
        changes = Changes()
        handler = _HANDLERS.get(message.type)
        if handler is not None:
            handler(self, message, now, changes)
            self.record.touched(self.stamp())
        return changes

    def end(self, event: SessionEvent, now: float) -> Changes:
        """Close the session with COMPLETE, FAIL, RETRY, CANCEL or LOSE; files in flight end as errors."""
        changes = Changes(status=True)
        record = self.record
        for file in list(self.files.values()):
            code = record.error_code or 39
            self._end_file(
                file, transfer.FAIL, now, changes, code, record.error_description or "the session ended"
            )
        if event is E.CANCEL and not record.error_code:
            record.error_code, record.error_description = 28, "cancelled by the user"
        record.status = TABLE.get((record.status, event), record.status)
        record.end_date = now
        record.elapsed = record.elapsed or int((now - record.start_date) * 1e6)
        if event in (E.FAIL, E.RETRY, E.LOSE):
            changes.topics.append("Error")
        changes.topics.append("Stopped")
        record.touched(self.stamp())
        return changes

    def _follow_rate(self, message: Message, changes: Changes) -> None:
        record = self.record
        before = (record.target_rate, record.minimum_rate, record.rate_policy)
        record.target_rate = message.count("Rate", record.target_rate)
        record.minimum_rate = message.count("MinRate", record.minimum_rate)
        record.rate_policy = policy_of(message) or record.rate_policy
        event = E.PAUSE if record.target_rate == 0 else E.RESUME
        record.status = TABLE.get((record.status, event), record.status)
        if (record.target_rate, record.minimum_rate, record.rate_policy) != before:
            changes.status = True
            if self.started:
                changes.topics.append("RateParameters")

    def _follow_transport(self, message: Message) -> bool:
        """What carries the files; a program that says nothing known of it is taken to use UDP, as ascp does."""
        before = self.record.transport
        self.record.transport = TRANSPORTS.get(message.text("Transport").lower(), before)
        return self.record.transport != before

    def _follow_link(self, message: Message) -> bool:
        """The virtual link it is under; it may be put under another one, or none."""
        before = self.record.vlink_id
        if message.text("VLinkLocalEnabled").lower() == "no":
            self.record.vlink_id = None
        else:
            self.record.vlink_id = message.count("VLinkLocalId", before or 0) or None
        return self.record.vlink_id != before

    def _session(self, message: Message, _now: float, changes: Changes) -> None:
        record = self.record
        record.user = message.text("User", record.user)
        here, there = message.text("LocalIP"), message.text("RemoteAddress")
        if record.server_endpoint == "Local":
            record.server_address = here or record.server_address
            record.client_address = there or record.client_address
        else:
            record.server_address = record.server_address or message.text("Host") or there or None
            record.client_address = here or record.client_address
        record.bandwidth_cap = message.count("RateCap", record.bandwidth_cap)
        self._follow_link(message)
        record.server_ssh_port = message.count("TCPPort", record.server_ssh_port)
        record.server_fasp_port = message.count("Port", record.server_fasp_port)
        record.client_fasp_port = message.count("Port", record.client_fasp_port)
        record.encryption_cipher = message.text("Cipher", record.encryption_cipher)
        self._follow_transport(message)
        record.source_path = message.text("Source", record.source_path or "") or None
        record.destination_path = message.text("Destination", record.destination_path or "") or None
        if message.text("PostTransferValidation", "").lower() == "yes":
            record.post_transfer_validation = True
        self._follow_rate(message, changes)
        changes.status = True
        if not self.started:
            self.started = True
            changes.topics.append("Started")

    def _notification(self, message: Message, _now: float, changes: Changes) -> None:
        record = self.record
        expected = (record.expected_file_count, record.expected_dir_count, record.expected_byte_count)
        record.expected_file_count = message.count("PreTransferFiles", expected[0])
        record.expected_dir_count = message.count("PreTransferDirs", expected[1])
        record.expected_byte_count = message.count("PreTransferBytes", expected[2])
        record.rate_info = message.text("RateInfo", record.rate_info or "") or None
        record.encryption_cipher = message.text("Cipher", record.encryption_cipher)
        changes.status |= self._follow_transport(message) | self._follow_link(message)
        self._follow_rate(message, changes)

    def _totals(self, message: Message) -> None:
        record = self.record
        record.bytes_transferred = message.count("TransferBytes", record.bytes_transferred)
        record.bytes_written = message.count("FileBytes", record.bytes_written)
        record.bytes_lost = message.count("Loss", record.bytes_lost)
        record.elapsed = message.count("Elapsedusec", record.elapsed)
        record.network_delay = message.count("Delay", record.network_delay)
        if "TransfersAttempted" in message.fields:
            # Absolute counters heal what was missed, or told twice, around a restart.
            passed, skipped = message.count("TransfersPassed", 0), message.count("TransfersSkipped", 0)
            record.files_complete = passed + skipped
            record.files_failed = message.count("TransfersFailed", 0)
        self._count()

    def _count(self) -> None:
        record = self.record
        record.files_transferring = len(self.files)
        record.file_count = record.files_complete + record.files_failed + record.files_transferring

    def _stats(self, message: Message, now: float, changes: Changes) -> None:
        self._totals(message)
        if message.text("File", "") and not self._told_before(message):
            self._follow_file(message, now)
        changes.topics.append("Statistics")

    def _told_before(self, message: Message) -> bool:
        return message.text("FaspFileID", "") in self.told

    def _start(self, message: Message, now: float, _changes: Changes) -> None:
        if self._told_before(message):
            return
        self._follow_file(message, now)
        self._count()

    def _follow_file(self, message: Message, now: float) -> FileRecord:
        key = message.text("File", "")  # Not every message bears the file's id, but all bear its path.
        file = self.files.get(key)
        if file is None:
            file = FileRecord(
                session_id=self.record.id,
                path=key,
                local_id=self.new_local_id(),
                id=_file_id(message.text("FaspFileID", "")),
                start_date=now,
                file_type="file",
            )
            self.files[key] = file
        file.size = message.count("Size", file.size)
        file.start_offset = message.count("StartByte", file.start_offset)
        file.bytes_written = message.count("Written", file.bytes_written)
        file.bytes_contiguous = message.count("Bytescont", file.bytes_written)
        file.elapsed = int((now - file.start_date) * 1e6)
        file.touched(self.stamp())
        current = self.record.current_file
        current.name, current.size = file.path, file.size
        current.bytes_written, current.bytes_contiguous = file.bytes_written, file.bytes_contiguous
        current.start_byte, current.elapsed = file.start_offset, file.elapsed
        current.error_code, current.error_description = 0, ""
        return file

    def _stop(self, message: Message, now: float, changes: Changes) -> None:
        if self._told_before(message):
            return
        file = self._follow_file(message, now)
        file.bytes_written = message.count("Written", file.size)
        file.bytes_contiguous = file.bytes_written
        file.checksum = message.text("FileChecksum", "") or None
        file.checksum_type = message.text("FileChecksumType", "") or None
        whole = transfer.STOP_UNVALIDATED if self.record.post_transfer_validation else transfer.STOP
        self._end_file(file, whole, now, changes)
        self._totals(message)

    def _file_error(self, message: Message, now: float, changes: Changes) -> None:
        if self._told_before(message):
            return
        file = self._follow_file(message, now)
        self._end_file(
            file, transfer.FAIL, now, changes, message.count("Code", 0), message.text("Description", "")
        )

    def _end_file(
        self, file: FileRecord, event: str, now: float, changes: Changes, code: int = 0, description: str = ""
    ) -> None:
        file.status = transfer.TABLE[file.status, event]
        file.end_date = now
        file.error_code, file.error_description = code, description
        file.touched(self.stamp())
        del self.files[file.path]
        self.told[file.id] = None
        if len(self.told) > TOLD:
            self.told.popitem(last=False)
        if event == transfer.FAIL:
            self.record.files_failed += 1
            self.record.current_file.error_code = code
            self.record.current_file.error_description = description
        else:
            self.record.files_complete += 1
        self._count()
        changes.ended_files.append(file)

    def _done(self, message: Message, _now: float, _changes: Changes) -> None:
        self.said_done = True
        self._totals(message)

    def _error(self, message: Message, _now: float, changes: Changes) -> None:
        self.said_error = True
        self._totals(message)
        self.record.error_code = message.count("Code", 0)
        self.record.error_description = message.text("Description", "")
        changes.status = True


_HANDLERS: dict[str, Callable[[Session, Message, float, Changes], None]] = {
    MessageType.SESSION: Session._session,
    MessageType.NOTIFICATION: Session._notification,
    MessageType.START: Session._start,
    MessageType.STATS: Session._stats,
    MessageType.STOP: Session._stop,
    MessageType.SKIP: Session._stop,
    MessageType.FILEERROR: Session._file_error,
    MessageType.DONE: Session._done,
    MessageType.ERROR: Session._error,
}


def _file_id(given: str) -> str:
    """Five groups of eight hex digits: the process's own id when it has that form, else a new one."""
    lower = given.lower()
    if _FILE_ID.fullmatch(lower):
        return lower
    digits = uuid.uuid4().hex + uuid.uuid4().hex[:8]
    return "-".join(digits[at : at + 8] for at in range(0, 40, 8))
