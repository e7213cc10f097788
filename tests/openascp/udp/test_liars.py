"""The fast plane against a peer that has valid keys and lies: it costs no memory, and ends with a clear error."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from asperacentral.openascp.udp import meeting, receiving
from asperacentral.openascp.udp.engine import Receiving, Sending
from asperacentral.openascp.udp.handshake import LARGEST_LIMIT
from asperacentral.openascp.udp.meeting import BlockedError, Link, PlaneLostError
from asperacentral.openascp.udp.packets import UNKNOWN_LENGTH, Kind, Probe, Report
from asperacentral.openascp.udp.rates import Policy
from asperacentral.openascp.udp.setting import Setting
from tests.openascp.udp.streams import Sink, Source
from tests.openascp.udp.test_engine import MB, met

SLOW = Setting(200_000, policy=Policy.FIXED)
FAR = 2**62


def report(after: int, *missing: tuple[int, int], low: int = 0, **more: int) -> bytes:
    said = {"echo": max(0, after - 1), "arrived": 0, "held": 0, "received": 0, "duplicates": 0}
    said |= {"backlog": 0, "room": MB, **more}
    return Report(low, after, missing, **said).encode()


class Liar:
    """The other end of a link, in a thread: says `line` again and again, and counts what comes."""

    def __init__(self, link: Link, line: Callable[[Link, int], None]) -> None:
        self._link, self._line = link, line
        self._over = threading.Event()
        self.heard = 0

    def run(self) -> None:
        number = 0
        while not self._over.is_set():
            with contextlib.suppress(OSError):
                self._line(self._link, number)
                self._link.socket.wait(0.001)
                for datagram in self._link.socket.receive():
                    self.heard += self._link.inbox.open(datagram, time.monotonic()) is not None
            number += 1

    def stop(self) -> None:
        self._over.set()


def end_of(run: Callable[[], bool], liar: Liar) -> bool:
    """How an end takes it; PlaneLostError."""
    with ThreadPoolExecutor(1) as pool:
        telling = pool.submit(liar.run)
        try:
            return run()
        finally:
            liar.stop()
            telling.result(30)


def say(kind: Kind, argument: int, body: bytes = b"", times: int = 1) -> Callable[[Link, int], None]:
    def line(link: Link, _: int) -> None:
        for _ in range(times):
            link.socket.send(link.outbox.seal(kind, argument, body))

    return line


# A receiver that lies.

NOTHING_NEW = {
    "that nothing has come": report(0),
    "that there is a disk behind": report(0, backlog=2 * MB),
    "what was never sent": report(FAR),
    "that what was never sent is lost": report(FAR, (0, FAR)),
    "of an echo that was never sent": report(1, echo=FAR),
    "of times that cannot be": report(1, echo=0, arrived=FAR, held=0xFFFFFFFF, low=1),
    "of a window beyond": report(FAR, low=FAR - 1),
    "no report": b"",
    "half a report": report(5, (1, 2))[:-1],
    "a range that begins after its end": report(9, (3, 8))[:-2] + b"\x7f\x7f",
}


@pytest.mark.parametrize("lie", NOTHING_NEW)
def test_a_receiver_that_only_tells_stories_is_given_up(lie: str) -> None:
    with met() as (caller, answerer):
        liar = Liar(answerer, say(Kind.REPORT, FAR, NOTHING_NEW[lie]))
        sending = Sending(caller, Source(bytes(4 * MB)), SLOW, silence=20.0, stalled=0.5)
        with pytest.raises(PlaneLostError, match=r"took nothing|given up"):
            end_of(sending.run, liar)


def test_a_flood_of_reports_is_only_work(monkeypatch: pytest.MonkeyPatch) -> None:
    with met() as (caller, answerer):
        liar = Liar(answerer, say(Kind.REPORT, 0, report(0), times=50))
        with pytest.raises(PlaneLostError, match="took nothing"):
            end_of(Sending(caller, Source(bytes(4 * MB)), SLOW, stalled=1.0).run, liar)
        assert liar.heard > 0


def test_a_receiver_that_calls_everything_lost_gets_it_again_and_nothing_is_kept_twice() -> None:
    def lie(link: Link, number: int) -> None:
        sent = link.inbox.arrived.end
        link.socket.send(link.outbox.seal(Kind.REPORT, 0, report(sent, *([(0, sent)] if sent else []))))

    with met() as (caller, answerer):
        sending = Sending(caller, Source(bytes(4 * MB)), SLOW, stalled=1.0)
        with pytest.raises(PlaneLostError, match="took nothing"):
            end_of(sending.run, Liar(answerer, lie))
        assert sending.end.sent.acknowledged == 0


def test_a_receiver_that_has_everything_before_it_came_harms_only_itself() -> None:
    def lie(link: Link, number: int) -> None:
        sent = link.inbox.arrived.end
        for after in (sent, sent + 50):
            link.socket.send(link.outbox.seal(Kind.REPORT, FAR, report(after, received=MB)))

    with met() as (caller, answerer):
        assert end_of(Sending(caller, Source(bytes(MB)), SLOW).run, Liar(answerer, lie)) is True


def test_no_more_is_under_way_than_any_socket_holds_whatever_the_peer_says_of_its_own() -> None:
    assert meeting._believed(1472, 2**63)[1] == meeting.MOST_BUFFER
    for size in (0, 20, LARGEST_LIMIT + 1, FAR):
        with pytest.raises(BlockedError):
            meeting._believed(size, MB)


# A sender that lies.


def test_a_sender_of_crumbs_is_sent_away_before_it_fills_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "MOST_GAPS", 500)

    def crumbs(link: Link, number: int) -> None:
        for place in range(100):
            for piece in [b"".join(link.outbox.data(2 * (100 * number + place) + 1, b"x", 1))]:
                link.socket.send(piece)

    with met() as (caller, answerer), pytest.raises(PlaneLostError, match="gaps"):
        end_of(Receiving(answerer, Sink(100 * MB)).run, Liar(caller, crumbs))


def test_a_sender_that_leaves_out_every_other_number_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "MOST_GAPS", 500)

    def skipping(link: Link, number: int) -> None:
        for _ in range(50):
            link.outbox.next += 1
            link.socket.send(link.outbox.seal(Kind.PROBE, UNKNOWN_LENGTH, Probe(0, 0).encode()))

    with met() as (caller, answerer), pytest.raises(PlaneLostError, match="gaps"):
        end_of(Receiving(answerer, Sink(MB)).run, Liar(caller, skipping))


STORIES = {
    "a probe of a fate that is far": (Kind.PROBE, UNKNOWN_LENGTH, Probe(FAR, 1).encode()),
    "half a probe": (Kind.PROBE, 5, b"x"),
    "a report to who receives": (Kind.REPORT, 0, report(5)),
    "a greeting in the middle": (Kind.HELLO, FAR, b""),
}


@pytest.mark.parametrize("story", STORIES)
def test_a_sender_that_sends_no_byte_gets_reports_until_it_goes(story: str) -> None:
    line = say(*STORIES[story], times=20)

    def then_leave(link: Link, number: int) -> None:
        if number < 30:
            line(link, number)
        else:
            link.socket.send(link.outbox.seal(Kind.CLOSE, 1))

    sink = Sink(MB)
    with met() as (caller, answerer), pytest.raises(PlaneLostError, match="sender has given up"):
        end_of(Receiving(answerer, sink).run, Liar(caller, then_leave))
    assert sink.count == 0


def test_bytes_that_come_again_and_otherwise_change_nothing() -> None:
    """Of each place the first bytes count."""

    def twice(link: Link, number: int) -> None:
        if number == 0:
            for byte in (b"a", b"b"):
                for place in (0, 500, 250):
                    link.socket.send(b"".join(link.outbox.data(place, byte * 500, 500)))
        kind, argument = (Kind.PROBE, 1000) if number < 30 else (Kind.CLOSE, 0)
        link.socket.send(link.outbox.seal(kind, argument, Probe(0, 1).encode()))

    sink = Sink(1000)
    with met() as (caller, answerer):
        assert end_of(Receiving(answerer, sink, silence=5.0).run, Liar(caller, twice)) is True
    assert sink.count == 1000
    assert bytes(sink.data) == b"a" * 1000
