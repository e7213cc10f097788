"""Order XML to `Order`: lenient about shape, precise about errors (contract §8).

Children may come in any order, groups may be absent, unknown elements are skipped and reported, booleans may be
spelled `Yes`/`No` (version 2) or `true`/`false` (version 1). What cannot be right raises `JobFormatInvalid` with
the element's path and the reason. Values of secrets are never part of a message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, ParseError, XMLParser

from asperacentral.central.errors import JobFormatInvalid
from asperacentral.central.order import (
    ChannelParameters,
    FileParameters,
    LinkParameters,
    LocalLocation,
    Order,
    RateParameters,
    RemoteLocation,
    RetryParameters,
    Secret,
    SecurityParameters,
    System,
)

MAX_ELEMENTS = 20_000
MAX_NAMESPACES = 64
MAX_PATHS = 10_000
MAX_EXCLUDE_PATTERNS = 16
MAX_RAW_OPTIONS = 64
MAX_TEXT = 32_768

Convert = Callable[[str], Any]


class _Bad(ValueError):
    """A value that its converter does not take; the message is the reason, without the value if it is secret."""


@dataclass(frozen=True, slots=True)
class ReadOrder:
    """An order, the paths of the elements that were skipped as unknown, and the job it is for if it names one."""

    order: Order
    skipped: tuple[str, ...]
    job_id: str = ""


def _text(value: str) -> str:
    if len(value) > MAX_TEXT:
        raise _Bad(f"longer than {MAX_TEXT} characters")
    return value


def _secret(value: str) -> Secret:
    return Secret(_text(value))


def _yes_no(value: str) -> bool:
    word = value.lower()
    if word in ("yes", "true", "1"):
        return True
    if word in ("no", "false", "0"):
        return False
    raise _Bad(f"{_shown(value)} is neither Yes nor No")


def _number(low: int, high: int) -> Convert:
    def convert(value: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9]{1,20}", value, re.ASCII):
            raise _Bad(f"{_shown(value)} is not a whole number")
        number = int(value)
        if not low <= number <= high:
            raise _Bad(f"{number} is not between {low} and {high}")
        return number

    return convert


def _one_of(*words: str) -> Convert:
    by_key = {_key(word): word for word in words}

    def convert(value: str) -> str:
        try:
            return by_key[_key(value)]
        except KeyError:
            raise _Bad(f"{_shown(value)} is none of: {', '.join(words)}") from None

    return convert


def _key(word: str) -> str:
    return re.sub(r"[\s_-]+", "", word).lower()


def _url_or_null(value: str) -> str:
    # Clients send the text `null` when they have no proxy.
    return "" if value.lower() == "null" else _text(value)


def _path(value: str) -> str:
    if not value:
        raise _Bad("is empty")
    if len(value) > 4096:
        raise _Bad("is longer than 4096 characters")
    if ".." in value.replace("\\", "/").split("/"):
        raise _Bad(f"{_shown(value)} has a '..' in it, which is refused")
    return value


def _shown(value: str) -> str:
    return repr(value if len(value) <= 60 else value[:57] + "...")


_U8 = _number(0, 255)
_U16 = _number(1, 65_535)
_U32 = _number(0, 4_294_967_295)
_I64 = _number(-(2**63), 2**63 - 1)
_POLICY = _one_of("Fixed", "Fair", "Trickle", "High", "Low")

# Where each element of contract §8 goes: path below Order -> (group, field, converter).
_SCALARS: dict[str, tuple[str, str, Convert]] = {
    "Version": ("order", "version", _text),
    "Agent": ("order", "agent", _text),
    "NoMgmtPortFiles": ("order", "no_mgmt_port_files", _yes_no),
    "Operation": ("order", "operation", _one_of("Push", "Pull")),
    "Program": ("order", "program", _one_of("ascp", "ascp4")),
    "ApplicationData/Token": ("order", "token", _secret),
    "ApplicationData/Cookie": ("order", "cookie", _text),
    "PrivateData/Key": ("order", "private_key", _text),
    "PrivateDataType/Key": ("order", "private_key", _text),
    "RemoteLocation/System/Address": ("system", "address", _text),
    "RemoteLocation/System/Port": ("system", "port", _U16),
    "RemoteLocation/System/UserName": ("system", "user_name", _text),
    "RemoteLocation/System/Password": ("system", "password", _secret),
    "RemoteLocation/Authentication/KeyPath": ("remote", "key_path", _text),
    "RemoteLocation/Files/RootPath": ("remote", "root_path", _path),
    "RemoteLocation/RootPath": ("remote", "root_path", _path),
    "RemoteLocation/Proxy/Url": ("remote", "proxy_url", _url_or_null),
    "LocalLocation/System/UserName": ("local", "user_name", _text),
    "LocalLocation/System/Password": ("local", "password", _secret),
    "LocalLocation/Files/RootPath": ("local", "root_path", _path),
    "LocalLocation/RootPath": ("local", "root_path", _path),
    "FileParameters/CreatePath": ("file", "create_path", _yes_no),
    "FileParameters/ResumeCheck": (
        "file",
        "resume_check",
        _one_of("None", "Attributes", "Sparse Checksum", "Full Checksum"),
    ),
    "FileParameters/ManifestPolicy": ("file", "manifest_policy", _one_of("None", "Text")),
    "FileParameters/ManifestPath": ("file", "manifest_path", _path),
    "FileParameters/ManifestInprogressSuffix": ("file", "manifest_inprogress_suffix", _text),
    "FileParameters/Protection": ("file", "protection", _one_of("None", "Encrypt", "Decrypt")),
    "FileParameters/Passphrase": ("file", "passphrase", _secret),
    "FileParameters/PreCalculateJobSize": ("file", "pre_calculate_job_size", _yes_no),
    "FileParameters/RemoveAfterTransfer": ("file", "remove_after_transfer", _yes_no),
    "FileParameters/RemoveEmptyDirectories": ("file", "remove_empty_directories", _yes_no),
    "FileParameters/SymbolicLinks": (
        "file",
        "symbolic_links",
        _one_of("Follow", "Copy", "Skip", "Copy+Force"),
    ),
    "FileParameters/PreserveTimestamps": ("file", "preserve_timestamps", _yes_no),
    "FileParameters/PreserveUID": ("file", "preserve_uid", _yes_no),
    "FileParameters/PreserveGID": ("file", "preserve_gid", _yes_no),
    "FileParameters/PreserveCreationTime": ("file", "preserve_creation_time", _yes_no),
    "FileParameters/PreserveModificationTime": ("file", "preserve_modification_time", _yes_no),
    "FileParameters/PreserveAccessTime": ("file", "preserve_access_time", _yes_no),
    "FileParameters/PreserveSourceAccessTime": ("file", "preserve_source_access_time", _yes_no),
    "FileParameters/SkipSpecialFiles": ("file", "skip_special_files", _yes_no),
    "FileParameters/FileChecksum": (
        "file",
        "file_checksum",
        _one_of("none", "sha1", "md5", "sha-256", "sha-384", "sha-512"),
    ),
    "FileParameters/ExcludeOlderThan": ("file", "exclude_older_than", _I64),
    "FileParameters/ExcludeNewerThan": ("file", "exclude_newer_than", _I64),
    "FileParameters/PartialFileSuffix": ("file", "partial_file_suffix", _text),
    "FileParameters/ReadBlockSize": ("file", "read_block_size", _U32),
    "FileParameters/WriteBlockSize": ("file", "write_block_size", _U32),
    "FileParameters/Overwrite": (
        "file",
        "overwrite",
        _one_of("Always", "Never", "Diff", "Older", "DiffAndOlder"),
    ),
    "FileParameters/SaveBeforeOverwrite": ("file", "save_before_overwrite", _text),
    "FileParameters/PostTransferValidation": ("file", "post_transfer_validation", _yes_no),
    "LinkParameters/RemoteCapacity": ("link", "remote_capacity", _U32),
    "LinkParameters/LocalCapacity": ("link", "local_capacity", _U32),
    "LinkParameters/AutoDetectCapacity": ("link", "auto_detect_capacity", _yes_no),
    "ChannelParameters/Port": ("channel", "port", _U16),
    "ChannelParameters/DatagramSize": ("channel", "datagram_size", _U32),
    "ChannelParameters/AutoDetectPathMTU": ("channel", "auto_detect_path_mtu", _yes_no),
    "ChannelParameters/IPV6": ("channel", "ipv6", _yes_no),
    "ChannelParameters/Transport": ("channel", "transport", _one_of("Any", "UDP", "SSH")),
    "RateParameters/Policy": ("rate", "policy", _POLICY),
    "RateParameters/TargetRate": ("rate", "target_rate", _U32),
    "RateParameters/TargetRateAsPercent": ("rate", "target_rate_as_percent", _yes_no),
    "RateParameters/MinimumRate": ("rate", "minimum_rate", _U32),
    "RateParameters/MinimumRateAsPercent": ("rate", "minimum_rate_as_percent", _yes_no),
    "RateParameters/BandwidthCap": ("rate", "bandwidth_cap", _U32),
    "RateParameters/Priority": ("rate", "priority", _number(1, 2)),
    "RateParameters/LockPolicy": ("rate", "lock_policy", _yes_no),
    "RateParameters/LockTargetRate": ("rate", "lock_target_rate", _yes_no),
    "RateParameters/LockMinimumRate": ("rate", "lock_minimum_rate", _yes_no),
    "SecurityParameters/EncryptionCipher": (
        "security",
        "encryption_cipher",
        _one_of("None", "AES-128", "AES-192", "AES-256"),
    ),
    "SecurityParameters/SSHFingerprint": ("security", "ssh_fingerprint", _text),
    "RetryParameters/Count": ("retry", "count", _U8),
    "RetryParameters/BaseInterval": ("retry", "base_interval", _U32),
    "RetryParameters/MaximumInterval": ("retry", "maximum_interval", _U32),
}

# Elements that repeat: path -> (group, field, converter, how many at most).
_LISTS: dict[str, tuple[str, str, Convert, int]] = {
    "RemoteLocation/Authentication/Methods/Method": (
        "remote",
        "methods",
        _one_of("Password", "Public Key", "Token"),
        3,
    ),
    "RemoteLocation/Files/Path": ("remote", "paths", _path, MAX_PATHS),
    "LocalLocation/Files/Path": ("local", "paths", _path, MAX_PATHS),
    "RawOptions/Option": ("order", "raw_options", _text, MAX_RAW_OPTIONS),
    "FileParameters/ExcludePatterns/ExcludePattern": (
        "file",
        "exclude_patterns",
        _text,
        MAX_EXCLUDE_PATTERNS,
    ),
}

_GROUPS: frozenset[str] = frozenset(
    "/".join(path.split("/")[:depth])
    for path in (*_SCALARS, *_LISTS)
    for depth in range(1, path.count("/") + 1)
)


def read_order(definition: str) -> ReadOrder:
    """Read the Definition of an `Aspera.IScpTransfer` job. Raises JobFormatInvalid."""
    root = _parse(definition)
    groups: dict[str, dict[str, Any]] = {
        name: {}
        for name in (
            "order",
            "system",
            "remote",
            "local",
            "file",
            "link",
            "channel",
            "rate",
            "security",
            "retry",
        )
    }
    skipped: list[str] = []
    for path, element in _walk(root, "", skipped):
        _take(path, (element.text or "").strip(), groups)
    for group in groups.values():
        group.update({name: tuple(value) for name, value in group.items() if isinstance(value, list)})
    order = _build(groups)
    _check(order, groups)
    return ReadOrder(order, tuple(skipped), _job_id(root))


def _job_id(root: Element) -> str:
    """The attribute JobId, with our namespace, any other or none; empty without it."""
    given = {value.strip() for name, value in root.attrib.items() if name.rpartition("}")[2] == "JobId"}
    if len(given) > 1:
        raise JobFormatInvalid("JobId: given more than once")
    if "" in given:
        raise JobFormatInvalid("JobId: is empty")
    return given.pop() if given else ""


def _parse(definition: str) -> Element:
    text = definition.strip()
    if not text:
        raise JobFormatInvalid("Definition: is empty; an Order document is expected")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise JobFormatInvalid("Definition: a document type declaration is not allowed")
    if (
        text.count("<") > MAX_ELEMENTS
        or text.count("xmlns") > MAX_NAMESPACES
        or text.count("=") > MAX_ELEMENTS
    ):
        raise JobFormatInvalid("Definition: too many elements, attributes or namespaces")
    # The declared encoding is that of another carrier: what arrives here is text already.
    text = re.sub(r"\A<\?xml[^>]*\?>", "", text)
    # Not lxml: it keeps every name it has ever seen, so that made-up names would fill the memory.
    parser = XMLParser(encoding="utf-8")  # noqa: S314 - document types are refused above
    try:
        parser.feed(text.encode("utf-8", "replace"))
        root = parser.close()
    except ParseError as error:
        line, _ = error.position
        raise JobFormatInvalid(f"Definition: not well-formed XML, line {line}") from None
    if _local(root) != "Order":
        raise JobFormatInvalid(f"Definition: the root element is {_shown(_local(root))}, expected 'Order'")
    return root


def _local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _walk(parent: Element, prefix: str, skipped: list[str]) -> Iterator[tuple[str, Element]]:
    for child in parent:
        path = prefix + _local(child)
        if path in _SCALARS or path in _LISTS:
            if len(child):
                raise JobFormatInvalid(f"{path}: has child elements, expected a value")
            yield path, child
        elif path in _GROUPS:
            yield from _walk(child, path + "/", skipped)
        elif len(skipped) < 100:
            skipped.append(path[:200])


def _take(path: str, text: str, groups: dict[str, dict[str, Any]]) -> None:
    try:
        if path in _LISTS:
            group, name, convert, most = _LISTS[path]
            values: list[Any] = groups[group].get(name, [])
            if len(values) >= most:
                raise _Bad(f"more than {most} of them")
            if text:
                values.append(convert(text))
                groups[group][name] = values
            return
        group, name, convert = _SCALARS[path]
        if not text:
            return  # An empty element is as good as none: clients send them for what they do not use.
        if name in groups[group]:
            raise _Bad("given more than once")
        groups[group][name] = convert(text)
    except _Bad as reason:
        raise JobFormatInvalid(f"{path}: {reason}") from None


def _build(groups: dict[str, dict[str, Any]]) -> Order:
    if "operation" not in groups["order"]:
        raise JobFormatInvalid("Operation: is missing; expected Push or Pull")
    channel = groups["channel"]
    if "datagram_size" in channel:
        channel.setdefault("auto_detect_path_mtu", False)
    rate = groups["rate"]
    if rate.get("target_rate_as_percent"):
        rate.setdefault("target_rate", 100)  # The default is in Kbps and would be no percentage.
    file = groups["file"]
    if file.get("manifest_path"):
        file.setdefault("manifest_policy", "Text")
    return Order(
        **groups["order"],
        remote=RemoteLocation(system=System(**groups["system"]), **groups["remote"]),
        local=LocalLocation(**groups["local"]),
        file=FileParameters(**file),
        link=LinkParameters(**groups["link"]),
        channel=ChannelParameters(**channel),
        rate=RateParameters(**groups["rate"]),
        security=SecurityParameters(**groups["security"]),
        retry=RetryParameters(**_retry(groups["retry"])),
    )


def _retry(given: dict[str, Any]) -> dict[str, Any]:
    """Without a maximum, the wait may grow to the default one, or stay at a longer base."""
    if "base_interval" in given and "maximum_interval" not in given:
        return {**given, "maximum_interval": max(given["base_interval"], RetryParameters().maximum_interval)}
    if "maximum_interval" in given and "base_interval" not in given:
        return {**given, "base_interval": min(given["maximum_interval"], RetryParameters().base_interval)}
    return given


def _check(order: Order, groups: dict[str, dict[str, Any]]) -> None:
    if not order.remote.system.address:
        raise JobFormatInvalid("RemoteLocation/System/Address: is missing")
    if re.search(r"[\s/@\x00-\x1f]|^-", order.remote.system.address):
        raise JobFormatInvalid("RemoteLocation/System/Address: is not a host name or address")
    if re.search(r"[\x00-\x1f]|^-", order.remote.system.user_name):
        raise JobFormatInvalid("RemoteLocation/System/UserName: is not a login name")
    push = order.operation == "Push"
    for name, paths, is_destination in (
        ("LocalLocation", order.local.paths, not push),
        ("RemoteLocation", order.remote.paths, push),
    ):
        if not paths:
            raise JobFormatInvalid(f"{name}/Files/Path: is missing")
        if is_destination and len(paths) > 1:
            raise JobFormatInvalid(
                f"{name}/Files/Path: {len(paths)} given, but a {order.operation} has one destination"
            )
    rate = order.rate
    for name, value, percent in (
        ("TargetRate", rate.target_rate, rate.target_rate_as_percent),
        ("MinimumRate", rate.minimum_rate, rate.minimum_rate_as_percent),
    ):
        if percent and value > 100:
            raise JobFormatInvalid(f"RateParameters/{name}: {value} percent is over 100")
    if "maximum_interval" in groups["retry"] and order.retry.maximum_interval < order.retry.base_interval:
        raise JobFormatInvalid("RetryParameters/MaximumInterval: is below BaseInterval")
