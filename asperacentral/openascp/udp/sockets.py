"""One UDP socket: many datagrams a call where the kernel can (GSO, GRO), one by one where it cannot.

Sending waits while the socket's buffer is full; receiving never waits, `wait` does. Errors that ICMP brings are
ignored: they are not authentic.
"""

from __future__ import annotations

import errno
import mmap
import os
import select
import socket
import struct
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

Address = tuple[str, int]

PORTS = range(33001, 33101)
"""Where an answerer listens: the first that is free. One session has one port."""

BUFFER_BYTES = 4 << 20

_SOL_UDP = 17
_UDP_SEGMENT = 103
_UDP_GRO = 104
_IP_MTU_DISCOVER = 10
_IPV6_MTU_DISCOVER = 23
_PMTU_DO = 2
_SO_RCVBUFFORCE = 33
_SO_SNDBUFFORCE = 32

_LARGEST = 65_535
_ARENA_BYTES = 4 << 20
_MOST_READS = 256
_TRIALS = 256
_IGNORED = (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENOBUFS, errno.EPERM)
_NO_OFFLOAD = (errno.EIO, errno.EINVAL)
_LINUX = sys.platform == "linux"


class TooLargeError(Exception):
    """The path does not take datagrams of this size."""


class UdpSocket:
    """An IPv4 or IPv6 socket, bound to `host` and a port of `ports`, or to any. OSError when none is free."""

    def __init__(self, family: int, host: str | None = None, ports: Iterable[int] = (0,)) -> None:
        self.family = family
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._prepare()
            self._bind(host, ports)
        except BaseException:
            self._socket.close()
            raise
        self._beside: socket.socket | None = None
        self._number = self._socket.fileno()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK)
        self._arena = memoryview(mmap.mmap(-1, _ARENA_BYTES))  # memory is taken where it is written
        self._segment = 0
        self._gso = _LINUX
        self._gro = self._try_gro()
        self._reads = self._joined = 0
        self.more = False
        """Whether `receive` has left something to the next call."""

    @property
    def port(self) -> int:
        """The own port."""
        return int(self._socket.getsockname()[1])

    @property
    def headers(self) -> int:
        """Bytes that IP and UDP add to a datagram."""
        return 48 if self.family == socket.AF_INET6 else 28

    @property
    def room(self) -> int:
        """Bytes of datagrams the kernel keeps for us: about half of what it grants, which counts its own records."""
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2

    def connect(self, address: Any) -> None:
        """Exchange datagrams with this address only from now on."""
        self._socket.connect(address)

    def beside(self) -> socket.socket:
        """Another socket of this address and port, once this one is connected: it gets what is not for this one. It is
        closed with this one; reading it does not wait. OSError where the system has no such thing.
        """
        other = socket.socket(self.family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        both = (self._socket, other)
        try:
            if self.family == socket.AF_INET6:
                other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            for each in both:
                each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(self._socket.getsockname())
        except OSError:
            other.close()
            raise
        finally:
            for each in both:  # nobody else is to get the port
                with suppress(OSError):
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        self._beside = other
        return other

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()
        if self._beside is not None:
            self._beside.close()
        os.close(self._wake)

    def wake(self) -> None:
        """End a `wait` that another thread is in."""
        with suppress(OSError):
            os.eventfd_write(self._wake, 1)

    def wait(self, seconds: float) -> bool:
        """Return when there is something to receive, `wake` is called, or the time is over; whether it is the first."""
        ready, _, _ = select.select([self._number, self._wake], [], [], max(seconds, 0.0))
        if self._wake in ready:
            with suppress(BlockingIOError):
                os.eventfd_read(self._wake)
        return self._number in ready

    # --- out

    def send(self, datagram: bytes | memoryview, address: Any = None) -> None:
        """Send one datagram. TooLargeError."""
        try:
            if address is None:
                self._socket.send(datagram)
            else:
                self._socket.sendto(datagram, address)
        except OSError as error:
            self._judge(error)

    def send_all(self, volleys: Iterable[Sequence[bytes]], size: int) -> None:
        """Send datagrams, given as header, body, header ..., or one whole; in each volley they have `size` bytes, but
        for the last, which may be shorter. TooLargeError.
        """
        for volley in volleys:
            # A lone datagram that is longer than a former size would be cut up, too.
            if self._gso and size != self._segment and (len(volley) > 2 or self._segment):
                self._set_segment(size)
            if self._gso or len(volley) <= 2:
                self._send_volley(volley)
            else:
                self._send_singly(volley)

    def _send_volley(self, volley: Sequence[bytes]) -> None:
        try:
            self._socket.sendmsg(volley)
        except OSError as error:
            if error.errno not in _NO_OFFLOAD or len(volley) <= 2 or not self._gso:
                self._judge(error)
                return
            self._no_gso()
            self._send_singly(volley)

    def _send_singly(self, volley: Sequence[bytes]) -> None:
        for place in range(0, len(volley), 2):
            self._send_volley(volley[place : place + 2])

    def _judge(self, error: OSError) -> None:
        if error.errno == errno.EMSGSIZE:
            raise TooLargeError from error
        if error.errno not in _IGNORED:
            raise error

    def _set_segment(self, size: int) -> None:
        try:
            self._socket.setsockopt(_SOL_UDP, _UDP_SEGMENT, size)
            self._segment = size
        except OSError:
            self._gso = False

    def _no_gso(self) -> None:
        self._gso = False
        with suppress(OSError):
            self._socket.setsockopt(_SOL_UDP, _UDP_SEGMENT, 0)

    # --- in

    def receive(self) -> list[memoryview]:
        """What has arrived, as far as it fits; valid until the next call."""
        found: list[memoryview] = []
        place = 0
        self.more = True
        arena = self._arena
        receive = self._receive_joined if self._gro else self._receive_one
        for _ in range(_MOST_READS):
            if place + _LARGEST > _ARENA_BYTES:
                break
            try:
                place += receive(arena[place : place + _LARGEST], found)
            except BlockingIOError:
                self.more = False
                break
            except OSError as error:
                if error.errno not in _IGNORED:
                    raise
        return found

    def receive_from(self) -> tuple[bytes, Any] | None:
        """One datagram and its sender, before `connect`; None when there is none."""
        try:
            return self._socket.recvfrom(_LARGEST, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno not in _IGNORED:
                raise
            return None

    def _receive_one(self, view: memoryview, found: list[memoryview]) -> int:
        count = self._socket.recv_into(view, 0, socket.MSG_DONTWAIT)
        found.append(view[:count])
        return count

    def _receive_joined(self, view: memoryview, found: list[memoryview]) -> int:
        """A read that may hold several datagrams, all of one size but the last; the kernel tells the size."""
        count, notes, _, _ = self._socket.recvmsg_into([view], 32, socket.MSG_DONTWAIT)
        size = count
        for level, kind, data in notes:
            if level == _SOL_UDP and kind == _UDP_GRO:
                size = struct.unpack("=i", data[:4])[0]
        if 0 < size < count:
            found += [view[place : min(place + size, count)] for place in range(0, count, size)]
            self._joined += 1
        else:
            found.append(view[:count])
        self._reads += 1
        if self._reads == _TRIALS and not self._joined:
            self._gro = False
            self._socket.setsockopt(_SOL_UDP, _UDP_GRO, 0)
        return count

    def _try_gro(self) -> bool:
        if not _LINUX:
            return False
        try:
            self._socket.setsockopt(_SOL_UDP, _UDP_GRO, 1)
        except OSError:
            return False
        return True

    # --- made ready

    def _prepare(self) -> None:
        for option, forced in (
            (socket.SO_RCVBUF, _SO_RCVBUFFORCE),
            (socket.SO_SNDBUF, _SO_SNDBUFFORCE),
        ):
            try:
                self._socket.setsockopt(socket.SOL_SOCKET, forced, BUFFER_BYTES)
            except OSError:
                self._socket.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
        if self.family == socket.AF_INET6:
            self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if _LINUX and self.family == socket.AF_INET6:
            self._socket.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTU_DO)
        elif _LINUX:
            self._socket.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTU_DO)

    def _bind(self, host: str | None, ports: Iterable[int]) -> None:
        anywhere = "::" if self.family == socket.AF_INET6 else "0.0.0.0"  # noqa: S104 - where no host is named
        failure: OSError | None = None
        for port in ports:
            try:
                self._socket.bind((host or anywhere, port))
                return
            except OSError as error:
                if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                    raise
                failure = error
        raise failure or OSError(errno.EADDRINUSE, "no port to listen on")
