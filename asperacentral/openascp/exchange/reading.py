"""The stream of bytes as the sending half has it: reads files in the order in which they are needed.

The half feeds it from the event loop, a plane reads it in a thread of its own. After a file's last needed byte its
verdict is told: the file is still what was scanned, or it will not come. Whatever was laid out for a file that will
not come is filled with zeros, since the stream cannot have gaps.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.confined import Files
from asperacentral.openascp.exchange.contents import Content, Contents
from asperacentral.openascp.exchange.messages import Entry, Need, Verdict
from asperacentral.openascp.exchange.scanning import Found
from asperacentral.openascp.exchange.terms import Terms
from asperacentral.openascp.failures import Failure, from_os_error
from asperacentral.openascp.files.attributes import restore_access_time
from asperacentral.openascp.files.checksums import Checksum

_PATIENCE_SECONDS = 0.02
_READ = 1024 * 1024
_CHANGED = "the source changed while it was read"


@dataclass(slots=True)
class _Source:
    """One file that is being read."""

    found: Found
    descriptor: int = -1
    content: Content | None = None
    void: bool = False
    checksum: Checksum | None = None
    extents: deque[tuple[int, int]] = field(default_factory=deque)

    @property
    def entry(self) -> Entry:
        """As it was announced."""
        return self.found.entry


class StreamReader:
    """The `StreamSource` of a sending half. `tell` is called in the reading thread."""

    def __init__(
        self, files: Files, tell: Callable[[Verdict], None], terms: Terms, contents: Contents
    ) -> None:
        self._files = files
        self._contents = contents
        self._checksum = terms.checksum
        self._restore_access_time = terms.preserving().source_access_time
        self._tell = tell
        self._changed = threading.Condition()
        self._needs: deque[tuple[_Source, Need]] = deque()
        self._sources: dict[int, _Source] = {}
        self._current: tuple[_Source, Need] | None = None
        self._ended = False

    # Called by the half.

    def feed(self, found: Found, need: Need) -> None:
        """More of the stream: these extents of this file."""
        with self._changed:
            source = self._sources.setdefault(need.id, _Source(found))
            self._needs.append((source, need))
            self._changed.notify()

    def give_up(self, file: int) -> None:
        """Nobody wants this file any more; what is laid out for it is filled."""
        with self._changed:
            if (source := self._sources.get(file)) is not None:
                source.void = True

    def end(self) -> None:
        """There will be no more needs."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def close(self) -> None:
        """Release all files; nobody reads any more."""
        for source in self._sources.values():
            _close(source)
        self._sources.clear()

    # Called by the plane.

    def read(self, size: int) -> bytes | None:
        """See StreamSource."""
        parts: list[bytes] = []
        room = size
        while room and (part := self._next(room)) is not None:
            parts.append(part)
            room -= len(part)
        if parts:
            return parts[0] if len(parts) == 1 else b"".join(parts)
        with self._changed:
            if not self._needs and not self._ended:
                self._changed.wait(_PATIENCE_SECONDS)
            return None if self._ended and not self._needs else b""

    def _next(self, room: int) -> bytes | None:
        """Bytes of the extent that is on; None when nothing is laid out."""
        while True:
            if self._current is None:
                with self._changed:
                    if not self._needs:
                        return None
                    self._current = self._needs.popleft()
                source, need = self._current
                source.extents.extend(need.extents)
                self._open(source)
            source, need = self._current
            if source.extents:
                offset, length = source.extents.popleft()
                taken = min(length, room)
                if taken < length:
                    source.extents.appendleft((offset + taken, length - taken))
                return self._fetch(source, offset, taken)
            self._current = None
            if need.last:
                self._finish(source)

    def _open(self, source: _Source) -> None:
        """Open a file when it is read first; what is not what was scanned will not come."""
        if source.descriptor >= 0 or source.void:
            return
        try:
            source.descriptor = self._files.open_file(source.found.place, os.O_RDONLY)
            self._check(source)
            source.content = self._contents.of(source.descriptor, source.found)
            if self._checksum != "none":
                source.checksum = Checksum(self._checksum)
        except OSError as error:
            self._withdraw(source, from_os_error(error, FaspCode.DISK_READ))
        except Failure as failure:
            self._withdraw(source, failure)

    def _fetch(self, source: _Source, offset: int, size: int) -> bytes:
        if not source.void and source.content is not None:
            try:
                data = source.content.read(offset, size)
                if source.checksum is not None and source.checksum.size == offset:
                    source.checksum.update(data)
                return data
            except OSError as error:
                self._withdraw(source, from_os_error(error, FaspCode.DISK_READ))
            except Failure as failure:
                self._withdraw(source, failure)
        return bytes(size)

    def _finish(self, source: _Source) -> None:
        """All that is needed was read: is it still the same file?"""
        try:
            if not source.void:
                checksum = self._summed(source)
                if self._restore_access_time:
                    restore_access_time(source.descriptor, source.entry.accessed)
                self._check(source)
                self._tell(Verdict(source.entry.id, checksum=checksum))
        except OSError as error:
            self._withdraw(source, from_os_error(error, FaspCode.DISK_READ))
        except Failure as failure:
            self._withdraw(source, failure)
        finally:
            _close(source)
            with self._changed:
                self._sources.pop(source.entry.id, None)

    @staticmethod
    def _summed(source: _Source) -> bytes:
        """The checksum of the whole file; what was not sent, as a former session brought it, is read for it."""
        checksum, content = source.checksum, source.content
        if checksum is None or content is None:
            return b""
        while checksum.size < source.entry.size:
            left = source.entry.size - checksum.size
            checksum.update(content.read(checksum.size, min(_READ, left)))
        return checksum.hexdigest().encode()

    @staticmethod
    def _check(source: _Source) -> None:
        found = os.fstat(source.descriptor)
        if (found.st_size, found.st_mtime_ns) != (source.found.whole, source.entry.modified):
            raise Failure(FaspCode.DISK_READ, _CHANGED)

    def _withdraw(self, source: _Source, failure: Failure) -> None:
        source.void = True
        _close(source)
        self._tell(Verdict(source.entry.id, int(failure.code), str(failure)))


def _close(source: _Source) -> None:
    if source.descriptor >= 0:
        os.close(source.descriptor)
        source.descriptor = -1
