"""Whether a server's host key is the expected one: by fingerprint, or by a known_hosts file and a policy.

A fingerprint given by the order decides alone. Else the file (OpenSSH's format) decides, by policy: `tofu` records
the first key of an unknown host, `strict` refuses unknown hosts, `any` takes every key and records none. A host
that is known with other keys is refused by `tofu` and `strict`. Nothing here connects.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.failures import SessionFailure

if TYPE_CHECKING:
    from asyncssh import SSHKey

POLICIES = ("tofu", "strict", "any")
SSH_PORT = 22

_HEX = re.compile(r"[0-9a-fA-F]+")


class FingerprintError(ValueError):
    """The text is no fingerprint of a known form."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A digest of a public key, by `algorithm` (md5, sha1, sha256)."""

    algorithm: str
    digest: bytes

    @classmethod
    def parse(cls, text: str) -> Fingerprint:
        """Read SHA-1 or MD5 in hex digits (with or without colons) or `SHA256:` and base64. FingerprintError."""
        label, colon, value = text.strip().partition(":")
        if colon and label.upper() == "SHA256":
            try:
                digest = base64.b64decode(
                    value.rstrip("=") + "=" * (-len(value.rstrip("=")) % 4), validate=True
                )
            except ValueError:
                digest = b""
            if len(digest) == hashlib.sha256().digest_size:
                return cls("sha256", digest)
            raise FingerprintError("the host key fingerprint is no SHA-256 in base64")
        digits = value if colon and label.upper() in ("MD5", "SHA1") else text.strip()
        digits = digits.replace(":", "")
        algorithm = {32: "md5", 40: "sha1", 64: "sha256"}.get(len(digits))
        if algorithm is None or not _HEX.fullmatch(digits):
            raise FingerprintError("the host key fingerprint is neither SHA-1, MD5 nor SHA256:base64")
        return cls(algorithm, bytes.fromhex(digits))

    def matches(self, key: SSHKey) -> bool:
        """Tell whether `key` has this fingerprint."""
        return hashlib.new(self.algorithm, key.public_data, usedforsecurity=False).digest() == self.digest


class HostKeyCheck:
    """The check for one session's host. A relative or missing `file` begins empty."""

    def __init__(
        self, host: str, port: int, *, fingerprint: Fingerprint | None, file: Path, policy: str = "tofu"
    ) -> None:
        self._host = host
        self._port = port
        self._fingerprint = fingerprint
        self._file = file
        self._policy = policy
        self.known: list[SSHKey] = []
        self.revoked: list[SSHKey] = []
        if fingerprint is None and policy != "any":
            self.known, self.revoked = self._read()

    def accepts(self, key: SSHKey) -> bool:
        """Tell whether a session may go on with a server that has `key`."""
        if self._fingerprint is not None:
            return self._fingerprint.matches(key)
        if self._policy == "any":
            return True
        if key in self.revoked:
            return False
        return key in self.known or (not self.known and self._policy == "tofu")

    def refusal(self) -> SessionFailure:
        """Why a key was not accepted."""
        name = _host_pattern(self._host, self._port)
        if self._fingerprint is not None:
            text = f"the host key of {name} does not have the fingerprint given"
        elif self.known or self.revoked:
            text = f"the host key of {name} is not the one in {self._file}"
        else:
            text = f"the host key of {name} is not in {self._file}"
        return SessionFailure(FaspCode.INSECURE_CONNECTION, text)

    def record(self, key: SSHKey) -> None:
        """Remember the key of a host met for the first time. SessionFailure when another was recorded meanwhile,
        or when the file cannot be written: trust on first use would be trust on every use.
        """
        if self._fingerprint is not None or self._policy != "tofu" or key in self.known:
            return
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._file.with_name(self._file.name + ".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self.known, self.revoked = self._read()
                if not self.accepts(key):
                    raise self.refusal()
                if key not in self.known:
                    self._append(key)
        except OSError as error:
            text = f"the host key cannot be recorded in {self._file}: {error.strerror}"
            raise SessionFailure(FaspCode.INSECURE_CONNECTION, text) from error

    def _append(self, key: SSHKey) -> None:
        """Write a new file and put it in the old one's place, so that nobody reads half a line."""
        target = Path(os.path.realpath(self._file))
        before = target.read_bytes() if target.exists() else b""
        if before and not before.endswith(b"\n"):
            before += b"\n"
        algorithm, data = key.export_public_key("openssh").split()[:2]
        line = b" ".join([_host_pattern(self._host, self._port).encode(), algorithm, data]) + b"\n"
        fresh = target.with_name(f".{target.name}.{os.getpid()}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(before + line)
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(target)

    def _read(self) -> tuple[list[SSHKey], list[SSHKey]]:
        """The keys of the host, good and revoked. SessionFailure when there is a file that cannot be read."""
        from asyncssh import import_known_hosts  # options are read with this module, long before it is here

        try:
            text = self._file.read_text("utf-8", "replace")
        except FileNotFoundError:
            return [], []
        except OSError as error:
            raise SessionFailure(
                FaspCode.INSECURE_CONNECTION, f"{self._file} cannot be read: {error.strerror}"
            ) from error
        try:
            pattern = _host_pattern(self._host, self._port)
            good, _, revoked, *_ = import_known_hosts(text).match(pattern, "", None)
        except ValueError as error:
            raise SessionFailure(
                FaspCode.INSECURE_CONNECTION, f"{self._file} is not a known_hosts file: {error}"
            ) from error
        return list(good), list(revoked)


def _host_pattern(host: str, port: int) -> str:
    """How OpenSSH writes a host in known_hosts."""
    return host.lower() if port == SSH_PORT else f"[{host.lower()}]:{port}"
