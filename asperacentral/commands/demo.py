"""`asperacentral demo`: the main job on this machine, told in a screenful, with a fault on the way.

It starts a node, a daemon and an observer on free loopback ports in a temporary folder, submits an order over SOAP,
kills the transfer process half-way, and checks every byte and every event at the end.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

from asperacentral.commands.client import CentralClient, CentralProblem
from asperacentral.commands.local import LocalDaemon, LocalNode, NotStarted
from asperacentral.commands.notification import Notification
from asperacentral.commands.observer import Observer
from asperacentral.commands.progress import JobWatch, Outcome
from asperacentral.commands.terminal import Terminal, human_size

HELP = "a whole transfer on this machine, with a fault on the way"

DESCRIPTION = """\
See it work, on this machine alone: an SSH node, the daemon and an observer on free loopback ports, in a temporary
folder that is removed at the end. An order of one big file and many small ones, some with awkward names, goes in
over SOAP; the transfer process is killed half-way; the job goes on with a second session; in the end every byte
and every event is checked. Needs no root and no network.

The exit status is 0 only if everything held.

With --web nothing is transferred by itself: everything that has pages is started, and one address printed that leads
to all of it. It runs until it is ended.

Examples:
    asperacentral demo --size 256
    asperacentral demo --web
"""

USER = "demo"
RATE = 120_000
"""Target rate in Kbps: fast enough to be short, slow enough to watch."""

AWKWARD = (
    "with blank.txt",
    "-leading-dash",
    "quote'and\"quote",
    "new\nline",
    "ünï-çødé-日本語.txt",
    "semi;colon&amp<.txt",
    ".hidden",
    "empty",
    "n" * 200 + ".long",
)
_PLAIN_INTERVAL = 1.5
_TIMEOUT = 120.0

_ORDER = """<Order>
  <Version>2</Version>
  <Agent>asperacentral.demo</Agent>
  <Operation>Push</Operation>
  <ApplicationData><Cookie>demo</Cookie></ApplicationData>
  <RemoteLocation>
    <System><Address>127.0.0.1</Address><Port>{port}</Port>
      <UserName>{user}</UserName><Password>{password}</Password></System>
    <Authentication><Methods><Method>Password</Method></Methods></Authentication>
    <Files><Path>/inbox</Path></Files>
  </RemoteLocation>
  <LocalLocation><Files><Path>{source}</Path></Files></LocalLocation>
  <FileParameters><CreatePath>Yes</CreatePath></FileParameters>
  <RateParameters><Policy>Fair</Policy><TargetRate>{rate}</TargetRate></RateParameters>
  <RetryParameters><Count>3</Count><BaseInterval>1</BaseInterval><MaximumInterval>4</MaximumInterval></RetryParameters>
</Order>
"""


class _Failed(Exception):
    """Something did not hold; the text says what."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--size", type=int, default=64, metavar="MIB", help="the big file (default: %(default)s MiB)"
    )
    parser.add_argument(
        "--files", type=int, default=200, metavar="N", help="small files (default: %(default)s)"
    )
    parser.add_argument(
        "--web", action="store_true", help="start everything with pages, and print the address to open"
    )
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="work in DIR, a new folder, and leave it there"
    )


def run(args: argparse.Namespace) -> int:
    """0 if everything held, 1 with a line that says what did not."""
    terminal = Terminal(sys.stdout)
    try:
        if args.keep:
            args.keep.mkdir(parents=True)
            _show(args, args.keep.absolute(), terminal)
        else:
            with tempfile.TemporaryDirectory(prefix="asperacentral-demo-") as folder:
                _show(args, Path(folder), terminal)
    except (_Failed, NotStarted, CentralProblem, TimeoutError, OSError) as problem:
        terminal.end_live()
        print(f"asperacentral demo: {terminal.paint('failed', 'red')}: {problem}", file=sys.stderr)
        return 1
    return 0


def _show(args: argparse.Namespace, folder: Path, terminal: Terminal) -> None:
    if args.web:
        from asperacentral.commands.demo_web import show

        show(folder, terminal)
    else:
        _Demo(folder, args.size, args.files, terminal).play()


class _Demo:
    """One showing, in `folder`."""

    def __init__(self, folder: Path, size: int, count: int, terminal: Terminal) -> None:
        self._folder = folder
        self._size = size
        self._count = count
        self._terminal = terminal
        self._source = folder / "outbox"
        self._remote = folder / "remote"
        self._began = time.monotonic()

    def play(self) -> None:
        """The whole story. Raises _Failed at the first thing that does not hold."""
        hashes = self._make_files()
        password = secrets.token_urlsafe(16)
        self._remote.mkdir()
        with (
            LocalNode(self._folder, self._remote, USER, password) as node,
            LocalDaemon(self._folder / "central") as daemon,
            Observer() as observer,
        ):
            self._say(f"node: an SSH server on 127.0.0.1:{node.port}, user {USER}")
            self._say(f"daemon: SOAP on {daemon.url}")
            client = CentralClient(daemon.url)
            client.subscribe("job", observer.url, duration=600)
            topics = ("Started", "Stopped", "Error", "RateParameters", "Statistics")
            client.subscribe("session", observer.url, duration=600, topics=topics)
            self._say("observer: subscribed to all jobs and sessions, before anything is submitted")
            order = _ORDER.format(
                port=node.port,
                user=USER,
                password=escape(password),
                source=escape(str(self._source)),
                rate=RATE,
            )
            submitted = time.monotonic()
            job = client.submit(order)
            self._say(f"job {job}: accepted and on disk")
            killed = self._follow(client, daemon, job)
            moved = time.monotonic() - submitted
            self._check_events(observer, job, killed)
        self._check_files(hashes)
        total = sum(path.stat().st_size for path in _files(self._source))
        self._say(
            self._terminal.paint("everything held", "green")
            + f": {human_size(total)} in {len(hashes)} files, {moved:.1f} s from order to end, "
            f"one process killed, {time.monotonic() - self._began:.1f} s in all"
        )

    def _make_files(self) -> dict[str, str]:
        randomness = random.Random(20)  # noqa: S311 - test data
        self._source.mkdir()
        (self._source / "big.bin").write_bytes(os.urandom(self._size << 20))
        for number in range(self._count):
            path = self._source / f"folder {number % 7}" / f"deep{number % 3}" / f"small-{number}.dat"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(randomness.randbytes(randomness.randrange(1, 40_000)))
        awkward = self._source / "awkward names"
        awkward.mkdir()
        for name in AWKWARD:
            (awkward / name).write_bytes(b"" if name == "empty" else name.encode())
        hashes = _hashes(self._source)
        self._say(
            f"files: one of {self._size} MiB, {self._count} small ones in folders, {len(AWKWARD)} awkward names"
        )
        return hashes

    def _follow(self, client: CentralClient, daemon: LocalDaemon, job: str) -> str:
        """Show progress, kill the process half-way, return the killed session once the job has completed."""
        watch, killed, last = JobWatch(), "", 0.0
        deadline = time.monotonic() + _TIMEOUT
        while time.monotonic() < deadline:
            active = job in client.list_jobs()
            sessions = client.sessions([job])
            now = time.monotonic()
            progress = watch.look(now, active, sessions)
            for note in progress.notes:
                self._say(note)
            if progress.outcome is not None:
                self._terminal.end_live()
                if progress.outcome is not Outcome.COMPLETED:
                    raise _Failed(f"the job ended otherwise: {progress.summary}; see {daemon.log}")
                return killed
            if self._terminal.redraws:
                self._terminal.live(progress.line)
            elif now - last >= _PLAIN_INTERVAL:
                last = now
                self._terminal.line(f"         {progress.line}")
            view = next((session for session in sessions if session.status == "running"), None)
            half = (
                view is not None and view.expected_bytes and view.bytes_transferred * 2 >= view.expected_bytes
            )
            if view is not None and half and not killed:
                killed = view.id
                process = daemon.transfer_process(view.id)
                os.kill(process, signal.SIGKILL)
                self._say(
                    self._terminal.paint(f"fault: transfer process {process} killed with SIGKILL", "yellow")
                )
            time.sleep(0.1)
        raise _Failed(f"the job has not ended within {_TIMEOUT:.0f} s")

    def _check_events(self, observer: Observer, job: str, killed: str) -> None:
        if not killed:
            raise _Failed("the job was over before its process could be killed; try a bigger --size")
        observer.wait_for(lambda n: (n.kind, n.topic) == ("job", "Completed"))
        events = [n for n in observer.events() if n.topic != "Statistics"]
        second = next(n.session_id for n in reversed(events) if n.kind == "session" and n.topic == "Stopped")
        told = [
            _tell(n, {killed: "1", second: "2"}) for n in events if n.kind == "session" or n.job_id == job
        ]
        statistics = sum(1 for n in observer.events() if n.topic == "Statistics")
        self._say(f"events: {', '.join(told)}; Statistics {statistics} times")
        for session, topics in ((killed, ["Started", "Error", "Stopped"]), (second, ["Started", "Stopped"])):
            seen = [n.topic for n in events if n.kind == "session" and n.session_id == session]
            if [topic for topic in seen if topic != "RateParameters"] != topics:
                raise _Failed(f"session {session} was told as {seen}, expected {topics}")
        jobs = [n.topic for n in events if n.kind == "job"]
        if jobs != ["Waiting", "Connecting", "Started", "Retrying", "Connecting", "Started", "Completed"]:
            raise _Failed(f"the job was told as {jobs}")
        if not statistics:
            raise _Failed("no Statistics were told")

    def _check_files(self, hashes: dict[str, str]) -> None:
        found = _hashes(self._remote / "inbox" / self._source.name)
        if found != hashes:
            wrong = sorted(set(found.items()) ^ set(hashes.items()))[:3]
            raise _Failed(f"the files differ: {wrong}")
        self._say(f"check: {len(found)} files at the node, every SHA-256 the same, nothing left over")

    def _say(self, text: str) -> None:
        self._terminal.line(f"{time.monotonic() - self._began:6.1f}s  {text}")


def _tell(notification: Notification, numbers: dict[str, str]) -> str:
    if notification.kind == "job":
        return f"job {notification.topic}"
    return f"session {numbers.get(notification.session_id, '?')} {notification.topic}"


def _files(root: Path) -> Iterator[Path]:
    return (path for path in root.rglob("*") if path.is_file())


def _hashes(root: Path) -> dict[str, str]:
    """SHA-256 by path below `root`."""
    found = {}
    for path in _files(root):
        with path.open("rb") as file:
            found[str(path.relative_to(root))] = hashlib.file_digest(file, "sha256").hexdigest()
    return found
