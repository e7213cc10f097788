"""Checksums of whole files, computed as the bytes pass by."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

_BLOCK = 1024 * 1024

_CONSTRUCTORS: dict[str, Callable[[], hashlib._Hash]] = {
    "md5": lambda: hashlib.md5(usedforsecurity=False),
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha-256": hashlib.sha256,
    "sha-384": hashlib.sha384,
    "sha-512": hashlib.sha512,
}
NAMES = ("none", *_CONSTRUCTORS)
"""ascp's words; `none` computes nothing."""


class Checksum:
    """Takes the bytes of one file in order. ValueError for a name that is none of NAMES, or is `none`."""

    def __init__(self, name: str) -> None:
        if name not in _CONSTRUCTORS:
            raise ValueError(f"{name!r} is no checksum")
        self.name = name
        self.size = 0
        """Bytes taken so far: where the next belong."""
        self._hash = _CONSTRUCTORS[name]()

    def update(self, data: bytes | memoryview) -> None:
        """Take the next bytes."""
        self._hash.update(data)
        self.size += len(data)

    def hexdigest(self) -> str:
        """The checksum of all bytes so far, in lower case hexadecimal digits."""
        return self._hash.hexdigest()


def of_bytes(name: str, read: Callable[[int, int], bytes], size: int) -> str:
    """The checksum of `size` bytes that `read(offset, count)` gives. EOFError when they end before."""
    checksum = Checksum(name)
    while checksum.size < size:
        data = read(checksum.size, min(_BLOCK, size - checksum.size))
        if not data:
            raise EOFError(f"the file ends after {checksum.size} bytes of {size}")
        checksum.update(data)
    return checksum.hexdigest()
