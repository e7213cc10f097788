"""The main job, whole: a SOAP order goes in, files move over SSH, events come back."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from asperacentral.commands.client import Refused
from asperacentral.commands.notification import Notification
from asperacentral.commands.observer import Observer
from tests.e2e.site import PASSWORD, FarSide, Site, hashes, make_tree, order, until

SESSION_TOPICS = ("Started", "Stopped", "Error", "RateParameters", "Statistics")


def test_a_push_brings_every_byte_to_the_far_side(site: Site, far: FarSide, tmp_path: Path) -> None:
    sent = make_tree(tmp_path / "out", big=3 << 20, small=60)
    job = site.client.submit(order(far, "Push", [str(tmp_path / "out")], far.path(tmp_path.name)))
    (session,) = site.finish(job)
    assert (session.status, session.error) == ("completed", "")
    assert hashes(far.root / tmp_path.name / "out") == sent
    assert (session.files_complete, session.files_failed, session.expected_files) == (61, 0, 61)
    assert (
        session.bytes_written
        == session.expected_bytes
        == sum(path.stat().st_size for path in (tmp_path / "out").rglob("*") if path.is_file())
    )


def test_a_pull_of_several_paths_brings_every_byte_here(site: Site, far: FarSide, tmp_path: Path) -> None:
    one = make_tree(far.root / f"{tmp_path.name}-1", big=2 << 20, small=20)
    two = make_tree(far.root / f"{tmp_path.name}-2", small=20, seed=2)
    sources = [far.path(f"{tmp_path.name}-1"), far.path(f"{tmp_path.name}-2")]
    job = site.client.submit(order(far, "Pull", sources, str(tmp_path / "in")))
    (session,) = site.finish(job)
    assert (session.status, session.error, session.direction) == ("completed", "", "incoming")
    assert hashes(tmp_path / "in" / f"{tmp_path.name}-1") == one
    assert hashes(tmp_path / "in" / f"{tmp_path.name}-2") == two


def test_observers_see_it_all_as_it_happens(
    site: Site, node: FarSide, observer: Observer, tmp_path: Path
) -> None:
    make_tree(tmp_path / "out", big=6 << 20)
    site.client.subscribe("job", observer.url, duration=600)
    site.client.subscribe("session", observer.url, duration=600, topics=SESSION_TOPICS)
    job = site.client.submit(order(node, "Push", [str(tmp_path / "out")], f"/{tmp_path.name}", rate=12_000))
    connecting = observer.wait_for(lambda n: n.topic == "Connecting")
    first = connecting.session_id
    assert connecting.job_id == job
    observer.wait_for(lambda n: n.session_id == first and n.topic == "Statistics")
    session, process = site.transfer_process(job)
    assert session == first
    time.sleep(1.2)
    os.kill(process, signal.SIGKILL)
    observer.wait_for(lambda n: n.kind == "session" and n.session_id == first and n.topic == "Error")
    observer.wait_for(lambda n: n.topic == "Completed")
    events = observer.events()
    second = events[-1].session_id
    assert second != first

    def told(wanted: str) -> list[str]:
        return [
            n.topic
            for n in events
            if n.kind == "session" and n.session_id == wanted and n.topic != "Statistics"
        ]

    assert told(first) == ["Started", "Error", "Stopped"]
    assert told(second) == ["Started", "Stopped"]
    assert [n.topic for n in events if n.kind == "job"] == [
        "Waiting",
        "Connecting",
        "Started",
        "Retrying",
        "Connecting",
        "Started",
        "Completed",
    ]
    assert len([n for n in events if n.topic == "Statistics" and n.session_id == second]) >= 2
    assert [view.status for view in site.finish(job)] == ["willretry", "completed"]


def test_a_dead_observer_delays_nothing(
    site: Site, node: FarSide, observer: Observer, tmp_path: Path
) -> None:
    make_tree(tmp_path / "out", small=3)
    with Observer() as dead:
        site.client.subscribe("job", dead.url, duration=600)
    site.client.subscribe("job", observer.url, duration=600)
    began = time.monotonic()
    for number in range(5):
        job = site.client.submit(order(node, "Push", [str(tmp_path / "out")], f"/{tmp_path.name}-{number}"))
        observer.wait_for(lambda n, job=job: n.job_id == job and n.topic == "Completed")  # type: ignore[misc]
    assert time.monotonic() - began < 20


def test_an_observer_that_fails_gets_everything_later_and_in_order(
    site: Site, node: FarSide, tmp_path: Path
) -> None:
    make_tree(tmp_path / "out", small=2)
    calls = iter(range(1000))

    def moody(_: Notification) -> int:
        return 500 if next(calls) % 2 == 0 else 200

    with Observer(respond=moody) as observer:
        site.client.subscribe("job", observer.url, duration=600)
        job = site.client.submit(order(node, "Push", [str(tmp_path / "out")], f"/{tmp_path.name}"))
        observer.wait_for(lambda n: n.topic == "Completed")
        told = [n.topic for n in observer.received if n.job_id == job]
        assert told == ["Waiting", "Connecting", "Started", "Completed"]


def test_a_running_job_is_paused_resumed_and_slowed(site: Site, node: FarSide, tmp_path: Path) -> None:
    sent = make_tree(tmp_path / "out", big=4 << 20)
    job = site.client.submit(order(node, "Push", [str(tmp_path / "out")], f"/{tmp_path.name}", rate=8_000))
    session, _ = site.transfer_process(job)
    until(lambda: site.sessions(job)[0].bytes_transferred > 0)
    site.client.pause_job(job)
    until(lambda: site.sessions(job)[0].status == "paused")
    time.sleep(1.2)
    before = site.sessions(job)[0].bytes_transferred
    time.sleep(1.5)
    assert site.sessions(job)[0].bytes_transferred == before
    site.client.resume_job(job)
    until(lambda: site.sessions(job)[0].status == "running")
    site.client.set_rate(session, 1_000_000, None, None)
    until(lambda: site.sessions(job)[0].target_rate == 1_000_000)
    (view,) = site.finish(job)
    assert view.status == "completed"
    assert hashes(node.root / tmp_path.name / "out") == sent


def test_a_cancelled_job_leaves_no_half_file(site: Site, node: FarSide, tmp_path: Path) -> None:
    make_tree(tmp_path / "out", big=4 << 20)
    job = site.client.submit(order(node, "Push", [str(tmp_path / "out")], f"/{tmp_path.name}", rate=4_000))
    until(lambda: any(view.bytes_transferred for view in site.sessions(job)))
    site.client.cancel_job(job)
    (view,) = site.finish(job)
    assert (view.status, view.error_code) == ("cancelled", 28)
    assert not (node.root / tmp_path.name / "out" / "big.bin").exists()


@pytest.mark.parametrize(
    ("change", "code"),
    [({"password": "wrong"}, 19), ({"port": 9}, 12)],
    ids=["a wrong password", "nobody listens"],
)
def test_a_far_side_that_does_not_let_us_in_is_told_with_its_code(
    site: Site, node: FarSide, tmp_path: Path, change: dict[str, Any], code: int
) -> None:
    make_tree(tmp_path / "out", small=1)
    other = replace(node, **change)
    job = site.client.submit(order(other, "Push", [str(tmp_path / "out")], "/x", retries=0))
    (view,) = site.finish(job)
    assert (view.status, view.error_code) == ("error", code)


def test_a_changed_host_key_is_refused(site: Site, node: FarSide, tmp_path: Path) -> None:
    make_tree(tmp_path / "out", small=1)
    text = order(node, "Push", [str(tmp_path / "out")], f"/{tmp_path.name}", fingerprint="00" * 20, retries=3)
    (view,) = site.finish(site.client.submit(text))
    assert (view.status, view.error_code) == ("error", 51)
    assert not (node.root / tmp_path.name).exists()


def test_a_missing_source_fails_the_job_and_not_the_others(site: Site, node: FarSide, tmp_path: Path) -> None:
    make_tree(tmp_path / "out", small=4)
    sources = [str(tmp_path / "out"), str(tmp_path / "missing")]
    (view,) = site.finish(site.client.submit(order(node, "Push", sources, f"/{tmp_path.name}")))
    assert view.status == "error"
    assert view.error_code in (4, 27)


def test_orders_that_must_not_be_carried_out_are_refused(site: Site, node: FarSide, tmp_path: Path) -> None:
    for files in ("<Protection>Encrypt</Protection>", "<PreserveCreationTime>Yes</PreserveCreationTime>"):
        with pytest.raises(Refused) as refused:
            site.client.submit(order(node, "Push", [str(tmp_path)], "/x", files=files))
        assert "JobSubmissionError" in refused.value.fault


def test_no_secret_is_readable_anywhere(site: Site, node: FarSide, tmp_path: Path) -> None:
    """Not in the log at -DDD, not in the store, not in any process's arguments or environment."""
    make_tree(tmp_path / "out", big=2 << 20)
    job = site.client.submit(order(node, "Push", [str(tmp_path / "out")], f"/{tmp_path.name}", rate=8_000))
    _, process = site.transfer_process(job)
    for pid in {process, site.daemon.pid}:
        for name in ("cmdline", "environ"):
            assert PASSWORD.encode() not in Path(f"/proc/{pid}/{name}").read_bytes()
    site.finish(job)
    searched = [site.daemon.log, *(site.daemon.prefix / "var").rglob("*")]
    assert len(searched) > 3
    for path in searched:
        if path.is_file():
            assert PASSWORD.encode() not in path.read_bytes(), path
    assert b"Submit" in site.daemon.log.read_bytes()
