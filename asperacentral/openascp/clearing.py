"""Puts away sources that were moved, and what a destination has too much, on any `FileSystem`.

What is to be done is decided in `files.afterwards`; here it is done. What cannot be done is told by a Failure, and
nothing that was moved is in danger by it.
"""

from __future__ import annotations

import posixpath
from collections.abc import AsyncIterator

from asperacentral.openascp.failures import Failure, SessionFailure
from asperacentral.openascp.files.afterwards import Afterwards, superfluous
from asperacentral.openascp.filesystem import FileSystem, Kind
from asperacentral.openascp.plan import Plan, PlannedFile, PlannedLink


class SourceClearing:
    """Of the sending side of one session."""

    def __init__(self, source: FileSystem, afterwards: Afterwards) -> None:
        self._source = source
        self._afterwards = afterwards
        self._made: set[bytes] = set()

    async def settled(self, file: PlannedFile | PlannedLink, *, skipped: bool) -> None:
        """A file or link ended well: remove or move it, if that was asked for. Failure."""
        if not self._afterwards.concerns(skipped=skipped):
            return
        if not self._afterwards.move_to:
            await self._source.remove(file.source)
            return
        place = self._afterwards.place_for(file.relative or posixpath.basename(file.source))
        await self._make_folders(posixpath.dirname(place))
        await self._source.rename(file.source, place, replace=True)

    async def ended(self, plan: Plan) -> AsyncIterator[tuple[bytes, Failure]]:
        """All files were settled: remove the folders that are empty now. Gives those that resisted."""
        folders = [(folder.source, folder.named) for folder in plan.folders if folder.source]
        for path in self._afterwards.empty_folders(folders):
            try:
                await self._source.remove_folder(path)
            except SessionFailure:
                raise
            except Failure as failure:
                yield path, failure

    async def _make_folders(self, path: bytes) -> None:
        """The folder and the parents it lacks."""
        missing = []
        while path and path not in self._made and await self._source.attributes(path) is None:
            missing.append(path)
            path = posixpath.dirname(path)
        for folder in reversed(missing):
            await self._source.make_folder(folder)
            self._made.add(folder)


async def delete_superfluous(destination: FileSystem, plan: Plan) -> AsyncIterator[tuple[bytes, Failure]]:
    """Delete at the destination what the one source folder of `plan` does not have; gives what resisted.

    What the session's rules leave out at the source is left alone at the destination. Links are not followed.
    """
    root = next((folder.target for folder in plan.folders if folder.named), None)
    if (
        root is None or plan.failures
    ):  # a source that could not be read whole says nothing about what it has not
        return
    there: list[tuple[bytes, bool]] = []
    waiting = [root] if await destination.attributes(root) is not None else []
    left_out = set(plan.left_out)
    while waiting:
        folder = waiting.pop()
        for name, found in await destination.entries(folder):
            path = posixpath.join(folder, name) if folder != b"." else name
            there.append((path, found.kind is Kind.FOLDER))
            if found.kind is Kind.FOLDER and path not in left_out:
                waiting.append(path)
    wanted = {folder.target for folder in plan.folders}
    wanted |= {file.target for file in plan.files} | {link.target for link in plan.links}
    for path, is_folder in superfluous(there, wanted, plan.left_out):
        try:
            if is_folder:
                await destination.remove_folder(path)
            else:
                await destination.remove(path)
        except SessionFailure:
            raise
        except Failure as failure:
            yield path, failure
