"""What a file gets before it gets its name: attributes, and a place for what it replaces. For planes that copy.

What is done here needs nothing but the two file systems of a session; a far side with more abilities does it itself.
"""

from __future__ import annotations

import posixpath

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.failures import Failure, SessionFailure
from asperacentral.openascp.files import backups, links
from asperacentral.openascp.files.attributes import Preserve
from asperacentral.openascp.filesystem import Attributes, Changes, FileSystem, Kind
from asperacentral.openascp.plan import PlannedLink


def changes(found: Attributes, preserve: Preserve) -> Changes | None:
    """What `preserve` sets of a copy of what was `found`; None when that is nothing. Unknown owners stay."""
    wanted = Changes(
        found.modified if preserve.modification_time else None,
        found.accessed if preserve.access_time else None,
        found.uid if preserve.uid and found.uid >= 0 else None,
        found.gid if preserve.gid and found.gid >= 0 else None,
    )
    return None if wanted == Changes() else wanted


async def keep(files: FileSystem, target: bytes, suffix: bytes) -> None:
    """If there is a file of this name, give it another one under which it is kept. Failure."""
    found = await files.attributes(target, follow=False)
    if found is None or found.kind is Kind.FOLDER:
        return
    for name in backups.names(target, found.modified, suffix):
        if await files.attributes(name, follow=False) is not None:
            continue
        try:
            await files.rename(target, name, replace=False)
        except SessionFailure:
            raise
        except Failure as failure:
            if failure.code is FaspCode.ALREADY_EXISTS:
                continue
            raise Failure(failure.code, f"what would be overwritten cannot be kept: {failure}") from failure
        return
    raise Failure(FaspCode.ALREADY_EXISTS, "there is no name left to keep what would be overwritten")


async def make_link(
    source: FileSystem, destination: FileSystem, link: PlannedLink, policy: str, root: bytes | None
) -> bool:
    """Make the same symbolic link at the destination; False when the policy leaves what is there.

    Failure, also when there is a `root` and the link would lead out of it.
    """
    text = await source.read_link(link.source)
    if root is not None and not links.stays_inside(text, posixpath.relpath(link.target, root)):
        raise Failure(FaspCode.BAD_PATH, "the symbolic link would lead outside the destination")
    found = await destination.attributes(link.target, follow=False)
    if found is not None and found.kind is Kind.LINK and await destination.read_link(link.target) == text:
        return True
    kind = None if found is None else found.kind
    decision = links.at_target(policy, exists=kind is not None, folder=kind is Kind.FOLDER)
    if decision is links.Target.LEAVE:
        return False
    if decision is links.Target.REPLACE:
        await destination.remove(link.target)
    await destination.make_link(link.target, text)
    return True
