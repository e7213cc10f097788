"""Transfer specs as browsers send them: from JSON to values, with every limit that keeps a hostile one cheap. Pure.

What is unknown is passed over, as pages of other products send much that concerns others. Names of files are made
safe here: what cannot be a name beneath a docroot is refused before anything is looked at.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from asperacentral.openascp.names import BadPathError, beneath_root, checked

LONGEST = 4 << 20
"""Bytes of a spec that are read."""
MOST_PATHS = 20_000
LONGEST_TEXT = 64 * 1024
"""Characters of one value."""

_CONTROL = re.compile("[\x00-\x1f\x7f]")
Fields = Mapping[str, Any]


class SpecError(ValueError):
    """The spec cannot be carried out; `str(error)` is one line for the client, without secrets."""


@dataclass(frozen=True, slots=True)
class NamedPath:
    """One of the spec's `paths`: safe names without a leading slash. `size` is what the page says, in bytes."""

    source: bytes
    destination: bytes = b""
    size: int | None = None


@dataclass(frozen=True, slots=True)
class TransferSpec:
    """What a page asks for. `sending` is an upload; roots and sources are beneath the docroot."""

    sending: bool
    paths: tuple[NamedPath, ...]
    host: str = ""
    port: int = 22
    user: str = ""
    token: str = field(default="", repr=False)
    source_root: bytes = b""
    destination_root: bytes = b""
    cookie: str = ""
    target_rate: int | None = None
    overwrite: str = "diff"
    zip_required: bool = False
    download_name: str = ""

    def sources(self) -> tuple[bytes, ...]:
        """What a download is to bring, from the docroot on."""
        return tuple(joined(self.source_root, path.source) for path in self.paths)


def joined(folder: bytes, name: bytes) -> bytes:
    """A name in a folder, both beneath the docroot and possibly empty."""
    return b"/".join(part for part in (folder, name) if part)


def safe_name(text: str) -> bytes:
    """A file's name as a page gives it, perhaps with folders; a leading slash is dropped. SpecError."""
    if _CONTROL.search(text):
        raise SpecError("a file's name cannot hold control characters")
    try:
        return checked(_bytes(text).lstrip(b"/"))
    except BadPathError as error:
        raise SpecError(f"a file's name is refused: {error.strerror}") from None


def parse(text: bytes | str) -> Fields:
    """The JSON object that a request holds. SpecError."""
    if len(text) > LONGEST:
        raise SpecError(f"a transfer spec of more than {LONGEST} bytes")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        raise SpecError("this is not JSON, or too deep") from None
    if not isinstance(found, dict):
        raise SpecError("a JSON object is expected")
    return found


def enclosed(document: Fields) -> TransferSpec:
    """The spec that stands in a document as its `transfer_spec`. SpecError."""
    fields = document.get("transfer_spec")
    if not isinstance(fields, dict):
        raise SpecError("there is no transfer_spec")
    return from_fields(fields)


def from_fields(fields: Fields) -> TransferSpec:
    """The spec that a JSON object says. SpecError names the field that is wrong."""
    direction = _text(fields, "direction")
    if direction not in ("send", "receive"):
        raise SpecError("the transfer spec's direction must be send or receive")
    sending = direction == "send"
    return TransferSpec(
        sending=sending,
        paths=_paths(fields, sending=sending),
        host=_text(fields, "remote_host"),
        port=_port(fields),
        user=_text(fields, "remote_user"),
        token=_text(fields, "token"),
        source_root=_root(fields, "source_root"),
        destination_root=_root(fields, "destination_root"),
        cookie=" ".join(_text(fields, "cookie").split()),
        target_rate=_rate(fields),
        overwrite=_text(fields, "overwrite") or "diff",
        zip_required=_flag(fields, "zip_required"),
        download_name=_text(fields, "download_name"),
    )


def _paths(fields: Fields, *, sending: bool) -> tuple[NamedPath, ...]:
    given = fields.get("paths")
    if not isinstance(given, list) or not given:
        raise SpecError("the transfer spec's paths are missing")
    if len(given) > MOST_PATHS:
        raise SpecError(f"more than {MOST_PATHS} paths in one transfer spec")
    return tuple(_path(each, sending=sending) for each in given)


def _path(given: Any, *, sending: bool) -> NamedPath:
    if not isinstance(given, dict):
        raise SpecError("each of the transfer spec's paths must be an object")
    source, destination = _text(given, "source"), _text(given, "destination")
    size = given.get("file_size")
    if sending:
        named = safe_name(source)
    elif _CONTROL.search(source):
        raise SpecError("a file's name cannot hold control characters")
    else:
        named = _beneath(source)
        if b".." in _bytes(source).split(b"/"):
            raise SpecError("a file's name is refused: a name with .. in it is refused")
    return NamedPath(
        named,
        safe_name(destination) if destination.strip("/") else b"",
        size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None,
    )


def _root(fields: Fields, name: str) -> bytes:
    text = _text(fields, name)
    if _CONTROL.search(text):
        raise SpecError(f"the transfer spec's {name} cannot hold control characters")
    return _beneath(text)


def _beneath(text: str) -> bytes:
    try:
        return beneath_root(_bytes(text))
    except BadPathError as error:
        raise SpecError(f"a name is refused: {error.strerror}") from None


def _bytes(text: str) -> bytes:
    try:
        return os.fsencode(text)
    except UnicodeEncodeError:
        raise SpecError("a name cannot hold half of a surrogate pair") from None


def _text(fields: Fields, name: str) -> str:
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise SpecError(f"the transfer spec's {name} has a wrong type")
    if len(value) > LONGEST_TEXT:
        raise SpecError(f"the transfer spec's {name} is too long")
    return value


def _port(fields: Fields) -> int:
    value = fields.get("ssh_port")
    if value is None:
        return 22
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 65536:
        raise SpecError("the transfer spec's ssh_port must be a port")
    return value


def _rate(fields: Fields) -> int | None:
    """Kbps that the page would like."""
    value = fields.get("target_rate_kbps")
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**12:
        return value
    return None


def _flag(fields: Fields, name: str) -> bool:
    """Whether it is said: pages write booleans, some write them as text."""
    return fields.get(name) in (True, "true")
