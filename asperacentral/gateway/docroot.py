"""The back end of a local docroot: files land in it and are read from it, within the walls of the given `Files`."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial

from asperacentral.fasp.errors import FaspCode
from asperacentral.gateway.backends import Offered
from asperacentral.gateway.landing import LandingFile
from asperacentral.gateway.leftovers import Note
from asperacentral.gateway.spec import TransferSpec, joined
from asperacentral.openascp.confined import BadPathError, Files
from asperacentral.openascp.failures import Failure, SessionFailure

MOST_FILES = 100_000
"""Files in one download."""
DEEPEST = 60
"""Folders in one another."""


class DocrootReceiver:
    """See `backends.Receiver`. Closes `files` and `note` at the end."""

    def __init__(self, files: Files, note: Note, *, replace: bool) -> None:
        self._files = files
        self._note = note
        self._replace = replace
        self._open: LandingFile | None = None

    def begin(self, path: bytes, size: int | None) -> None:
        """See there."""
        self._open = LandingFile(self._files, path, replace=self._replace, note=self._note.write)

    def write(self, data: bytes) -> None:
        """See there."""
        if self._open is not None:
            self._open.write(data)

    def end(self) -> None:
        """See there."""
        landing, self._open = self._open, None
        if landing is not None:
            landing.land()

    def behind(self) -> None:
        """See there: never."""

    def finish(self) -> None:
        """See there."""
        self._close()

    def abandon(self) -> None:
        """See there."""
        if self._open is not None:
            self._open.discard()
            self._open = None
        self._close()

    def _close(self) -> None:
        self._note.close()
        self._files.close()


class DocrootSelection:
    """See `backends.Selection`. Folders are walked when it is made, which may take a while: do so in a thread.

    Links are followed while they stay inside. SessionFailure or OSError for a source that cannot be had.
    """

    def __init__(self, files: Files, spec: TransferSpec) -> None:
        self._files = files
        self.files: Sequence[Offered] = ()
        self.refused: Sequence[tuple[bytes, str]] = ()
        walk = _Walk(files)
        sources = spec.sources()
        for source, named in zip(sources, spec.paths, strict=True):
            walk.take(source, named.destination or posixpath.basename(source))
        self.files, self.refused = walk.found, walk.refused
        self.alone = len(sources) == 1 and not walk.folders
        if not self.files and self.refused:
            raise Failure(FaspCode.BAD_PATH)

    def close(self) -> None:
        """See there."""
        self._files.close()


def files_below(files: Files, paths: Sequence[bytes]) -> Sequence[Offered]:
    """All files at these paths and below; a path where nothing is has none. May take a while."""
    walk = _Walk(files)
    for path in paths:
        with suppress(FileNotFoundError):
            walk.take(path, path)
    return walk.found


class _Walk:
    def __init__(self, files: Files) -> None:
        self._files = files
        self.found: list[Offered] = []
        self.refused: list[tuple[bytes, str]] = []
        self.folders = 0
        self._names: set[str] = set()

    def take(self, source: bytes, name: bytes) -> None:
        """What a client names: it is there and may be read, or there is no download."""
        there = self._files.stat(source)
        if stat.S_ISDIR(there.st_mode):
            self._folder(source, name, 0)
        elif stat.S_ISREG(there.st_mode):
            self._add(source, name, there)
        else:
            raise Failure(FaspCode.NOT_REGULAR)

    def _folder(self, folder: bytes, name: bytes, depth: int) -> None:
        self.folders += 1
        if depth > DEEPEST:
            raise SessionFailure(FaspCode.LINK_LOOP)
        for entry, listed in self._files.entries(folder):
            path, below = joined(folder, entry), joined(name, entry)
            found = self._followed(path) if stat.S_ISLNK(listed.st_mode) else listed
            if found is None:
                continue
            if stat.S_ISDIR(found.st_mode):
                self._folder(path, below, depth + 1)
            elif stat.S_ISREG(found.st_mode):
                self._add(path, below, found)
            else:
                self.refused.append((path, "not a regular file"))

    def _followed(self, path: bytes) -> os.stat_result | None:
        """What a link leads to; one that leads outside or nowhere is left out."""
        try:
            return self._files.stat(path)
        except BadPathError as error:
            self.refused.append((path, error.strerror or ""))
        except FileNotFoundError:
            self.refused.append((path, "a link that leads nowhere"))
        return None

    def _add(self, path: bytes, name: bytes, seen: os.stat_result) -> None:
        if len(self.found) >= MOST_FILES:
            raise SessionFailure(FaspCode.FILE_TABLE_OVR, f"more than {MOST_FILES} files in one download")
        opening = partial(self._files.open_file, path, os.O_RDONLY)
        self.found.append(Offered(path, self._unique(name), seen.st_size, seen.st_mtime_ns, opening))

    def _unique(self, name: bytes) -> str:
        """A name for the ZIP that no other file in it has, with nothing that leads elsewhere where it is unpacked."""
        text = name.decode("utf-8", "replace").replace("\\", "_").lstrip("/") or "download"
        stem, dot, suffix = text.rpartition(".") if "." in posixpath.basename(text)[1:] else (text, "", "")
        for candidate in _numbered(stem, f"{dot}{suffix}"):
            if candidate not in self._names:
                self._names.add(candidate)
                return candidate
        raise AssertionError("numbers do not end")


def _numbered(stem: str, end: str) -> Iterator[str]:
    yield stem + end
    number = 2
    while True:
        yield f"{stem} ({number}){end}"
        number += 1
