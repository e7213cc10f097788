"""Protocol versions 1 and 2: uploads over WebSocket. The dialogue is `slices`; frames and back-pressure are here.

Frames are worked off one after the other: while a step waits (for the back end, or for the whole upload at its end), no
more is read and nothing is acknowledged. A client that does not wait for acknowledgements is held by TCP.
"""

# Method names are autobahn's, and its classes are untyped.
# ruff: noqa: N802
# mypy: disable-error-code="no-untyped-call,misc"

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Iterator
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.defer import Deferred, maybeDeferred

from asperacentral.fasp.errors import FaspCode
from asperacentral.gateway import spec as specs
from asperacentral.gateway.authority import Login
from asperacentral.gateway.errors import LEFT, LOST, TransferRefusedError, is_bug, told
from asperacentral.gateway.http import Answer, GatewayRequest
from asperacentral.gateway.slices import Acknowledge, Begin, Data, End, SliceDialogue, Spec, Step
from asperacentral.gateway.transfers import Ends, Transfers, answer_failure
from asperacentral.gateway.upload import Upload

LONGEST_MESSAGE = 32 << 20
"""Bytes of a message: slices are 2 MiB by default, a third more in base64, and a page may choose."""
CLOSE_SECONDS = 10.0
POLICY_VIOLATION, SERVER_ERROR = 1008, 1011
_LONGEST_REASON = 120
"""Bytes that a close frame has room for."""

log = logging.getLogger(__name__)


class UploadSocket(WebSocketServerProtocol):
    """One upload."""

    def __init__(self, transfers: Transfers, login: Login, ends: Ends, channel: Any) -> None:
        super().__init__()
        self._transfers = transfers
        self._login = login
        self._ends = ends
        self._channel = channel
        self._dialogue = SliceDialogue()
        self._steps: deque[Iterator[Step]] = deque()
        self._upload: Upload | None = None
        self._busy = False
        self._refused = False

    # From autobahn.

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: N803
        """A frame's message came."""
        if self._refused:
            return
        try:
            steps = (
                self._dialogue.binary(payload) if isBinary else self._dialogue.text(payload.decode("utf-8"))
            )
        except UnicodeDecodeError as error:
            self._fail(error)
            return
        self._steps.append(steps)
        self._work()

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:  # noqa: N803
        """The connection is closed, or is being closed."""
        self._steps.clear()
        if self._upload is not None and not self._upload.over and not self._upload.finishing:
            log.info("the upload from %s was given up by its client", self._ends.client)
            self._upload.fail(LOST if self._channel.gave_up else LEFT)

    # The work.

    def _work(self) -> None:
        """Take steps until one has to wait, or there are none."""
        while self._steps and not self._busy and not self._refused:
            try:
                step = next(self._steps[0], None)
                if step is None:
                    self._steps.popleft()
                    continue
                waiting = self._take(step)
            except Exception as error:
                self._fail(error)
                return
            if waiting is not None and not waiting.called:
                self._busy = True
                self._channel.hold()
                waiting.addCallbacks(lambda _: self._go_on(), lambda failure: self._fail(failure.value))

    def _go_on(self) -> None:
        self._busy = False
        self._work()
        if not self._busy:
            self._channel.resume()

    def _take(self, step: Step) -> Deferred[None] | None:
        match step:
            case Spec():
                spec = specs.enclosed(step.document)
                self._upload = self._transfers.upload(spec, self._login, self._ends, self._cancelled)
                return self._finish_if_complete(self._upload) or self._upload.behind()
            case Acknowledge():
                self.sendMessage(step.text.encode(), isBinary=False)
                return None
        upload = self._upload
        if upload is None:
            raise specs.SpecError("the transfer spec must come first")
        match step:
            case Begin():
                upload.begin(step.name, step.size)
            case Data():
                upload.write(step.data)
                return upload.behind()
            case End():
                upload.end()
                return self._finish_if_complete(upload)
        return None

    def _finish_if_complete(self, upload: Upload) -> Deferred[None] | None:
        """With the last byte of the last file the upload ends: its acknowledgement is that of the whole."""
        if not upload.complete:
            return None
        return upload.finish()

    def _cancelled(self) -> None:
        self._fail(TransferRefusedError(503, "the transfer was cancelled", FaspCode.USER_CANCEL))

    def _fail(self, error: BaseException) -> None:
        if self._refused:
            return
        self._refused = True
        if is_bug(error):
            log.error("an upload failed", exc_info=error)
        problem = told(error)
        log.info("refused an upload from %s: %d %s", self._ends.client, problem.status, problem.text)
        if self._upload is not None:
            self._upload.fail(problem)
        self._steps.clear()
        self._channel.resume()
        self.sendMessage(json.dumps({"message": problem.text}).encode(), isBinary=False)
        code = SERVER_ERROR if problem.status >= 500 else POLICY_VIOLATION
        # `sendClose` is for applications' codes only.
        self.sendCloseFrame(code=code, reasonUtf8=problem.text.encode("ascii", "replace")[:_LONGEST_REASON])


class Sockets:
    """Turns requests to the upload addresses into WebSockets."""

    def __init__(self, transfers: Transfers) -> None:
        self._transfers = transfers
        self._factory = WebSocketServerFactory(server="asperacentral")
        self._factory.setProtocolOptions(
            maxFramePayloadSize=LONGEST_MESSAGE,
            maxMessagePayloadSize=LONGEST_MESSAGE,
            webStatus=False,
            failByDrop=False,
            openHandshakeTimeout=CLOSE_SECONDS,
            closeHandshakeTimeout=CLOSE_SECONDS,
            autoPingInterval=0,
        )

    def upgrade(self, request: GatewayRequest) -> None:
        """GET with an upgrade. The client's origin has been looked at."""
        if request.header("upgrade").lower() != "websocket":
            answer = Answer.error(426, "this address is for WebSocket")
            request.answer(Answer(answer.status, answer.body, headers={"Upgrade": "websocket"}))
            return
        login: Deferred[Login] = maybeDeferred(self._transfers.login, request)
        login.addCallback(self._open, request).addErrback(lambda failure: answer_failure(request, failure))

    def _open(self, login: Login, request: GatewayRequest) -> None:
        if request.channel is None:
            return
        protocol = UploadSocket(self._transfers, login, Ends.of(request), request.channel)
        protocol.factory = self._factory
        opening = request.method + b" " + request.uri + b" HTTP/1.1\r\n"
        for name, values in request.requestHeaders.getAllRawHeaders():
            opening += name + b": " + b",".join(values) + b"\r\n"
        log.info("WebSocket from %s", request.peer)
        request.channel.become(protocol, opening + b"\r\n")
