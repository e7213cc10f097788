"""The keys of a session, and sealing and opening with them.

Both ends derive everything from one secret that travelled inside SSH. Each direction has keys of its own, and the key
changes with the sequence number, so that no key seals more than `PACKETS_PER_KEY` datagrams and nothing has to be
said about the change. The nonce is the sequence number: it is new for every transmission, so none is used twice.

Without encryption (`Cipher.NONE`) file bytes travel readable, but each datagram still carries its seal, and
everything else is encrypted: forged datagrams change nothing in any case.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from enum import Enum
from functools import partial

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from asperacentral.openascp.udp.packets import HEADER, TAG_BYTES, Kind

SECRET_BYTES = 32
KEY_BITS = 22
PACKETS_PER_KEY = 1 << KEY_BITS
"""About four million: far below what is safe for AES-GCM, even with datagrams of 64 kB."""

NONCE_BYTES = 12
"""A nonce is the sequence number in so many bytes."""

Buffer = bytes | memoryview


class Cipher(Enum):
    """What an order may ask for; the value is the name of ascp's option."""

    NONE = "none"
    AES128 = "aes-128-gcm"
    AES192 = "aes-192-gcm"
    AES256 = "aes-256-gcm"

    @property
    def key_bytes(self) -> int:
        """Length of the keys; without encryption that of the seal's."""
        return {Cipher.AES192: 24, Cipher.AES256: 32}.get(self, 16)


class Direction(Enum):
    """Whose datagrams: the caller is who sends the first one, whichever way the files go."""

    FROM_CALLER = b"caller"
    FROM_ANSWERER = b"answerer"


def new_secret() -> bytes:
    """A secret for one session; never used for a second one."""
    return secrets.token_bytes(SECRET_BYTES)


class DirectionKeys:
    """Seals or opens the datagrams of one direction of one session. ValueError for a secret that is too short."""

    def __init__(self, secret: bytes, cipher: Cipher, direction: Direction) -> None:
        if len(secret) < SECRET_BYTES:
            raise ValueError(f"the session's secret has {len(secret)} bytes instead of {SECRET_BYTES}")
        self._secret = secret
        self._cipher = cipher
        self._direction = direction
        self._keys: dict[int, AESGCM] = {}
        self._clear_word = -1
        self.tag = int.from_bytes(self._derive(b"tag", 3), "big")
        """24 bits in every header, by which what belongs to another session is dropped unopened."""
        if cipher is Cipher.NONE:
            self._clear_word = self.word(Kind.DATA)

    def word(self, kind: Kind) -> int:
        """The header's first number."""
        return int(kind) << 24 | self.tag

    def seal(self, word: int, sequence: int, argument: int, body: bytes) -> tuple[bytes, bytes]:
        """Header and sealed body. A sequence number must never be used for a second call."""
        header = HEADER.pack(word, sequence & 0xFFFFFFFF, argument)
        nonce = sequence.to_bytes(NONCE_BYTES, "big")
        if word == self._clear_word:
            return header, self._seal_clear(sequence, nonce, body, header)
        return header, self._key(sequence >> KEY_BITS).encrypt(nonce, body, header)

    def data_sealer(self, sequence: int) -> Callable[[bytes, Buffer, bytes], bytes]:
        """What seals data with numbers from `sequence` on to the end of its key, given nonce, body and header."""
        if self._clear_word >= 0:
            return partial(self._seal_clear, sequence)
        return self._key(sequence >> KEY_BITS).encrypt

    def data_opener(self, sequence: int) -> Callable[[bytes, Buffer, Buffer], bytes] | None:
        """The same for opening; it raises InvalidTag. None for data that is not encrypted."""
        return None if self._clear_word >= 0 else self._key(sequence >> KEY_BITS).decrypt

    def open(self, word: int, sequence: int, datagram: bytes | memoryview) -> bytes | None:
        """The body of a datagram with this sequence number; None when the seal is not this session's."""
        nonce = sequence.to_bytes(NONCE_BYTES, "big")
        key = self._key(sequence >> KEY_BITS)
        try:
            if word == self._clear_word:
                key.decrypt(nonce, datagram[-TAG_BYTES:], datagram[:-TAG_BYTES])
                return bytes(datagram[HEADER.size : -TAG_BYTES])
            return key.decrypt(nonce, datagram[HEADER.size :], datagram[: HEADER.size])
        except InvalidTag:
            return None

    def _seal_clear(self, sequence: int, nonce: bytes, body: Buffer, header: bytes) -> bytes:
        content = bytes(body)
        return content + self._key(sequence >> KEY_BITS).encrypt(nonce, b"", header + content)

    def _key(self, epoch: int) -> AESGCM:
        key = self._keys.get(epoch)
        if key is None:
            while len(self._keys) >= 3:
                del self._keys[next(iter(self._keys))]
            name = b"key" + epoch.to_bytes(8, "big")
            key = self._keys[epoch] = AESGCM(self._derive(name, self._cipher.key_bytes))
        return key

    def _derive(self, name: bytes, length: int) -> bytes:
        label = b"/".join((b"openascp udp 1", self._cipher.value.encode(), self._direction.value, name))
        return HKDF(SHA256(), length, salt=None, info=label).derive(self._secret)
