"""A half against another one that lies about the stream, asks for nonsense, floods it or says nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.exchange import conversation as talk
from asperacentral.openascp.exchange import messages as m
from asperacentral.openascp.exchange.checkpoint import BLOCK
from asperacentral.openascp.exchange.codec import CONTROL, DATA, data_head, encode_control
from asperacentral.openascp.exchange.conversation import Conversation
from asperacentral.openascp.exchange.sending import MOST_EXTENTS, MOST_QUESTIONS
from asperacentral.openascp.exchange.spelling import write
from asperacentral.openascp.failures import SessionFailure
from asperacentral.openascp.policy import UserPolicy
from asperacentral.openascp.policy_handover import handed_over
from tests.openascp.exchange.hostile import EVIL, NO_COUNTS, Peer, ends, entry, hello

SIZE = 100_000
Lie = Callable[[Peer], None]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A docroot with a folder to receive into, and something to send."""
    (tmp_path / "root" / "in").mkdir(parents=True)
    (tmp_path / "root" / "out").mkdir()
    (tmp_path / "root" / "out" / "file").write_bytes(b"x" * SIZE)
    return tmp_path / "root"


@contextmanager
def half(root: Path) -> Iterator[tuple[Peer, subprocess.Popen[bytes]]]:
    """A real server half, and a peer for it; it must end by itself, with no more to say than an exit status."""
    ours, theirs = ends()
    with ours, theirs, handed_over(UserPolicy("alice", os.fsencode(root))) as (descriptor, variables):
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "asperacentral.openascp", "--server"],
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=subprocess.PIPE,
            pass_fds=[descriptor],
            env={**os.environ, **variables, "OPENASCP_RUN_DIRECTORY": "/nonexistent"},
        )
        theirs.close()
        try:
            yield Peer(ours.fileno(), ours.fileno()), process
            ours.close()
            _, errors = process.communicate(timeout=60)
            assert process.returncode in (0, 1, -signal.SIGKILL)
            assert errors == b""
        finally:
            process.kill()
            process.wait()


def receiving(peer: Peer, *announced: m.Entry, level: int = 0) -> None:
    """Bring a server half to where it receives these."""
    peer.say(hello(sending=True, resume_level=level))
    assert isinstance(peer.until(m.Welcome, m.Refused), m.Welcome)
    peer.say(m.Argument(0, b"x", b"", b"in"), m.NoMoreArguments(1))
    if announced:
        peer.say(m.Entries(announced))


def sending(peer: Peer) -> int:
    """Bring a server half to where it has announced all it can send; the id of the file."""
    peer.say(hello(sending=False))
    assert isinstance(peer.until(m.Welcome, m.Refused), m.Welcome)
    peer.say(m.Argument(0, b"out", b"out", b"."), m.NoMoreArguments(1))
    (number,) = [each.id for each in peer.until(m.Entries).entries if each.kind == m.FILE]
    peer.until(m.Scanned)
    return int(number)


def refused(peer: Peer) -> None:
    """The half has had enough, and says so in one line."""
    said = peer.until(m.Broken, m.Finished)
    assert isinstance(said, m.Broken)
    assert said.code == FaspCode.FASP_PROTO
    assert said.reason.isprintable()


def left(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "in").iterdir())


# Who sends, and lies about it.


def wrong_offset(peer: Peer) -> None:
    peer.until(m.Needs)
    peer.send(data_head(3, 4) + b"evil")


def the_same_bytes_twice(peer: Peer) -> None:
    peer.until(m.Needs)
    peer.send((data_head(0, 4) + b"evil") * 2)


def bytes_beyond_what_is_laid_out(peer: Peer) -> None:
    peer.until(m.Needs)
    peer.send(data_head(0, len(EVIL) + 1) + EVIL + b"!")


def bytes_before_anything_is_needed(peer: Peer) -> None:
    peer.send(data_head(0, 4) + b"evil")


def an_entry_out_of_turn(peer: Peer) -> None:
    peer.say(m.Entries((entry(7, b"seven"),)))


def the_same_entry_again(peer: Peer) -> None:
    peer.say(m.Entries((entry(0, b"again"),)))


def an_entry_of_no_argument(peer: Peer) -> None:
    peer.say(m.Entries((entry(1, b"b")._replace(argument=5),)))


def an_entry_of_less_than_nothing(peer: Peer) -> None:
    peer.say(m.Entries((entry(1, b"b")._replace(size=-1),)))


def one_more_argument(peer: Peer) -> None:
    peer.say(m.Argument(1, b"y", b"y", b"in"))


def another_count(peer: Peer) -> None:
    peer.say(m.NoMoreArguments(8))


def a_second_hello(peer: Peer) -> None:
    peer.say(hello(sending=True))


def the_other_role(peer: Peer) -> None:
    peer.say(m.Needs((m.Need(0, ((0, 1),), True),)))


def a_welcome(peer: Peer) -> None:
    peer.say(m.Welcome(m.VERSION, "hostile", 1, 1, "fair"))


def a_frame_without_an_end(peer: Peer) -> None:
    peer.send(b"\xff\xff\xff\xff" + bytes([CONTROL]))


def an_empty_frame(peer: Peer) -> None:
    peer.send(b"\0\0\0\0" + bytes([CONTROL]))


def a_data_frame_without_an_end(peer: Peer) -> None:
    peer.send(b"\x7f\xff\xff\xff" + bytes([DATA]))


def a_frame_of_no_kind(peer: Peer) -> None:
    peer.send(b"\0\0\0\x05\x77abcd")


def a_deep_message(peer: Peer) -> None:
    body = b"\x91" * 1_000_000 + b"\xc0"
    peer.send((len(body) + 1).to_bytes(4, "big") + bytes([CONTROL]) + body)


def an_extension(peer: Peer) -> None:
    body = b"\x92\xa8entries\xc7\x01\x05x"
    peer.send((len(body) + 1).to_bytes(4, "big") + bytes([CONTROL]) + body)


def fields_that_lack(peer: Peer) -> None:
    peer.send(encode_control(["verdicts", {}]))


def fields_of_another_kind(peer: Peer) -> None:
    peer.send(encode_control(["verdicts", {"verdicts": [["zero", None, 3, {}]]}]))


@pytest.mark.parametrize(
    "lie",
    [
        wrong_offset, the_same_bytes_twice, bytes_beyond_what_is_laid_out, bytes_before_anything_is_needed,
        an_entry_out_of_turn, the_same_entry_again, an_entry_of_no_argument, an_entry_of_less_than_nothing,
        one_more_argument, another_count, a_second_hello, the_other_role, a_welcome, a_frame_without_an_end,
        an_empty_frame, a_data_frame_without_an_end, a_frame_of_no_kind, a_deep_message, an_extension,
        fields_that_lack, fields_of_another_kind,
    ],
)  # fmt: skip
def test_a_sender_that_lies_is_sent_away_and_leaves_nothing(root: Path, lie: Lie) -> None:
    with half(root) as (peer, _):
        receiving(peer, entry(0, b"file"))
        lie(peer)
        refused(peer)
    assert left(root) == []


def test_a_file_whose_bytes_have_not_come_gets_no_name_whatever_is_said_of_it(root: Path) -> None:
    with half(root) as (peer, _):
        receiving(peer, entry(0, b"file"))
        peer.until(m.Needs)
        peer.say(m.Verdicts((m.Verdict(0), m.Verdict(0), m.Verdict(99))), m.Scanned(0, *NO_COUNTS))
        peer.send(data_head(0, len(EVIL) - 1) + EVIL[:-1])
        peer.say(m.Finished())
    assert left(root) == []


def test_a_file_that_its_sender_calls_changed_gets_no_name_though_all_bytes_came(root: Path) -> None:
    with half(root) as (peer, _):
        receiving(peer, entry(0, b"file"))
        peer.until(m.Needs)
        peer.send(data_head(0, len(EVIL)) + EVIL)
        peer.say(m.Verdicts((m.Verdict(0, 35, "changed\n\x1b[31m"),)))
        (settled,) = peer.until(m.Settlements).settled
    assert (settled.outcome, settled.code) == (m.FAILED, 35)
    assert left(root) == []


def test_a_checkpoint_of_a_file_larger_than_any_disk_costs_no_time(root: Path) -> None:
    """Found again after a kill, it is read by what is there, not by what it says to be about."""
    huge = entry(0, b"huge")._replace(size=2**62)
    with half(root) as (peer, process):
        receiving(peer, huge, level=1)
        peer.until(m.Needs)
        for block in range(3):
            peer.send(data_head(block * BLOCK, BLOCK) + bytes(BLOCK))
        while peer.until(m.Written).offset < 3 * BLOCK:
            continue
        process.kill()
    with half(root) as (peer, _):
        receiving(peer, huge, level=1)
        need = peer.until(m.Needs).needs[0]
    assert need.kept == 3 * BLOCK
    assert need.extents[0][0] == 3 * BLOCK


@pytest.mark.parametrize("mark", [b"\0", b"\2", b"\xff"])
def test_a_small_file_without_a_good_mark_gets_no_name(root: Path, mark: bytes) -> None:
    with half(root) as (peer, _):
        peer.say(hello(sending=True, features=(m.BUNDLES,)))
        assert isinstance(peer.until(m.Welcome, m.Refused), m.Welcome)
        peer.say(m.Argument(0, b"x", b"", b"in"), m.NoMoreArguments(1))
        peer.say(m.Entries((entry(0, b"file"), entry(1, b"other"))))
        assert peer.until(m.Bundles) == m.Bundles((m.Bundle(0, 2),))
        said = EVIL + mark + EVIL + b"\1"
        peer.send(data_head(0, len(said)) + said)
        peer.say(m.Scanned(0, *NO_COUNTS))
        assert peer.until(m.Settlements).settled == (m.Settled(1, m.DONE),)
    assert left(root) == ["other"]


# Who receives, and asks for nonsense.


def need(number: int, *extents: tuple[int, int], last: bool = True) -> m.Needs:
    return m.Needs((m.Need(number, extents, last),))


def bundle(first: int, files: int) -> m.Bundles:
    return m.Bundles((m.Bundle(first, files),))


@pytest.mark.parametrize(
    "said",
    [
        [need(99, (0, 10))],
        [need(0, (0, 10))],  # the folder
        [need(1, (-1, 10))],
        [need(1, (0, 0))],
        [need(1, (0, -5))],
        [need(1, (SIZE - 9, 10))],
        [need(1, (2**62, 2**62))],
        [need(1, last=False)],
        [need(1, (0, SIZE)), need(1, (0, SIZE))],
        [need(1, (0, SIZE), last=False), need(1, (0, 1))],
        [need(1, *((at, 1) for at in range(MOST_EXTENTS // 2)), last=False)] * 3,
        [bundle(0, 1)],  # the folder
        [bundle(1, 2)],
        [bundle(1, 0)],
        [bundle(1, -1)],
        [bundle(1, 2**62)],
        [bundle(1, 1), bundle(1, 1)],
        [bundle(1, 1), need(1, (0, 1))],
        [need(1, (0, 1), last=False), bundle(1, 1)],
        [m.Written(1)],
        [m.Settlements((m.Settled(1, m.DONE),))],
        [m.Settlements((m.Settled(0, m.DONE), m.Settled(0, m.DONE)))],
        [m.Settlements((m.Settled(-3, m.FAILED),))],
        [m.Ask(1, ((0, SIZE),) * 200)] * (MOST_QUESTIONS + 1),
        [m.Entries((entry(0, b"mine"),))],
        [m.Digests(1, ())],
    ],
    ids=lambda said: f"{type(said[0]).__name__}",
)
def test_a_receiver_that_asks_for_nonsense_is_sent_away(root: Path, said: list[m.Message]) -> None:
    with half(root) as (peer, _):
        assert sending(peer) == 1
        peer.say(*said)
        refused(peer)


def test_digests_of_what_is_no_part_of_a_file_are_none(root: Path) -> None:
    questions = [
        m.Ask(99, ((0, 1),)),
        m.Ask(0, ((0, 1),)),
        m.Ask(1, ((SIZE, 1),)),
        m.Ask(1, ((-1, 5),)),
        m.Ask(1, ((0, -5),)),
        m.Ask(1, ((0, 2**62),)),
    ]
    with half(root) as (peer, _):
        sending(peer)
        for question in questions:
            peer.say(question)
            assert peer.until(m.Digests, m.Broken) == m.Digests(question.id, ())
        peer.say(m.Ask(1, ((0, 5),)))
        assert len(peer.until(m.Digests, m.Broken).digests[0]) == 16


def test_bytes_to_who_sends_are_refused(root: Path) -> None:
    with half(root) as (peer, _):
        sending(peer)
        peer.send(data_head(0, 4) + b"evil")
        refused(peer)


# Who floods, and who says nothing.


class Wire:
    """A transport that keeps all that is sent, as when nobody reads."""

    def __init__(self) -> None:
        self.waiting = 0

    def write(self, data: bytes) -> None:
        self.waiting += len(data)

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def write_eof(self) -> None: ...

    def close(self) -> None: ...


def test_who_talks_and_does_not_listen_is_sent_away_before_memory_is_full() -> None:
    async def run() -> int:
        conversation, wire = Conversation(), Wire()
        conversation.connection_made(wire)
        answer = m.Settlements((m.Settled(0, m.FAILED, 41, "x" * 10_000),))
        while not conversation.lost.done():
            conversation.send(answer)
        with pytest.raises(SessionFailure, match="does not listen"):
            conversation.lost.result()
        return wire.waiting

    assert asyncio.run(run()) < 2 * talk.MOST_UNHEARD


def test_who_says_nothing_is_taken_to_be_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talk, "SILENCE_SECONDS", 0.5)

    async def run() -> None:
        conversation = Conversation()
        conversation.connection_made(Wire())
        await conversation.keep_alive()
        conversation.lost.result()

    with pytest.raises(SessionFailure, match="silent") as caught:
        asyncio.run(run())
    assert caught.value.code is FaspCode.CONNECTION_LOST


def test_entries_without_end_from_who_reads_no_answer_do_not_fill_memory(root: Path) -> None:
    """Whichever limit is met first, the half ends; what it takes of memory stays small until then."""
    with half(root) as (peer, process):
        receiving(peer)
        first = 0
        deadline = time.monotonic() + 3
        with pytest.raises((BlockingIOError, TimeoutError, BrokenPipeError, ConnectionResetError)):
            while time.monotonic() < deadline:
                some = tuple(entry(first + number, b"../" + b"x" * 200) for number in range(500))
                flood(peer, encode_control(write(m.Entries(some))))
                first += len(some)
            raise TimeoutError
        status = Path(f"/proc/{process.pid}/status")
        peak = next(
            (line for line in status.read_text().splitlines() if line.startswith("VmHWM")), "VmHWM: 0 kB"
        )
        assert int(peak.split()[1]) < 300_000


def flood(peer: Peer, data: bytes) -> None:
    """Send as a peer that stops when the other end takes no more for a while."""
    channel = socket.socket(fileno=os.dup(peer.writing))
    with channel:
        channel.settimeout(2)
        channel.sendall(data)
