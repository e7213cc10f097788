"""The far side's files over SFTP, as a `FileSystem`; the only module that speaks to asyncssh's SFTP client.

The protocol is pipelined by its callers: many requests may be under way at once. SFTP version 3 knows whole
seconds and few error codes; where a server says no more than "failure", its disk is asked for the reason.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from asyncssh import (
    FX_FILE_IS_A_DIRECTORY,
    FX_LINK_LOOP,
    FX_NO_SPACE_ON_FILESYSTEM,
    FX_NO_SUCH_FILE,
    FX_NO_SUCH_PATH,
    FX_NOT_A_DIRECTORY,
    FX_PERMISSION_DENIED,
    FX_QUOTA_EXCEEDED,
    FX_WRITE_PROTECT,
    SFTPAttrs,
    SFTPClient,
    SFTPClientFile,
    SFTPConnectionLost,
    SFTPError,
    SFTPFailure,
    SFTPFileAlreadyExists,
    SFTPNoConnection,
    SFTPNoSuchFile,
    SFTPNoSuchPath,
    SFTPOpUnsupported,
    SSHClientConnection,
)
from asyncssh import Error as SSHError

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.failures import Failure, SessionFailure
from asperacentral.openascp.filesystem import NANOSECONDS, Attributes, Changes, Kind, kind_of

_T = TypeVar("_T")
_SAFE_BLOCK = 32 * 1024
_LARGEST_BLOCK = 256 * 1024
_WINDOW = 8 * 1024 * 1024
_PACKET = 256 * 1024

_BY_STATUS = {
    FX_NO_SUCH_FILE: FaspCode.NO_SUCH_FILE,
    FX_NO_SUCH_PATH: FaspCode.NO_SUCH_FILE,
    FX_PERMISSION_DENIED: FaspCode.NO_PERMS,
    FX_NOT_A_DIRECTORY: FaspCode.NOT_DIR,
    FX_FILE_IS_A_DIRECTORY: FaspCode.IS_DIR,
    FX_NO_SPACE_ON_FILESYSTEM: FaspCode.NO_SPACE_LEFT,
    FX_QUOTA_EXCEEDED: FaspCode.NO_SPACE_LEFT,
    FX_WRITE_PROTECT: FaspCode.READ_ONLY_FS,
    FX_LINK_LOOP: FaspCode.LINK_LOOP,
}
_ABSENT = (SFTPNoSuchFile, SFTPNoSuchPath)
_TAKEN = (SFTPFailure, SFTPFileAlreadyExists)
_ERRORS = (SSHError, OSError)
"""Whatever a request can raise."""


def lost(error: Exception | None) -> SessionFailure:
    """The failure of a session whose connection broke."""
    reason = " ".join(str(error or "").split())
    text = FaspCode.CONNECTION_LOST.meaning
    return SessionFailure(FaspCode.CONNECTION_LOST, f"{text}: {reason}" if reason else text)


def failure(error: Exception, otherwise: FaspCode) -> Failure:
    """Translate what a request raised; `otherwise` is the code when the far side told none of its own."""
    if isinstance(error, SFTPError) and not isinstance(error, (SFTPConnectionLost, SFTPNoConnection)):
        code = _BY_STATUS.get(error.code, otherwise)
        return Failure(code, f"{code.meaning}: the far side says: {error.reason or 'failure'}")
    return lost(error)


async def open_sftp(connection: SSHClientConnection) -> SFTPClient:
    """Start SFTP with a window for fast and distant servers.

    asyncssh's own start does not take a window, but opens its session by the method replaced here.
    """
    wide = partial(connection.open_session, window=_WINDOW, max_pktsize=_PACKET)
    connection.open_session = wide  # type: ignore[method-assign]
    return await connection.start_sftp_client()


async def _far(request: Awaitable[_T], otherwise: FaspCode) -> _T:
    try:
        return await request
    except _ERRORS as error:
        raise failure(error, otherwise) from error


class SftpFileSystem:
    """The far side of a session. Relative paths begin where the server puts the user."""

    def __init__(self, client: SFTPClient) -> None:
        self._client = client
        limits = client.limits
        sizes = [size for size in (limits.max_read_len, limits.max_write_len) if size]
        self._block_size = min([*sizes, _LARGEST_BLOCK]) if sizes else _SAFE_BLOCK

    @property
    def block_size(self) -> int:
        """See FileSystem; what the server's limits extension allows, else what every server takes."""
        return self._block_size

    async def attributes(self, path: bytes, *, follow: bool = True) -> Attributes | None:
        """See FileSystem."""
        try:
            return _attributes(await (self._client.stat(path) if follow else self._client.lstat(path)))
        except _ABSENT:
            return None
        except _ERRORS as error:
            raise failure(error, FaspCode.STAT_FAILS) from error

    async def entries(self, path: bytes) -> list[tuple[bytes, Attributes]]:
        """See FileSystem. What the far side calls its files is not checked here."""
        found = await _far(self._client.readdir(path), FaspCode.DISK_READ)
        names = [(_name(entry.filename), _attributes(entry.attrs)) for entry in found]
        return sorted((entry for entry in names if entry[0] not in (b".", b"..")), key=lambda entry: entry[0])

    async def canonical(self, path: bytes) -> bytes:
        """See FileSystem."""
        return _name(await _far(self._client.realpath(path), FaspCode.STAT_FAILS))

    async def make_folder(self, path: bytes) -> bool:
        """See FileSystem. The server's umask decides about permissions."""
        try:
            await self._client.mkdir(path)
        except _ERRORS as error:
            problem = failure(error, FaspCode.DISK_WRITE)
            there = None if isinstance(problem, SessionFailure) else await self.attributes(path)
            if there is None:
                raise problem from error
            if there.kind is not Kind.FOLDER:
                raise Failure(FaspCode.NOT_DIR) from error
            return False
        return True

    async def open(self, path: bytes) -> SftpFile:
        """See FileSystem."""
        return SftpFile(self, await _far(self._client.open(path, "rb"), FaspCode.DISK_READ), path)

    async def create(self, path: bytes, *, executable: bool) -> SftpFile | None:
        """See FileSystem."""
        mode = SFTPAttrs(permissions=0o777 if executable else 0o666)
        try:
            return SftpFile(self, await self._client.open(path, "xb", mode), path)
        except _TAKEN as error:
            if await self.attributes(path, follow=False) is not None:
                return None
            raise await self.explained(path, error) from error
        except _ERRORS as error:
            raise failure(error, FaspCode.DISK_WRITE) from error

    async def remove(self, path: bytes) -> None:
        """See FileSystem."""
        try:
            await self._client.remove(path)
        except _ABSENT:
            return
        except _ERRORS as error:
            raise failure(error, FaspCode.DISK_WRITE) from error

    async def rename(self, path: bytes, target: bytes, *, replace: bool) -> None:
        """See FileSystem. Replaces in one step if the server can; else the old file is removed first."""
        try:
            if replace:
                try:
                    await self._client.posix_rename(path, target)
                except SFTPOpUnsupported:
                    await self.remove(target)
                else:
                    return
            await self._client.rename(path, target)
        except _ERRORS as error:
            if not replace and isinstance(error, _TAKEN) and await self.attributes(target, follow=False):
                raise Failure(FaspCode.ALREADY_EXISTS) from error
            raise failure(error, FaspCode.CANNOT_RENAME_PARTIAL) from error

    async def read_link(self, path: bytes) -> bytes:
        """See FileSystem."""
        return _name(await _far(self._client.readlink(path), FaspCode.DISK_READ))

    async def make_link(self, path: bytes, text: bytes) -> None:
        """See FileSystem."""
        await _far(self._client.symlink(text, path), FaspCode.DISK_WRITE)

    async def remove_folder(self, path: bytes) -> bool:
        """See FileSystem. SFTP has no word for a folder that is not empty: it is looked at."""
        try:
            await self._client.rmdir(path)
        except _ABSENT:
            return False
        except _ERRORS as error:
            problem = failure(error, FaspCode.DISK_WRITE)
            if isinstance(problem, SessionFailure) or not await self.entries(path):
                raise problem from error
            return False
        return True

    async def change(self, path: bytes, changes: Changes) -> None:
        """See FileSystem; times are set to whole seconds."""
        await self.set_attributes(
            changes, await self.attributes(path), lambda told: self._client.setstat(path, told)
        )

    async def set_attributes(
        self, changes: Changes, found: Attributes | None, send: Callable[[SFTPAttrs], Awaitable[None]]
    ) -> None:
        """Send what of `changes` is not so already, given what was `found`: times and owners go in pairs."""
        if found is None:
            raise Failure(FaspCode.NO_SUCH_FILE)
        told = SFTPAttrs()
        if changes.modified is not None or changes.accessed is not None:
            told.mtime = (found.modified if changes.modified is None else changes.modified) // NANOSECONDS
            told.atime = (found.accessed if changes.accessed is None else changes.accessed) // NANOSECONDS
        uid = found.uid if changes.uid is None else changes.uid
        gid = found.gid if changes.gid is None else changes.gid
        if (uid, gid) != (found.uid, found.gid):
            await _far(send(SFTPAttrs(uid=uid, gid=gid)), FaspCode.NO_PERMS)
        if told.mtime is not None:
            await _far(send(told), FaspCode.DISK_WRITE)

    async def explained(self, path: bytes, error: Exception) -> Failure:
        """The failure of writing at `path`; a server's bare "failure" may have a full disk behind it."""
        problem = failure(error, FaspCode.DISK_WRITE)
        if not isinstance(error, SFTPFailure):
            return problem
        try:
            disk = await self._client.statvfs(
                path.rpartition(b"/")[0] or (b"/" if path[:1] == b"/" else b".")
            )
        except _ERRORS:
            return problem
        if disk.blocks and disk.bavail * disk.frsize < self._block_size:
            return Failure(FaspCode.NO_SPACE_LEFT)
        if disk.files and not disk.favail:
            return Failure(FaspCode.NO_SPACE_LEFT, "no space is left on the disk: it has no free inode")
        return problem


class SftpFile:
    """An open file of the far side: a `Reader` or a `Writer`."""

    def __init__(self, files: SftpFileSystem, opened: SFTPClientFile, path: bytes) -> None:
        self._files = files
        self._file = opened
        self._path = path

    async def read(self, offset: int, size: int) -> bytes:
        """See Reader."""
        data: bytes = await _far(self._file.read(size, offset), FaspCode.DISK_READ)
        return data

    async def write(self, offset: int, data: bytes) -> None:
        """See Writer."""
        try:
            await self._file.write(data, offset)
        except _ERRORS as error:
            raise await self._files.explained(self._path, error) from error

    async def attributes(self) -> Attributes:
        """See Reader and Writer."""
        return _attributes(await _far(self._file.stat(), FaspCode.STAT_FAILS))

    async def change(self, changes: Changes) -> None:
        """See Writer; times are set to whole seconds."""
        await self._files.set_attributes(changes, await self.attributes(), self._file.setstat)

    async def sync(self) -> None:
        """See Writer; not every server can."""
        try:
            await self._file.fsync()
        except SFTPOpUnsupported:
            return
        except _ERRORS as error:
            raise await self._files.explained(self._path, error) from error

    async def close(self) -> None:
        """See Reader and Writer. Closing twice does nothing."""
        await _far(self._file.close(), FaspCode.DISK_WRITE)


def _name(name: bytes | str) -> bytes:
    return name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")


def _attributes(found: SFTPAttrs) -> Attributes:
    """A server that tells no permissions is taken to speak of a regular file."""
    mode = found.permissions
    kind = Kind.FILE if mode is None else kind_of(mode)
    modified = (found.mtime or 0) * NANOSECONDS + (found.mtime_ns or 0)
    return Attributes(
        kind,
        found.size or 0,
        modified,
        bool((mode or 0) & 0o100),
        (found.atime or 0) * NANOSECONDS + (found.atime_ns or 0),
        -1 if found.uid is None else found.uid,
        -1 if found.gid is None else found.gid,
    )
