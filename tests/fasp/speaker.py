"""A small transfer process that moves nothing but speaks FASPMGR 2: what the manager's tests start.

It takes the arguments of a real one. Its first source says how it behaves; its destination is a path: once that
exists, a process that waits ends well.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from pathlib import Path

from asperacentral.fasp import messages, proof
from asperacentral.fasp.management import Decoder, Message, MessageType, encode
from asperacentral.fasp.messages import FileState, Identity, Progress, Rates, Tally

EVERY = 0.05


class Speaker:
    """One session's talk."""

    def __init__(self, argv: list[str]) -> None:
        self.port = int(argv[argv.index("-M") + 1])
        self.who = Identity("", argv[argv.index("-u") + 1], os.environ.get("ASPERA_SCP_COOKIE", ""))
        self.who = Identity(self.who.user_str, self.who.user_str, self.who.cookie)
        self.key = os.environ.pop(proof.KEY_VARIABLE, "")
        self.manner, self.end_file = argv[-2], Path(argv[-1])
        named = [word.partition("=")[2] for word in argv if word.startswith("--mgmt-port-file=")]
        self.port_file = Path(named[0]) if named else None
        self.rates = Rates(int(argv[argv.index("-l") + 1]))
        self.bytes = 0
        self.decoder = Decoder()
        self.told: list[Message] = []
        self.socket: socket.socket | None = None

    def dial(self) -> None:
        self.decoder, self.told = Decoder(), []
        self.socket = socket.create_connection(("127.0.0.1", self.port))
        self.say(self.proven(messages.init(self.who, direction=messages.SENDING), self.socket))
        while self.key and not self.told:
            self.told = self.decoder.feed(self.socket.recv(4096))
        del self.told[:1]  # the manager's proof

    def proven(self, message: Message, connection: socket.socket) -> Message:
        """The message with our proof, if there is a key to make it with."""
        if not self.key:
            return message
        ends = proof.Ends(connection.getsockname()[1], connection.getpeername()[1])
        return proof.with_proof(message, proof.of_process(self.key, self.who.user_str, ends))

    def say(self, message: Message) -> None:
        assert self.socket is not None
        self.socket.sendall(encode(message))

    def stats(self) -> Message:
        self.bytes += 1000
        file = FileState("/a", 1_000_000, self.bytes)
        return messages.stats(self.who, file=file, progress=Progress(self.bytes), rates=self.rates)

    def closing(self, code: int = 0) -> Message:
        progress, tally = Progress(self.bytes), Tally()
        if code:
            return messages.error(
                self.who,
                direction=messages.SENDING,
                code=code,
                description="told to",
                progress=progress,
                tally=tally,
            )
        return messages.done(self.who, direction=messages.SENDING, progress=progress, tally=tally)

    def start(self) -> None:
        self.dial()
        self.say(messages.session(self.who, direction=messages.SENDING, rates=self.rates))

    def finish(self) -> int:
        self.start()
        self.say(messages.start(self.who, FileState("/a", 5)))
        self.say(messages.stop(self.who, FileState("/a", 5, 5), progress=Progress(5, 5)))
        self.say(self.closing())
        return 0

    def fail(self) -> int:
        self.dial()
        self.say(self.closing(19))
        return 1

    def crash(self) -> int:
        self.start()
        os.kill(os.getpid(), signal.SIGSEGV)
        return 0

    def frames(self) -> int:
        """A connection for each frame; most frames without UserStr."""
        nameless = Identity(self.who.session_id)
        progress = Progress(7, 7)
        for message in (
            messages.init(self.who, direction=messages.SENDING),
            messages.session(nameless, direction=messages.SENDING, rates=self.rates),
            messages.stats(nameless, file=None, progress=progress, rates=self.rates),
            messages.done(nameless, direction=messages.SENDING, progress=progress, tally=Tally()),
        ):
            with socket.create_connection(("127.0.0.1", self.port)) as once:
                once.sendall(encode(self.proven(message, once)))
                if self.key:
                    once.recv(4096)  # the manager's proof
        return 0

    def nonsense(self) -> int:
        self.start()
        assert self.socket is not None
        self.socket.sendall(encode(self.stats()) + b"what is this\n")
        return 3

    def quiet(self) -> int:
        """Connected, and never heard of again."""
        self.start()
        time.sleep(600)
        return 0

    def hidden(self) -> int:
        """Never connects."""
        time.sleep(600)
        return 0

    def deaf(self) -> int:
        """Ignores CANCEL and SIGTERM."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.start()
        while True:
            self.say(self.stats())
            time.sleep(EVERY)

    def wait(self) -> int:
        """Speaks and listens until told to end; dials again when it loses its manager."""
        self.start()
        while not self.end_file.exists():
            try:
                self.say(self.stats())
                if self.obey():
                    self.say(self.closing(28))
                    return 1
            except OSError:
                self.dial_again()
        self.say(self.closing())
        return 0

    def persist(self) -> int:
        """A persistent session: each source is done with at once; ends when it is told to."""
        self.start()
        assert self.socket is not None
        while True:
            told, self.told = self.told, []
            for message in told:
                if message.type == MessageType.DONE:
                    self.say(self.closing())
                    return 0
                if message.type == MessageType.START:
                    source = messages.SourceState(message.text("Source"), attempted=1, passed=1)
                    self.say(messages.argstop(self.who, source))
            self.told += self.decoder.feed(self.socket.recv(4096))

    def obey(self) -> bool:
        """Whether CANCEL came."""
        assert self.socket is not None
        ready, _, _ = select.select([self.socket], [], [], EVERY)
        if ready:
            data = self.socket.recv(4096)
            if not data:
                raise ConnectionResetError
            self.told += self.decoder.feed(data)
        told, self.told = self.told, []
        for message in told:
            if message.type == MessageType.CANCEL:
                return True
            if message.type == MessageType.VLINK:
                found = {
                    "VLinkLocalId": message.integer("VlinkID"),
                    "VLinkLocalCL": message.integer("VlinkCapOut"),
                }
                self.say(messages.notification(self.who, found=found))
                continue
            self.rates = Rates(message.integer("Rate", self.rates.target_rate))
            self.say(messages.notification(self.who, rates=self.rates))
        return False

    def dial_again(self) -> None:
        while True:
            time.sleep(EVERY)
            try:
                if self.port_file is not None:
                    self.port = int(self.port_file.read_text())
                self.start()
            except (OSError, ValueError):
                continue
            return


def main(argv: list[str]) -> int:
    speaker = Speaker(argv)
    if "--keepalive" in argv:
        return speaker.persist()
    behave = {
        name: getattr(speaker, name)
        for name in "finish fail crash frames nonsense quiet hidden deaf wait".split()  # noqa: SIM905
    }
    return int(behave[speaker.manner]())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
