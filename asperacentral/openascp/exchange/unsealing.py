"""Decrypts files that have arrived encrypted, on the half that has the passphrase. Called in a thread."""

from __future__ import annotations

import os

from asperacentral.openascp.failures import from_file_crypt
from asperacentral.openascp.files import filecrypt
from asperacentral.openascp.files.filecrypt import HEADER, FileCryptError, Header, Passphrase


class Unsealing:
    """Of one session."""

    def __init__(self, passphrase: Passphrase) -> None:
        self._passphrase = passphrase

    def check(self, sealed: int) -> None:
        """Look whether the passphrase is that of a file whose first bytes are there. OSError, Failure."""
        try:
            Header.decode(os.pread(sealed, HEADER, 0), self._passphrase)
        except FileCryptError as error:
            raise from_file_crypt(error) from error

    def decrypt(self, sealed: int, size: int, clear: int) -> None:
        """Write the clear form of an encrypted file of `size` bytes; every byte is authenticated. OSError, Failure."""

        def write(data: bytes) -> None:
            view = memoryview(data)
            while view:
                view = view[os.write(clear, view) :]

        try:
            filecrypt.decrypt(
                lambda offset, count: os.pread(sealed, count, offset), write, size, self._passphrase
            )
        except FileCryptError as error:
            raise from_file_crypt(error) from error
