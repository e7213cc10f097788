"""Encryption of files at rest: authenticated, in chunks, readable and writable from any place. docs/file-encryption.md

Pure: bytes in, bytes out. The same file encrypted again with the same passphrase and salt gives the same bytes, so a
transfer that was broken off goes on where it was: each chunk's nonce is a keyed digest of the chunk itself, which
keeps two different chunks from ever sharing one. A chunk is bound to its place and the last one is marked, so bytes
that are changed, missing, moved or added are noticed.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

EXTENSION = b".aspera-env"
MAGIC = b"\x89AENV\r\n\x1a"
CHUNK = 64 * 1024
"""Bytes of clear text in every chunk but the last."""
HEADER = 64
"""Bytes before the first chunk."""
_NONCE = 12
_TAG = 16
_SEALED = CHUNK + _NONCE + _TAG
_FIXED = struct.Struct(">8sBBBBBB2x16s16s")
_CHECK = 16
_PLACE = struct.Struct(">QB")
_VERSION = 1
_AES_256_GCM = 1
_COST = (15, 8, 1)
"""scrypt's log2(n), r and p: 32 MiB and a tenth of a second."""
_HIGHEST_COST = (20, 16, 4)
_MEMORY = 1 << 28
"""Bytes that a header may make us spend on the passphrase."""


class FileCryptError(Exception):
    """What is read is no encrypted file, or a damaged one; the text is one line."""


class WrongPassphrase(FileCryptError):
    """The passphrase is not that of the file (or the file's header is damaged)."""


class Passphrase:
    """A passphrase and the keys that were made of it; never shown."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._masters: dict[tuple[bytes, int, int, int], bytes] = {}

    def __repr__(self) -> str:
        return "<Passphrase>"

    def master(self, salt: bytes, log_n: int, r: int, p: int) -> bytes:
        """The key of all files with this salt; slow the first time, on purpose. FileCryptError for costs too high."""
        lowest = (1, 1, 1)
        costs = (log_n, r, p)
        if any(not low <= cost <= high for low, cost, high in zip(lowest, costs, _HIGHEST_COST, strict=True)):
            raise FileCryptError("the header asks for more work on the passphrase than is allowed")
        if 128 * r * (1 << log_n) > _MEMORY:
            raise FileCryptError("the header asks for more memory for the passphrase than is allowed")
        wanted = (salt, *costs)
        if wanted not in self._masters:
            self._masters[wanted] = hashlib.scrypt(
                self._text.encode("utf-8", "surrogateescape"),
                salt=salt,
                n=1 << log_n,
                r=r,
                p=p,
                maxmem=2 * _MEMORY,
                dklen=32,
            )
        return self._masters[wanted]


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the first chunk. `file_id` makes the file's keys its own; both are 16 bytes, no secrets."""

    salt: bytes
    file_id: bytes
    cost: tuple[int, int, int] = _COST

    def encode(self, passphrase: Passphrase) -> bytes:
        """As bytes."""
        fixed = _FIXED.pack(
            MAGIC,
            _VERSION,
            _AES_256_GCM,
            *self.cost,
            CHUNK.bit_length() - 1,
            self.salt,
            self.file_id,
        )
        return fixed + _check(self, passphrase, fixed)

    @classmethod
    def decode(cls, data: bytes, passphrase: Passphrase) -> Header:
        """Read a header. FileCryptError when it is none, WrongPassphrase when the passphrase is another one."""
        if len(data) < HEADER or not data.startswith(MAGIC):
            raise FileCryptError("this is not a file that was encrypted for transfer")
        _, version, cipher, log_n, r, p, chunk, salt, file_id = _FIXED.unpack(data[: _FIXED.size])
        if (version, cipher, chunk) != (_VERSION, _AES_256_GCM, CHUNK.bit_length() - 1):
            raise FileCryptError("the file was encrypted in a way that is not known here")
        header = cls(salt, file_id, (log_n, r, p))
        if not hmac.compare_digest(
            _check(header, passphrase, data[: _FIXED.size]), data[_FIXED.size : HEADER]
        ):
            raise WrongPassphrase("the passphrase is wrong, or the file's header is damaged")
        return header


class _Cipher:
    """The keys of one file at work."""

    def __init__(self, header: Header, passphrase: Passphrase) -> None:
        self._seal_key, self._nonce_key, _ = _keys(header, passphrase)
        self._aead = AESGCM(self._seal_key)

    def seal(self, index: int, last: bool, clear: bytes) -> bytes:
        place = _PLACE.pack(index, last)
        nonce = hmac.digest(self._nonce_key, place + clear, "sha256")[:_NONCE]
        return nonce + self._aead.encrypt(nonce, clear, place)

    def open(self, index: int, last: bool, sealed: bytes) -> bytes:
        try:
            return self._aead.decrypt(sealed[:_NONCE], sealed[_NONCE:], _PLACE.pack(index, last))
        except (InvalidTag, ValueError):
            raise FileCryptError(f"chunk {index} of the encrypted file is damaged") from None


class Encryption:
    """The encrypted form of a file of `size` clear bytes, any part of which can be asked for."""

    def __init__(self, header: Header, passphrase: Passphrase, size: int) -> None:
        self.size = sealed_size(size)
        self._clear_size = size
        self._header = header.encode(passphrase)
        self._cipher = _Cipher(header, passphrase)

    def span(self, offset: int, size: int) -> tuple[int, int]:
        """Offset and size of the clear bytes needed for `size` encrypted ones at `offset`; size 0 if none are."""
        first, after = _chunks(offset, min(offset + size, self.size))
        start = min(first * CHUNK, self._clear_size)
        return start, min(after * CHUNK, self._clear_size) - start

    def part(self, offset: int, size: int, clear: bytes) -> bytes:
        """The encrypted bytes at `offset`, at most `size`; `clear` are the bytes that `span` named."""
        end = min(offset + size, self.size)
        first, after = _chunks(offset, end)
        last = _last_chunk(self._clear_size)
        pieces = [
            self._cipher.seal(
                index, index == last, clear[(index - first) * CHUNK : (index + 1 - first) * CHUNK]
            )
            for index in range(first, after)
        ]
        if offset < HEADER:
            return (self._header + b"".join(pieces))[offset:end]
        base = HEADER + first * _SEALED
        return b"".join(pieces)[offset - base : end - base]


class Decryption:
    """The clear form of an encrypted file of `size` bytes, any part of which can be asked for."""

    def __init__(self, header: Header, passphrase: Passphrase, size: int) -> None:
        self.size = clear_size(size)
        self._cipher = _Cipher(header, passphrase)

    def span(self, offset: int, size: int) -> tuple[int, int]:
        """Offset and size of the encrypted bytes needed for `size` clear ones at `offset`.

        At the very beginning also of an empty file: its one chunk says that it is whole.
        """
        first, after = self._needed(offset, size)
        start = min(HEADER + first * _SEALED, sealed_size(self.size))
        return start, min(HEADER + after * _SEALED, sealed_size(self.size)) - start

    def part(self, offset: int, size: int, sealed: bytes) -> bytes:
        """The clear bytes at `offset`, at most `size`; `sealed` are the bytes that `span` named. FileCryptError."""
        first, after = self._needed(offset, size)
        last = _last_chunk(self.size)
        clear = b"".join(
            self._cipher.open(
                index, index == last, sealed[(index - first) * _SEALED : (index + 1 - first) * _SEALED]
            )
            for index in range(first, after)
        )
        return clear[offset - first * CHUNK : offset - first * CHUNK + size]

    def _needed(self, offset: int, size: int) -> tuple[int, int]:
        if self.size == 0:
            return 0, 1
        end = min(offset + size, self.size)
        if end <= offset:
            return 0, 0
        return offset // CHUNK, -(-end // CHUNK)


def sealed_size(size: int) -> int:
    """Bytes of the encrypted form of `size` clear bytes."""
    return HEADER + size + (_last_chunk(size) + 1) * (_NONCE + _TAG)


def clear_size(size: int) -> int:
    """Bytes of clear text in an encrypted file of `size` bytes. FileCryptError when no file can have that size."""
    body = size - HEADER
    chunks = -(-body // _SEALED)
    clear = body - chunks * (_NONCE + _TAG)
    if body < _NONCE + _TAG or clear < 0 or sealed_size(clear) != size:
        raise FileCryptError("the encrypted file is cut off, or was never one")
    return clear


def encrypt(
    read: Callable[[int, int], bytes],
    write: Callable[[bytes], object],
    size: int,
    header: Header,
    passphrase: Passphrase,
) -> None:
    """Encrypt `size` bytes that `read(offset, size)` gives, in order. FileCryptError when they end before."""
    whole = Encryption(header, passphrase, size)
    for offset in range(0, whole.size, _SEALED):
        start, count = whole.span(offset, _SEALED)
        clear = read(start, count) if count else b""
        if len(clear) != count:
            raise FileCryptError("the file became shorter while it was read")
        write(whole.part(offset, _SEALED, clear))


def decrypt(
    read: Callable[[int, int], bytes], write: Callable[[bytes], object], size: int, passphrase: Passphrase
) -> None:
    """Decrypt a file of `size` bytes that `read(offset, size)` gives, in order. FileCryptError; what was written
    before that is genuine, but not whole."""
    header = Header.decode(read(0, HEADER), passphrase)
    whole = Decryption(header, passphrase, size)
    for offset in range(0, max(whole.size, 1), CHUNK):
        write(whole.part(offset, CHUNK, read(*whole.span(offset, CHUNK))))


def after_chunks(offset: int, chunks: int) -> int:
    """Where in the encrypted form that many chunks end, counted from the one at `offset`."""
    return HEADER + (max(0, offset - HEADER) // _SEALED + chunks) * _SEALED


def salt_of(*parts: bytes) -> bytes:
    """A salt for files that go to one place: the same each time, so that broken transfers can go on."""
    return _digest(b"salt", parts)


def file_id_of(salt: bytes, *parts: bytes) -> bytes:
    """The id of one file, from what tells it from others: its path, size and time."""
    return _digest(b"file", (salt, *parts))


def sealed_name(name: bytes) -> bytes:
    """The name of the encrypted form."""
    return name + EXTENSION


def clear_name(name: bytes) -> bytes:
    """The name of the clear form: without the extension, if the name has more than that."""
    return name[: -len(EXTENSION)] if name.endswith(EXTENSION) and len(name) > len(EXTENSION) else name


def _last_chunk(size: int) -> int:
    """Index of the last chunk; an empty file has one, too."""
    return max(0, -(-size // CHUNK) - 1)


def _chunks(offset: int, end: int) -> tuple[int, int]:
    """Index of the first chunk that the encrypted bytes from `offset` to `end` touch, and of that after the last."""
    if end <= max(offset, HEADER):
        return 0, 0
    return max(0, offset - HEADER) // _SEALED, -(-(end - HEADER) // _SEALED)


def _keys(header: Header, passphrase: Passphrase) -> tuple[bytes, bytes, bytes]:
    """To seal chunks, to make nonces, to check the header."""
    master = passphrase.master(header.salt, *header.cost)
    derived = HKDF(hashes.SHA256(), 96, header.file_id, b"asperacentral file-crypt 1").derive(master)
    return derived[:32], derived[32:64], derived[64:]


def _check(header: Header, passphrase: Passphrase, fixed: bytes) -> bytes:
    return hmac.digest(_keys(header, passphrase)[2], fixed, "sha256")[:_CHECK]


def _digest(kind: bytes, parts: tuple[bytes, ...]) -> bytes:
    digest = hashlib.blake2b(digest_size=16, person=kind)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()
