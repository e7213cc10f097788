"""Sending files to a client as fast as it takes them: one as it is, or many as a ZIP that is made on the way.

Where the connection is bare TCP the kernel copies a file to it (sendfile); over TLS, and for a ZIP, pieces are read
and written while the connection takes them and the transfer's pace permits. Nothing is kept. A file that changes its
size meanwhile ends the connection, so that nobody takes what came for the whole.
"""

# Method names are twisted's, and its classes are only partly typed.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import contextlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.tcp import Connection
from zipstream import ZIP_STORED, ZipStream
from zope.interface import implementer

from asperacentral.fasp.errors import FaspCode
from asperacentral.gateway.backends import Offered
from asperacentral.gateway.errors import LEFT, LOST, TransferRefusedError
from asperacentral.gateway.http import GatewayRequest
from asperacentral.gateway.pace import Pace

PIECE = 256 * 1024
"""Bytes read at a time."""
TURN = 4 << 20
"""Bytes sent before others get their turn."""


class SendingError(TransferRefusedError):
    """What was promised cannot be sent; the connection is closed."""

    def __init__(self, reason: str, code: FaspCode = FaspCode.DISK_READ) -> None:
        super().__init__(500, reason, code)


class ClientLeftError(SendingError):
    """The connection was closed before the end; `here` says that it was closed by us."""

    def __init__(self, *, here: bool = False) -> None:
        problem = LOST if here else LEFT
        super().__init__(problem.text, problem.code)


Moved = Callable[[int], None]


@implementer(IPushProducer)
class _Sender(ABC):
    """Sends by `_turn` while the connection takes more; `done` fires at the end, or fails."""

    def __init__(self, request: GatewayRequest, moved: Moved, pace: Pace) -> None:
        self._request = request
        self._channel = request.channel
        self._moved = moved
        self._pace = pace
        self._paused = False
        self._running = False
        self._waiting = False
        self.done: Deferred[None] = Deferred()

    def start(self) -> Deferred[None]:
        """Begin; the head of the answer has been written."""
        self._request.notifyFinish().addErrback(lambda _: self._fail(self._left()))
        self._channel.watch()
        self._request.registerProducer(self, True)
        self._go_on()
        return self.done

    def resumeProducing(self) -> None:
        """The connection takes more."""
        self._paused = False
        if self._running or self._waiting or self.done.called:
            return
        self._running = True
        try:
            self._turn()
        except Exception as error:
            self._fail(error)
        finally:
            self._running = False

    def pauseProducing(self) -> None:
        """The connection takes no more for now."""
        self._paused = True

    def stopProducing(self) -> None:
        """The connection is closed."""
        self._fail(self._left())

    def _left(self) -> ClientLeftError:
        return ClientLeftError(here=self._channel.gave_up)

    def _go_on(self) -> None:
        """Begin, or begin again after waiting."""
        if not self._paused:
            self.resumeProducing()

    @abstractmethod
    def _turn(self) -> None:
        """Send until paused, ended, or others should have their turn."""

    def _may(self) -> bool:
        """Whether more may be sent now; if not, it goes on by itself when it may."""
        waiting = self._pace.behind()
        if waiting is None:
            return True
        self._waiting = True
        self._channel.excuse(True)
        waiting.addCallback(self._waited)
        return False

    def _waited(self, _: None) -> None:
        if not self.done.called:
            self._waiting = False
            self._channel.excuse(False)
            self._go_on()

    def _sent(self, count: int) -> None:
        self._channel.moved(count)
        self._pace.moved(count)
        self._moved(count)

    def _end(self) -> None:
        if not self.done.called:
            self._leave()
            self.done.callback(None)

    def _fail(self, error: Exception) -> None:
        if not self.done.called:
            self._leave()
            self.done.errback(error)

    def _leave(self) -> None:
        with contextlib.suppress(AttributeError, KeyError):  # where the connection is gone already
            self._request.unregisterProducer()
        self._channel.unwatch()


class _ByKernel(_Sender):
    """One file over bare TCP. The connection's own buffer must be empty whenever the kernel copies past it."""

    def __init__(self, request: GatewayRequest, moved: Moved, pace: Pace, descriptor: int, size: int) -> None:
        super().__init__(request, moved, pace)
        self._transport: Any = request.channel.transport
        self._descriptor = descriptor
        self._offset, self._size = 0, size

    def _go_on(self) -> None:
        self._call_again()

    def _call_again(self) -> None:
        """Have the reactor call `resumeProducing` once the buffer is empty and the socket takes more."""
        self._transport.producerPaused = True
        self._transport.startWriting()

    def _turn(self) -> None:
        until = self._offset + TURN
        while self._offset < self._size:
            if self._offset >= until:
                self._call_again()
                return
            if not self._may():
                return
            try:
                count = os.sendfile(
                    self._transport.fileno(),
                    self._descriptor,
                    self._offset,
                    min(self._size - self._offset, self._pace.block(TURN)),
                )
            except BlockingIOError:
                self._call_again()
                return
            except (BrokenPipeError, ConnectionResetError):
                raise ClientLeftError() from None
            if count == 0:
                raise SendingError("the file became shorter while it was sent")
            self._offset += count
            self._sent(count)
        self._end()


class _ByPieces(_Sender):
    """Whatever comes in pieces."""

    def __init__(self, request: GatewayRequest, moved: Moved, pace: Pace, pieces: Iterator[bytes]) -> None:
        super().__init__(request, moved, pace)
        self._pieces = pieces

    def _turn(self) -> None:
        while not self._paused and self._may():
            piece = next(self._pieces, None)
            if piece is None:
                self._end()
                return
            self._request.write(piece)
            self._sent(len(piece))


def send_file(
    request: GatewayRequest, descriptor: int, size: int, moved: Moved, pace: Pace
) -> Deferred[None]:
    """Send the first `size` bytes of an open file. `moved` is told how many went. Fails with SendingError."""
    transport: Any = request.channel.transport
    if isinstance(transport, Connection) and not request.secure:
        return _ByKernel(request, moved, pace, descriptor, size).start()
    return _ByPieces(request, moved, pace, _read(descriptor, size)).start()


class ZipOfFiles:
    """A ZIP of files as they are (nothing is compressed), made while it is sent; `size` is known before, in bytes.

    `begun` and `ended` are told of each file, `moved` of its bytes.
    """

    def __init__(
        self,
        files: Sequence[Offered],
        *,
        begun: Callable[[Offered], None],
        moved: Moved,
        ended: Callable[[Offered], None],
    ) -> None:
        self._told = begun, moved, ended
        self._stream = ZipStream(compress_type=ZIP_STORED, sized=True)
        for offered in files:
            self._stream.add(self._content(offered), offered.name, size=offered.size)
        self.size = len(self._stream)

    def send(self, request: GatewayRequest, pace: Pace) -> Deferred[None]:
        """Send all of it. Fails with SendingError or OSError."""
        return _ByPieces(request, lambda _: None, pace, iter(self._stream)).start()

    def _content(self, offered: Offered) -> Iterator[bytes]:
        begun, moved, ended = self._told
        begun(offered)
        descriptor = offered.open()
        try:
            for piece in _read(descriptor, offered.size):
                yield piece
                moved(len(piece))
        finally:
            os.close(descriptor)
        ended(offered)


def _read(descriptor: int, size: int) -> Iterator[bytes]:
    left = size
    while left:
        piece = os.read(descriptor, min(left, PIECE))
        if not piece:
            raise SendingError("the file became shorter while it was sent")
        left -= len(piece)
        yield piece
