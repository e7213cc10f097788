"""Sealing of secrets: what a job needs after a restart, unreadable to who has only the store's file.

The key is a file of its own, made at first use and readable by its owner alone.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken


class SealBroken(Exception):
    """Sealed secrets cannot be opened with this key."""


class Seal:
    """Seals and opens dictionaries of texts with the key in `path`; the file is made if it is missing.

    Without a path the key is new and never leaves memory.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._fernet = Fernet(_key(path) if path else Fernet.generate_key())

    def close(self, secrets: dict[str, str]) -> bytes | None:
        """The secrets sealed; None when there are none."""
        return self._fernet.encrypt(json.dumps(secrets).encode()) if secrets else None

    def open(self, sealed: bytes | None) -> dict[str, str]:
        """What was sealed. Raises SealBroken."""
        if sealed is None:
            return {}
        try:
            opened: dict[str, str] = json.loads(self._fernet.decrypt(bytes(sealed)))
        except (InvalidToken, ValueError):
            raise SealBroken(f"the key in {self._path} is not the one the secrets were sealed with") from None
        return opened


def _key(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = Fernet.generate_key()
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(fresh)
        file.flush()
        os.fsync(file.fileno())
    try:
        # A link fails where another daemon was faster; a rename would overwrite its key.
        path.hardlink_to(partial)
    except FileExistsError:
        return path.read_bytes()
    finally:
        partial.unlink()
    return fresh
