"""Transfer specs (version 1): from their JSON to job orders. Pure.

A field that is not known is refused, since ignoring one could move the wrong files; so is one with a wrong type. Some
fields only inform (caps of the server, titles) and are read over.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from asperacentral.fasp.library.orders import JobOrder, Location, OrderError, TransferParameters
from asperacentral.fasp.library.retry import NO_RETRY

Spec = Mapping[str, Any]

INFORMATION = frozenset(
    {
        "authentication",
        "fasp_proxy",
        "http_fallback",
        "http_fallback_port",
        "https_fallback_port",
        "lock_min_rate",
        "lock_min_rate_kbps",
        "lock_rate_policy",
        "lock_target_rate",
        "lock_target_rate_kbps",
        "min_rate_cap_kbps",
        "priority_cap",
        "rate_policy_allowed",
        "source_root_id",
        "target_rate_cap_kbps",
        "title",
        "use_ascp4",
        "xfer_id",
        "xfer_max_retries",
        "xfer_retry",
    }
)
"""Fields that change nothing here: they inform, or allow what is not done (a fallback to HTTP)."""

_RESUME = {"none": 0, "attrs": 1, "sparse_csum": 2, "full_csum": 3}
_POLICIES = {"trickle": "low"}

_FLAGS = {
    "preserve_times": "--preserve-times",
    "preserve_modification_time": "--preserve-modification-time",
    "preserve_access_time": "--preserve-access-time",
    "preserve_source_access_time": "--preserve-source-access-time",
    "preserve_file_owner_uid": "--preserve-file-owner-uid",
    "preserve_file_owner_gid": "--preserve-file-owner-gid",
    "skip_special_files": "--skip-special-files",
    "skip_duplicate_check": "--skip-dir-traversal-dupes",
    "save_before_overwrite": "--save-before-overwrite",
    "remove_after_transfer": "--remove-after-transfer",
    "remove_empty_directories": "--remove-empty-directories",
    "remove_empty_source_directory": "--remove-empty-source-directory",
    "remove_skipped": "--remove-skipped",
    "delete_before_transfer": "--delete-before-transfer",
}
_VALUES = {
    "dgram_size": "-Z",
    "exclude_newer_than": "--exclude-newer-than",
    "exclude_older_than": "--exclude-older-than",
    "file_checksum": "--file-checksum",
    "move_after_transfer": "--move-after-transfer",
    "preserve_acls": "--preserve-acls",
    "preserve_xattrs": "--preserve-xattrs",
    "remote_preserve_acls": "--remote-preserve-acls",
    "remote_preserve_xattrs": "--remote-preserve-xattrs",
    "src_base": "--src-base",
    "symlink_policy": "--symbolic-links",
}


def read(text: str) -> Spec:
    """The first spec in a JSON text, bare or wrapped in `transfer_specs`. OrderError when there is none."""
    try:
        found = json.loads(text)
        if isinstance(found, dict) and "transfer_specs" in found:
            found = found["transfer_specs"][0]["transfer_spec"]
    except (ValueError, LookupError, TypeError):
        raise OrderError("this is not the JSON of a transfer spec") from None
    if not isinstance(found, dict):
        raise OrderError("a transfer spec is a JSON object")
    return found


def orders(spec: Spec, more_options: tuple[str, ...] = ()) -> list[JobOrder]:
    """The jobs that carry out a spec: one, or as many as `multi_session` wants. None of them is tried again.

    OrderError, naming the field, when it cannot be carried out.
    """
    reader = _Reader(spec)
    sending = reader.choice("direction", {"send": True, "receive": False})
    far = _far(reader)
    root = reader.text("destination_root") or "."
    sources, names = _paths(reader)
    how = _parameters(reader, more_options)
    sessions = max(reader.number("multi_session"), 1)
    threshold = reader.number("multi_session_threshold")
    reader.refuse_the_rest()
    if len(names) == 1 and not how.create_path:
        root, names = _joined(root, names[0]), ()
    source_end = Location.local(*sources) if sending else replace(far, paths=sources)
    destination_end = replace(far, paths=(root,)) if sending else Location.local(root)
    return JobOrder(source_end, destination_end, how, NO_RETRY, names=names).shared(sessions, threshold)


class _Reader:
    """Takes fields out of a spec, with their types."""

    def __init__(self, spec: Spec) -> None:
        self._left = dict(spec)

    def take(self, name: str, kind: type | tuple[type, ...], default: Any) -> Any:
        value = self._left.pop(name, None)
        if value is None:
            return default
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise OrderError(f"the transfer spec's {name} has a wrong type")
        return value

    def text(self, name: str) -> str:
        return str(self.take(name, str, ""))

    def number(self, name: str, default: int = 0) -> int:
        return int(self.take(name, int, default))

    def flag(self, name: str, default: bool = False) -> bool:
        return bool(self.take(name, bool, default))

    def choice(self, name: str, choices: Mapping[str, Any], default: str = "") -> Any:
        value = self.text(name) or default
        if value not in choices:
            raise OrderError(f"the transfer spec's {name} must be one of {', '.join(choices)}")
        return choices[value]

    def refuse_the_rest(self) -> None:
        unknown = sorted(set(self._left) - INFORMATION)
        if unknown:
            raise OrderError(f"the transfer spec has fields that are not supported: {', '.join(unknown)}")


def _far(reader: _Reader) -> Location:
    return Location.remote(
        reader.text("remote_host"),
        user=reader.text("remote_user"),
        password=reader.text("remote_password"),
        key_path=reader.text("ssh_private_key_path"),
        port=reader.number("ssh_port", 22),
        host_key_fingerprint=reader.text("sshfp"),
        token=reader.text("token"),
    )


def _paths(reader: _Reader) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Sources, and, if the spec gives them, their places below the destination."""
    root = reader.text("source_root")
    sources, names = [], []
    for path in reader.take("paths", list, []):
        source = path.get("source") if isinstance(path, dict) else None
        if not isinstance(source, str) or not isinstance(path.get("destination", ""), str):
            raise OrderError("each of the transfer spec's paths needs a source")
        sources.append(_joined(root, source) if root else source)
        names.append(path.get("destination", ""))
    if any(names) and not all(names):
        raise OrderError("either all of the transfer spec's paths have a destination, or none")
    return tuple(sources), tuple(names) if any(names) else ()


def _joined(root: str, path: str) -> str:
    return f"{root.rstrip('/')}/{path.lstrip('/')}"


def _parameters(reader: _Reader, more_options: tuple[str, ...]) -> TransferParameters:
    """How files are moved. OrderError."""
    usual = TransferParameters()
    target = reader.number("target_rate_kbps", usual.target_rate)
    policy = reader.text("rate_policy") or usual.policy
    return TransferParameters(
        target_rate=target,
        minimum_rate=reader.number("min_rate_kbps"),
        policy=_POLICIES.get(policy, policy),
        cipher=_cipher(reader.text("cipher")) or usual.cipher,
        resume_level=reader.choice("resume_policy", _RESUME, "sparse_csum"),
        overwrite=reader.text("overwrite") or usual.overwrite,
        create_path=reader.flag("create_dir"),
        precalculate=reader.flag("precalculate_job_size", usual.precalculate),
        udp_port=reader.number("fasp_port", usual.udp_port),
        cookie=reader.text("cookie"),
        more_options=(*more_options, *_options(reader)),
    )


def _cipher(name: str) -> str:
    """The option's word for a spec's cipher, whose mode does not matter here: `aes-128-gcm` is aes128."""
    return "".join(name.lower().split("-")[:2])


def _options(reader: _Reader) -> list[str]:
    """Options of the transfer process for fields that have no parameter."""
    said = [option for name, option in _FLAGS.items() if reader.flag(name)]
    for name, option in _VALUES.items():
        value = reader.take(name, (str, int), "")
        if value != "":
            said += [option, str(value)] if len(option) == 2 else [f"{option}={value}"]
    tags = reader.text("tags64")
    given = reader.take("tags", dict, None)
    if given is not None:
        tags = base64.b64encode(json.dumps(given).encode()).decode("ascii")
    return [*said, *([f"--tags64={tags}"] if tags else [])]
