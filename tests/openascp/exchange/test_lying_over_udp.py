"""A server half whose client has the keys of its UDP plane and lies: what it says of the stream is not believed."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from asperacentral.openascp.exchange import messages as m
from asperacentral.openascp.udp.keys import Cipher
from asperacentral.openascp.udp.meeting import Link, call
from asperacentral.openascp.udp.packets import Kind, Probe
from asperacentral.openascp.udp.sockets import UdpSocket
from tests.openascp.exchange.hostile import EVIL, Peer, entry, hello
from tests.openascp.exchange.test_hostile_peers import half, left, refused, root

__all__ = ["root"]

Lie = Callable[[Link], None]


@contextmanager
def over_udp(peer: Peer) -> Iterator[Link]:
    """Bring a server half to where it receives a file by UDP, of which it has asked for all."""
    peer.say(hello(sending=True, udp_port=33001))
    welcome = peer.until(m.Welcome, m.Refused)
    assert isinstance(welcome, m.Welcome)
    offer = welcome.facts["udp"]
    opened = UdpSocket(socket.AF_INET)
    try:
        link = call(opened, ("127.0.0.1", offer["port"]), offer["secret"], Cipher.NONE, seconds=30.0)
        peer.say(m.Plane(m.UDP), m.Argument(0, b"x", b"", b"in"), m.NoMoreArguments(1))
        peer.say(m.Entries((entry(0, b"file"),)))
        assert peer.until(m.Needs) is not None
        yield link
    finally:
        opened.close()


def data(link: Link, offset: int, payload: bytes) -> None:
    link.socket.send(b"".join(link.outbox.data(offset, payload, len(payload))))


def past_the_end(link: Link) -> None:
    data(link, 0, EVIL + b"and more")


def far_away(link: Link) -> None:
    data(link, 2**62, EVIL)


def only_a_part_and_then_the_end(link: Link) -> None:
    data(link, 0, EVIL[:5])
    for _ in range(5):
        link.socket.send(link.outbox.seal(Kind.PROBE, 5, Probe(0, 1).encode()))
    link.socket.send(link.outbox.seal(Kind.CLOSE, 0))


def nothing_and_then_the_end(link: Link) -> None:
    for _ in range(5):
        link.socket.send(link.outbox.seal(Kind.PROBE, 0, Probe(0, 1).encode()))
    link.socket.send(link.outbox.seal(Kind.CLOSE, 0))


@pytest.mark.parametrize(
    "lie", [past_the_end, far_away, only_a_part_and_then_the_end, nothing_and_then_the_end]
)
def test_a_sender_that_lies_about_the_stream_is_sent_away_and_no_file_gets_its_name(
    root: Path, lie: Lie
) -> None:
    with half(root) as (peer, _), over_udp(peer) as link:
        lie(link)
        refused(peer)
    assert "file" not in left(root)
