"""Moves a stream over a link: the two loops that stand between the pure ends and a socket.

Each runs in the thread that calls it and returns when the stream is over. The source is read in a thread of its own,
ahead of the sending, so that no disk keeps a datagram waiting.
"""

from __future__ import annotations

import queue
import threading
import time

from asperacentral.openascp.exchange.plane import PlaneFacts, StreamSink, StreamSource
from asperacentral.openascp.udp.handshake import SMALLEST
from asperacentral.openascp.udp.meeting import Link, PlaneLostError
from asperacentral.openascp.udp.rates import BYTES_PER_KILOBIT, RateControl
from asperacentral.openascp.udp.receiving import ReceivingEnd
from asperacentral.openascp.udp.sending import SendingEnd
from asperacentral.openascp.udp.setting import Setting
from asperacentral.openascp.udp.sockets import TooLargeError

SILENCE_SECONDS = 15.0
"""So long without an authentic datagram, and the other end is taken for gone."""

ROOM = 64 << 20
"""Bytes that may wait for the receiver's disk."""

STALLED_SECONDS = 300.0
"""So long without a new byte acknowledged while some are sent, and the other end is taken for unable to receive."""

WHOLE = 0
GIVEN_UP = 1

_CHUNK = 1 << 20
_LEAST_CHUNK = 16 << 10
_CHUNKS_AHEAD = 24
_AHEAD_SECONDS = 0.25
_LONGEST_WAIT = 0.5
_LONGEST_WAIT_WITH_EAR = 0.1
_BLIND_BURSTS = 4
_GATHER_SECONDS = 0.002
_LEAST_PAUSE = 0.0001
_BATCHES = 16
"""The receiver works on a part of what its socket holds at once."""
_CONFIRM_SECONDS = 0.05
_LINGER_SECONDS = 3.0
_GOODBYES = 3
_ORDINARY = 1472
_LONGEST_DATAGRAM = 0.005
"""Seconds one datagram may take at the rate, where the path carries larger ones than ordinary."""


class Sending:
    """Sends a stream to its end."""

    def __init__(
        self,
        link: Link,
        source: StreamSource,
        setting: Setting,
        silence: float = SILENCE_SECONDS,
        stalled: float = STALLED_SECONDS,
    ) -> None:
        self._link = link
        self._silence = silence
        self._stalled = stalled
        self._source = source
        now = time.monotonic()
        control = RateControl(setting.policy, setting.target, setting.minimum, now)
        self.end = SendingEnd(
            link.inbox,
            link.outbox,
            control,
            size=link.size,
            headers=link.socket.headers,
            buffer=link.peer_buffer,
            now=now,
            rtt=link.rtt,
        )
        self._most = self._size = link.size
        self._setting = self._applied = setting
        self._unseen = 0
        self._starving = False
        self._stopped = self._silent = False
        self._heard_at = now
        self._confirmed_at = now
        self._acknowledged, self._progress_at = 0, now
        self._ahead: queue.SimpleQueue[bytes | BaseException | None] = queue.SimpleQueue()
        self._places = threading.Semaphore(_CHUNKS_AHEAD)
        self._ended = False

    def set(self, setting: Setting) -> None:
        """Change the rates and the policy; in force with the next burst. From any thread."""
        self._setting = setting
        self._link.socket.wake()

    def stop(self, say: bool = True) -> None:
        """Give up; `run` returns soon, and tells the other end unless not to `say` so. From any thread."""
        self._silent = not say
        self._stopped = True
        self._link.socket.wake()

    def facts(self) -> PlaneFacts:
        """For the statistics."""
        sent, control = self.end.sent, self.end.control
        return PlaneFacts(
            sent=sent.wire,
            lost=sent.lost * self._size,
            rtt=int(self.end.rtt * 1000),
            rate=int(control.rate / BYTES_PER_KILOBIT),
            queue_delay=int(control.queue_delay * 1000),
        )

    def run(self) -> bool:
        """Send; whether all arrived (not when stopped). PlaneLostError, and what the source raises."""
        reader = threading.Thread(target=self._read, name="stream reader", daemon=True)
        reader.start()
        reason = GIVEN_UP
        try:
            while not self.end.complete:
                if self._stopped:
                    return False
                self._turn()
            reason = WHOLE
            return True
        finally:
            self._ended = True
            self._places.release()
            if reason == WHOLE or not self._silent:
                for _ in range(_GOODBYES):
                    self._link.socket.send(self.end.close(reason))

    def _turn(self) -> None:
        end, udp = self.end, self._link.socket
        self._feed()
        wait = min(end.wait(time.monotonic()), _longest_wait(self._link))
        # Looking costs a call: while bursts follow each other without a pause, not before each of them.
        self._unseen += 1
        if wait > 0 or self._unseen >= _BLIND_BURSTS:
            self._unseen = 0
            if udp.wait(wait):
                self._take_in(udp.receive())
        now = time.monotonic()
        self._attend(now)
        self._apply()
        self._feed()  # something may have come while we waited
        try:
            udp.send_all(end.burst(now), self._size)
        except TooLargeError:
            self._most = min(self._most, SMALLEST)

    def _take_in(self, datagrams: list[memoryview]) -> None:
        now = time.monotonic()
        before = self.end.inbox.arrived.end
        self.end.take_in(datagrams, now)
        if self.end.inbox.arrived.end != before:
            self._heard_at = now

    def _attend(self, now: float) -> None:
        """Say again that we are here, and find out whether the other end still is."""
        if not self.end.heard and self._link.confirm and now > self._confirmed_at + _CONFIRM_SECONDS:
            self._confirmed_at = now
            for datagram in self._link.confirm(None):
                self._link.socket.send(datagram)
        _stay_in_touch(self._link, self.end, now)
        if self.end.peer_closed is not None and not self.end.complete:
            raise PlaneLostError("the receiver has given up")
        if now > self._heard_at + self._silence:
            raise PlaneLostError(f"nothing was heard of the receiver for {self._silence:.0f} seconds")
        acknowledged = self.end.sent.acknowledged
        if acknowledged != self._acknowledged or not self.end.unacknowledged or not self._setting.target:
            self._acknowledged, self._progress_at = acknowledged, now
        if now > self._progress_at + self._stalled:
            raise PlaneLostError(f"the receiver took nothing for {self._stalled:.0f} seconds")

    def _apply(self) -> None:
        setting, control = self._setting, self.end.control
        if setting is not self._applied:
            self._applied = setting
            if control.policy is not setting.policy:
                control.set_policy(setting.policy)
            control.set_rates(setting.target, setting.minimum)
        size = min(self._most, max(_ORDINARY, int(control.rate * _LONGEST_DATAGRAM)))
        much = self._size > self._most or not self._size // 2 < size < 2 * self._size
        if size != self._size and (much or size == self._most):
            self._size = size
            self.end.resize(size)

    def _feed(self) -> None:
        while self.end.hungry:
            self._starving = True  # before the look: who brings something after it sees this
            try:
                item = self._ahead.get_nowait()
            except queue.Empty:
                return
            self._starving = False
            self._places.release()
            if isinstance(item, BaseException):
                raise item
            self.end.feed(item)

    def _read(self) -> None:
        item: bytes | BaseException | None = b""
        idle = False
        while item is not None and not isinstance(item, BaseException):
            try:
                item = self._source.read(self._chunk())
            except Exception as error:
                item = error
            if item == b"" and idle and not self._ended:
                continue
            idle = item == b""
            self._places.acquire()
            if self._ended:
                return
            self._ahead.put(item)
            if self._starving:
                self._link.socket.wake()

    def _chunk(self) -> int:
        """Bytes to read at a time: what is read ahead in all is a quarter of a second at the rate."""
        wanted = max(_LEAST_CHUNK, min(int(self.end.control.rate * _AHEAD_SECONDS / _CHUNKS_AHEAD), _CHUNK))
        volley = self.end.volley_bytes
        return wanted // volley * volley or wanted


class Receiving:
    """Receives a stream to its end."""

    def __init__(
        self, link: Link, sink: StreamSink, room: int = ROOM, silence: float = SILENCE_SECONDS
    ) -> None:
        self._link = link
        self._silence = silence
        self._sink = sink
        now = time.monotonic()
        self.end = ReceivingEnd(link.inbox, link.outbox, room, early=link.socket.room // 8, now=now)
        self._stopped = self._silent = False
        self._heard_at = now
        self._confirmed_at = now
        self._looked_at = now
        self._rate = 0.0
        self._batch = link.socket.room / _BATCHES

    def stop(self, say: bool = True) -> None:
        """Give up; `run` returns soon, and tells the other end unless not to `say` so. From any thread."""
        self._silent = not say
        self._stopped = True
        self._link.socket.wake()

    def facts(self) -> PlaneFacts:
        """For the statistics; the sending end knows more."""
        return PlaneFacts(lost=self.end.lost * self._link.size, rtt=int(self._link.rtt * 1000))

    def run(self) -> bool:
        """Receive; whether the stream is whole (not when stopped). PlaneLostError, and what the sink raises."""
        whole = False
        try:
            while not self._stopped:
                if self.end.closed is not None or self._lingered():
                    whole = self.end.complete
                    if not whole:
                        raise PlaneLostError("the sender has given up")
                    return True
                self._turn()
                if self.end.scattered:
                    raise PlaneLostError("the sender leaves more gaps than any network makes")
            whole = self.end.complete
            return whole
        finally:
            if not whole and not self._silent:
                for _ in range(_GOODBYES):
                    self._link.socket.send(self.end.close(GIVEN_UP))

    def _lingered(self) -> bool:
        return self.end.complete and time.monotonic() > self._heard_at + _LINGER_SECONDS

    def _turn(self) -> None:
        end, udp, sink = self.end, self._link.socket, self._sink
        datagrams: list[memoryview] = []
        longest = _longest_wait(self._link) if end.heard else _CONFIRM_SECONDS
        if udp.wait(min(end.wait(time.monotonic()), longest)):
            self._gather()
            datagrams = udp.receive()
        now = time.monotonic()
        if datagrams:
            self._watch(sum(map(len, datagrams)), now)
            before = end.inbox.arrived.end
            for offset, data in end.take(datagrams, now, sink.backlog):
                sink.write(offset, data)
            if end.inbox.arrived.end != before:
                self._heard_at = now
        for report in end.reports(now, sink.backlog):
            udp.send(report)
        if not end.heard and self._link.confirm and now > self._confirmed_at + _CONFIRM_SECONDS:
            self._confirmed_at = now
            for datagram in self._link.confirm(None):
                udp.send(datagram)
        _stay_in_touch(self._link, end, now)
        if now > self._heard_at + self._silence:
            raise PlaneLostError(f"nothing was heard of the sender for {self._silence:.0f} seconds")

    def _gather(self) -> None:
        """Something has arrived: let more of it come, as much as the socket holds easily, and work on it at once."""
        if self._link.socket.more or not self._rate:
            return
        pause = self._looked_at + min(_GATHER_SECONDS, self._batch / self._rate) - time.monotonic()
        if pause > _LEAST_PAUSE:
            time.sleep(pause)

    def _watch(self, size: int, now: float) -> None:
        """The rate at which datagrams arrive; it is taken to grow at once and to sink slowly."""
        rate = size / max(now - self._looked_at, 1e-6)
        self._looked_at = now
        self._rate = rate if rate > self._rate else self._rate + (rate - self._rate) / 16


def _longest_wait(link: Link) -> float:
    return _LONGEST_WAIT if link.ear is None else _LONGEST_WAIT_WITH_EAR


def _stay_in_touch(link: Link, end: SendingEnd | ReceivingEnd, now: float) -> None:
    """Address translations may give the caller another address: prove to be there, or find out where it is."""
    if end.challenge is not None and link.confirm is not None:
        for datagram in link.confirm(end.challenge):
            link.socket.send(datagram)
        end.challenge = None
    if link.ear is not None:
        link.ear.listen(now)
