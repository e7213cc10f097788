"""The connection to the manager: dials, sends what there is to tell, reads commands, dials again when it was lost.

Reports that must not be missed wait in order while there is no connection, and those of the last seconds before a
loss are told again, since nobody knows what of them was read. Numbers that the next report renews are dropped
meanwhile. What the messages mean is not known here.

With a key the two ends prove to each other who they are (`fasp.proof`): only INIT is said before the manager has
proved itself, and nothing is obeyed. Whoever has taken the manager's port while it was away learns and ends nothing.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

from asperacentral import logs
from asperacentral.fasp import proof
from asperacentral.fasp.management import Decoder, Message, RemoteProtocolError, encode
from asperacentral.fasp.proof import Ends

REDIAL_SECONDS = 0.5
PATIENCE_SECONDS = 60.0
"""How long a session that has ended waits for a manager to tell it."""
FIRST_PATIENCE_SECONDS = 10.0
"""How long a session that has not begun waits for its manager to come back."""
ABSENCE_SECONDS = 600.0
"""How long a manager that has been there is dialled again before it is given up for good."""
PROOF_SECONDS = 10.0
"""How long a manager may take to prove itself."""
MOST_WAITING = 200_000
_TOLD_AGAIN_SECONDS = 5.0
_BUFFER = 1024 * 1024
_CLOSE_SECONDS = 5.0
_POLL_SECONDS = 0.05

log = logging.getLogger(__name__)


class ManagementLink:
    """One process's line to its manager.

    `greeting` is asked after each dialling for the messages that introduce the session, INIT first; `command` hears
    what the manager wants. With `port_file` a lost connection is dialled again, at the port the file holds then, for
    `ABSENCE_SECONDS`; `abandoned` hears when that was in vain, and nothing is told any more.
    `key` is the session's key, if the manager gave one.
    """

    def __init__(
        self,
        *,
        greeting: Callable[[bool], Iterable[Message]],
        command: Callable[[Message], None],
        port_file: Path | None = None,
        patience: float = PATIENCE_SECONDS,
        key: str = "",
        first_patience: float = FIRST_PATIENCE_SECONDS,
        abandoned: Callable[[], None] = lambda: None,
    ) -> None:
        self._greeting = greeting
        self._command = command
        self._port_file = port_file
        self._patience = patience
        self._key = key
        self._expected = ""  # the proof that the manager still owes
        self._again = False
        self._first_patience = first_patience
        self._abandoned = abandoned
        self._waiting: deque[bytes] = deque()
        self._recent: deque[tuple[float, bytes]] = deque()
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None
        self._close_by: float | None = None  # set when all was said, on the present connection
        self.missed = 0

    async def dial(self, host: str, port: int) -> None:
        """Connect for the first time; OSError when that is not possible.

        With a port file the manager may just be restarting: it is looked for as long as it takes one to start.
        """
        try:
            reader, writer = await asyncio.open_connection(host, port)
        except OSError:
            found = await self._wait_for_manager()
            if found is None:
                raise
            reader, writer = found
        self._begin(writer, again=False)
        self._task = asyncio.create_task(self._run(reader))

    async def _wait_for_manager(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        try:
            async with asyncio.timeout(self._first_patience):
                return await self._redial()
        except TimeoutError:
            return None

    @property
    def connected(self) -> bool:
        """Tell whether a manager listens now."""
        return self._writer is not None and not self._expected

    def tell(self, message: Message) -> None:
        """Send a report that must arrive, in order, now or after the next dialling."""
        if self._task is None or self._task.done():
            return
        if len(self._waiting) >= MOST_WAITING:
            self.missed += 1
            return
        self._waiting.append(encode(message))
        self._flush()

    def mention(self, message: Message) -> None:
        """Send a report that the next one renews: dropped when it cannot be sent now."""
        self._flush()
        if self._writer is not None and not self._waiting and self._has_room(self._writer):
            self._write(self._writer, encode(message))

    async def finish(self, message: Message) -> None:
        """Tell the last message and close, once the manager has it or patience ends."""
        if self._task is None:
            return
        self._waiting.append(encode(message))
        now = asyncio.get_running_loop().time
        deadline = now() + self._patience
        while not self._task.done() and now() < (self._close_by or deadline):
            self._flush()
            said = self._writer is not None and not self._waiting and not self._expected
            if said and self._writer is not None and self._close_by is None:
                try:
                    self._writer.write_eof()
                    self._close_by = now() + _CLOSE_SECONDS
                except OSError:  # lost just now, and the last message with it
                    self._writer.transport.abort()
            await asyncio.wait({self._task}, timeout=_POLL_SECONDS)
        if not self._task.done():
            log.warning("the manager did not take the last message and close")
            self._task.cancel()

    def _begin(self, writer: asyncio.StreamWriter, *, again: bool) -> None:
        self._writer = writer
        self._again = again
        if not self._key:
            self._introduce(writer, self._greeting(again))
            return
        init = next(iter(self._greeting(again)))
        name = init.text("UserStr")
        ends = Ends(writer.get_extra_info("sockname")[1], writer.get_extra_info("peername")[1])
        self._expected = proof.of_manager(self._key, name, ends)
        self._write(writer, encode(proof.with_proof(init, proof.of_process(self._key, name, ends))))
        asyncio.get_running_loop().call_later(PROOF_SECONDS, self._expect_proof, writer)

    def _introduce(self, writer: asyncio.StreamWriter, greeting: Iterable[Message]) -> None:
        for message in greeting:
            self._write(writer, encode(message))
        self._flush()

    def _expect_proof(self, writer: asyncio.StreamWriter) -> None:
        if self._expected and self._writer is writer:
            log.warning("the manager does not prove itself; the connection is closed")
            writer.transport.abort()

    def _check_proof(self, message: Message) -> None:
        """The manager's first word must be its proof; then the rest of the greeting follows. RemoteProtocolError."""
        if not proof.proves(message, self._expected):
            raise RemoteProtocolError("it does not prove that it is the manager")
        self._expected = ""
        if self._writer is not None:
            self._introduce(self._writer, itertools.islice(self._greeting(self._again), 1, None))

    def _flush(self) -> None:
        """Hand over what waits, as far as the connection takes it without growing a buffer."""
        while self._waiting and self._writer is not None and self._has_room(self._writer):
            data = self._waiting.popleft()
            self._write(self._writer, data)
            now = asyncio.get_running_loop().time()
            self._recent.append((now, data))
            while self._recent[0][0] < now - _TOLD_AGAIN_SECONDS:
                self._recent.popleft()

    @staticmethod
    def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
        if log.isEnabledFor(logs.BODIES):
            for message in Decoder().feed(data):  # whose repr hides secrets
                log.log(logs.BODIES, "to the manager: %r", message)
        writer.write(data)

    def _has_room(self, writer: asyncio.StreamWriter) -> bool:
        return (
            not self._expected
            and not writer.is_closing()
            and writer.transport.get_write_buffer_size() < _BUFFER
        )

    async def _run(self, reader: asyncio.StreamReader) -> None:
        """Read commands until the end; dial again in between."""
        found: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None
        while True:
            clean = await self._read(reader)
            if self._writer is not None:
                self._writer.close()
                self._writer = None
            self._expected = ""
            if self._close_by is not None and clean:
                return
            self._close_by = None
            self._tell_again()
            found = await self._look_for_manager()
            if found is None:
                self._waiting.clear()
                return
            reader = found[0]
            self._begin(found[1], again=True)

    def _tell_again(self) -> None:
        """Put back what was said shortly before the loss."""
        since = asyncio.get_running_loop().time() - _TOLD_AGAIN_SECONDS
        self._waiting.extendleft(data for at, data in reversed(self._recent) if at >= since)
        self._recent.clear()

    async def _read(self, reader: asyncio.StreamReader) -> bool:
        """Read until the connection ends; False when it broke."""
        decoder = Decoder()
        try:
            while data := await reader.read(64 * 1024):
                for message in decoder.feed(data):
                    log.log(logs.BODIES, "from the manager: %r", message)
                    if self._expected:
                        self._check_proof(message)
                    else:
                        self._command(message)
        except RemoteProtocolError as error:
            log.warning("the manager does not speak the management protocol: %s", error)
            return False
        except OSError:
            return False
        return True

    async def _look_for_manager(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """Dial again for as long as a manager may be away."""
        try:
            async with asyncio.timeout(ABSENCE_SECONDS):
                return await self._redial()
        except TimeoutError:
            log.warning("the manager stays away; it is given up")
            self._abandoned()
            return None

    async def _redial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """Look for a manager until there is one; None when there is nowhere to look."""
        if self._port_file is None:
            return None
        log.info("the management connection was lost; dialling again")
        while True:
            await asyncio.sleep(REDIAL_SECONDS)
            try:
                port = int(self._port_file.read_text("ascii").strip())
                return await asyncio.open_connection("127.0.0.1", port)
            except (OSError, ValueError, OverflowError):
                continue
