"""Answers as JSON: a record's members by table, kept with the record until it changes.

Names are the contract's in snake case, with the exceptions that are known: `session_uuid`, `file_id`, `transport`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from asperacentral.central.model import FileRecord, SessionRecord
from asperacentral.central.validation import Refusal

_FRAGMENT = "rest"
"""Under this name a record keeps its rendering."""

_DATES = frozenset({"start_date", "end_date"})

# Member -> attribute of the record, in the order of the contract.
SESSION_MEMBERS = {
    "session_uuid": "id",
    **{
        name: name
        for name in (
            "job_id",
            "status",
            "error_code",
            "error_description",
            "expected_file_count",
            "expected_dir_count",
            "expected_byte_count",
            "file_count",
            "files_complete",
            "files_failed",
            "files_transferring",
            "bytes_written",
            "bytes_transferred",
            "bytes_lost",
            "elapsed",
            "network_delay",
            "rate_info",
            "start_date",
            "end_date",
            "cookie",
            "direction",
            "server_endpoint",
            "server_address",
            "server_ssh_port",
            "server_fasp_port",
            "user",
            "client_endpoint",
            "client_address",
            "client_fasp_port",
            "rate_policy",
            "target_rate",
            "minimum_rate",
            "bandwidth_cap",
            "encryption_cipher",
            "job_retry_count",
            "job_max_retries",
            "private_key",
            "source_path",
            "destination_path",
            "vlink_id",
        )
    },
}

FILE_MEMBERS = {
    "session_uuid": "session_id",
    "path": "path",
    "local_id": "local_id",
    "file_id": "id",
    **{
        name: name
        for name in (
            "status",
            "error_code",
            "error_description",
            "size",
            "start_offset",
            "bytes_written",
            "bytes_contiguous",
            "bytes_lost",
            "elapsed",
            "start_date",
            "end_date",
            "checksum",
            "checksum_type",
            "file_type",
            "action",
            "content_protection",
        )
    },
}


def session_fragment(record: SessionRecord) -> bytes:
    """A session as JSON, rendered anew only if it has changed."""
    return _fragment(record, SESSION_MEMBERS, {"transport": record.transport})


def file_fragment(record: FileRecord) -> bytes:
    """A file transfer as JSON, rendered anew only if it has changed."""
    return _fragment(record, FILE_MEMBERS, {})


def _fragment(record: Any, members: dict[str, str], more: dict[str, str]) -> bytes:
    known: bytes | None = record.fragments.get(_FRAGMENT)
    if known is None:
        values: dict[str, Any] = {}
        for member, attribute in members.items():
            value = getattr(record, attribute)
            if value is not None:
                values[member] = _shown(attribute, value)
        known = json.dumps(values | more, ensure_ascii=False, separators=(",", ":")).encode()
        record.fragments[_FRAGMENT] = known
    return known


def _shown(attribute: str, value: Any) -> Any:
    if attribute in _DATES:
        moment = datetime.fromtimestamp(value, UTC).replace(tzinfo=None)
        return f"{moment.isoformat(timespec='milliseconds')}Z"
    if isinstance(value, str) and not value.isascii():
        # A file's name may have bytes that are no UTF-8; they are shown as the store shows them.
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return value


def result(
    name: str,
    *,
    sessions: Sequence[SessionRecord] | None = None,
    files: Sequence[FileRecord] | None = None,
    remaining: int,
    iteration_token: str,
) -> Iterator[bytes]:
    """The pieces of an answer named so, one for each record, that together are its body."""
    lists: list[tuple[str, Sequence[Any], Callable[[Any], bytes]]] = []
    if sessions is not None:
        lists.append(("session_info", sessions, session_fragment))
    if files is not None:
        lists.append(("file_transfer_info", files, file_fragment))
    count = sum(len(records) for _, records, _ in lists)
    head = {"result_count": count, "remaining_result_count": remaining, "iteration_token": iteration_token}
    yield f'{{"{name}":{json.dumps(head, separators=(",", ":"))[:-1]}'.encode()
    for member, records, render in lists:
        yield f',"{member}":['.encode()
        for at, record in enumerate(records):
            yield (b"," if at else b"") + render(record)
        yield b"]"
    yield b"}}"


def refused(refusals: Sequence[Refusal]) -> list[dict[str, str]]:
    """Reports that were not taken, each with its reason."""
    return [
        {"session_uuid": each.session_id, "file_id": each.file_id, "reason": each.reason} for each in refusals
    ]
