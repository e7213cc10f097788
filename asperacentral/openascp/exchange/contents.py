"""The bytes of a source as they travel: as they are, or encrypted while they are read. Called in threads."""

from __future__ import annotations

import os
import posixpath
from typing import Protocol

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.exchange.scanning import Found
from asperacentral.openascp.failures import Failure
from asperacentral.openascp.files import filecrypt
from asperacentral.openascp.files.filecrypt import Encryption, Header, Passphrase

_AHEAD = 16
"""Chunks that are encrypted at once: a read does not end where a chunk does."""


class Content(Protocol):
    """What travels of one open source."""

    def read(self, offset: int, size: int) -> bytes:
        """Exactly these bytes. OSError; Failure when the file has become shorter."""
        ...


class Contents:
    """Makes the contents of one session's sources; with a passphrase they are encrypted. `salt` is that of all."""

    def __init__(self, passphrase: Passphrase | None = None, salt: bytes = b"") -> None:
        self._passphrase = passphrase
        self._salt = salt

    def of(self, descriptor: int, found: Found) -> Content:
        """The content of what was found and opened; the same each time."""
        clear = _Plain(descriptor, found.start)
        if self._passphrase is None:
            return clear
        identity = [posixpath.normpath(found.place), b"%d" % found.whole, b"%d" % found.entry.modified]
        if found.start:
            identity.append(b"%d" % found.start)
        header = Header(self._salt, filecrypt.file_id_of(self._salt, *identity))
        size = filecrypt.clear_size(found.entry.size)
        return _Sealed(clear, Encryption(header, self._passphrase, size))


class _Plain:
    def __init__(self, descriptor: int, start: int) -> None:
        self._descriptor = descriptor
        self._start = start

    def read(self, offset: int, size: int) -> bytes:
        """See Content."""
        data = os.pread(self._descriptor, size, self._start + offset)
        if len(data) == size:
            return data
        parts = [data]  # some file systems cut reads short without being at the end
        while size := size - len(data):
            offset += len(data)
            data = os.pread(self._descriptor, size, self._start + offset)
            if not data:
                raise Failure(FaspCode.DISK_READ, "the source became shorter while it was read")
            parts.append(data)
        return b"".join(parts)


class _Sealed:
    """Holds some chunks in their encrypted form, since most reads go on where the last one ended."""

    def __init__(self, clear: Content, whole: Encryption) -> None:
        self._clear = clear
        self._whole = whole
        self._start = 0
        self._held = b""

    def read(self, offset: int, size: int) -> bytes:
        """See Content."""
        parts = []
        while size:
            if not self._start <= offset < self._start + len(self._held):
                self._hold(offset)
            part = self._held[offset - self._start :][:size]
            if not part:
                raise Failure(FaspCode.DISK_READ, "what was asked for is beyond the encrypted form's end")
            parts.append(part)
            offset += len(part)
            size -= len(part)
        return b"".join(parts)

    def _hold(self, offset: int) -> None:
        count = filecrypt.after_chunks(offset, _AHEAD) - offset
        start, needed = self._whole.span(offset, count)
        clear = self._clear.read(start, needed) if needed else b""
        self._start, self._held = offset, self._whole.part(offset, count, clear)
