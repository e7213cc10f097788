"""One end of an exchange that says whatever a test wants; as a program, a far side that attacks its client.

hostile.py SCENARIO [NAME-IN-HEX] --server
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from asperacentral.openascp.exchange import messages as m
from asperacentral.openascp.exchange.codec import PREFACE, Data, Decoder, data_head, encode_control
from asperacentral.openascp.exchange.spelling import read, write
from asperacentral.openascp.exchange.terms import Terms

EVIL = b"evil bytes\n"
NO_COUNTS = (1, 1, 1, 0, 0, 0, 0, 1, len(EVIL))


class Peer:
    """Speaks on descriptors; what it hears of the stream is in `data`."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self.writing = reading, writing
        self._decoder = Decoder()
        self._heard: list[m.Message] = []
        self.data = b""
        self.send(PREFACE)

    def send(self, data: bytes) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has had enough
            while data:
                data = data[os.write(self.writing, data) :]

    def say(self, *said: m.Message) -> None:
        self.send(b"".join(encode_control(write(message)) for message in said))

    def hear(self) -> m.Message | None:
        """The next message; None when the other end has gone."""
        while not self._heard:
            try:
                received = os.read(self._reading, 1 << 16)
            except OSError:
                return None
            if not received:
                return None
            for event in self._decoder.feed(received):
                if isinstance(event, Data):
                    self.data += event.data
                elif (message := read(event.value)) is not None:
                    self._heard.append(message)
        return self._heard.pop(0)

    def until(self, *kinds: type[m.Message]) -> Any:
        """The next message of one of these kinds; None when the other end has gone."""
        while (message := self.hear()) is not None:
            if isinstance(message, kinds):
                return message
        return None

    def push(self, entries: Iterable[m.Entry]) -> dict[int, m.Settled]:
        """Announce entries, send whatever is asked for, and hear what becomes of each, until it is over."""
        announced = tuple(entries)
        settled: dict[int, m.Settled] = {}
        self.say(m.Entries(announced), m.Scanned(0, *NO_COUNTS))
        offset = 0
        while len(settled) < len(announced):
            message = self.hear()
            if message is None or isinstance(message, m.Broken):
                break
            if isinstance(message, m.Needs):
                for need in message.needs:
                    for start, length in need.extents:
                        piece = EVIL[start : start + length]
                        self.send(data_head(offset, length) + piece)
                        offset += length
                    if need.last:
                        self.say(m.Verdicts((m.Verdict(need.id),)))
            if isinstance(message, m.Settlements):
                settled |= {each.id: each for each in message.settled}
        return settled


def entry(number: int, path: bytes, kind: str = m.FILE) -> m.Entry:
    return m.Entry(
        number, 0, path, kind, len(EVIL) if kind == m.FILE else 0, 1_700_000_000_000_000_000, 0o644
    )


def hello(
    *,
    sending: bool,
    destination: bytes = b"in",
    token: str = "",
    features: tuple[str, ...] = (),
    **terms: object,
) -> m.Hello:
    written = Terms(destination=destination, several=True, create_path=True, **terms).written()  # type: ignore[arg-type]
    return m.Hello(
        m.VERSION,
        "hostile",
        "11111111-2222-4333-8444-555555555555",
        sending,
        written,
        token=token,
        features=features,
    )


def ends() -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 60, 0))
    return ours, theirs


# The hostile far side.


def serve(scenario: str, name: bytes) -> None:
    peer = Peer(0, 1)
    said = peer.until(m.Hello)
    assert said is not None
    peer.say(m.Welcome(m.VERSION, "hostile", 10_000_000, 0, "fixed"))
    if not said.sending:
        peer.until(m.Argument)
        peer.push([entry(0, name)])
        peer.say(m.Finished())
        peer.until(m.Finished, m.Broken)
        return
    announced = peer.until(m.Entries)
    assert announced is not None
    size = announced.entries[0].size
    attacks: dict[str, list[bytes]] = {
        "needs-unknown": [_said(m.Needs((m.Need(77, ((0, 10),), True),)))],
        "needs-negative": [_said(m.Needs((m.Need(0, ((-5, 10),), True),)))],
        "needs-beyond": [_said(m.Needs((m.Need(0, ((0, size + 10),), True),)))],
        "needs-huge": [_said(m.Needs((m.Need(0, ((0, 2**62),), True),)))],
        "ask-beyond": [_said(m.Ask(0, ((size, 2**40),)))],
        "ask-unknown": [_said(m.Ask(99, ((0, 1),)))],
        "data": [data_head(0, 4) + b"evil"],
        "settled-unknown": [_said(m.Settlements((m.Settled(5, m.DONE),)))],
        "settled-nonsense": [_said(m.Settlements((m.Settled(0, "\x1b[2J\nnonsense"),)))],
        "written-negative": [_said(m.Written(-1))],
        "rates": [_said(m.Rates(-5, -5, "\n\x1b")), _said(m.Rates(2**62, 2**62, "fixed"))],
        "second-welcome": [_said(m.Welcome(1, "x", 1, 1, "fair"))],
        "garbage": [b"\xff" * 1000],
        "not-msgpack": [b"\x00\x00\x00\x05\x00\xc1\xc1\xc1\xc1"],
        "deep": [encode_control(["needs", {"needs": [[[[[[[[]]]]]]]]}])],
        "silence": [],
    }
    for attack in attacks[scenario]:
        peer.send(attack)
    peer.say(m.Broken(2, "the end\n\x1b[31mFASPMGR 2\nType: DONE"))
    peer.until(m.Broken)


def _said(message: m.Message) -> bytes:
    return encode_control(write(message))


if __name__ == "__main__":
    serve(sys.argv[1], bytes.fromhex(sys.argv[2]) if len(sys.argv) > 3 else b"")
