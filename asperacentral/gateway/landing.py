"""Files that come in beneath a docroot: each written under a partial name beside its place, renamed when it is whole.

Whoever looks at the place sees the former file, or none, until the new one is there with its last byte. What is given
up is removed. The walls around the docroot are those of the `Files` that are given.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import secrets
from collections.abc import Callable

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.confined import Files
from asperacentral.openascp.exchange.partial import partial_name
from asperacentral.openascp.exchange.terms import Terms
from asperacentral.openascp.failures import Failure


class LandingFile:
    """One file on its way to `target`. OSError or Failure when it cannot be made.

    With `replace` a file that is there goes when the new one is whole; without, that is ALREADY_EXISTS. `note` is told
    the partial name before there is such a file.
    """

    def __init__(self, files: Files, target: bytes, *, replace: bool, note: Callable[[bytes], None]) -> None:
        self._files = files
        self._target = target
        self._replace = replace
        self.size = 0
        self._check_place()
        files.make_folders(posixpath.dirname(target))
        self._partial = partial_name(target, Terms(b"", partial_tag=secrets.token_hex(6).encode()))
        note(self._partial)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        self._descriptor = files.open_file(self._partial, flags)

    def write(self, data: bytes) -> None:
        """Append. OSError."""
        self.size += len(data)
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def land(self) -> None:
        """All has come: put it in its place. OSError or Failure, after which it is gone."""
        self._close()
        try:
            self._files.rename(self._partial, self._target, replace=self._replace)
        except OSError:
            self._remove()
            raise

    def discard(self) -> None:
        """Not all has come: remove what is there."""
        if self._descriptor >= 0:
            self._close()
            self._remove()

    def _check_place(self) -> None:
        try:
            there = self._files.stat(self._target, follow=False)
        except (FileNotFoundError, NotADirectoryError):
            return
        if not self._replace:
            raise Failure(FaspCode.ALREADY_EXISTS)
        if there.st_mode & 0o170000 == 0o040000:
            raise Failure(FaspCode.IS_DIR)

    def _close(self) -> None:
        os.close(self._descriptor)
        self._descriptor = -1

    def _remove(self) -> None:
        with contextlib.suppress(OSError):
            self._files.remove(self._partial)
