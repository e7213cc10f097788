"""The server's own key: read from its file, or made at the first start with nobody else able to read it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import asyncssh


class HostKeyError(Exception):
    """The host key cannot be used; the text names the file and the reason."""


def load_or_make_host_key(file: Path) -> asyncssh.SSHKey:
    """The private key in `file`; if there is none, a new Ed25519 key, kept there with mode 0600."""
    try:
        _make(file)
    except FileExistsError:
        pass
    except OSError as problem:
        raise HostKeyError(f"cannot write the host key {file}: {problem.strerror}") from None
    try:
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise HostKeyError(f"the host key {file} can be read by others; chmod 600 it")
        return asyncssh.read_private_key(file)
    except OSError as problem:
        raise HostKeyError(f"cannot read the host key {file}: {problem.strerror}") from None
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as problem:
        raise HostKeyError(f"{file} is not a private key without passphrase: {problem}") from None


def _make(file: Path) -> None:
    """Write a new key beside the file and link it into place: two starters end with the same whole key."""
    if file.exists():
        raise FileExistsError
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(asyncssh.generate_private_key("ssh-ed25519").export_private_key())
        os.link(draft, file)
    finally:
        draft.unlink()
