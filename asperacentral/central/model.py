"""The nouns of the domain as plain values: job, session, file transfer, subscription, event.

Field names are the contract's in snake case. Rates are Kbps (1,000 bit/s), sizes are bytes, `elapsed` is
microseconds, `network_delay` is milliseconds, dates are seconds since the epoch (UTC).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asperacentral.central.order import Order

JOB_TYPE = "Aspera.IScpTransfer"
"""The one job type Central runs (contract §3.3)."""

ALL = "0"
"""As a job or session id in Subscribe: every one (contract §6.1)."""


@dataclass(slots=True)
class CurrentFile:
    """The file a session is moving now, as FASPSessionNET-200601 shows it (contract §4.3 FileStatisticsType)."""

    name: str = ""
    size: int = 0
    bytes_written: int = 0
    bytes_contiguous: int = 0
    bytes_lost: int = 0
    start_byte: int = 0
    elapsed: int = 0
    error_code: int = 0
    error_description: str = ""


@dataclass(slots=True)
class SessionRecord:
    """One session: one attempt to move a job's files (contract §4.4 SessionInfo, §4.3 SessionType).

    `change` is the record's place in the stream of changes, renewed at every change. `fragments` holds
    renderings that faces made of this record; whoever changes the record calls `touched`, which drops them.
    `templates` is for what faces keep beyond that, of records that change often; it goes when the session ends.
    """

    id: str
    start_date: float
    job_id: str | None = None
    status: str = "running"
    error_code: int = 0
    error_description: str = ""
    expected_file_count: int = 0
    expected_dir_count: int = 0
    expected_byte_count: int = 0
    file_count: int = 0
    files_complete: int = 0
    files_failed: int = 0
    files_transferring: int = 0
    bytes_written: int = 0
    bytes_transferred: int = 0
    bytes_lost: int = 0
    elapsed: int = 0
    network_delay: int = 0
    rate_info: str | None = None
    end_date: float | None = None
    cookie: str | None = None
    direction: str = "outgoing"
    server_endpoint: str = "Remote"
    server_address: str | None = None
    server_ssh_port: int = 22
    server_fasp_port: int = 33001
    user: str = ""
    client_endpoint: str = "Local"
    client_address: str | None = None
    client_fasp_port: int = 33001
    rate_policy: str = "fair"
    target_rate: int = 10000
    minimum_rate: int = 0
    bandwidth_cap: int = 0
    encryption_cipher: str = "none"
    job_retry_count: int = 0
    job_max_retries: int = 0
    private_key: str | None = None
    source_path: str | None = None
    destination_path: str | None = None
    vlink_id: int | None = None
    current_file: CurrentFile = field(default_factory=CurrentFile)
    change: int = 0
    pid: int | None = None
    resume_rate: int | None = None
    files_recorded: int = 0
    post_transfer_validation: bool = False
    transport: str = "fasp"
    fragments: dict[str, bytes] = field(default_factory=dict, compare=False, repr=False)
    templates: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def network_efficiency(self) -> float:
        """The share of the bytes sent that were not lost on the way; 0 before anything was sent."""
        sent = self.bytes_transferred + self.bytes_lost
        return round(self.bytes_transferred / sent, 4) if sent else 0.0

    def touched(self, change: int) -> None:
        """Note that the record changed as number `change` of the stream; renderings made before are void."""
        self.change = change
        self.fragments.clear()


@dataclass(slots=True)
class FileRecord:
    """One file transfer of a session (contract §4.4 FileTransferInfo). `id` is five groups of eight hex digits."""

    session_id: str
    path: str
    local_id: int
    id: str
    start_date: float
    status: str = "running"
    error_code: int = 0
    error_description: str = ""
    size: int = 0
    start_offset: int = 0
    bytes_written: int = 0
    bytes_contiguous: int = 0
    bytes_lost: int = 0
    elapsed: int = 0
    end_date: float | None = None
    checksum: str | None = None
    checksum_type: str | None = None
    file_type: str | None = None
    action: str | None = None
    content_protection: str | None = None
    change: int = 0
    fragments: dict[str, bytes] = field(default_factory=dict, compare=False, repr=False)

    def touched(self, change: int) -> None:
        """Note that the record changed as number `change` of the stream; renderings made before are void."""
        self.change = change
        self.fragments.clear()


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as QueryJob and job notifications show it (contract §4.2 IScpTransferType); secrets are left out."""

    id: str
    order: Order
    session_id: str
    failed_attempts: int


@dataclass(frozen=True, slots=True)
class JobResult:
    """The answer to Submit (contract §4.1)."""

    type: str
    id: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where notifications go: an http(s) address and the SOAPAction to send (contract §4.3 EndpointReferenceType)."""

    address: str
    action: str = ""


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who wants to hear what (contract §6.1). `kind` is "job" or "session"; `subject` is an id or `ALL`.

    `expires` is seconds since the epoch; `topics` in the spelling of `central.topics`; empty means the default.
    """

    id: str
    kind: str
    subject: str
    observer: Endpoint
    subscription_observer: Endpoint | None
    topics: tuple[str, ...]
    expires: float


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a job or a session, as it was then.

    `kind` is "job", "session" or "subscription". `snapshot` is what the notification shows: a JobView, a copy of
    the SessionRecord, or the Subscription. `id` is unique, so that receivers can drop duplicates.
    """

    id: str
    kind: str
    topic: str
    subject: str
    at: float
    snapshot: Any


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A notification that was given up: its number, whom it was for, the event it tells of, and why.

    `at` is when the event happened; `attempts` counts the failed ones that were waited after.
    """

    id: int
    observer: str
    event_id: str
    kind: str
    topic: str
    subject: str
    at: float
    attempts: int
    reason: str
    fragments: dict[str, bytes] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Some dead letters, oldest first, and how many more there are."""

    items: tuple[DeadLetter, ...]
    remaining: int


@dataclass(frozen=True, slots=True)
class RateChange:
    """New rate parameters of a running session; None leaves a value as it is. Rates in Kbps; 0 target = pause."""

    policy: str | None = None
    target_rate: int | None = None
    minimum_rate: int | None = None
    bandwidth_cap: int | None = None
