"""Sources whose files are encrypted or decrypted while they are read: the far side only ever has the encrypted form.

The plane that copies sees files of the other form and its size; any part of them can be read, in any order.
"""

from __future__ import annotations

import asyncio
import posixpath
from dataclasses import replace

from asyncssh import SFTPClient

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.failures import Failure, from_file_crypt
from asperacentral.openascp.files import filecrypt
from asperacentral.openascp.files.filecrypt import (
    HEADER,
    Decryption,
    Encryption,
    FileCryptError,
    Header,
    Passphrase,
)
from asperacentral.openascp.filesystem import Attributes, Kind, LocalFileSystem, Reader
from asperacentral.openascp.sftp import SftpFileSystem


class EncryptingLocalFiles(LocalFileSystem):
    """This machine's files as they look encrypted."""

    def __init__(self, passphrase: Passphrase, salt: bytes) -> None:
        super().__init__()
        self._passphrase = passphrase
        self._salt = salt

    async def attributes(self, path: bytes, *, follow: bool = True) -> Attributes | None:
        """See FileSystem."""
        found = await super().attributes(path, follow=follow)
        return found and _sealed(found)

    async def entries(self, path: bytes) -> list[tuple[bytes, Attributes]]:
        """See FileSystem."""
        return [(name, _sealed(found)) for name, found in await super().entries(path)]

    async def open(self, path: bytes) -> Reader:  # type: ignore[override]  # a reader is all that is promised
        """See FileSystem."""
        clear = await super().open(path)
        found = await clear.attributes()
        identity = (posixpath.normpath(path), b"%d" % found.size, b"%d" % found.modified)
        header = Header(self._salt, filecrypt.file_id_of(self._salt, *identity))
        whole = await self.run(
            FaspCode.FILE_ENCRYPTION_ERROR, lambda: Encryption(header, self._passphrase, found.size)
        )
        return _EncryptingReader(clear, whole)


class _EncryptingReader:
    def __init__(self, clear: Reader, whole: Encryption) -> None:
        self._clear = clear
        self._whole = whole

    async def read(self, offset: int, size: int) -> bytes:
        """See Reader."""
        start, count = self._whole.span(offset, size)
        clear = await self._clear.read(start, count) if count else b""
        if len(clear) != count:
            raise Failure(FaspCode.DISK_READ, "the source became shorter while it was read")
        return self._whole.part(offset, size, clear)

    async def attributes(self) -> Attributes:
        """See Reader."""
        return _sealed(await self._clear.attributes())

    async def close(self) -> None:
        """See Reader."""
        await self._clear.close()


class DecryptingSftpFiles(SftpFileSystem):
    """The far side's encrypted files as they were before."""

    def __init__(self, client: SFTPClient, passphrase: Passphrase) -> None:
        super().__init__(client)
        self._passphrase = passphrase

    async def attributes(self, path: bytes, *, follow: bool = True) -> Attributes | None:
        """See FileSystem."""
        found = await super().attributes(path, follow=follow)
        return found and _clear(found)

    async def entries(self, path: bytes) -> list[tuple[bytes, Attributes]]:
        """See FileSystem."""
        return [(name, _clear(found)) for name, found in await super().entries(path)]

    async def open(self, path: bytes) -> Reader:  # type: ignore[override]  # a reader is all that is promised
        """See FileSystem. Failure with codes 48 and 49 when the file cannot be decrypted."""
        sealed = await super().open(path)
        try:
            size = (await sealed.attributes()).size
            top = await sealed.read(0, HEADER)
            # Slow on purpose the first time: not in the event loop.
            whole = await asyncio.to_thread(self._opened, top, size)
            start, count = whole.span(0, 0)
            if whole.size == 0:  # only its one empty chunk tells that such a file is whole
                whole.part(0, 0, await sealed.read(start, count))
        except FileCryptError as error:
            await sealed.close()
            raise from_file_crypt(error) from error
        except BaseException:
            await sealed.close()
            raise
        return _DecryptingReader(sealed, whole)

    def _opened(self, top: bytes, size: int) -> Decryption:
        return Decryption(Header.decode(top, self._passphrase), self._passphrase, size)


class _DecryptingReader:
    def __init__(self, sealed: Reader, whole: Decryption) -> None:
        self._sealed = sealed
        self._whole = whole

    async def read(self, offset: int, size: int) -> bytes:
        """See Reader."""
        start, count = self._whole.span(offset, size)
        try:
            return self._whole.part(offset, size, await self._exactly(start, count))
        except FileCryptError as error:
            raise from_file_crypt(error) from error

    async def _exactly(self, start: int, count: int) -> bytes:
        """All bytes of a span: a server may give fewer at a time than are asked for."""
        pieces = []
        while count:
            piece = await self._sealed.read(start, count)
            if not piece:
                raise Failure(FaspCode.DISK_READ, "the source became shorter while it was read")
            pieces.append(piece)
            start, count = start + len(piece), count - len(piece)
        return b"".join(pieces)

    async def attributes(self) -> Attributes:
        """See Reader."""
        return _clear(await self._sealed.attributes())

    async def close(self) -> None:
        """See Reader."""
        await self._sealed.close()


def _sealed(found: Attributes) -> Attributes:
    return replace(found, size=filecrypt.sealed_size(found.size)) if found.kind is Kind.FILE else found


def _clear(found: Attributes) -> Attributes:
    """A size that no encrypted file can have stays as it is: opening the file tells what is wrong with it."""
    if found.kind is not Kind.FILE:
        return found
    try:
        return replace(found, size=filecrypt.clear_size(found.size))
    except FileCryptError:
        return found
