"""The two ends of one direction: the outbox numbers and seals what one sends, the inbox opens what arrives, once.

Pure: time is seconds of any clock that does not go back. What cannot be opened, is not of this session or came before
only counts; it is never an error, because anybody can send datagrams.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag

from asperacentral.openascp.udp.holes import Holes
from asperacentral.openascp.udp.keys import KEY_BITS, NONCE_BYTES, Buffer, DirectionKeys
from asperacentral.openascp.udp.packets import HEADER, OVERHEAD, Kind

SHORTEST_PATIENCE = 0.004
LONGEST_PATIENCE = 0.1
_PATIENCE_FADES = 0.995
_GAPS_KEPT = 0.25
_HALF = 1 << 31
_LOW_HALF = 0xFFFFFFFF
_KEY_MASK = (1 << KEY_BITS) - 1
_TAG_BITS = 24
_TAG_MASK = (1 << _TAG_BITS) - 1
_FARTHEST = 1 << 21
"""How far ahead of all others a sequence number may be: less than one key, so that no guess makes work."""

Opened = tuple[int, int, int, bytes]
"""Kind, sequence number, argument and body of a datagram."""


class Outbox:
    """Numbers and seals the datagrams of one direction."""

    def __init__(self, keys: DirectionKeys, first: int = 0) -> None:
        self._keys = keys
        self._data = keys.word(Kind.DATA)
        self.next = first
        """The next datagram's sequence number."""

    def seal(self, kind: Kind, argument: int = 0, body: bytes = b"", size: int = 0) -> bytes:
        """A datagram, filled up with zeros to `size` bytes in all."""
        body = body.ljust(max(0, size - OVERHEAD), b"\0")
        header, sealed = self._keys.seal(self._keys.word(kind), self.next, argument, body)
        self.next += 1
        return header + sealed

    def data(self, offset: int, content: Buffer, step: int) -> list[bytes]:
        """Datagrams with bytes of the stream, `step` in each but the last.

        They come as header, sealed body, header ..., which `sendmsg` puts together.
        """
        pieces: list[bytes] = []
        sequence, word, header_of = self.next, self._data, HEADER.pack
        seal = self._keys.data_sealer(sequence)
        for place in range(0, len(content), step):
            if not sequence & _KEY_MASK:
                seal = self._keys.data_sealer(sequence)
            header = header_of(word, sequence & _LOW_HALF, offset + place)
            pieces.append(header)
            pieces.append(seal(sequence.to_bytes(NONCE_BYTES, "big"), content[place : place + step], header))
            sequence += 1
        self.next = sequence
        return pieces


@dataclass(slots=True)
class Rejected:
    """How many datagrams were dropped, and why."""

    truncated: int = 0
    foreign: int = 0
    replayed: int = 0
    forged: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.truncated + self.foreign + self.replayed + self.forged


class Inbox:
    """Opens the datagrams of one direction, and knows which sequence numbers did not arrive, and since when.

    Networks reorder. A gap is taken for a loss only after `patience`, which grows when something came late after all.
    """

    def __init__(self, keys: DirectionKeys) -> None:
        self._keys = keys
        self.arrived = Holes()
        self.rejected = Rejected()
        self.patience = SHORTEST_PATIENCE
        self.newest = 0
        """The sequence number of the newest datagram, and when it arrived."""
        self.newest_at = 0.0
        self._gap_starts: list[int] = []
        self._gap_times: list[float] = []

    def open_all(self, datagrams: Iterable[Buffer], now: float) -> list[Opened]:
        """What datagrams say, without those that are to be ignored."""
        opened: list[Opened] = []
        keys, arrived, fields = self._keys, self.arrived, HEADER.unpack_from
        kind, word = int(Kind.DATA), keys.word(Kind.DATA)
        end = arrived.end
        key, opener = end >> KEY_BITS, keys.data_opener(end)
        for datagram in datagrams:
            # Nearly all are data with the next number: they get by with the least that has to be done.
            if opener is not None and len(datagram) >= OVERHEAD and end >> KEY_BITS == key:
                said, low, offset = fields(datagram)
                if said == word and low == end & _LOW_HALF:
                    nonce = end.to_bytes(NONCE_BYTES, "big")
                    try:
                        body = opener(nonce, datagram[HEADER.size :], datagram[: HEADER.size])
                    except InvalidTag:
                        self.rejected.forged += 1
                        continue
                    opened.append((kind, end, offset, body))
                    self.newest, self.newest_at = end, now
                    end = arrived.end = end + 1
                    continue
            packet = self.open(datagram, now)
            if packet is not None:
                opened.append(packet)
            end = arrived.end
        return opened

    def open(self, datagram: Buffer, now: float) -> Opened | None:
        """What a datagram says; None when it is to be ignored."""
        if len(datagram) < OVERHEAD:
            self.rejected.truncated += 1
            return None
        word, low, argument = HEADER.unpack_from(datagram)
        if word & _TAG_MASK != self._keys.tag:
            self.rejected.foreign += 1
            return None
        arrived = self.arrived
        end = arrived.end
        sequence = self._sequence(low)
        if sequence < 0 or sequence > end + _FARTHEST:
            self.rejected.foreign += 1
            return None
        if sequence < end and sequence in arrived:
            self.rejected.replayed += 1
            return None
        body = self._keys.open(word, sequence, datagram)
        if body is None:
            self.rejected.forged += 1
            return None
        if sequence == end:
            arrived.end = end + 1
        else:
            self._note(sequence, end, now)
        if sequence >= end:
            self.newest = sequence
            self.newest_at = now
        return word >> _TAG_BITS, sequence, argument, body

    def newer(self, datagram: Buffer) -> bool:
        """Whether a datagram is authentic and was sent after all that arrived; it can still be opened afterwards."""
        if len(datagram) < OVERHEAD:
            return False
        word, low, _ = HEADER.unpack_from(datagram)
        sequence = self._sequence(low)
        if word & _TAG_MASK != self._keys.tag or not 0 <= sequence - self.arrived.end <= _FARTHEST:
            return False
        return self._keys.open(word, sequence, datagram) is not None

    def settled(self, now: float) -> int:
        """Before this sequence number, what has not arrived is lost: it was waited for long enough."""
        young = bisect_right(self._gap_times, now - self.patience)
        if young == len(self._gap_times):
            return self.arrived.end
        return self.arrived.missing_from(self._gap_starts[young])

    def tidy(self, now: float, resolved: int) -> None:
        """Forget what is past: gaps that are old, and all before the sequence number `resolved`."""
        old = bisect_right(self._gap_times, now - _GAPS_KEPT)
        del self._gap_starts[:old], self._gap_times[:old]
        self.arrived.forget(resolved)
        self.patience = max(SHORTEST_PATIENCE, self.patience * _PATIENCE_FADES)

    def _sequence(self, low: int) -> int:
        """The sequence number nearest to the end of what arrived that has this low half; may be negative."""
        end = self.arrived.end
        return end + ((low - end + _HALF) & _LOW_HALF) - _HALF

    def _note(self, sequence: int, end: int, now: float) -> None:
        self.arrived.add(sequence, sequence + 1)
        if sequence > end:
            self._gap_starts.append(end)
            self._gap_times.append(now)
            return
        index = bisect_right(self._gap_starts, sequence) - 1
        if index >= 0:
            late = now - self._gap_times[index]
            self.patience = min(max(self.patience, 1.5 * late), LONGEST_PATIENCE)
