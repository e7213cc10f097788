"""What the receiving half asks for: lays out the stream, as much of it as there is room for. No I/O of its own.

Files that are wanted wait here until there is room in the window. A large one is asked for in slices, small ones that
follow each other as a bundle where the other half knows them. A file that will not come is asked for no more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import groupby

from asperacentral.openascp.exchange.bundle import GOOD, LARGEST, MOST_FILES, SMALL
from asperacentral.openascp.exchange.conversation import Conversation
from asperacentral.openascp.exchange.messages import FAILED, Bundle, Bundles, Need, Needs, Settled, Verdict
from asperacentral.openascp.exchange.target import Target
from asperacentral.openascp.exchange.wanting import Wanted
from asperacentral.openascp.exchange.writing import StreamWriter

SLICE = 16 * 1024 * 1024
"""The most of one file that is laid out at once: what may have to be filled when it fails."""
MOST_WANTED = 4096
"""Files laid out by themselves and not yet settled."""


class Asking:
    """Of one session. `window` is how many bytes may be laid out and not yet written; `begun` hears of each file that
    is laid out, `refused` of those that never were. Bundles are laid with `bundling` only.
    """

    def __init__(
        self,
        conversation: Conversation,
        writer: StreamWriter,
        window: int,
        *,
        bundling: bool,
        begun: Callable[[Target], None],
        refused: Callable[[Settled], None],
    ) -> None:
        self._conversation = conversation
        self._writer = writer
        self._window = window
        self._bundling = bundling
        self._begun = begun
        self._refused = refused
        self._wanted: deque[Wanted] = deque()
        self._lying: set[int] = set()  # files laid out by themselves and not over
        self._bundled: set[int] = set()  # files laid out in bundles and not settled
        self._void: dict[int, Verdict] = {}  # files that will not come and are not laid out yet
        self.end = 0
        """Bytes of the stream laid out."""
        self.written = 0
        """Bytes of the stream written; to be kept up to date."""

    def want(self, target: Target) -> None:
        """A file is to be written."""
        self._wanted.append(Wanted(target))

    def will_not_come(self, verdict: Verdict) -> None:
        """Of a file that nothing may have been asked of so far."""
        self._void.setdefault(verdict.id, verdict)

    def judged(self, verdict: Verdict) -> None:
        """A file was read to its end, or will not be."""
        if verdict.code and verdict.id not in self._lying and verdict.id not in self._bundled:
            self._void[verdict.id] = verdict
            self._drop_unlaid()
            return
        self._writer.judge(verdict)
        if verdict.code:
            self._want_no_more(verdict.id)

    def over(self, settled: Settled) -> None:
        """The writer has ended a file."""
        self._lying.discard(settled.id)
        if settled.outcome == FAILED:
            self._want_no_more(settled.id)

    def forget(self, file: int) -> bool:
        """An entry is settled; whether it was in a bundle."""
        self._void.pop(file, None)
        if file in self._bundled:
            self._bundled.discard(file)
            return True
        return False

    def lay_out(self) -> None:
        """Ask for as much as the window has room for."""
        if self._void:
            self._drop_unlaid()
        asked: list[Need | Bundle] = []
        while self._wanted and self._room > 0 and len(self._lying) < MOST_WANTED:
            small = self._small()
            asked.append(self._lay_bundle(small) if small else self._lay(self._wanted[0]))
        for kind, some in groupby(asked, type):
            together = tuple(some)
            self._conversation.send(Needs(together) if kind is Need else Bundles(together))  # type: ignore[arg-type]

    def close(self) -> None:
        """Nothing will be laid out any more: let go of what former sessions have left."""
        for wanted in self._wanted:
            if wanted.target.leftover is not None and not wanted.begun:
                wanted.target.leftover.close()

    @property
    def _room(self) -> int:
        return self._window - (self.end - self.written)

    def _lay(self, wanted: Wanted) -> Need:
        """The next of one file."""
        target = wanted.target
        extents = wanted.slice(min(SLICE, self._room))
        need = Need(target.entry.id, extents, not wanted.missing, target.kept)
        self.end += sum(length for _, length in extents)
        if not wanted.begun:
            wanted.begun = True
            self._lying.add(target.entry.id)
            self._begun(target)
        if need.last:
            self._wanted.popleft()
        self._writer.lay(target, need)
        return need

    def _small(self) -> list[Target]:
        """The files that can be laid as a bundle next."""
        small: list[Target] = []
        if not self._bundling:
            return small
        size = 0
        following = self._wanted[0].target.entry.id
        for wanted in self._wanted:
            target = wanted.target
            size += target.entry.size + len(GOOD)
            if (
                target.entry.id != following
                or target.entry.size > SMALL
                or target.leftover is not None
                or target.share is not None
                or size > LARGEST
                or len(small) == MOST_FILES
            ):
                break
            small.append(target)
            following += 1
        return small

    def _lay_bundle(self, targets: list[Target]) -> Bundle:
        for target in targets:
            self._wanted.popleft()
            self._bundled.add(target.entry.id)
            self._begun(target)
            self.end += target.entry.size + len(GOOD)
        self._writer.lay_bundle(targets)
        return Bundle(targets[0].entry.id, len(targets))

    def _drop_unlaid(self) -> None:
        """Settle files that will not come before anything of them was asked for."""
        for wanted in [each for each in self._wanted if each.target.entry.id in self._void]:
            self._wanted.remove(wanted)
            verdict = self._void.pop(wanted.target.entry.id)
            if wanted.target.leftover is not None:
                wanted.target.leftover.close()
            self._refused(Settled(verdict.id, FAILED, verdict.code, verdict.reason))

    def _want_no_more(self, file: int) -> None:
        """A file will not be whole: nothing more of it is laid out, and everybody must know that."""
        for wanted in self._wanted:
            if wanted.target.entry.id == file:
                need = Need(file, (), last=True)
                self._wanted.remove(wanted)
                self._writer.lay(wanted.target, need)
                self._conversation.send(Needs((need,)))
                return
