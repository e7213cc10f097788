"""How the values of openascp's options are read: rates, sizes, ports, paths in base64. Pure.

What cannot be read raises `ValueRefused` with one line, which the command line's parser shows with the option's name.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import json
import re
from dataclasses import dataclass

from asperacentral.fasp.messages import LARGEST_RATE
from asperacentral.openascp import hostkeys
from asperacentral.openascp.exchange.dealing import MOST_SESSIONS

CIPHERS = ("none", "aes128", "aes192", "aes256")
PORTS = range(1, 65536)
LARGEST_BLOCK = 512 * 1024 * 1024
DATAGRAM_SIZES = range(296, 10001)
"""Bytes."""

ValueRefused = argparse.ArgumentTypeError

_MODES = ("", "-cfb", "-gcm", "cfb", "gcm")
_RATE = re.compile(r"(\d{1,20}(?:\.\d{1,20})?|\.\d{1,20})([kKmMgGpP%]?)", re.ASCII)
_SCALE = {"": 1, "k": 1, "m": 1000, "g": 1_000_000}
_SIZE = re.compile(r"(\d{1,20})([kKmMgG]?)", re.ASCII)
_SIZES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Rate:
    """Kbps, or with `percent` hundredths of the link's capacity, which is not known before it is measured."""

    value: float
    percent: bool = False

    def of(self, capacity: int) -> int:
        """Kbps on a link that carries `capacity` Kbps."""
        return round(capacity * self.value / 100) if self.percent else round(self.value)


def rate(text: str) -> Rate:
    """Kbps, with k, m or g thousand and million times as much; with p or % a percentage, decimals allowed."""
    found = _RATE.fullmatch(text)
    if found is None:
        raise ValueRefused(f"{text[:60]!r} is no rate in Kbps")
    number, unit = float(found[1]), found[2].lower()
    if unit in ("p", "%"):
        if number > 100:
            raise ValueRefused(f"{text[:60]!r} is no rate: more than 100 percent")
        return Rate(number, percent=True)
    return Rate(min(round(number * _SCALE[unit]), LARGEST_RATE))


def size(text: str) -> int:
    """Bytes; K, M and G are powers of 1,024."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueRefused(f"{text[:60]!r} is no size in bytes")
    return int(found[1]) * _SIZES[found[2].lower()]


def block_size(text: str) -> int:
    """Bytes of one read or write; 0 leaves the choice to the program."""
    count = size(text)
    if count > LARGEST_BLOCK:
        raise ValueRefused(f"{text[:60]!r} is more than {LARGEST_BLOCK} bytes")
    return count


def datagram_size(text: str) -> int:
    """Bytes of one datagram; 0 is what the path carries."""
    if text != "0" and (not text.isascii() or not text.isdigit() or int(text[:20]) not in DATAGRAM_SIZES):
        raise ValueRefused(f"{text[:60]!r} is neither 0 nor between 296 and 10000")
    return int(text)


def port(text: str) -> int:
    """A TCP or UDP port."""
    if not text.isascii() or not text.isdigit() or int(text[:20]) not in PORTS:
        raise ValueRefused(f"{text[:60]!r} is no port")
    return int(text)


def address(text: str) -> tuple[str, int]:
    """`port`, `host:port` or `[address]:port`."""
    host, _, number = text.rpartition(":")
    return host.strip("[]") or "127.0.0.1", port(number)


def cipher(text: str) -> str:
    """One of CIPHERS, in all spellings in use."""
    for known in CIPHERS:
        if text.lower().replace("aes-", "aes") in {known + mode for mode in _MODES}:
            return known
    raise ValueRefused(f"{text[:60]!r} is no cipher")


def fingerprint(text: str) -> hostkeys.Fingerprint:
    """A host key's fingerprint."""
    try:
        return hostkeys.Fingerprint.parse(text)
    except hostkeys.FingerprintError as error:
        raise ValueRefused(str(error)) from None


def seconds(text: str) -> int:
    """A time: since the epoch, or negative, before now."""
    if not _WHOLE.fullmatch(text):
        raise ValueRefused(f"{text[:60]!r} is no whole number")
    return int(text)


def count(text: str) -> int:
    """A whole number that is not negative."""
    found = seconds(text)
    if found < 0:
        raise ValueRefused(f"{text[:60]!r} is negative")
    return found


def part(text: str) -> tuple[int, int]:
    """`m:n`, part m of n."""
    first, colon, last = text.partition(":")
    if not colon:
        raise ValueRefused(f"{text[:60]!r} is not m:n")
    number, parts = count(first), count(last)
    if not 1 <= number <= parts <= MOST_SESSIONS:
        raise ValueRefused(f"{text[:60]!r} is no part of 1 to {MOST_SESSIONS}")
    return number, parts


def byte_range(text: str) -> tuple[int, int]:
    """`low:high`, both inclusive and either left out, as the first byte and the one after the last (0 = the end)."""
    low, colon, high = text.partition(":")
    if not colon:
        raise ValueRefused(f"{text[:60]!r} is not low:high")
    start, end = count(low or "0"), count(high) + 1 if high else 0
    if end and end <= start:
        raise ValueRefused(f"{text[:60]!r} is an empty range")
    return start, end


def base64_path(text: str) -> bytes:
    """A path given in base64."""
    try:
        path = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueRefused(f"{text[:60]!r} is no base64") from None
    if b"\0" in path:
        raise ValueRefused("the path has a NUL character")
    return path


def base64_tags(text: str) -> str:
    """A JSON object given in base64, as one line of JSON."""
    try:
        tags = json.loads(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise ValueRefused("the tags are no JSON in base64") from None
    if not isinstance(tags, dict):
        raise ValueRefused("the tags are no JSON object")
    return json.dumps(tags, separators=(",", ":"))


def suffix(text: str) -> str:
    """The end of a file's name."""
    if "/" in text or "\0" in text or len(text) > 64:
        raise ValueRefused("a suffix is a short text without /")
    return text


def log_place(text: str) -> tuple[str, int]:
    """`DIR`, `DIR:SIZE` with megabytes, or `-` for the terminal; the size is bytes, 0 if none is given."""
    folder, colon, megabytes = text.rpartition(":")
    if colon and megabytes.isascii() and megabytes.isdigit() and folder:
        return folder, int(megabytes[:9]) << 20
    return text, 0
