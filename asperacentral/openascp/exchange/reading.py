"""The stream of bytes as the sending half has it: reads files in the order in which they are needed.

The half feeds it from the event loop, a plane reads it in a thread of its own. After a file's last needed byte its
verdict is told: the file is still what was scanned, or it will not come. Whatever was laid out for a file that will
not come is filled with zeros, since the stream cannot have gaps. Small files in bundles are read as wholes, with their
marks; only of those that will not come a verdict is told.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.confined import Files
from asperacentral.openascp.exchange.bundle import GOOD, VOID
from asperacentral.openascp.exchange.contents import Content, Contents
from asperacentral.openascp.exchange.messages import Entry, Need, Verdict
from asperacentral.openascp.exchange.scanning import Found
from asperacentral.openascp.exchange.small_sources import SmallSources, check
from asperacentral.openascp.exchange.terms import Terms
from asperacentral.openascp.failures import Failure, from_os_error
from asperacentral.openascp.files.attributes import restore_access_time
from asperacentral.openascp.files.checksums import Checksum

_PATIENCE_SECONDS = 0.02
_READ = 1024 * 1024


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
        self._needs: deque[tuple[_Source, Need] | deque[Found]] = deque()
        self._small = SmallSources(files, contents, restore=self._restore_access_time)
        self._unread: set[int] = set()  # of bundles: what is not in it any more is wanted no more
        self._rest = b""  # of the small file that was read last
        self._sources: dict[int, _Source] = {}
        self._current: tuple[_Source, Need] | deque[Found] | None = None
        self._ended = False

    # Called by the half.

    def feed(self, found: Found, need: Need) -> None:
        """More of the stream: these extents of this file."""
        with self._changed:
            source = self._sources.setdefault(need.id, _Source(found))
            self._needs.append((source, need))
            self._changed.notify()

    def feed_bundle(self, founds: Sequence[Found]) -> None:
        """More of the stream: these small files, as wholes."""
        with self._changed:
            self._unread.update(found.entry.id for found in founds)
            self._needs.append(deque(founds))
            self._changed.notify()

    def give_up(self, file: int) -> None:
        """Nobody wants this file any more; what is laid out for it is filled."""
        with self._changed:
            self._unread.discard(file)
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
        self._small.close()

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
            current = self._begun() if self._current is None else self._current
            if current is None:
                return None
            if isinstance(current, deque):
                if self._rest or current:
                    return self._next_small(current, room)
                self._current = None
                continue
            source, need = current
            if source.extents:
                offset, length = source.extents.popleft()
                taken = min(length, room)
                if taken < length:
                    source.extents.appendleft((offset + taken, length - taken))
                return self._fetch(source, offset, taken)
            self._current = None
            if need.last:
                self._finish(source)

    def _begun(self) -> tuple[_Source, Need] | deque[Found] | None:
        """What is laid out next, begun; None when nothing is."""
        with self._changed:
            if not self._needs:
                return None
            self._current = self._needs.popleft()
        if not isinstance(self._current, deque):
            source, need = self._current
            source.extents.extend(need.extents)
            self._open(source)
        return self._current

    def _next_small(self, founds: deque[Found], room: int) -> bytes:
        """As many small files as there is room for; what is left of the last one is kept for the next time."""
        parts, size = [self._rest], len(self._rest)
        while size < room and founds:
            found = founds.popleft()
            parts += self._read_small(found)
            size += found.entry.size + len(GOOD)
        data = b"".join(parts)
        self._rest = data[room:]
        return data[:room] if self._rest else data

    def _read_small(self, found: Found) -> tuple[bytes, bytes]:
        """A small file and its mark."""
        id, size = found.entry.id, found.entry.size
        try:
            if id in self._unread:
                return self._small.read(found), GOOD
        except OSError as error:
            self._tell(_refusal(id, from_os_error(error, FaspCode.DISK_READ)))
        except Failure as failure:
            self._tell(_refusal(id, failure))
        finally:
            self._unread.discard(id)
        return bytes(size), VOID

    def _open(self, source: _Source) -> None:
        """Open a file when it is read first; what is not what was scanned will not come."""
        if source.descriptor >= 0 or source.void:
            return
        try:
            source.descriptor = self._files.open_file(source.found.place, os.O_RDONLY)
            check(source.descriptor, source.found)
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
                check(source.descriptor, source.found)
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

    def _withdraw(self, source: _Source, failure: Failure) -> None:
        source.void = True
        _close(source)
        self._tell(_refusal(source.entry.id, failure))


def _refusal(file: int, failure: Failure) -> Verdict:
    return Verdict(file, int(failure.code), str(failure))


def _close(source: _Source) -> None:
    if source.descriptor >= 0:
        os.close(source.descriptor)
        source.descriptor = -1
