"""What a page may read of files it was given: bytes, digests, and what is in a folder. Slow; called in threads."""

from __future__ import annotations

import base64
import hashlib
import mimetypes
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from asperacentral.client.errors import BadRequest, ClientError

MOST_BYTES = 50 << 20
"""Bytes of a file that are read at once."""
MOST_ENTRIES = 100_000
METHODS = ("md5", "sha1", "sha256", "sha512")
_PIECE = 1 << 20


def described(path: Path, name: str) -> dict[str, Any]:
    """A file or folder as pages see it, under `name`. A file that is still to be saved has no size."""
    try:
        found = path.stat()
    except OSError:
        return {"name": name, "size": 0, "type": kind(path), "lastModified": 0}
    is_folder = path.is_dir()
    return {
        "name": name,
        "size": 0 if is_folder else found.st_size,
        "type": "inode/directory" if is_folder else kind(path),
        "lastModified": int(found.st_mtime * 1000),
    }


def kind(path: Path) -> str:
    """The media type that its name tells; empty if none."""
    return mimetypes.guess_type(path.name)[0] or ""


def read(path: Path, offset: int = 0, size: int | None = None) -> dict[str, str]:
    """Bytes of a file in base64; all of them without a `size`. ClientError."""
    if offset < 0 or (size is not None and not 0 <= size <= MOST_BYTES):
        raise BadRequest(f"a chunk has an offset and at most {MOST_BYTES} bytes")
    try:
        with path.open("rb") as file:
            if size is None and os.fstat(file.fileno()).st_size > MOST_BYTES:
                raise BadRequest(f"files of more than {MOST_BYTES} bytes are read in chunks")
            file.seek(offset)
            data = file.read(MOST_BYTES if size is None else size)
    except OSError as problem:
        raise ClientError(f"the file cannot be read: {problem.strerror}") from None
    return {"data": base64.b64encode(data).decode("ascii"), "type": kind(path)}


def checksum(path: Path, offset: int, size: int, method: str) -> dict[str, str]:
    """The digest of `size` bytes from `offset` on in hex, of all that follow when `size` is 0. ClientError."""
    method = method.lower().replace("-", "")
    if method not in METHODS:
        raise BadRequest(f"a checksum is one of {', '.join(METHODS)}")
    if offset < 0 or size < 0:
        raise BadRequest("a chunk has an offset and a size of at least 0")
    digest = hashlib.new(method, usedforsecurity=False)
    left = size or None
    try:
        with path.open("rb") as file:
            file.seek(offset)
            while piece := file.read(_PIECE if left is None else min(_PIECE, left)):
                digest.update(piece)
                left = left and left - len(piece)
                if left == 0:
                    break
    except OSError as problem:
        raise ClientError(f"the file cannot be read: {problem.strerror}") from None
    return {"checksum": digest.hexdigest(), "checksumMethod": method}


def directory(path: Path, depth: int | None) -> dict[str, Any]:
    """What is in a folder, to `depth` levels, all without one. Links are not told of. ClientError."""
    if not path.is_dir():
        raise BadRequest("this is no folder")
    entries: list[dict[str, Any]] = []
    for found in _walk(path, depth):
        if len(entries) >= MOST_ENTRIES:
            raise ClientError(f"there are more than {MOST_ENTRIES} entries in this folder")
        told = described(found, "")
        entries.append(
            {
                "relativePath": str(found.relative_to(path)),
                "type": "directory" if found.is_dir() else "file",
                "size": told["size"],
                "lastModified": told["lastModified"],
            }
        )
    return {"entries": entries, "totalCount": len(entries)}


def _walk(path: Path, depth: int | None) -> Iterator[Path]:
    try:
        entries = sorted(path.iterdir())
    except OSError:
        return
    for entry in entries:
        if entry.is_symlink():
            continue
        if entry.is_dir():
            yield entry
            if depth is None or depth > 1:
                yield from _walk(entry, None if depth is None else depth - 1)
        elif entry.is_file():
            yield entry
