"""Writes the stream into files, in a thread of its own: partial files, and their names when they are whole.

The half hands over needs, bytes and verdicts in the order in which they came; this thread tells what it has done.
A file is whole when every byte that was needed is written and its verdict, or its mark in a bundle, says that the
source is still the same.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue

from asperacentral.fasp.errors import FaspCode, known
from asperacentral.openascp.confined import Files
from asperacentral.openascp.exchange import holes, partial, sharing
from asperacentral.openascp.exchange.bundle import GOOD, Shape
from asperacentral.openascp.exchange.finishing import Finisher
from asperacentral.openascp.exchange.layout import Contiguous, Layout, Piece
from asperacentral.openascp.exchange.messages import DONE, FAILED, PART, Need, Settled, Verdict
from asperacentral.openascp.exchange.resuming import Leftover, Notebook
from asperacentral.openascp.exchange.runs import Bytes, runs, write_fully
from asperacentral.openascp.exchange.sharing import Joint, SharedFiles
from asperacentral.openascp.exchange.small_targets import SmallTargets
from asperacentral.openascp.exchange.target import Target
from asperacentral.openascp.failures import Failure, from_os_error

_BATCH = 4 * 1024 * 1024

log = logging.getLogger(__name__)


@dataclass(slots=True)
class News:
    """What has been done since the last look: bytes moved per file (count, contiguous), ends, the stream's mark."""

    moved: dict[int, tuple[int, int]] = field(default_factory=dict)
    settled: list[Settled] = field(default_factory=list)
    written: int = 0
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class _Laid:
    target: Target
    need: Need


@dataclass(frozen=True, slots=True)
class _Stop:
    pass


class _Bundle:
    """Small files that are one extent; `due` bytes of it are still to come."""

    __slots__ = ("due", "shape", "targets")

    def __init__(self, targets: Sequence[Target]) -> None:
        self.targets = targets
        self.shape = Shape(target.entry.size for target in targets)
        self.due = self.shape.length


_Item = Bytes | _Laid | _Bundle | Verdict | _Stop


@dataclass(slots=True)
class _Incoming:
    """One file that is being written."""

    target: Target
    descriptor: int = -1
    notebook: Notebook | None = None
    joint: Joint | None = None
    due: int = 0
    contiguous: int = 0
    laid: bool = False
    sure: bool = False
    checksum: str = ""
    dropped: bool = False
    looked_at: bool = False


class StreamWriter:
    """The `StreamSink` of a receiving half. `wake` is called in the thread when there is news that matters."""

    def __init__(
        self, files: Files, wake: Callable[[], None], finisher: Finisher, shared: SharedFiles
    ) -> None:
        self._files = files
        self._shared = shared
        self._wake = wake
        self._finisher = finisher
        self._items: SimpleQueue[_Item] = SimpleQueue()
        self._taken = 0
        self._put = 0
        self._lock = threading.Lock()
        self._news = News()
        self._layout = Layout()
        self._contiguous = Contiguous()
        self._incoming: dict[int, _Incoming] = {}
        self._bundles: dict[int, _Bundle] = {}  # by the ids of their first files
        self._small: dict[int, Target] = {}  # of bundles, nothing of which has come
        self._small_targets = SmallTargets(files, finisher)
        self._syncs = ThreadPoolExecutor(1, thread_name_prefix="sync")
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    # Called by the half and the plane.

    def lay(self, target: Target, need: Need) -> None:
        """The stream goes on with these extents of a file."""
        self._items.put(_Laid(target, need))

    def lay_bundle(self, targets: Sequence[Target]) -> None:
        """The stream goes on with these small files."""
        self._items.put(_Bundle(targets))

    def write(self, offset: int, data: bytes) -> None:
        """See StreamSink."""
        self._taken += len(data)
        self._items.put(Bytes(offset, data))

    def judge(self, verdict: Verdict) -> None:
        """The sending half has told how a file is."""
        self._items.put(verdict)

    @property
    def backlog(self) -> int:
        """See StreamSink."""
        return self._taken - self._put

    def news(self) -> News:
        """What was done since the last call."""
        with self._lock:
            news, self._news = self._news, News(written=self._news.written)
        return news

    def stop(self) -> None:
        """Write what was handed over, then leave: files that are not whole are cleared away."""
        self._items.put(_Stop())

    def join(self, seconds: float) -> bool:
        """Wait for the thread to leave; False when it has not."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    # The thread.

    def _run(self) -> None:
        try:
            going = True
            while going:
                going = self._work(self._items.get())
        except BaseException as error:
            log.error("internal error", exc_info=error)
            with self._lock:
                self._news.error = error
            self._wake()
        finally:
            for incoming in list(self._incoming.values()):
                self._leave(incoming)
            self._small_targets.close()
            self._syncs.shutdown(wait=False)

    def _work(self, item: _Item) -> bool:
        match item:
            case Bytes():
                following = self._write_all(item)
                return True if following is None else self._work(following)
            case _Laid(target, need):
                self._lay(target, need)
            case _Bundle():
                self._lay_bundle(item)
            case Verdict():
                self._judge(item)
            case _Stop():
                return False
        return True

    def _lay(self, target: Target, need: Need) -> None:
        incoming = self._incoming.get(need.id)
        if incoming is None:
            incoming = self._incoming[need.id] = _Incoming(target)
            if isinstance(target.leftover, Leftover):
                incoming.descriptor = target.leftover.descriptor
                incoming.notebook = target.leftover.notebook
                incoming.contiguous = target.missing[0][0] if target.missing else target.entry.size
        self._layout.append(need.id, need.extents)
        incoming.due += sum(length for _, length in need.extents)
        incoming.laid = need.last
        if incoming.dropped:
            self._forget_if_over(need.id, incoming)

    def _lay_bundle(self, bundle: _Bundle) -> None:
        first = bundle.targets[0].entry.id
        self._bundles[first] = bundle
        self._small.update((target.entry.id, target) for target in bundle.targets)
        self._layout.append(first, [(0, bundle.due)])

    def _incoming_of(self, file: int) -> _Incoming | None:
        """A file that is laid out and not settled; one of a bundle gets a state of its own by being asked for."""
        if (target := self._small.pop(file, None)) is None:
            return self._incoming.get(file)
        incoming = self._incoming[file] = _Incoming(target, due=target.entry.size + len(GOOD), laid=True)
        return incoming

    def _judge(self, verdict: Verdict) -> None:
        incoming = self._incoming_of(verdict.id)
        if incoming is None or incoming.dropped:
            return
        if verdict.code:
            self._fail(incoming, Failure(known(verdict.code), verdict.reason))
            return
        incoming.sure = True
        incoming.checksum = verdict.checksum.decode("ascii", "replace")
        self._end_if_whole(incoming)

    # Bytes: as many at once as follow each other in one file.

    def _write_all(self, first: Bytes) -> _Item | None:
        """Write what is waiting; return the first item that is something else."""
        batch, following = self._gather(first)
        for piece, buffers in runs(self._layout, batch):
            bundle = self._bundles.get(piece.file)
            if bundle is None:
                self._put_down(piece, buffers)
            else:
                self._unpack(bundle, piece, buffers)
        size = 0
        for each in batch:
            self._contiguous.add(each.offset, len(each.data))
            size += len(each.data)
        self._layout.advance(self._contiguous.end)
        self._put += size
        with self._lock:
            self._news.written = self._contiguous.end
        return following

    def _gather(self, first: Bytes) -> tuple[list[Bytes], _Item | None]:
        batch, size = [first], len(first.data)
        while size < _BATCH:
            try:
                item = self._items.get_nowait()
            except Empty:
                return batch, None
            if not isinstance(item, Bytes):
                return batch, item
            batch.append(item)
            size += len(item.data)
        return batch, None

    def _put_down(self, piece: Piece, buffers: list[memoryview]) -> None:
        """Write one run of bytes of one file."""
        incoming = self._incoming[piece.file]
        incoming.due -= piece.length
        if incoming.dropped:
            self._forget_if_over(piece.file, incoming)
            return
        if not self._put_content(incoming, piece.offset, buffers):
            return
        self._moved(incoming, piece)
        if self._begins_well(incoming):
            self._end_if_whole(incoming)

    def _put_content(self, incoming: _Incoming, offset: int, buffers: list[memoryview]) -> bool:
        """Write bytes of a file; False when that failed, and the file with it."""
        length = sum(map(len, buffers))
        try:
            self._open(incoming)
            if incoming.descriptor < 0:
                raise Failure(
                    FaspCode.UPLOAD_IN_PROGRESS, "another session has made this file whole meanwhile"
                )
            write_fully(incoming.descriptor, buffers, offset)
            self._note(incoming, offset, length)
        except OSError as error:
            self._fail(incoming, from_os_error(error, FaspCode.DISK_WRITE))
        except Failure as failure:
            self._fail(incoming, failure)
        return not incoming.dropped

    # Bytes of bundles: a small file that has come as a whole is written as one, without a state of its own.

    def _unpack(self, bundle: _Bundle, piece: Piece, buffers: list[memoryview]) -> None:
        data = buffers[0] if len(buffers) == 1 else memoryview(b"".join(buffers))
        place = 0
        ended = []
        for number, start, end in bundle.shape.parts(piece.offset, piece.length):
            target = bundle.targets[number]
            part = data[place : place + end - start]
            place += end - start
            whole = len(part) > target.entry.size and part[-1:] == GOOD and target.entry.id in self._small
            if whole and (settled := self._take_whole(target, part[:-1])) is not None:
                ended.append(settled)
            else:
                self._take_part(target, start, part)
        self._settle(*ended)
        bundle.due -= piece.length
        if not bundle.due:
            del self._bundles[bundle.targets[0].entry.id]

    def _take_whole(self, target: Target, content: memoryview) -> Settled | None:
        """A small file has come at once: how it ended, None when it has to go the longer way."""
        file = target.entry.id
        try:
            if not self._small_targets.put(target, content):
                return None
        except Failure as failure:
            settled = Settled(file, FAILED, int(failure.code), str(failure))
        else:
            settled = Settled(file, DONE)
        del self._small[file]
        return settled

    def _take_part(self, target: Target, offset: int, data: memoryview) -> None:
        """Bytes of a small file, the mark perhaps among them."""
        incoming = self._incoming_of(target.entry.id)
        if incoming is None:
            raise ValueError("bytes of a small file that has been settled")
        incoming.due -= len(data)
        content = data[: max(target.entry.size - offset, 0)]
        if len(content) < len(data):
            incoming.sure = data[-1:] == GOOD
        if incoming.dropped:
            self._forget_if_over(target.entry.id, incoming)
        elif not content or self._put_content(incoming, offset, [content]):
            self._end_if_whole(incoming)

    def _begins_well(self, incoming: _Incoming) -> bool:
        """Look at a file's first bytes once they are there, where these tell whether it will be any good."""
        if incoming.looked_at or incoming.contiguous < self._finisher.header:
            return True
        incoming.looked_at = True
        try:
            self._finisher.check_header(incoming.descriptor)
        except OSError as error:
            self._fail(incoming, from_os_error(error, FaspCode.DISK_READ))
        except Failure as failure:
            self._fail(incoming, failure)
        return not incoming.dropped

    def _moved(self, incoming: _Incoming, piece: Piece) -> None:
        sparse = incoming.target.holes
        contiguous = holes.over(incoming.contiguous, sparse)
        if piece.offset <= contiguous:
            incoming.contiguous = holes.over(max(contiguous, piece.offset + piece.length), sparse)
        with self._lock:
            count, _ = self._news.moved.get(piece.file, (0, 0))
            self._news.moved[piece.file] = (count + piece.length, incoming.contiguous)

    # Files.

    def _open(self, incoming: _Incoming) -> None:
        if incoming.descriptor >= 0:
            return
        target = incoming.target
        if target.share is not None:
            self._join(incoming)
            return
        incoming.descriptor = partial.claim(self._files, target.partial, executable=target.executable)
        found = os.fstat(incoming.descriptor)
        if found.st_size or target.identity is not None:  # what was noted is void before the bytes are gone
            partial.remove(self._files, target.checkpoint)
            os.ftruncate(incoming.descriptor, 0)
        if target.identity is not None:
            identity = replace(target.identity, inode=found.st_ino)
            incoming.notebook = Notebook.begin(self._files, target.checkpoint, identity)

    def _join(self, incoming: _Incoming) -> None:
        """Open a file that several sessions write; it stays closed when it is whole already."""
        target = incoming.target
        incoming.joint = sharing.join(self._files, target, executable=target.executable)
        if incoming.joint is not None:
            incoming.descriptor = incoming.joint.descriptor
            incoming.notebook = incoming.joint.notebook

    def _note(self, incoming: _Incoming, offset: int, length: int) -> None:
        if (notebook := incoming.notebook) is not None:
            notebook.wrote(offset, length)
            if notebook.is_due():
                notebook.sync(incoming.descriptor, self._syncs)

    def _end_if_whole(self, incoming: _Incoming) -> None:
        if incoming.due or not incoming.laid or not incoming.sure:
            return
        target = incoming.target
        try:
            self._open(incoming)  # an empty file has not been yet
            outcome = self._finish(incoming)
        except OSError as error:
            self._fail(incoming, from_os_error(error, FaspCode.CANNOT_RENAME_PARTIAL))
            return
        except Failure as failure:
            self._fail(incoming, failure)
            return
        self._close(incoming)
        del self._incoming[target.entry.id]
        self._settle(Settled(target.entry.id, outcome))

    def _finish(self, incoming: _Incoming) -> str:
        """All that this session was to bring is there: DONE, or PART of a file. OSError, Failure."""
        target = incoming.target

        def finish() -> None:
            self._finisher.finish(incoming.descriptor, target, incoming.checksum)

        if target.share is None:
            finish()
            return DONE
        whole = incoming.joint is not None and incoming.joint.conclude(finish)
        self._shared.add(target)
        return DONE if whole else PART

    def _fail(self, incoming: _Incoming, failure: Failure) -> None:
        """A file ends; what is still to come for it is dropped."""
        incoming.dropped = True
        file = incoming.target.entry.id
        self._clear_away(incoming)
        self._settle(Settled(file, FAILED, int(failure.code), str(failure)))
        self._forget_if_over(file, incoming)

    def _forget_if_over(self, file: int, incoming: _Incoming) -> None:
        if incoming.laid and not incoming.due:
            self._incoming.pop(file, None)

    def _leave(self, incoming: _Incoming) -> None:
        """The session ends before the file does: what a next one can use is kept."""
        if incoming.joint is not None:
            self._leave_joint(incoming, incoming.joint, forget=not self._finisher.resumes)
        elif incoming.notebook is not None and incoming.notebook.holds_blocks:
            self._close(incoming)
        else:
            self._clear_away(incoming)

    def _clear_away(self, incoming: _Incoming) -> None:
        if incoming.joint is not None:
            self._leave_joint(incoming, incoming.joint, forget=True)
            return
        with contextlib.suppress(OSError):
            if (
                incoming.descriptor >= 0
            ):  # removed under its lock: a successor that waits for it makes its own
                partial.remove(self._files, incoming.target.checkpoint, incoming.target.partial)
            self._close(incoming)

    def _leave_joint(self, incoming: _Incoming, joint: Joint, *, forget: bool) -> None:
        """After the syncs that are under way: they note blocks."""
        incoming.joint, incoming.descriptor = None, -1
        self._syncs.submit(joint.leave, forget=forget).result()

    @staticmethod
    def _close(incoming: _Incoming) -> None:
        descriptor, incoming.descriptor = incoming.descriptor, -1
        joint, incoming.joint = incoming.joint, None
        if joint is not None:
            joint.close()
            return
        if incoming.notebook is not None:
            incoming.notebook.close()
        if descriptor >= 0:
            os.close(descriptor)

    def _settle(self, *settled: Settled) -> None:
        with self._lock:
            first = not self._news.settled
            self._news.settled += settled
        if first and settled:
            self._wake()
