"""The manifest that a server's receiving half keeps in the destination, beside that of the client.

It is begun with the first file, when the destination is there. One that cannot be written is told in the log only:
the files are what the session is for.
"""

from __future__ import annotations

import logging
import os
import posixpath
import stat
import uuid

from asperacentral.openascp.confined import Files
from asperacentral.openascp.exchange.paths import joined
from asperacentral.openascp.exchange.terms import Terms
from asperacentral.openascp.files.manifest import IN_PROGRESS, ManifestText, manifest_name
from asperacentral.openascp.plan import PlannedFile

log = logging.getLogger(__name__)


class DestinationManifest:
    """Of one session; a file of this name that is there already is left alone."""

    def __init__(self, files: Files, terms: Terms, session_id: str) -> None:
        self._files = files
        self._terms = terms
        self._session_id = session_id
        self._wanted = terms.manifest and _is_uuid(session_id)
        self._text: ManifestText | None = None
        self._path = self._unfinished = b""

    def settled(self, file: PlannedFile, result: str, size: int, checksum: str = "") -> None:
        """A file ended as `result`: completed, skipped or failed."""
        if not self._wanted:
            return
        try:
            if self._text is None:
                self._text = self._begin()
            kind = self._terms.checksum
            told = f"{kind}:{checksum}" if checksum else ""
            self._text.add(result, size, told, file.source, file.target)
        except OSError as error:
            self._wanted = False
            log.error("the manifest cannot be written: %s", error.strerror)

    def close(self, outcome: str) -> None:
        """The session ended."""
        if self._text is None or self._text.ended:
            return
        try:
            self._text.end(outcome)
            self._files.rename(self._unfinished, self._path, replace=False)
        except OSError as error:
            log.error("the manifest cannot be finished: %s", error.strerror)

    def _begin(self) -> ManifestText:
        place = self._files.named(self._terms.destination)
        try:
            folder = place if stat.S_ISDIR(self._files.stat(place).st_mode) else posixpath.dirname(place)
        except FileNotFoundError:  # a single file, which has no name yet
            folder = posixpath.dirname(place)
        self._path = joined(folder, manifest_name(self._session_id).encode())
        self._unfinished = self._path + (self._terms.manifest_suffix or IN_PROGRESS.encode())
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        opened = self._files.open_file(self._unfinished, flags, 0o644)
        return ManifestText(os.fdopen(opened, "wb"), self._session_id, "recv")


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
