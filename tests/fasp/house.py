"""Managers with real processes and real sockets, for tests: what they start, and what is cleared away after."""

from __future__ import annotations

import signal
import socket
import sys
import uuid
from pathlib import Path
from typing import Any

from asperacentral.fasp import proof
from asperacentral.fasp.management import Message, encode
from asperacentral.fasp.manager import Program, SessionEnding, SessionManager
from asperacentral.fasp.processes import AdoptedProcess
from tests.fasp.bench import Bench, Notes, kill, order

COMMAND = (sys.executable, str(Path(__file__).with_name("speaker.py")))
FORKED = Program(COMMAND, module="tests.fasp.speaker", own=True)
EXECUTED = Program(COMMAND, own=True)
LICENSED = Program(COMMAND)
BROKEN = Program(COMMAND, module="tests.fasp.no_such_module", own=True)


class House:
    """Managers on one bench; what they started is cleared away at the end."""

    def __init__(self, tmp_path: Path) -> None:
        self.tmp_path = tmp_path
        self.port_file = tmp_path / "central.port"
        self.key_file = tmp_path / "central.mgmtkey"
        self.end_file = tmp_path / "end"
        self.bench = Bench()
        self.notes: list[Notes] = []
        self.managers: list[SessionManager] = []
        self.port = 0

    def manager(self, program: Program, **more: Any) -> tuple[SessionManager, Notes]:
        notes = Notes()
        manager = SessionManager(self.bench, notes, program=program, port_file=self.port_file, **more)
        ports: list[int] = []
        manager.start().addCallback(ports.append)
        self.port = ports[0]
        self.managers.append(manager)
        self.notes.append(notes)
        return manager, notes

    def launch(self, manager: SessionManager, manner: str, **more: Any) -> str:
        user_str = str(uuid.uuid4())
        manager.launch_job(order(user_str, manner, self.end_file, **more))
        return user_str

    def stop(self, manager: SessionManager) -> None:
        done: list[None] = []
        manager.stop().addCallback(done.append)
        self.bench.until(lambda: done, "the manager's stop")

    def succeed(
        self, first: SessionManager, session: str, pid: int | None, patience: float = 20
    ) -> tuple[SessionManager, Notes]:
        """Stop a manager and start the next, which adopts its session and hears of it again."""
        self.stop(first)
        second, new = self.manager(FORKED)
        second.adopt_job(session, pid, patience)
        self.bench.until(lambda: "STATS" in new.said(session))
        return second, new

    def dial(self, *said: Message) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.sendall(b"".join(encode(self.proven(message, connection)) for message in said))
        return connection

    def proven(self, message: Message, connection: socket.socket) -> Message:
        """The message as the session's own process would say it."""
        ends = proof.Ends(connection.getsockname()[1], connection.getpeername()[1])
        user_str = message.text("UserStr")
        key = proof.session_key(self.key_file.read_bytes(), user_str)
        return proof.with_proof(message, proof.of_process(key, user_str, ends))

    def close(self) -> None:
        for manager in self.managers:
            self.stop(manager)
        self.bench.close()
        for notes in self.notes:
            for kind, _user_str, what in notes.all:
                if kind == "launched" and isinstance(what, int) and AdoptedProcess(what).poll() is None:
                    kill(what, signal.SIGKILL)


def ending(**facts: Any) -> SessionEnding:
    plain: dict[str, Any] = {
        "exit_status": None,
        "signal": None,
        "said_done": False,
        "said_error": False,
        "never_connected": False,
    }
    return SessionEnding(**{**plain, **facts})
