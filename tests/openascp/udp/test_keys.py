"""Sealing: only the session's own datagrams open, in their own direction, each key for so many and no more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.openascp.udp.boxes import Inbox, Outbox
from asperacentral.openascp.udp.keys import PACKETS_PER_KEY, Cipher, Direction, DirectionKeys
from asperacentral.openascp.udp.packets import HEADER, OVERHEAD, Kind

SECRET = bytes(range(32))
CIPHERS = list(Cipher)


def keys(cipher: Cipher = Cipher.AES128, direction: Direction = Direction.FROM_CALLER) -> DirectionKeys:
    return DirectionKeys(SECRET, cipher, direction)


def pair(cipher: Cipher = Cipher.AES128, first: int = 0) -> tuple[Outbox, Inbox]:
    inbox = Inbox(keys(cipher))
    inbox.arrived.end = first
    return Outbox(keys(cipher), first), inbox


@pytest.mark.parametrize("cipher", CIPHERS)
@given(payload=st.binary(min_size=1, max_size=1500), offset=st.integers(0, (1 << 64) - 1))
def test_what_is_sealed_opens(cipher: Cipher, payload: bytes, offset: int) -> None:
    outbox, inbox = pair(cipher)
    datagram = b"".join(outbox.data(offset, payload, 9999))

    assert len(datagram) == len(payload) + OVERHEAD
    assert inbox.open(datagram, 0.0) == (Kind.DATA, 0, offset, payload)


@pytest.mark.parametrize("cipher", CIPHERS)
def test_only_without_encryption_are_file_bytes_readable(cipher: Cipher) -> None:
    outbox, _ = pair(cipher)
    payload = b"the quick brown fox" * 10

    assert (payload in b"".join(outbox.data(0, payload, 9999))) is (cipher is Cipher.NONE)
    assert payload not in outbox.seal(Kind.REPORT, 0, payload)


@pytest.mark.parametrize("cipher", CIPHERS)
@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_datagram_changed_in_any_bit_does_not_open(cipher: Cipher, place: int, bit: int) -> None:
    outbox, inbox = pair(cipher)
    datagram = bytearray(b"".join(outbox.data(5, b"payload" * 9, 9999)))
    datagram[place % len(datagram)] ^= 1 << bit

    assert inbox.open(bytes(datagram), 0.0) is None
    assert inbox.rejected.total == 1
    assert inbox.arrived.end == 0


@given(st.binary(max_size=100))
def test_foreign_bytes_change_nothing_but_counters(datagram: bytes) -> None:
    _, inbox = pair()
    assert inbox.open(datagram, 0.0) is None
    assert (inbox.rejected.total, inbox.arrived.end, len(inbox.arrived)) == (1, 0, 0)


def test_a_datagram_opens_once() -> None:
    outbox, inbox = pair()
    first, second = outbox.seal(Kind.PROBE), outbox.seal(Kind.PROBE)
    assert inbox.open(second, 0.0)
    assert inbox.open(first, 0.0)
    assert inbox.open(first, 0.0) is None
    assert inbox.open(second, 0.0) is None
    assert inbox.rejected.replayed == 2


@pytest.mark.parametrize("cut", [1, 16, 31])
def test_a_datagram_cut_short_does_not_open(cut: int) -> None:
    outbox, inbox = pair()
    assert inbox.open(outbox.seal(Kind.PROBE, 0, b"12345678")[:-cut], 0.0) is None


def test_the_two_directions_do_not_open_each_other() -> None:
    datagram = Outbox(keys()).seal(Kind.PROBE)
    inbox = Inbox(keys(direction=Direction.FROM_ANSWERER))
    assert inbox.open(datagram, 0.0) is None


@pytest.mark.parametrize("other", [cipher for cipher in CIPHERS if cipher is not Cipher.AES128])
def test_a_peer_with_another_cipher_is_not_understood(other: Cipher) -> None:
    datagram = b"".join(Outbox(keys(other)).data(0, b"payload", 9999))
    assert pair()[1].open(datagram, 0.0) is None


def test_the_key_changes_before_any_limit_and_both_ends_know() -> None:
    first = PACKETS_PER_KEY - 2
    outbox, inbox = pair(first=first)
    datagrams = [b"".join(outbox.data(number, b"payload", 9999)) for number in range(4)]
    for number, datagram in reversed(list(enumerate(datagrams))):
        assert inbox.open(datagram, 0.0) == (Kind.DATA, first + number, number, b"payload")
    lone = keys()
    word = lone.word(Kind.DATA)
    before = lone.seal(word, PACKETS_PER_KEY - 1, 0, bytes(64))[1]
    after = lone.seal(word, PACKETS_PER_KEY, 0, bytes(64))[1]
    assert before != after


def test_sequence_numbers_go_on_where_the_header_s_half_wraps() -> None:
    first = (1 << 32) - 3
    outbox, inbox = pair(first=first)
    for number in range(6):
        opened = inbox.open(outbox.seal(Kind.PROBE), 0.0)
        assert opened is not None
        assert opened[1] == first + number


def test_a_sequence_number_far_ahead_is_not_even_tried() -> None:
    _, inbox = pair()
    word = keys().word(Kind.DATA)
    assert inbox.open(HEADER.pack(word, 1 << 30, 0) + bytes(100), 0.0) is None
    assert inbox.rejected.foreign == 1


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="31 bytes"):
        DirectionKeys(bytes(31), Cipher.AES128, Direction.FROM_CALLER)


def test_a_gap_is_a_loss_only_after_patience_which_grows_with_what_comes_late() -> None:
    outbox, inbox = pair()
    datagrams = [outbox.seal(Kind.PROBE) for _ in range(10)]
    inbox.open(datagrams[0], 0.0)
    inbox.open(datagrams[3], 0.0)
    assert inbox.settled(0.001) == 1
    assert inbox.settled(0.1) == 4

    inbox.open(datagrams[1], 0.020)
    assert inbox.patience == pytest.approx(0.030)
    assert inbox.settled(0.025) == 2
    assert inbox.settled(0.031) == 4
