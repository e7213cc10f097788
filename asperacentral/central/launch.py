"""From an order to what one session is to do: the FASP Manager's `JobOrder`.

Every element has an effect; the few that cannot have one are refused (`JobSubmissionError`).
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
from asperacentral.fasp.order import RESUME_LEVELS, FileRules, JobOrder

_POLICIES = {"Fixed": "fixed", "Fair": "fair", "Trickle": "low", "Low": "low", "High": "high"}
_OVERWRITE = {
    "Always": "always",
    "Never": "never",
    "Diff": "diff",
    "Older": "older",
    "DiffAndOlder": "diff+older",
}
_PRESERVE = {
    "preserve_timestamps": "times",
    "preserve_modification_time": "modification-time",
    "preserve_access_time": "access-time",
    "preserve_source_access_time": "source-access-time",
    "preserve_uid": "file-owner-uid",
    "preserve_gid": "file-owner-gid",
}
_WRONG_WAY = {"Push": "Decrypt", "Pull": "Encrypt"}
_DATAGRAM_SIZES = (296, 10_000)
_LARGEST_BLOCK = 512 * 1024 * 1024
NO_CAP = 10_000_000
"""BandwidthCap's default, Kbps: no cap."""

Asked = Callable[[Order], bool]

# What cannot be done, or makes no sense: (element, whether the order asks for it, why it is refused).
_REFUSED: tuple[tuple[str, Asked, str], ...] = (
    (
        "RemoteLocation/Proxy/Url",
        lambda order: bool(order.remote.proxy_url),
        "Aspera proxies are not supported",
    ),
    (
        "FileParameters/PreserveCreationTime",
        lambda order: order.file.preserve_creation_time,
        "not supported: no creation time can be set here",
    ),
    (
        "FileParameters/Protection",
        lambda order: order.file.protection == _WRONG_WAY[order.operation],
        "not supported this way: Encrypt goes with Push, Decrypt with Pull",
    ),
    (
        "FileParameters/Passphrase",
        lambda order: order.file.protection != "None" and not order.file.passphrase.reveal(),
        "is missing, and Protection needs it",
    ),
)


def refuse_unsupported(order: Order) -> None:
    """Raise JobSubmissionError if the order asks for what must not be left out and is not supported."""
    for element, asked, reason in _REFUSED:
        if asked(order):
            raise JobSubmissionError(f"{element}: {reason}")
    try:
        to_run_as(order.local.user_name)
    except AccountError as error:
        raise JobSubmissionError(f"LocalLocation/System/UserName: {error}") from None


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
    """The rate policy in ascp's words; to share a link fairly with high priority is the policy `high`."""
    named = _POLICIES[order.rate.policy]
    return "high" if named == "fair" and order.rate.priority == 1 else named


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
    by_key = not methods or not {"Public Key", "Token"}.isdisjoint(methods)  # tokens go with a transfer key
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
        # What is kept of overwritten files has its suffix; it would be mistaken for a partial file.
        partial_suffix="" if order.file.save_before_overwrite else order.file.partial_file_suffix,
        files=file_rules(order.file),
        file_passphrase=order.file.passphrase.reveal() if order.file.protection != "None" else "",
        program=order.program,
        ipv6=order.channel.ipv6,
        no_port_files=order.no_mgmt_port_files,
        datagram_size=_datagram_size(order),
        transport=order.channel.transport.lower(),
        measure=order.link.auto_detect_capacity,
        target_percent=order.rate.target_rate if order.rate.target_rate_as_percent else None,
        minimum_percent=order.rate.minimum_rate if order.rate.minimum_rate_as_percent else None,
        rate_cap=_bound(order) if _bound(order) < NO_CAP else 0,
        raw_options=order.raw_options,
        account=order.local.user_name,
    )


def file_rules(file: FileParameters) -> FileRules:
    """How files are treated, in ascp's words."""
    return FileRules(
        symbolic_links=file.symbolic_links.lower(),
        skip_special=file.skip_special_files,
        exclude_patterns=file.exclude_patterns,
        exclude_older_than=file.exclude_older_than,
        exclude_newer_than=file.exclude_newer_than,
        preserve=tuple(option for name, option in _PRESERVE.items() if getattr(file, name)),
        save=bool(file.save_before_overwrite),
        save_suffix=file.save_before_overwrite,
        checksum=file.file_checksum,
        manifest=file.manifest_policy.lower(),
        manifest_path=file.manifest_path,
        manifest_suffix=file.manifest_inprogress_suffix,
        crypt="" if file.protection == "None" else file.protection.lower(),
        remove_after=file.remove_after_transfer,
        remove_empty=file.remove_empty_directories,
        read_block=min(file.read_block_size or 0, _LARGEST_BLOCK),
        write_block=min(file.write_block_size or 0, _LARGEST_BLOCK),
    )


def _datagram_size(order: Order) -> int:
    """Bytes, within what a program takes; 0 when the path is asked instead."""
    if order.channel.auto_detect_path_mtu:
        return 0
    smallest, largest = _DATAGRAM_SIZES
    return max(smallest, min(order.channel.datagram_size, largest))


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
