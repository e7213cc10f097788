"""The TCP connection under SSH, with writes gathered: one system call for all packets of one turn of the loop.

asyncssh writes each SSH packet by itself, and an empty one before each; sent one by one they cost more time than
their encryption. It takes a `Connector` as its tunnel. What the bytes mean is not known here.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any, cast

from asperacentral.openascp.dialing import Dialing

_GATHERED = 256 * 1024
"""Bytes that are sent at once rather than at the end of the turn."""
_THIN_LINEAR_TIMEOUTS = 16
"""Linux: TCP_THIN_LINEAR_TIMEOUTS."""


class GatheringTransport(asyncio.Transport):
    """Passes everything on to `transport`, writes at the end of the loop's turn."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._gathered: list[bytes] = []
        self._size = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send soon."""
        if not self._gathered:
            self._loop.call_soon(self._flush)
        self._gathered.append(bytes(data))
        self._size += len(data)
        if self._size >= _GATHERED:
            self._flush()

    def _flush(self) -> None:
        if self._gathered:
            data = b"".join(self._gathered)
            self._gathered.clear()
            self._size = 0
            self._transport.write(data)

    def close(self) -> None:
        """Send what is gathered and close."""
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._gathered.clear()
        self._transport.abort()

    def is_closing(self) -> bool:
        """Tell whether it is closed or will be."""
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What the transport knows."""
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Let the peer wait."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Go on."""
        self._transport.resume_reading()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand incoming bytes to another protocol."""
        self._transport.set_protocol(protocol)


class _Introduction(asyncio.Protocol):
    """Gives the real protocol a gathering transport, and the transport the real protocol."""

    def __init__(self, protocol: asyncio.Protocol, loop: asyncio.AbstractEventLoop) -> None:
        self._protocol = protocol
        self._loop = loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        real = cast(asyncio.Transport, transport)
        real.set_protocol(self._protocol)
        self._protocol.connection_made(GatheringTransport(real, self._loop))


class Connector:
    """Makes TCP connections, in the form of asyncssh's tunnels; with `ipv6` by IPv6 only. `made` is a connected
    socket to be used instead, `dialing` what brings one, or None.
    """

    def __init__(
        self, *, ipv6: bool = False, made: socket.socket | None = None, dialing: Dialing | None = None
    ) -> None:
        self._family = socket.AF_INET6 if ipv6 else socket.AF_UNSPEC
        self._made = made
        self._dialing = dialing

    async def create_connection(
        self, session_factory: Callable[[], Any], remote_host: str, remote_port: int
    ) -> tuple[asyncio.Transport, Any]:
        """Connect; OSError when that is not possible."""
        loop = asyncio.get_running_loop()
        made = self._made
        if self._dialing is not None:
            made = await asyncio.wrap_future(self._dialing.answered)
        protocol = session_factory()
        if made is not None:
            transport, _ = await loop.create_connection(lambda: _Introduction(protocol, loop), sock=made)
        else:
            transport, _ = await loop.create_connection(
                lambda: _Introduction(protocol, loop), remote_host, remote_port, family=self._family
            )
        _send_lost_bytes_soon(transport)
        return transport, protocol


def _send_lost_bytes_soon(transport: asyncio.Transport) -> None:
    """What is lost is sent again after the same time each time, not twice as long: these streams are thin."""
    opened = transport.get_extra_info("socket")
    with contextlib.suppress(OSError, AttributeError):  # where there is no such option, or no TCP
        opened.setsockopt(socket.IPPROTO_TCP, _THIN_LINEAR_TIMEOUTS, 1)
