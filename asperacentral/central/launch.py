"""From an order to what one session is to do: the FASP Manager's `JobOrder`, and what cannot be done yet.

What an order asks for and we do not do is refused where doing without it could lose or leak data
(`JobSubmissionError`), and named in the log where it could not.
"""

from __future__ import annotations

import posixpath
import uuid
from collections.abc import Callable

from asperacentral.central.errors import JobSubmissionError
from asperacentral.central.job import Job
from asperacentral.central.model import SessionRecord
from asperacentral.central.order import FileParameters, Order
from asperacentral.fasp.accounts import AccountError, to_run_as
from asperacentral.fasp.order import RESUME_LEVELS, JobOrder

_POLICIES = {"Fixed": "fixed", "Fair": "fair", "Trickle": "low", "Low": "low", "High": "high"}
_OVERWRITE = {
    "Always": "always",
    "Never": "never",
    "Diff": "diff",
    "Older": "older",
    "DiffAndOlder": "diff+older",
}
NO_CAP = 10_000_000
"""BandwidthCap's default, Kbps: no cap."""

Asked = Callable[[Order], bool]

# Doing without these could lose, leak or change data: (element, why, whether the order asks for it).
_REFUSED: tuple[tuple[str, Asked], ...] = (
    ("FileParameters/Protection", lambda order: order.file.protection != "None"),
    ("FileParameters/RemoveAfterTransfer", lambda order: order.file.remove_after_transfer),
    ("FileParameters/RemoveEmptyDirectories", lambda order: order.file.remove_empty_directories),
    ("FileParameters/SaveBeforeOverwrite", lambda order: bool(order.file.save_before_overwrite)),
    ("FileParameters/SymbolicLinks", lambda order: order.file.symbolic_links != "Follow"),
    ("FileParameters/ExcludePatterns", lambda order: bool(order.file.exclude_patterns)),
    ("FileParameters/ExcludeOlderThan", lambda order: order.file.exclude_older_than is not None),
    ("FileParameters/ExcludeNewerThan", lambda order: order.file.exclude_newer_than is not None),
    ("RemoteLocation/Proxy/Url", lambda order: bool(order.remote.proxy_url)),
    ("RemoteLocation/Authentication/Methods (Token alone)", lambda order: order.remote.methods == ("Token",)),
)

# These change nothing about which bytes end up where; an order that asks for one is carried out without it.
_WITHOUT_EFFECT: tuple[tuple[str, Asked], ...] = (
    ("Program", lambda order: order.program != "ascp"),
    ("ApplicationData/Token", lambda order: bool(order.token.reveal())),
    ("FileParameters/ManifestPolicy", lambda order: order.file.manifest_policy != "None"),
    ("FileParameters/Preserve...", lambda order: _preserves(order.file)),
    ("FileParameters/FileChecksum", lambda order: order.file.file_checksum != "none"),
    ("FileParameters/ReadBlockSize", lambda order: bool(order.file.read_block_size)),
    ("FileParameters/WriteBlockSize", lambda order: bool(order.file.write_block_size)),
    ("LinkParameters/AutoDetectCapacity", lambda order: order.link.auto_detect_capacity),
    ("ChannelParameters/IPV6", lambda order: order.channel.ipv6),
    ("RateParameters/Priority", lambda order: order.rate.priority != 2),
)


def _preserves(file: FileParameters) -> bool:
    return any(
        (
            file.preserve_timestamps,
            file.preserve_uid,
            file.preserve_gid,
            file.preserve_creation_time,
            file.preserve_modification_time,
            file.preserve_access_time,
            file.preserve_source_access_time,
        )
    )


def refuse_unsupported(order: Order) -> None:
    """Raise JobSubmissionError if the order asks for what must not be left out and is not supported."""
    for element, asked in _REFUSED:
        if asked(order):
            raise JobSubmissionError(f"{element}: not supported by this version, so the order is refused")
    try:
        to_run_as(order.local.user_name)
    except AccountError as error:
        raise JobSubmissionError(f"LocalLocation/System/UserName: {error}") from None


def without_effect(order: Order) -> tuple[str, ...]:
    """Elements the order sets that have no effect in this version, for the log."""
    return tuple(element for element, asked in _WITHOUT_EFFECT if asked(order))


def target_rate(order: Order) -> int:
    """The order's target rate in Kbps, bounded by link capacity and bandwidth cap."""
    rate = order.rate.target_rate
    if order.rate.target_rate_as_percent:
        rate = _bound(order) * rate // 100
    return min(rate, _bound(order))


def minimum_rate(order: Order) -> int:
    """The order's minimum rate in Kbps, never above the target rate."""
    rate = order.rate.minimum_rate
    if order.rate.minimum_rate_as_percent:
        rate = _bound(order) * rate // 100
    return min(rate, target_rate(order))


def _bound(order: Order) -> int:
    capacities = [order.rate.bandwidth_cap, order.link.local_capacity, order.link.remote_capacity]
    return min((value for value in capacities if value), default=NO_CAP)


def bandwidth_cap(order: Order) -> int:
    """The cap in Kbps as sessions report it; 0 when there is none."""
    cap = order.rate.bandwidth_cap
    return 0 if cap >= NO_CAP else cap


def policy(order: Order) -> str:
    """The rate policy in ascp's words."""
    return _POLICIES[order.rate.policy]


def cipher(order: Order) -> str:
    """The cipher as sessions report it: `none`, `aes-128`..."""
    return order.security.encryption_cipher.lower()


def sources(order: Order) -> tuple[str, ...]:
    """The paths to read, with their root path."""
    side = order.local if order.operation == "Push" else order.remote
    return tuple(_rooted(side.root_path, path) for path in side.paths)


def destination(order: Order) -> str:
    """The path to write to, with its root path."""
    side = order.remote if order.operation == "Push" else order.local
    return _rooted(side.root_path, side.paths[0])


def _rooted(root: str, path: str) -> str:
    return posixpath.join(root, path.lstrip("/")) if root else path


def job_order(order: Order, job_id: str, session_id: str) -> JobOrder:
    """What the session `session_id` of job `job_id` is to do. Partial files bear the job's mark, so that the next
    session of the same job finds them and other jobs leave them alone."""
    methods = order.remote.methods
    by_key = not methods or "Public Key" in methods
    by_password = not methods or "Password" in methods
    return JobOrder(
        user_str=session_id,
        mode="send" if order.operation == "Push" else "recv",
        host=order.remote.system.address,
        port=order.remote.system.port,
        user=order.remote.system.user_name,
        key_path=order.remote.key_path if by_key else "",
        password=order.remote.system.password.reveal() if by_password or order.remote.key_path else "",
        token=order.token.reveal(),
        cookie=order.cookie,
        sources=sources(order),
        destination=destination(order),
        partial_tag=job_id[:8],
        create_path=order.file.create_path,
        resume_level=RESUME_LEVELS.index(order.file.resume_check.lower()),
        overwrite=_OVERWRITE[order.file.overwrite],
        policy=policy(order),
        target_rate=target_rate(order),
        minimum_rate=minimum_rate(order),
        udp_port=order.channel.port,
        cipher=cipher(order).replace("-", ""),
        host_key_fingerprint=order.security.ssh_fingerprint,
        precalculate=order.file.pre_calculate_job_size,
        partial_suffix=order.file.partial_file_suffix,
        raw_options=order.raw_options,
        account=order.local.user_name,
    )


def session_record(job: Job, now: float, *, validated: bool) -> SessionRecord:
    """The record of the job's next session, with an id of its own; `validated`: its files await validators."""
    order = job.order
    return SessionRecord(
        id=str(uuid.uuid4()),
        start_date=now,
        job_id=job.id,
        cookie=order.cookie or None,
        private_key=order.private_key or None,
        direction="outgoing" if order.operation == "Push" else "incoming",
        server_address=order.remote.system.address,
        server_ssh_port=order.remote.system.port,
        server_fasp_port=order.channel.port,
        client_fasp_port=order.channel.port,
        user=order.remote.system.user_name,
        rate_policy=policy(order),
        target_rate=target_rate(order),
        minimum_rate=minimum_rate(order),
        bandwidth_cap=bandwidth_cap(order),
        encryption_cipher=cipher(order),
        job_retry_count=min(job.attempts, 255),
        job_max_retries=order.retry.count,
        source_path=sources(order)[0],
        destination_path=destination(order),
        post_transfer_validation=validated,
    )
