"""Opening beneath a root, whatever links there are and whoever changes them meanwhile.

Theory of operation. Where the kernel has openat2 it walks for us and says EXDEV when the way would leave the root.
That also covers links with an absolute text that leads back inside, so then, and on older kernels, `Walk` decides:
it opens one part after the other, each relative to the folder before and never following a link (O_NOFOLLOW). A
link it meets is read and its text walked in turn. `..` is never given to the kernel: the folders passed are kept
open in a stack, and `..` takes one off. So every descriptor was reached from the root by going down, and swapping
folders for links at any moment leads to a refusal or to another place inside, never outside.
"""

# Paths are bytes here, which pathlib does not take.
# ruff: noqa: PTH100

from __future__ import annotations

import errno
import os
import stat
from types import TracebackType

from asperacentral.openascp import kernel
from asperacentral.openascp.names import LONGEST, BadPathError, parts_of

MOST_LINKS = 40
"""Links followed on one way, as in the kernel."""

_OUTSIDE = "the name leads out of the permitted folder"
_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class Root:
    """The folder that is never left. `texts` are its absolute names: what an absolute link may begin with."""

    def __init__(self, descriptor: int, texts: tuple[bytes, ...], *, use_openat2: bool = True) -> None:
        self.descriptor = descriptor
        self.texts = texts
        self._kernel = use_openat2 and kernel.has_openat2()

    @classmethod
    def of(cls, folder: bytes, *, use_openat2: bool = True) -> Root:
        """The root at this place. OSError when there is no such folder."""
        descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        texts = tuple(dict.fromkeys((os.path.realpath(folder), os.path.abspath(folder))))
        return cls(descriptor, texts, use_openat2=use_openat2)

    def below(self, path: bytes) -> Root:
        """A narrower root: the folder `path`, which must not be a link itself."""
        descriptor = self.open(path, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
        texts = tuple(text.rstrip(b"/") + b"/" + path for text in self.texts)
        return Root(descriptor, texts, use_openat2=self._kernel)

    def open(self, path: bytes, flags: int, mode: int = 0o666) -> int:
        """A descriptor of `path` (as `names.checked` returns it; empty = the root), opened as os.open does.

        OSError as there; BadPathError when the way leads outside.
        """
        parts = parts_of(path)
        if self._kernel:
            try:
                return kernel.openat2_beneath(self.descriptor, path or b".", flags, mode)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
        with Walk(self) as walk:
            return walk.open(parts, flags, mode)

    def resolve(self, path: bytes) -> bytes:
        """The name beneath the root that `path` leads to, all links followed; its last parts may not exist.

        BadPathError when it leads outside.
        """
        with Walk(self) as walk:
            return b"/".join(walk.names_of(parts_of(path)))

    def check_link(self, text: bytes, path: bytes) -> None:
        """BadPathError when a link `path` that holds `text` would lead outside, as things are now."""
        if b"\0" in text:
            raise BadPathError("a link cannot hold a NUL character")
        above = [] if text.startswith(b"/") else parts_of(path)[:-1]
        with Walk(self) as walk:
            walk.names_of([*above, *self.inside(text).split(b"/")])

    def inside(self, text: bytes) -> bytes:
        """What is left of a link's text when an absolute one is taken from the root on."""
        if not text.startswith(b"/"):
            return text
        for root in self.texts:
            prefix = root.rstrip(b"/") + b"/"
            if (text + b"/").startswith(prefix):
                return text[len(prefix) :]
        raise BadPathError(_OUTSIDE)


class Walk:
    """One way down from a root, part by part. It owns the folders it keeps open while it is entered."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self._passed: list[tuple[bytes, int]] = []
        self._todo: list[bytes] = []
        self._links = 0

    def __enter__(self) -> Walk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._return_to_root()

    def open(self, parts: list[bytes], flags: int, mode: int) -> int:
        """Go down `parts` and open the end."""
        self._todo = parts[::-1]
        while self._todo:
            part = self._todo.pop()
            if self._todo or part in (b"", b".", b".."):
                self._step(part)
                continue
            descriptor = self._open_last(part, flags, mode)
            if descriptor is not None:
                return descriptor
        return os.open(b".", flags | os.O_CLOEXEC, mode, dir_fd=self._here)

    def names_of(self, parts: list[bytes]) -> list[bytes]:
        """Go down `parts` as far as there is anything; the names of the way without its links."""
        self._todo = parts[::-1]
        while self._todo:
            part = self._todo.pop()
            try:
                self._step(part, must_be_folder=bool(self._todo))
            except FileNotFoundError:
                return self._names_without_looking(part)
        return [name for name, _ in self._passed]

    def _names_without_looking(self, missing: bytes) -> list[bytes]:
        names = [*(name for name, _ in self._passed), missing]
        for part in reversed(self._todo):
            if part == b"..":
                if not names:
                    raise BadPathError(_OUTSIDE)
                names.pop()
            elif part not in (b"", b"."):
                names.append(part)
        return names

    @property
    def _here(self) -> int:
        return self._passed[-1][1] if self._passed else self._root.descriptor

    def _step(self, part: bytes, *, must_be_folder: bool = True) -> None:
        """Go to `part` of the folder we are in; a link's text is to be walked next."""
        if part in (b"", b"."):
            return
        if part == b"..":
            if not self._passed:
                raise BadPathError(_OUTSIDE)
            os.close(self._passed.pop()[1])
            return
        descriptor = os.open(part, _LOOK, dir_fd=self._here)
        try:
            mode = os.fstat(descriptor).st_mode
            if stat.S_ISLNK(mode):
                self._follow(os.readlink(b"", dir_fd=descriptor))
                return
            if must_be_folder and not stat.S_ISDIR(mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            self._passed.append((part, descriptor))
            descriptor = -1
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def _open_last(self, part: bytes, flags: int, mode: int) -> int | None:
        """Open the last part; None when it is a link, whose text is to be walked next."""
        try:
            descriptor = os.open(part, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=self._here)
        except OSError as error:
            # A link: ELOOP, or ENOTDIR when a folder was asked for.
            if flags & os.O_NOFOLLOW or error.errno not in (errno.ELOOP, errno.ENOTDIR):
                raise
            try:
                text = os.readlink(part, dir_fd=self._here)
            except OSError:
                raise error from None
        else:
            if (
                flags & os.O_NOFOLLOW
                or not flags & os.O_PATH
                or not stat.S_ISLNK(os.fstat(descriptor).st_mode)
            ):
                return descriptor
            try:
                text = os.readlink(b"", dir_fd=descriptor)
            finally:
                os.close(descriptor)
        self._follow(text)
        return None

    def _follow(self, text: bytes) -> None:
        self._links += 1
        if self._links > MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if text.startswith(b"/"):
            text = self._root.inside(text)
            self._return_to_root()
        if len(text) + sum(map(len, self._todo)) > LONGEST:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        self._todo.extend(reversed(text.split(b"/")))

    def _return_to_root(self) -> None:
        while self._passed:
            os.close(self._passed.pop()[1])
