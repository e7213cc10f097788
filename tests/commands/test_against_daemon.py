"""The commands as processes, against a real daemon that moves real files to a real node."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from asperacentral.commands.client import CentralClient
from asperacentral.commands.local import LocalDaemon, LocalNode
from asperacentral.commands.observer import Observer

SIZE = 6_000_000


class Site:
    """A daemon, a node, and a folder to move."""

    def __init__(self, top: Path, daemon: LocalDaemon, node: LocalNode) -> None:
        self.top, self.daemon, self.node = top, daemon, node
        self.url = daemon.url
        self.content = os.urandom(SIZE)
        (top / "source").mkdir()
        (top / "source" / "file").write_bytes(self.content)
        self.running: list[subprocess.Popen[str]] = []

    def order(self, name: str, kbps: int) -> str:
        """An order that pushes the folder to `name` at a rate."""
        path = self.top / f"{name}.xml"
        path.write_text(
            "<Order><Operation>Push</Operation><RemoteLocation><System><Address>127.0.0.1</Address>"
            f"<Port>{self.node.port}</Port><UserName>demo</UserName><Password>pw</Password></System>"
            f"<Files><Path>/{name}</Path></Files></RemoteLocation>"
            f"<LocalLocation><Files><Path>{escape(str(self.top / 'source'))}</Path></Files></LocalLocation>"
            "<FileParameters><CreatePath>Yes</CreatePath><PreCalculateJobSize>Yes</PreCalculateJobSize></FileParameters>"
            f"<RateParameters><TargetRate>{kbps}</TargetRate></RateParameters></Order>"
        )
        return str(path)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "asperacentral", *arguments, "--url", self.url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.running.append(process)
        return process

    def call(self, *arguments: str) -> tuple[int, str, str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def await_bytes(self, job: str) -> None:
        """Wait until some bytes of the job have moved."""
        client = CentralClient(self.url)
        deadline = time.monotonic() + 20
        while not any(view.bytes_transferred for view in client.sessions([job])):
            assert time.monotonic() < deadline, "nothing moves"
            time.sleep(0.1)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    (tmp_path / "docroot").mkdir()
    daemon = LocalDaemon(tmp_path / "central", port=free_port())
    with LocalNode(tmp_path, tmp_path / "docroot", "demo", "pw") as node, daemon:
        made = Site(tmp_path, daemon, node)
        yield made
        for process in made.running:
            if process.poll() is None:
                process.kill()
            process.communicate()


def test_submit_with_watch_ends_when_the_files_are_there(site: Site) -> None:
    status, out, err = site.call("submit", site.order("in", 100_000), "--watch")
    job, *lines = out.splitlines()
    assert (status, err) == (0, "")
    assert re.fullmatch(r"completed: 1 file, 5\.7 MiB in 0:\d\d", lines[-1])
    assert (site.top / "docroot/in/source/file").read_bytes() == site.content
    assert re.search(rf"^{job} +completed ", site.call("jobs", "--all")[1], re.MULTILINE)
    assert site.call("jobs")[1].splitlines()[1:] == []


def test_a_running_job_is_paused_sped_up_resumed_and_cancelled_from_the_command_line(site: Site) -> None:
    job = site.call("submit", site.order("slow", 2_000))[1].strip()
    watching = site.start("watch", job)
    site.await_bytes(job)
    assert site.call("pause", job)[:2] == (0, f"paused job {job}\n")
    assert re.search(rf"^{job} +paused ", site.call("jobs")[1], re.MULTILINE)
    assert site.call("resume", job)[:2] == (0, f"resumed job {job}\n")
    assert site.call("rate", job, "3000", "--policy", "fair", "--minimum", "10")[0] == 0
    (view,) = CentralClient(site.url).sessions([job])
    assert (view.status, view.target_rate) == ("running", 3000)
    assert site.call("cancel", job)[0] == 0
    out, _ = watching.communicate(timeout=30)
    assert watching.returncode == 3
    assert out.splitlines()[-1].startswith("cancelled: 0 files")


def test_subscribe_prints_the_story_of_a_job_and_unsubscribes_when_it_is_ended(site: Site) -> None:
    listening = site.start("subscribe", "--topics", "Connecting,Started,Statistics,Stopped,Completed")
    assert listening.stderr is not None and listening.stdout is not None
    assert "subscribed" in listening.stderr.readline()
    job = site.call("submit", site.order("in", 20_000))[1].strip()
    lines: list[str] = []
    while not (lines and f"{job}  Completed" in lines[-1]):
        lines.append(listening.stdout.readline())
        assert lines[-1], lines
    listening.send_signal(signal.SIGTERM)
    assert listening.wait(20) == 0
    topics = [line.split()[3] for line in lines]
    assert [topic for topic in topics if topic != "Statistics"][:2] == ["Connecting", "Started"]
    assert "Statistics" in topics
    assert site.daemon.log.read_text().count(" ended\n") >= 2


def test_watch_survives_a_restart_of_the_daemon(site: Site) -> None:
    job = site.call("submit", site.order("in", 6_000))[1].strip()
    watching = site.start("watch", job)
    assert watching.stdout is not None
    assert "started (attempt 1)" in watching.stdout.readline() + watching.stdout.readline()
    site.daemon.end()
    time.sleep(1.5)
    site.daemon.start_daemon()
    out, err = watching.communicate(timeout=60)
    assert (watching.returncode, err) == (0, "")
    assert "the daemon is back" in out
    assert (site.top / "docroot/in/source/file").read_bytes() == site.content


def test_what_an_observer_did_not_take_is_listed_told_again_and_gone(site: Site) -> None:
    statuses = [500]
    with Observer(respond=lambda _: statuses[-1]) as observer:
        CentralClient(site.url).subscribe("job", observer.url, 600, ("Completed",))
        job = site.call("submit", site.order("in", 100_000), "--watch")[1].split()[0]
        until(lambda: observer.refused)
        (path,) = site.daemon.prefix.rglob("*.db")
        with contextlib.closing(sqlite3.connect(path, timeout=20)) as store, store:
            store.execute("update deliveries set created = 0")  # A day is long for a test.
        until(lambda: "not delivered within 24 hours" in site.call("deadletters")[1])
        _, line = site.call("deadletters")[1].splitlines()
        assert f"job Completed  {job}" in line
        statuses.append(200)
        assert site.call("deadletters", "replay", "--all")[:2] == (0, "1 dead letter to be told again\n")
        until(lambda: observer.received)
    assert len(site.call("deadletters")[1].splitlines()) == 1
    assert site.call("deadletters", "drop", "--all")[:2] == (0, "0 dead letters dropped\n")


def until(reached: Callable[[], object]) -> None:
    """Look again until it is so."""
    deadline = time.monotonic() + 30
    while not reached():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.1)


def test_what_the_daemon_refuses_is_told_in_one_line_with_its_reason(site: Site) -> None:
    (site.top / "bad.xml").write_text("<Order><Operation>Push</Operation></Order>")
    for arguments, reason in (
        (("submit", str(site.top / "bad.xml")), "the order is not valid: "),
        (("watch", "none"), "no job 'none'"),
        (("pause", "none"), "no job 'none'"),
        (("cancel", "none", "--session"), "no session 'none'"),
        (("rate", "none", "5"), "no job 'none'"),
        (("subscribe", "--session", "none"), "none"),
    ):
        status, out, err = site.call(*arguments)
        assert (status, out) == (1, ""), arguments
        assert reason in err
        assert len(err.splitlines()) == 1
