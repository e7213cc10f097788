"""Which addresses may be notified: observers are named by callers, so they are not to be trusted.

A name is checked again after it has been resolved and connected, before a byte is sent: what it resolves to may
have changed since it was allowed.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_ADDRESS = 2048
"""Characters of an observer's address."""

_PRINTABLE = re.compile(r"[!-~]+")
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")


def shown(address: str) -> str:
    """An observer address for the log: without its path, which may be a secret of the observer's."""
    try:
        parts = urlsplit(address)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    except ValueError:
        return "an address that is no URL"


class Allowed:
    """An allow-list of host names and networks; an empty one allows every host."""

    def __init__(self, entries: Iterable[str] = ()) -> None:
        self.replace(entries)

    def replace(self, entries: Iterable[str]) -> None:
        """Allow these from now on, and no others."""
        self._names: set[str] = set()
        self._networks: list[_Network] = []
        for entry in entries:
            try:
                self._networks.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                self._names.add(entry.lower())
        self._anything = not self._names and not self._networks

    def reason_against(self, address: str) -> str | None:
        """Why the observer address must not be notified, or None if it may."""
        reason = _malformed(address)
        host = "" if reason else urlsplit(address).hostname or ""
        if reason or self._anything or host in self._names:
            return reason
        try:
            inside = self.peer(host, host)
        except ValueError:  # A name: what it resolves to is looked at when it is connected.
            inside = bool(self._networks)
        return None if inside else f"{host} is not among the allowed observers"

    def peer(self, host: str, address: str) -> bool:
        """Whether `host`, connected as the IP address `address`, may be notified. ValueError if that is none."""
        ip = ipaddress.ip_address(address)
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
            ip = ip.ipv4_mapped
        return (
            self._anything or host.lower() in self._names or any(ip in network for network in self._networks)
        )


def _malformed(address: str) -> str | None:
    if len(address) > MAX_ADDRESS or not _PRINTABLE.fullmatch(address):
        return f"must be 1 to {MAX_ADDRESS} characters without blanks, control or non-ASCII characters"
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "is not a URL"
    if parts.scheme not in ("http", "https"):
        return "must be an http or https URL"
    if "@" in parts.netloc:
        return "must not hold a user or password"
    if port == 0 or not _HOST.fullmatch(host) or parts.netloc.lower() != _netloc(host, port):
        return "must name a host and at most a port"
    return None


def _netloc(host: str, port: int | None) -> str:
    """Host and port as they are usually written: what is written otherwise, others might read otherwise."""
    written = f"[{host}]" if ":" in host else host
    return written if port is None else f"{written}:{port}"
