"""One transfer in the client's list: its states by a table, and how pages see it. Pure.

Rates are Kbps, sizes bytes, elapsed and remaining times microseconds, moments seconds since 1970.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """Where a transfer stands, as on the wire."""

    QUEUED = "queued"
    INITIATING = "initiating"
    RUNNING = "running"
    WILLRETRY = "willretry"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REMOVED = "removed"


class Step(StrEnum):
    """What changes a transfer's status."""

    LAUNCH = "its job is started"
    CONNECT = "its session runs"
    POSTPONE = "its session failed and another one comes"
    COMPLETE = "everything was moved"
    FAIL = "it failed for good"
    CANCEL = "it was stopped"
    RESUME = "it is to go on"
    RECOVER = "the client was restarted"
    REMOVE = "it is taken off the list"


S = Status
AFTER: dict[tuple[Status, Step], Status] = {
    (S.QUEUED, Step.LAUNCH): S.INITIATING,
    (S.QUEUED, Step.CANCEL): S.CANCELLED,
    (S.QUEUED, Step.FAIL): S.FAILED,
    (S.QUEUED, Step.RECOVER): S.QUEUED,
    **{
        (before, step): after
        for before in (S.INITIATING, S.RUNNING, S.WILLRETRY)
        for step, after in {
            Step.CONNECT: S.RUNNING,
            Step.POSTPONE: S.WILLRETRY,
            Step.COMPLETE: S.COMPLETED,
            Step.FAIL: S.FAILED,
            Step.CANCEL: S.CANCELLED,
            Step.RECOVER: S.QUEUED,
        }.items()
    },
    (S.FAILED, Step.RESUME): S.QUEUED,
    (S.CANCELLED, Step.RESUME): S.QUEUED,
    **{(ended, Step.REMOVE): S.REMOVED for ended in (S.COMPLETED, S.FAILED, S.CANCELLED)},
}
"""What is not in it cannot happen."""
ENDED = frozenset({S.COMPLETED, S.FAILED, S.CANCELLED, S.REMOVED})

SECRETS = ("token", "remote_password", "remote_pass", "ssh_private_key", "ssh_private_key_passphrase")
"""Fields of a transfer spec that are shown to nobody."""

Spec = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Transfer:
    """One transfer. `spec` is what the page gave, without secrets; `change` grows with each change of any transfer."""

    uuid: str
    origin: str
    app_id: str
    spec: Spec
    add_time: float
    status: Status = S.QUEUED
    previous: str = ""
    end_time: float = 0.0
    change: int = 0
    written: int = 0
    expected: int = 0
    rate: int = 0
    elapsed: int = 0
    current_file: str = ""
    attempted: int = 0
    completed: int = 0
    failed: int = 0
    skipped: int = 0
    error_code: int = 0
    error_text: str = ""
    retries: int = 0
    process: tuple[int, int] = (0, 0)
    folder: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether it moves nothing any more."""
        return self.status in ENDED

    def can(self, step: Step) -> bool:
        """Whether the step is in the table."""
        return (self.status, step) in AFTER

    def after(self, step: Step, **changes: Any) -> Transfer:
        """The transfer after a step. KeyError for one that is not in the table."""
        status = AFTER[self.status, step]
        previous = self.previous if status is self.status else str(self.status)
        return replace(self, status=status, previous=previous, **changes)

    def seen(self) -> dict[str, Any]:
        """As pages see it."""
        left = max(self.expected - self.written, 0)
        shown: dict[str, Any] = {
            "uuid": self.uuid,
            "transfer_spec": dict(self.spec),
            "status": str(self.status),
            "previous_status": self.previous,
            "add_time": _moment(self.add_time),
            "end_time": _moment(self.end_time),
            "modify_time": _moment(self.end_time or self.add_time),
            "bytes_written": self.written,
            "bytes_expected": self.expected,
            "percentage": self._share,
            "calculated_rate_kbps": self.rate,
            "elapsed_usec": self.elapsed,
            "remaining_usec": left * 8000 // self.rate if self.rate and not self.ended else 0,
            "current_file": self.current_file,
            "file_counts": {
                "attempted": self.attempted,
                "completed": self.completed,
                "failed": self.failed,
                "skipped": self.skipped,
            },
            "title": str(self.spec.get("title", "")) or _title(self.spec),
            "explorer_path": str(self.spec.get("destination_root", "")) if self._is_download else "",
            "transfer_iteration_token": self.change,
            "aspera_connect_settings": {"app_id": self.app_id, **self.settings},
        }
        if self.error_code or self.error_text:
            shown |= {"error_code": self.error_code, "error_desc": self.error_text}
        return shown

    def stored(self) -> dict[str, Any]:
        """As it is kept."""
        return asdict(self)

    @classmethod
    def restored(cls, kept: Mapping[str, Any]) -> Transfer:
        """What was kept."""
        return cls(**{**kept, "status": Status(kept["status"]), "process": tuple(kept["process"])})

    @property
    def _share(self) -> float:
        if self.status is S.COMPLETED:
            return 1.0
        return min(self.written / self.expected, 1.0) if self.expected else 0.0

    @property
    def _is_download(self) -> bool:
        return self.spec.get("direction") == "receive"


def without_secrets(spec: Spec) -> dict[str, Any]:
    """The spec as it may be shown."""
    return {name: value for name, value in spec.items() if name not in SECRETS}


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds") if seconds else ""


def _title(spec: Spec) -> str:
    """The name of the first path, as a page may have left the title to us."""
    paths = spec.get("paths")
    first = paths[0].get("source", "") if paths else ""
    name = str(first).rstrip("/").rpartition("/")[2]
    return name if not paths or len(paths) == 1 else f"{name} and {len(paths) - 1} more"
