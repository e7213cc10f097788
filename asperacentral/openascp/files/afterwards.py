"""What happens to the sources after a session, and to a destination before it, as pure decisions over paths."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Afterwards:
    """What the session's options ask for. `move_to` is a folder of the sending side; empty: files stay or are removed.

    `remove_skipped` treats files that were found complete at the destination like those that were moved.
    `remove_empty` removes empty folders below the sources, `remove_source_folder` also those that are sources.
    """

    remove: bool = False
    move_to: bytes = b""
    remove_skipped: bool = False
    remove_empty: bool = False
    remove_source_folder: bool = False

    def concerns(self, *, skipped: bool) -> bool:
        """Tell whether a file that ended well goes away from its place."""
        return (self.remove or bool(self.move_to)) and (self.remove_skipped or not skipped)

    def place_for(self, relative: bytes) -> bytes:
        """Where a file is moved; `relative` is its path below the session's sources."""
        return posixpath.join(self.move_to, relative.lstrip(b"/"))

    def empty_folders(self, folders: Iterable[tuple[bytes, bool]]) -> Iterator[bytes]:
        """Folders to remove if they are empty, deepest first; each comes with whether it is a source itself."""
        if not self.remove_empty and not self.remove_source_folder:
            return
        for path, is_source in sorted(folders, key=lambda folder: (-_depth(folder[0]), folder[0])):
            if self.remove_source_folder if is_source else True:
                yield path


def superfluous(
    there: Iterable[tuple[bytes, bool]], wanted: Collection[bytes], protected: Collection[bytes] = ()
) -> Iterator[tuple[bytes, bool]]:
    """What is at the destination and not in the source: (path, whether a folder), deepest first.

    `protected` paths and the folders above them stay, such as those that exclusions leave alone.
    """
    kept = set(wanted)
    for path in protected:
        above = path
        while above and above not in kept:
            kept.add(above)
            above = posixpath.dirname(above)
    for path, folder in sorted(there, key=lambda entry: (-_depth(entry[0]), entry[0])):
        if path not in kept:
            yield path, folder


def _depth(path: bytes) -> int:
    return path.rstrip(b"/").count(b"/")
