"""What a file gets once all its bytes are there: the last checks, attributes, and its name. Called in a thread.

Links and the attributes of folders are made here too. Everything is done on open files or beneath the root.
"""

from __future__ import annotations

import os
import posixpath
import stat

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.confined import Files
from asperacentral.openascp.exchange import holes, partial
from asperacentral.openascp.exchange.messages import DONE, SKIPPED, Entry
from asperacentral.openascp.exchange.target import Target
from asperacentral.openascp.exchange.terms import Terms
from asperacentral.openascp.exchange.unsealing import Unsealing
from asperacentral.openascp.failures import Failure
from asperacentral.openascp.files import attributes, backups, checksums, filecrypt, links
from asperacentral.openascp.files.attributes import Metadata, Preserve
from asperacentral.openascp.folder import Folder
from asperacentral.openascp.syncing import Syncing


class Finisher:
    """Finishes the files of one session."""

    def __init__(self, files: Files, terms: Terms, unsealing: Unsealing | None = None) -> None:
        self._files = files
        self._unsealing = unsealing
        self._terms = terms
        self._preserve = terms.preserving()
        self._keeps_attributes = self._preserve != Preserve()
        self._syncing = Syncing()

    def sync(self) -> None:
        """Bring what was finished until now to the disks. OSError."""
        self._syncing.sync()

    def close(self) -> None:
        """Nothing will be finished any more."""
        self._syncing.close()

    def found(self, place: bytes) -> None:
        """A file that an earlier session has written is as it should be: it is synced with the others. OSError."""
        descriptor = self._files.open_file(place, os.O_RDONLY)
        try:
            self._syncing.wrote(descriptor)
        finally:
            os.close(descriptor)

    @property
    def keeps_attributes(self) -> bool:
        """Whether files and folders get attributes."""
        return self._keeps_attributes

    @property
    def resumes(self) -> bool:
        """Whether a session goes on with what a former one has left."""
        return self._terms.resume_level > 0

    @property
    def finishes_at_once(self) -> bool:
        """Whether a whole file needs nothing but attributes and its name."""
        return self._unsealing is None and self._terms.checksum == "none" and not self._terms.save

    def wrote(self, descriptor: int) -> None:
        """What is written to this file's file system has to be synced. OSError."""
        self._syncing.wrote(descriptor)

    def finish_at_once(
        self, descriptor: int, folder: Folder, names: tuple[bytes, bytes], target: Target
    ) -> None:
        """Rename a file in a folder that was written in one go, while its lock is held. OSError."""
        _flush(descriptor)
        metadata = self._set_attributes(descriptor, target.entry)
        folder.rename(*names, replace=self._terms.overwrite != "never")
        self._write_metafile(target.place, metadata)

    def finish(self, descriptor: int, target: Target, checksum: str) -> None:
        """Give a whole file its name, while its lock is held: a successor must not find it under the partial one.

        `checksum` is what the sending half computed. OSError, Failure.
        """
        entry = target.entry
        holes.leave(descriptor, target.holes, entry.size)
        _flush(descriptor)
        self._syncing.wrote(descriptor)
        size = os.fstat(descriptor).st_size
        if size != entry.size:
            raise Failure(FaspCode.DISK_WRITE, f"the destination has {size} bytes of {entry.size}")
        self._check(descriptor, entry, checksum)
        if self._unsealing is None:
            self._give_name(descriptor, target.partial, target)
        else:
            self._decrypt(descriptor, target, self._unsealing)
        if target.identity is not None and target.share is None:
            partial.remove(self._files, target.checkpoint)

    @property
    def header(self) -> int:
        """Bytes at a file's beginning that tell early whether it can be finished; 0 when nothing does."""
        return 0 if self._unsealing is None else filecrypt.HEADER

    def check_header(self, descriptor: int) -> None:
        """Look at them. OSError, Failure when the file cannot be finished."""
        if self._unsealing is not None:
            self._unsealing.check(descriptor)

    def _decrypt(self, sealed: int, target: Target, unsealing: Unsealing) -> None:
        """Give the clear form the name; the encrypted one stays until then, so that nothing has to come again."""
        clear = partial.claim(self._files, target.clear, executable=target.executable)
        try:
            os.ftruncate(clear, 0)
            unsealing.decrypt(sealed, target.entry.size, clear)
            self._give_name(clear, target.clear, target)
        except BaseException:
            partial.remove(self._files, target.clear)
            raise
        finally:
            os.close(clear)
        partial.remove(self._files, target.checkpoint, target.partial)

    def _give_name(self, descriptor: int, path: bytes, target: Target) -> None:
        metadata = self._set_attributes(descriptor, target.entry)
        if self._terms.save:
            self._keep(target.place)
        self._files.rename(path, target.place, replace=self._terms.overwrite != "never")
        self._write_metafile(target.place, metadata)

    def _set_attributes(self, descriptor: int, entry: Entry) -> Metadata | None:
        """Give an open file what is kept of its source; None when nothing is. OSError."""
        if not self._keeps_attributes:
            return None
        metadata = metadata_of(entry)
        attributes.apply(descriptor, metadata, self._preserve)
        return metadata

    def finish_folder(self, place: bytes, entry: Entry) -> None:
        """Give a folder its attributes, when nothing changes in it any more. OSError."""
        descriptor = self._files.open(place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            attributes.apply(descriptor, metadata_of(entry), self._preserve)
        finally:
            os.close(descriptor)

    def make_link(self, place: bytes, text: bytes) -> str:
        """Make a symbolic link; SKIPPED when what is there stays. OSError, Failure.

        Without walls around the destination the link itself may not lead out of it.
        """
        if self._files.root is None:
            root = self._files.named(self._terms.destination) or b"."
            if not links.stays_inside(text, posixpath.relpath(place, root)):
                raise Failure(FaspCode.BAD_PATH, "the symbolic link would lead outside the destination")
        try:
            found = self._files.stat(place, follow=False).st_mode
        except FileNotFoundError:
            self._files.make_link(text, place)
            return DONE
        if stat.S_ISLNK(found) and self._files.read_link(place) == text:
            return SKIPPED
        decision = links.at_target(self._terms.links, exists=True, folder=stat.S_ISDIR(found))
        if decision is links.Target.LEAVE:
            return SKIPPED
        self._files.check_link(text, place)
        self._files.remove(place)
        self._files.make_link(text, place)
        return DONE

    def _check(self, descriptor: int, entry: Entry, checksum: str) -> None:
        """Compare what was written with what was read, if that was asked for."""
        if self._terms.checksum == "none":
            return
        ours = checksums.of_bytes(
            self._terms.checksum, lambda offset, count: os.pread(descriptor, count, offset), entry.size
        )
        if ours != checksum:
            raise Failure(FaspCode.DISK_WRITE, "the checksum of what was written is not that of the source")

    def _keep(self, place: bytes) -> None:
        """If there is a file of this name, give it another one under which it is kept."""
        try:
            found = self._files.stat(place, follow=False)
        except FileNotFoundError:
            return
        for name in backups.names(place, found.st_mtime_ns, self._terms.save_suffix):
            try:
                self._files.rename(place, name, replace=False)
            except FileExistsError:
                continue
            return
        raise Failure(FaspCode.ALREADY_EXISTS, "there is no name left to keep what would be overwritten")

    def _write_metafile(self, place: bytes, metadata: Metadata | None) -> None:
        if metadata is None or not (content := attributes.metafile(metadata, self._preserve)):
            return
        name = attributes.metafile_name(place)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        descriptor = self._files.open_file(name, flags, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)


def _flush(descriptor: int) -> None:
    """Where writes are late, as on network file systems, have their errors show now. OSError."""
    os.close(os.dup(descriptor))


def metadata_of(entry: Entry) -> Metadata:
    """What the sending half told of a file besides its bytes."""
    named = tuple((os.fsdecode(name), value) for name, value in entry.attributes)
    return Metadata(
        modified=entry.modified,
        accessed=entry.accessed,
        uid=entry.user,
        gid=entry.group,
        mode=stat.S_IMODE(entry.mode),
        xattrs=tuple(pair for pair in named if not pair[0].startswith("system.")),
        acls=tuple(pair for pair in named if pair[0].startswith("system.")),
    )
