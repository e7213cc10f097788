"""Builders of FASPMGR 2 messages: a manager's commands, and what a transfer process reports.

Rates are Kbps (1,000 bit/s), sizes bytes, `delay` milliseconds, `elapsed` microseconds. The names of
parameters are this package's words; what they are called on the wire is known here. Which message is in order
when is told by `dialogue`; how it is written by `management`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from asperacentral.fasp.management import LocalProtocolError, Message, MessageType, RemoteProtocolError

Value = str | int | None
"""A field's value: a boolean becomes Yes or No, None leaves the field out."""

SENDING = "Send"
RECEIVING = "Receive"

LINGER = "LINGER"
SHUTDOWN = "SHUTDOWN"

VIRTUAL_LINKS = range(1, 256)
_RANGE = re.compile(r"([0-9]{0,18}):([0-9]{0,18})", re.ASCII)

_POLICIES: dict[str, dict[str, str]] = {
    "fixed": {"Adaptive": "Fixed"},
    "high": {"Adaptive": "Adaptive", "Priority": "1"},
    "fair": {"Adaptive": "Adaptive", "Priority": "2"},
    "low": {"Adaptive": "Trickle"},
}
POLICIES = tuple(_POLICIES)


@dataclass(frozen=True, slots=True)
class Identity:
    """Which session speaks: repeated in all its messages. `user_str` is what the manager gave with -u."""

    session_id: str
    user_str: str = ""
    cookie: str = ""


@dataclass(frozen=True, slots=True)
class Rates:
    """The control values in force."""

    target_rate: int
    minimum_rate: int = 0
    policy: str = "fair"

    def fields(self) -> dict[str, Value]:
        """The fields that say so."""
        return {"Rate": self.target_rate, "MinRate": self.minimum_rate, **policy_fields(self.policy)}


@dataclass(frozen=True, slots=True)
class FileState:
    """One file of a session: `path` as the source names it; found complete, `start_byte` equals `size`.

    `end_byte` is given for a part of a file that several sessions share: its last byte.
    """

    path: str
    size: int
    written: int = 0
    contiguous: int = 0
    start_byte: int = 0
    id: str | None = None
    argument: int | None = None
    end_byte: int | None = None

    def fields(self) -> dict[str, Value]:
        """The fields that say so."""
        return {
            "File": self.path,
            "Size": self.size,
            "Written": self.written,
            "Bytescont": self.contiguous,
            "StartByte": self.start_byte,
            "EndByte": self.end_byte,
            "FaspFileID": self.id,
            "FaspFileArgIndex": self.argument,
        }


@dataclass(frozen=True, slots=True)
class Progress:
    """The session so far: bytes moved by it, and bytes at the destination including what was there before."""

    transfer_bytes: int = 0
    file_bytes: int = 0
    loss: int = 0
    delay: int = 0
    elapsed: int = 0

    def fields(self) -> dict[str, Value]:
        """The fields that say so."""
        return {
            "TransferBytes": self.transfer_bytes,
            "FileBytes": self.file_bytes,
            "Loss": self.loss,
            "Delay": self.delay,
            "Elapsedusec": self.elapsed,
        }


@dataclass(frozen=True, slots=True)
class Tally:
    """The closing counts: sources named, paths found below them, files transferred."""

    arguments_attempted: int = 0
    arguments_completed: int = 0
    paths_attempted: int = 0
    paths_failed: int = 0
    paths_irregular: int = 0
    paths_excluded: int = 0
    folders_scanned: int = 0
    files_scanned: int = 0
    attempted: int = 0
    failed: int = 0
    passed: int = 0
    skipped: int = 0

    def fields(self) -> dict[str, Value]:
        """The fields that say so."""
        return {
            "ArgScansAttempted": self.arguments_attempted,
            "ArgScansCompleted": self.arguments_completed,
            "PathScansAttempted": self.paths_attempted,
            "PathScansFailed": self.paths_failed,
            "PathScansIrregular": self.paths_irregular,
            "PathScansExcluded": self.paths_excluded,
            "DirScansCompleted": self.folders_scanned,
            "FileScansCompleted": self.files_scanned,
            "TransfersAttempted": self.attempted,
            "TransfersFailed": self.failed,
            "TransfersPassed": self.passed,
            "TransfersSkipped": self.skipped,
        }


@dataclass(frozen=True, slots=True)
class SourceState:
    """One source that is done with: how many transfers it made, and what became of them."""

    source: str
    destination: str = ""
    index: int | None = None
    size: int = 0
    attempted: int = 0
    failed: int = 0
    passed: int = 0
    skipped: int = 0

    def fields(self) -> dict[str, Value]:
        """The fields that say so."""
        return {
            "Source": self.source,
            "Destination": self.destination or None,
            "FaspFileArgIndex": self.index,
            "Size": self.size,
            "ArgTransfersStatus": "Failed" if self.failed else "Passed",
            "ArgTransfersAttempted": self.attempted,
            "ArgTransfersFailed": self.failed,
            "ArgTransfersPassed": self.passed,
            "ArgTransfersSkipped": self.skipped,
        }


def policy_fields(policy: str) -> dict[str, str]:
    """The fields that say `policy` (fixed, high, fair, low). LocalProtocolError for another word."""
    try:
        return _POLICIES[policy]
    except KeyError:
        raise LocalProtocolError(f"unknown rate policy {policy!r}") from None


def policy_of(message: Message) -> str | None:
    """The policy a message speaks of; None when it names none. Adaptive without a Priority is fair."""
    match message.text("Adaptive"), message.text("Priority"):
        case "Adaptive", "1":
            return "high"
        case "Adaptive", _:
            return "fair"
        case "Fixed", _:
            return "fixed"
        case "Trickle", _:
            return "low"
    return None


LARGEST_RATE = 1_000_000_000
"""Kbps: 1 Tbit/s; more is taken for this."""


def rates_of(message: Message, rates: Rates) -> Rates:
    """What is in force after a RATE: what it gives, bounded, and for the rest what was (`rates`)."""
    target = message.integer("Rate", rates.target_rate)
    minimum = message.integer("MinRate", rates.minimum_rate)
    return Rates(_bounded(target), _bounded(minimum), policy_of(message) or rates.policy)


def _bounded(rate: int) -> int:
    return min(max(0, rate), LARGEST_RATE)


# Commands of a manager.


def rate(
    target_rate: int | None = None, minimum_rate: int | None = None, policy: str | None = None
) -> Message:
    """Change what is given and leave the rest; a target rate of 0 pauses. LocalProtocolError if negative."""
    if min(target_rate or 0, minimum_rate or 0) < 0:
        raise LocalProtocolError("a rate is never negative")
    fields: dict[str, Value] = {"Rate": target_rate, "MinRate": minimum_rate}
    if policy is not None:
        fields.update(policy_fields(policy))
    return Message(MessageType.RATE, _written(fields))


def cancel() -> Message:
    """End the session; the process answers with ERROR 28 and exits."""
    return Message(MessageType.CANCEL)


def add_source(
    source: str, destination: str = "", *, first_byte: int | None = None, last_byte: int | None = None
) -> Message:
    """START: have a persistent session move `source` to `destination`; of a file, if given, only a range.

    LocalProtocolError when there is no source or the range is none.
    """
    if not source:
        raise LocalProtocolError("START needs a source")
    if min(first_byte or 0, last_byte or 0) < 0 or (last_byte is not None and last_byte < (first_byte or 0)):
        raise LocalProtocolError(f"{first_byte}:{last_byte} is no range of bytes")
    parts = ("" if part is None else str(part) for part in (first_byte, last_byte))
    whole = first_byte is None and last_byte is None
    fields: dict[str, Value] = {"Source": source, "Destination": destination or None}
    return Message(MessageType.START, _written({**fields, "FileBytes": None if whole else ":".join(parts)}))


def range_of(message: Message) -> tuple[int | None, int | None]:
    """First and last byte that a manager's START asks for, each None when left open.

    RemoteProtocolError when they are no range.
    """
    said = message.text("FileBytes")
    if not said:
        return None, None
    found = _RANGE.fullmatch(said)
    if found is None:
        raise RemoteProtocolError(f"FileBytes {said[:40]!r} is no range of bytes")
    first, last = (int(part) if part else None for part in found.groups())
    if last is not None and last < (first or 0):
        raise RemoteProtocolError(f"FileBytes {said!r} ends before it begins")
    return first, last


def cancel_source(source: str) -> Message:
    """STOP: have a persistent session give up one source, named as its STATS name it."""
    return Message(MessageType.STOP, {"Source": source})


def linger() -> Message:
    """DONE, LINGER: a persistent session takes no more sources and ends when those it has are moved."""
    return Message(MessageType.DONE, {"Operation": LINGER})


def shut_down() -> Message:
    """DONE, SHUTDOWN: a persistent session ends now."""
    return Message(MessageType.DONE, {"Operation": SHUTDOWN})


def lingers(message: Message) -> bool:
    """Whether a manager's DONE waits for pending work; without an Operation it means shutdown."""
    return message.text("Operation").upper() == LINGER


def query_response(query: Message, response: str) -> Message:
    """The answer to a process's QUERY: it repeats what was asked and the command's id."""
    repeated = {name: query.fields[name] for name in ("Query", "CommandId") if name in query.fields}
    return Message(MessageType.QUERYRSP, {**repeated, "QueryResponse": response})


def virtual_link(number: int, *, on: bool, cap_in: int | None = None, cap_out: int | None = None) -> Message:
    """VLINK: put the session under a virtual link (1 to 255), whose caps (Kbps) hold for the sum of its sessions.

    LocalProtocolError for a number or cap that is none.
    """
    if number not in VIRTUAL_LINKS or min(cap_in or 0, cap_out or 0) < 0:
        raise LocalProtocolError(f"no virtual link {number} with caps {cap_in} and {cap_out} Kbps")
    fields: dict[str, Value] = {
        "VlinkID": number,
        "VlinkOn": on,
        "VlinkCapIn": cap_in,
        "VlinkCapOut": cap_out,
    }
    return Message(MessageType.VLINK, _written(fields))


# Reports of a transfer process.


def init(who: Identity, *, direction: str, operation: str = "Transfer") -> Message:
    """The first message, right after the connection is made. `direction` is `SENDING` or `RECEIVING`."""
    return report(MessageType.INIT, who, {"Direction": direction, "Operation": operation})


def session(
    who: Identity, *, direction: str, rates: Rates, negotiated: Mapping[str, Value] | None = None
) -> Message:
    """The control connection is up; `negotiated` holds further fields by their names on the wire."""
    return report(MessageType.SESSION, who, {**(negotiated or {}), "Direction": direction, **rates.fields()})


def notification(
    who: Identity, *, rates: Rates | None = None, found: Mapping[str, Value] | None = None
) -> Message:
    """Rates changed (the answer to RATE), or something became known: `found`, by names on the wire."""
    return report(MessageType.NOTIFICATION, who, {**(found or {}), **(rates.fields() if rates else {})})


def totals(*, file_count: int, byte_count: int, folder_count: int = 0) -> dict[str, Value]:
    """What pre-calculation found, for `notification(found=...)`."""
    return {
        "PreTransferFiles": file_count,
        "PreTransferBytes": byte_count,
        "PreTransferDirs": folder_count,
    }


def start(who: Identity, file: FileState) -> Message:
    """A file starts."""
    return report(MessageType.START, who, file.fields())


def stats(who: Identity, *, file: FileState | None, progress: Progress, rates: Rates) -> Message:
    """Progress of the session and of the file that moves now, if any; due each second, even when idle."""
    return report(
        MessageType.STATS, who, {**(file.fields() if file else {}), **progress.fields(), **rates.fields()}
    )


def stop(
    who: Identity,
    file: FileState,
    *,
    progress: Progress,
    checksum: str | None = None,
    checksum_type: str | None = None,
) -> Message:
    """A file ended well."""
    checked: dict[str, Value] = {"FileChecksum": checksum, "FileChecksumType": checksum_type}
    return report(MessageType.STOP, who, {**file.fields(), **progress.fields(), **checked})


def fileerror(
    who: Identity, file: FileState, *, code: int, description: str, progress: Progress | None = None
) -> Message:
    """One file failed; the session goes on."""
    fields = {**file.fields(), **(progress.fields() if progress else {}), **_failure(code, description)}
    return report(MessageType.FILEERROR, who, fields)


def skip(who: Identity, file: FileState) -> Message:
    """A file was not moved, because of the overwrite or resume rule."""
    return report(MessageType.SKIP, who, file.fields())


def argstop(who: Identity, source: SourceState) -> Message:
    """One source, given as an argument, in a list or by START, is done with."""
    return report(MessageType.ARGSTOP, who, source.fields())


def query(who: Identity, *, question: str, command_id: str) -> Message:
    """Ask the manager; its QUERYRSP repeats `command_id`."""
    return report(MessageType.QUERY, who, {"Query": question, "CommandId": command_id})


def done(
    who: Identity, *, direction: str, progress: Progress, tally: Tally, manifest: str | None = None
) -> Message:
    """The session ended well; the last message. `manifest` is the path of the session's manifest."""
    return report(MessageType.DONE, who, _closing(direction, progress, tally, manifest))


def error(
    who: Identity,
    *,
    direction: str,
    code: int,
    description: str,
    progress: Progress,
    tally: Tally,
    manifest: str | None = None,
) -> Message:
    """The session failed; the last message. `manifest` is the path of the session's manifest."""
    closing = _closing(direction, progress, tally, manifest)
    return report(MessageType.ERROR, who, {**closing, **_failure(code, description)})


def report(kind: MessageType, who: Identity, fields: Mapping[str, Value]) -> Message:
    """Any message of a process, by field names on the wire; the identity is added."""
    identity: dict[str, Value] = {
        "SessionId": who.session_id,
        "UserStr": who.user_str or None,
        "Cookie": who.cookie or None,
    }
    return Message(kind, _written({**fields, **identity}))


def _closing(direction: str, progress: Progress, tally: Tally, manifest: str | None) -> dict[str, Value]:
    said: dict[str, Value] = {"Direction": direction, "Operation": "Transfer", "ManifestFile": manifest}
    return {**said, **progress.fields(), **tally.fields()}


def _failure(code: int, description: str) -> dict[str, Value]:
    """A description is free text of any origin: its line breaks must not prevent the report."""
    return {"Code": int(code), "Description": " ".join(description.split())}


def _written(fields: Mapping[str, Value]) -> dict[str, str]:
    return {name: _text(value) for name, value in fields.items() if value is not None}


def _text(value: str | int) -> str:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    return str(value)
