"""One upload, whichever protocol brings it: names measured by the transfer spec, bytes to the back end, reports.

Knows no HTTP. What is refused is raised; who feeds it calls `fail` then, once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from twisted.internet.defer import Deferred

from asperacentral.gateway.backends import Receiver
from asperacentral.gateway.errors import Told, TransferRefusedError
from asperacentral.gateway.form import escaped, meanings
from asperacentral.gateway.pace import Pace
from asperacentral.gateway.spec import SpecError, TransferSpec, joined, safe_name


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """What one upload may bring."""

    most_files: int = 10_000
    folders: bool = True


class UploadReport(Protocol):
    """Who is told how it gets on. Paths are those from the docroot on."""

    def begun(self, path: bytes, size: int | None) -> None:
        """A file begins."""

    def moved(self, count: int) -> None:
        """So many bytes more of it are there."""

    def done(self, size: int) -> None:
        """The file is there, with so many bytes."""

    def ended(self, problem: Told | None) -> None:
        """There is no more; without a problem all went well. A file that was begun and not done has failed."""


class Upload:
    """The files of one transfer spec on their way into a back end. Errors are those of `errors.told`."""

    def __init__(
        self,
        spec: TransferSpec,
        receiver: Receiver,
        report: UploadReport,
        limits: UploadLimits,
        pace: Pace,
    ) -> None:
        self._spec = spec
        self._receiver = receiver
        self._report = report
        self._limits = limits
        self._pace = pace
        self._expected = {path.source: path for path in spec.paths}
        texts = [path.source.decode("utf-8", "surrogateescape") for path in spec.paths]
        self._written = {escaped(text): text for text in texts} | {text: text for text in texts}
        self._came: set[bytes] = set()
        self._awaited = {path.source for path in spec.paths if path.size != 0}
        self._named = b""
        self._size: int | None = None
        self._count = 0
        self._open = False
        self._over = False
        self.finishing = False

    @property
    def over(self) -> bool:
        """Whether it has ended, well or not."""
        return self._over

    def begin(self, name: str, size: int | None) -> None:
        """A file begins: one that the spec names, or one in a folder that it names."""
        named, path = self._place(name)
        self._named = named
        if named in self._came:
            raise TransferRefusedError(400, "the same file twice in one upload")
        if len(self._came) >= self._limits.most_files:
            raise TransferRefusedError(413, f"more than {self._limits.most_files} files in one upload")
        if b"/" in named and not self._limits.folders:
            raise TransferRefusedError(403, "folders cannot be uploaded here")
        expected = self._expected.get(named)
        self._size = size if size is not None or expected is None else expected.size
        self._came.add(named)
        self._count = 0
        self._report.begun(path, self._size)
        self._open = True
        self._receiver.begin(path, self._size)

    def write(self, data: bytes) -> None:
        """More of the file."""
        self._count += len(data)
        if self._size is not None and self._count > self._size:
            raise TransferRefusedError(400, "a file is longer than was said")
        self._receiver.write(data)
        self._report.moved(len(data))
        self._pace.moved(len(data))

    def end(self) -> None:
        """The file has come."""
        if self._size is not None and self._count < self._size:
            raise TransferRefusedError(400, "a file is shorter than was said")
        self._receiver.end()
        self._open = False
        self._awaited.discard(self._named)
        self._report.done(self._count)

    def behind(self) -> Deferred[None] | None:
        """Fires when more should come; None when it may come at once."""
        waiting, paced = self._receiver.behind(), self._pace.behind()
        if waiting is None or paced is None:
            return waiting or paced
        return waiting.addCallback(lambda _: paced)

    @property
    def complete(self) -> bool:
        """Whether all files have come that the spec names and does not say to be empty."""
        return not self._open and not self.finishing and not self._awaited

    def finish(self) -> Deferred[None] | None:
        """All has come that will come. Empty files may have been left out by the client; others may not."""
        folders = {folder for name in self._came for folder in _folders_above(name)}
        for path in self._spec.paths:
            if path.source not in self._came and path.source not in folders:
                if path.size != 0:
                    raise TransferRefusedError(400, "not all files of the transfer spec have come")
                self.begin(path.source.decode("utf-8", "surrogateescape"), 0)
                self.end()
        self.finishing = True
        waiting = self._receiver.finish()
        if waiting is None:
            self._end(None)
        else:
            waiting.addCallback(self._end)
        return waiting

    def fail(self, problem: Told) -> None:
        """It ends here; what is not whole goes."""
        if not self._over:
            self._receiver.abandon()
            self._over = True
            self._report.ended(problem)

    def _end(self, _: object = None) -> None:
        self._over = True
        self._report.ended(None)

    def _place(self, name: str) -> tuple[bytes, bytes]:
        """The name as the spec has it, and the path it is to have. SpecError, TransferRefusedError."""
        root = self._spec.destination_root
        for meant in (self._written[name],) if name in self._written else meanings(name):
            named = safe_name(meant)
            if named in self._expected:
                return named, joined(root, self._expected[named].destination or named)
            for end in _folders_above(named):
                if end in self._expected:
                    folder = self._expected[end].destination or end
                    return named, joined(root, folder + named[len(end) :])
        raise SpecError("a file that the transfer spec does not name")


def _folders_above(name: bytes) -> list[bytes]:
    parts = name.split(b"/")
    return [b"/".join(parts[:count]) for count in range(len(parts) - 1, 0, -1)]
