"""What the numbers say while jobs come and go: real rules and a real store, on a clock of the test's own."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from asperacentral.central.model import ALL, Endpoint
from asperacentral.fasp.management import Message
from asperacentral.fasp.management import MessageType as M
from asperacentral.store.store import Store
from tests.central.world import World
from tests.metrics.conftest import Measured
from tests.metrics.scrape import samples

TOP = Path(__file__).parent.parent.parent


def start(world: World, **options: Any) -> None:
    world.submit(**options)
    world.says(M.SESSION, User="u", LocalIP="127.0.0.1", Rate=5000)


def test_a_job_is_counted_in_each_state_it_is_in_and_its_session_with_it(measured: Measured) -> None:
    world, value = measured.world, measured.value
    assert value("jobs", state="waiting") == 0
    world.submit()
    assert value("jobs", state="connecting") == 1
    world.says(M.SESSION, User="u", LocalIP="127.0.0.1", Rate=5000)
    assert value("jobs", state="connecting") == 0
    assert value("jobs", state="running") == 1
    assert value("sessions", status="running") == 1
    world.says(M.NOTIFICATION, Rate=0)
    assert value("sessions", status="paused") == 1
    assert value("sessions", status="running") == 0
    world.fails()
    assert value("jobs", state="retrying") == 1
    assert value("session_errors_total", code="16", name="CONNECTION_LOST") == 1
    assert value("sessions_ended_total", status="willretry", direction="outgoing") == 1
    world.advance(10)
    world.says(M.SESSION, User="u", LocalIP="127.0.0.1", Rate=5000)
    world.completes()
    assert value("sessions_ended_total", status="completed", direction="outgoing") == 1
    assert value("events_total", kind="job", topic="Completed") == 1
    assert value("events_total", kind="job", topic="Connecting") == 2
    assert (
        sum(value("jobs", state=state) or 0 for state in ("waiting", "connecting", "running", "retrying"))
        == 0
    )


def test_bytes_and_files_grow_with_what_a_session_says_and_are_right_after_its_end(
    measured: Measured,
) -> None:
    world, value = measured.world, measured.value
    start(world)
    world.says(M.STATS, TransferBytes=1000, FileBytes=1000, Loss=7)
    world.says(M.STATS, TransferBytes=3000, FileBytes=3000, Loss=9)
    world.says(M.STOP, File="/a", FaspFileID="1", Size=3000, Written=3000, TransferBytes=3000)
    world.says(M.FILEERROR, File="/b", FaspFileID="2", Code=4, Description="none")
    world.says(M.DONE, TransferBytes=3500, FileBytes=3500)
    world.ends(exit_status=0, said_done=True)
    assert value("transferred_bytes_total", direction="outgoing") == 3500
    assert value("lost_bytes_total", direction="outgoing") == 9
    assert value("files_total", outcome="complete", direction="outgoing") == 1
    assert value("files_total", outcome="failed", direction="outgoing") == 1
    assert value("transferred_bytes_total", direction="incoming") == 0


def test_the_rate_is_that_of_the_last_moments_and_none_after_silence_or_the_end(measured: Measured) -> None:
    world, value = measured.world, measured.value
    start(world)
    world.advance(1)
    world.says(M.STATS, TransferBytes=1_000_000)
    assert value("rate_bits", direction="outgoing") == 8_000_000
    world.advance(2)
    world.says(M.STATS, TransferBytes=2_000_000)
    assert value("rate_bits", direction="outgoing") == 4_000_000
    world.advance(5)
    assert value("rate_bits", direction="outgoing") == 0, "it has been silent"
    world.advance(1)
    world.says(M.STATS, TransferBytes=8_000_000)
    assert value("rate_bits", direction="outgoing") == 8_000_000
    world.completes()
    assert value("rate_bits", direction="outgoing") == 0


def test_a_session_taken_up_after_a_restart_counts_from_there(measured: Measured) -> None:
    start(measured.world)
    session = measured.world.session_id
    measured.world.says(M.STATS, TransferBytes=5_000_000)
    measured.world.advance(6)
    measured.restart()
    assert measured.world.transfers.adopted[0][0] == session
    for moved in (6_000_000, 6_500_000):
        message = Message(M.STATS, {"TransferBytes": str(moved)})
        measured.world.central.runner.session_message(session, message)
    assert measured.value("transferred_bytes_total", direction="outgoing") == 500_000


def test_the_outbox_is_counted_by_the_store_and_asked_for_once_in_a_while(measured: Measured) -> None:
    world = measured.world
    world.result(world.central.subscribe("job", ALL, Endpoint("http://127.0.0.1:9/o"), None, (), 3600))
    assert measured.value("outbox_notifications", state="waiting") == 0
    world.submit()
    assert measured.value("outbox_notifications", state="waiting") == 0, "too soon to ask again"
    world.advance(10)
    assert measured.value("outbox_notifications", state="waiting") == 2
    ids = [delivery.id for delivery in world.deliveries("http://127.0.0.1:9/o")]
    world.result(world.store.settle(ids[:1], [], [(ids[1], "given up")]))
    world.advance(10)
    assert measured.value("outbox_notifications", state="waiting") == 0
    assert measured.value("outbox_notifications", state="dead") == 1


def test_nothing_a_client_sends_becomes_a_label(measured: Measured) -> None:
    world = measured.world
    world.submit(cookie="kuchen-4711", retries=0)
    world.says(M.SESSION, User="somebody-4711", LocalIP="127.0.0.1", RemoteAddress="192.0.2.4711")
    world.fails(code=4711, text="text-4711")
    body = measured.body()
    assert b"4711" not in body
    assert measured.value("session_errors_total", code="0", name="UNKNOWN") == 1


def test_a_scrape_reads_nothing_of_sessions_and_files_from_the_store(
    measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    really = Store._read

    def read(self: Store, function: Any) -> Any:
        asked.append(function.__qualname__)
        return really(self, function)

    start(measured.world)
    monkeypatch.setattr(Store, "_read", read)
    measured.body()
    assert asked == ["Store.outbox_depth.<locals>.count"]


def test_commits_are_measured_and_failures_counted(tmp_path: Path) -> None:
    from prometheus_client import CollectorRegistry

    from asperacentral.metrics.meters import Meters

    meters = Meters(CollectorRegistry())
    calls: list[Any] = []
    store = Store(
        tmp_path / "s.db", tmp_path / "k", lambda f, *a: calls.append((f, a)), measure=meters.committed
    )
    store.barrier()
    store.close()
    meters.committed(0.5, False)
    value = meters.registry.get_sample_value
    assert (value("asperacentral_store_commit_seconds_count") or 0) >= 1
    assert value("asperacentral_store_commit_failures_total") == 1


def test_the_dashboard_and_the_documentation_speak_of_numbers_that_are_there(measured: Measured) -> None:
    start(measured.world)
    measured.world.fails()
    measured.measuring.meters.answered("soap", "200", 0.1)
    there = {name for name, _ in samples(measured.body())}
    known = there | {re.sub("_(bucket|count|sum)$", "", name) for name in there}
    dashboard = json.loads((TOP / "etc/grafana-dashboard.json").read_text())
    asked = {
        name
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in re.findall(r"\b(?:asperacentral|process)_\w+", target["expr"])
    }
    assert asked <= known
    documented = set(re.findall(r"`(asperacentral_\w+)", (TOP / "docs/metrics.md").read_text()))
    own = {name for name in there if name.startswith("asperacentral_")}
    own = {re.sub("_(bucket|count|sum)$", "", name) if "seconds" in name else name for name in own}
    assert documented == own
