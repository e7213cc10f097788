"""What a session says of the connection under it."""

from __future__ import annotations

import socket
import struct
from typing import Any

import pytest

from asperacentral.openascp.network import cipher, round_trip


class Told:
    """A connection that tells what the test gives."""

    def __init__(self, **info: Any) -> None:
        self._info = info

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self._info.get(name, default)


@pytest.mark.parametrize(
    ("ssh", "fasp"),
    [
        ("aes128-gcm@openssh.com", "aes-128"),
        ("aes192-ctr", "aes-192"),
        ("aes256-gcm@openssh.com", "aes-256"),
        ("chacha20-poly1305@openssh.com", "chacha20-poly1305"),
        (None, ""),
    ],
)
def test_the_cipher_is_told_in_fasp_s_words_where_it_has_one(ssh: str | None, fasp: str) -> None:
    connection = Told(send_cipher=ssh, recv_cipher="aes999-ctr")
    assert cipher(connection, sending=True) == fasp
    assert cipher(connection, sending=False) == "aes-999"


class Wire:
    def __init__(self, microseconds: int) -> None:
        self._microseconds = microseconds

    def getsockopt(self, level: int, option: int, size: int) -> bytes:
        assert (level, option) == (socket.IPPROTO_TCP, socket.TCP_INFO)
        return struct.pack("=8B32I", *range(8), *[7] * 15, self._microseconds, *[7] * 16)[:size]


@pytest.mark.parametrize(("microseconds", "milliseconds"), [(80_400, 80), (1_600, 2), (90, 0)])
def test_the_round_trip_is_told_in_milliseconds(microseconds: int, milliseconds: int) -> None:
    assert round_trip(Told(socket=Wire(microseconds))) == milliseconds


def test_tcp_itself_is_asked() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as end,
        server.accept()[0] as other,
    ):
        end.sendall(b"x" * 10_000)
        other.recv(10_000)
        told = end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        assert struct.unpack_from("=I", told, 68)[0] > 0
        assert round_trip(Told(socket=end)) >= 0


def test_where_the_system_does_not_tell_the_round_trip_is_0() -> None:
    assert round_trip(Told()) == 0
    no_tcp, other = socket.socketpair()
    with no_tcp, other:
        assert round_trip(Told(socket=no_tcp)) == 0
