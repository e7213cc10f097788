"""Kills at bad moments: no wrong or half-named file, nothing submitted lost, events at least once and in order."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from pathlib import Path

from asperacentral.commands.local import LocalDaemon
from asperacentral.commands.observer import Observer
from tests.e2e.site import FarSide, Site, hashes, make_tree, order, until


def watch_for_wrong_files(root: Path, sent: dict[str, str], stop: threading.Event, wrong: list[str]) -> None:
    """Look again and again whether a file under its final name is anything but whole."""
    sizes: dict[str, int] = {}
    while not stop.wait(0.02):
        for path in root.rglob("*"):
            name = str(path.relative_to(root))
            with contextlib.suppress(OSError):
                if name in sent and sizes.setdefault(name, path.stat().st_size) != path.stat().st_size:
                    wrong.append(name)


def test_a_transfer_process_killed_at_random_moments_never_leaves_a_wrong_file(
    site: Site, far: FarSide, tmp_path: Path
) -> None:
    sent = make_tree(tmp_path / "out", big=8 << 20, small=120)
    randomness = random.Random(7)
    target = far.root / tmp_path.name / "out"
    stop = threading.Event()
    wrong: list[str] = []
    watcher = threading.Thread(target=watch_for_wrong_files, args=(target, sent, stop, wrong))
    watcher.start()
    try:
        job = site.client.submit(
            order(far, "Push", [str(tmp_path / "out")], far.path(tmp_path.name), rate=100_000, retries=200)
        )
        kills = 0
        seen: set[str] = set()
        while kills < 10 and job in site.client.list_jobs():
            live = [view for view in site.sessions(job) if view.status == "running" and view.id not in seen]
            if not live:
                time.sleep(0.01)
                continue
            seen.add(live[0].id)
            process = site.daemon.transfer_process(live[0].id)
            time.sleep(randomness.uniform(0, 0.5))
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
                kills += 1
        sessions = site.finish(job)
    finally:
        stop.set()
        watcher.join()
    assert kills >= 5
    assert sessions[-1].status == "completed"
    assert hashes(target) == sent
    assert wrong == []


def test_a_daemon_killed_in_mid_job_goes_on_where_it_was(
    daemon: LocalDaemon, node: FarSide, observer: Observer, tmp_path: Path
) -> None:
    """The transfer process goes on without its daemon, finds the next one, and its session is adopted."""
    site = Site(daemon)
    sent = make_tree(tmp_path / "out", big=6 << 20, small=20)
    site.client.subscribe("job", observer.url, duration=600)
    site.client.subscribe("session", observer.url, duration=600)
    job = site.client.submit(order(node, "Push", [str(tmp_path / "out")], f"/{tmp_path.name}", rate=10_000))
    session, process = site.transfer_process(job)
    until(lambda: site.sessions(job)[0].bytes_transferred > 0)
    daemon.end(signal.SIGKILL)
    time.sleep(1)
    os.kill(process, 0)
    site.restart()
    (view,) = site.finish(job)
    assert (view.id, view.status, view.files_complete) == (session, "completed", 21)
    assert hashes(node.root / tmp_path.name / "out") == sent
    observer.wait_for(lambda n: n.topic == "Completed")
    jobs = [n.topic for n in observer.events() if n.kind == "job"]
    assert jobs == ["Waiting", "Connecting", "Started", "Completed"]
    assert [n.topic for n in observer.events() if n.kind == "session"] == ["Started", "Stopped"]


def test_a_daemon_and_its_processes_killed_together_lose_no_job(
    daemon: LocalDaemon, node: FarSide, observer: Observer, tmp_path: Path
) -> None:
    """What was submitted is taken up by the next daemon; the lost session is orphaned."""
    site = Site(daemon)
    sent = make_tree(tmp_path / "out", big=2 << 20, small=5)
    site.client.subscribe("job", observer.url, duration=600)
    jobs = [
        site.client.submit(
            order(
                node,
                "Push",
                [str(tmp_path / "out")],
                f"/{tmp_path.name}-{n}",
                rate=6_000,
                cookie=f"c{n}",
                retries=0,
            )
        )
        for n in range(4)
    ]
    processes = [site.transfer_process(job)[1] for job in jobs]
    until(lambda: all(site.sessions(job)[0].bytes_transferred for job in jobs))
    daemon.end(signal.SIGKILL)
    for process in processes:
        os.kill(process, signal.SIGKILL)
    site.restart()
    assert set(site.client.list_jobs()) == set(jobs)
    for number, job in enumerate(jobs):
        statuses = [view.status for view in site.finish(job)]
        assert statuses == ["orphaned", "completed"]
        assert hashes(node.root / f"{tmp_path.name}-{number}" / "out") == sent
        observer.wait_for(lambda n, job=job: n.job_id == job and n.topic == "Completed")  # type: ignore[misc]
        topics = [n.topic for n in observer.events() if n.job_id == job]
        assert topics == ["Waiting", "Connecting", "Started", "Waiting", "Connecting", "Started", "Completed"]


IMPATIENT = "<asperacentral><adoption_patience>3</adoption_patience></asperacentral>"
"""Processes that were to be started when the daemon was killed may not be there: they are not waited for long."""


def test_submits_answered_before_a_kill_are_there_after_it(node: FarSide, tmp_path: Path) -> None:
    with LocalDaemon(tmp_path / "central", verbosity="-DDD", more=IMPATIENT) as daemon:
        what_was_answered_is_there(daemon, node, tmp_path)


def what_was_answered_is_there(daemon: LocalDaemon, node: FarSide, tmp_path: Path) -> None:
    site = Site(daemon)
    make_tree(tmp_path / "out", small=1)
    text = order(node, "Push", [str(tmp_path / "out")], f"/{tmp_path.name}")
    answered: list[str] = []

    def submit_until_it_is_gone() -> None:
        with contextlib.suppress(Exception):
            while True:
                answered.append(site.client.submit(text))

    submitting = threading.Thread(target=submit_until_it_is_gone)
    submitting.start()
    until(lambda: len(answered) > 3)
    daemon.end(signal.SIGKILL)
    submitting.join()
    site.restart()
    for job in answered:
        assert [view.status for view in site.finish(job)][-1] == "completed"


def test_a_stopped_daemon_ends_within_seconds_and_its_transfer_goes_on(
    daemon: LocalDaemon, node: FarSide, tmp_path: Path
) -> None:
    site = Site(daemon)
    sent = make_tree(tmp_path / "out", big=3 << 20)
    job = site.client.submit(order(node, "Push", [str(tmp_path / "out")], f"/{tmp_path.name}", rate=8_000))
    site.transfer_process(job)
    began = time.monotonic()
    assert daemon.end(signal.SIGTERM) == 0
    assert time.monotonic() - began < 10
    site.restart()
    assert [view.status for view in site.finish(job)] == ["completed"]
    assert hashes(node.root / tmp_path.name / "out") == sent
