"""From a submitted order to its end: sessions, retries, cancels, pauses, and what survives a crash."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from asperacentral.central.errors import (
    InvalidValue,
    JobFormatInvalid,
    JobNotFound,
    JobSubmissionError,
    JobTypeNotFound,
    SessionNotFound,
    SubscriptionNotFound,
)
from asperacentral.central.gathering import GATHER_TIME
from asperacentral.central.model import ALL, Endpoint, RateChange
from asperacentral.central.query import FileTransferFilter
from asperacentral.fasp.management import Message
from asperacentral.fasp.management import MessageType as M
from asperacentral.fasp.manager import SessionEnding
from asperacentral.store.store import StoreOptions
from tests.central.world import START, World, order

LANE = "http://127.0.0.1:9/observer"


def subscribe(world: World, kind: str, subject: str = ALL, topics: tuple[str, ...] = ()) -> str:
    return world.result(world.central.subscribe(kind, subject, Endpoint(LANE), None, topics, 3600)).id


def test_an_order_becomes_a_session_with_the_orders_values(world: World) -> None:
    job_id = world.submit(cookie="kuchen")
    launched = world.transfers.launched[0]
    assert (launched.mode, launched.host, launched.port, launched.user) == ("send", "127.0.0.1", 2222, "u")
    assert (launched.sources, launched.destination) == (("/data/a",), "/in")
    assert (launched.password, launched.target_rate, launched.policy) == ("geheim", 5000, "fixed")
    record = world.result(world.central.query_session(launched.user_str))
    assert (record.job_id, record.status, record.cookie, record.direction) == (
        job_id,
        "running",
        "kuchen",
        "outgoing",
    )
    assert world.central.list_jobs() == (job_id,)
    assert world.central.list_sessions() == (launched.user_str,)


def test_a_job_that_went_well_is_told_from_waiting_to_completed(world: World) -> None:
    subscribe(world, "job")
    subscribe(world, "session")
    world.submit()
    world.says(M.SESSION, User="u", LocalIP="127.0.0.1")
    world.completes()
    assert world.topics(LANE) == [
        "job Waiting",
        "job Connecting",
        "session Started",
        "job Started",
        "session Stopped",
        "job Completed",
    ] or world.topics(LANE) == [
        "job Waiting",
        "job Connecting",
        "job Started",
        "session Started",
        "session Stopped",
        "job Completed",
    ]
    assert world.central.list_jobs() == ()
    record = world.result(world.central.query_session(world.session_id))
    assert (record.status, record.end_date) == ("completed", world.clock.seconds())


def test_the_connecting_event_carries_the_new_sessions_id(world: World) -> None:
    subscribe(world, "job", topics=("connecting",))
    world.submit()
    (delivery,) = world.deliveries(LANE)
    assert delivery.event.snapshot.session_id == world.session_id


def test_a_retryable_failure_is_followed_by_a_new_session_after_the_wait(world: World) -> None:
    subscribe(world, "session", topics=("Error", "Stopped"))
    job_id = world.submit(retries=1, base=10)
    first = world.session_id
    world.fails()
    assert world.result(world.central.query_session(first)).status == "willretry"
    world.advance(9.9)
    assert world.session_id == first
    world.advance(0.2)
    second = world.session_id
    assert second != first
    record = world.result(world.central.query_session(second))
    assert (record.job_id, record.job_retry_count, record.job_max_retries) == (job_id, 1, 1)
    assert world.result(world.central.query_job(job_id)).failed_attempts == 1
    world.fails()
    assert world.result(world.central.query_session(second)).status == "error"
    assert world.central.list_jobs() == ()
    assert world.topics(LANE) == ["session Error", "session Stopped"] * 2


def test_a_process_that_dies_without_a_word_counts_as_a_lost_connection(world: World) -> None:
    world.submit()
    world.ends(signal=9)
    record = world.result(world.central.query_session(world.session_id))
    assert (record.status, record.error_code) == ("willretry", 16)
    assert "signal 9" in record.error_description


def test_an_error_that_retrying_cannot_mend_ends_the_job(world: World) -> None:
    world.submit(retries=5)
    world.fails(19, "authentication failed")
    assert world.central.list_jobs() == ()
    assert world.result(world.central.query_session(world.session_id)).status == "error"


def test_a_process_that_cannot_be_started_ends_the_job(world: World) -> None:
    world.transfers.broken = RuntimeError("no such program")
    job_id = world.submit()
    assert world.central.list_jobs() == ()
    session_id = world.result(world.central.query_job(job_id)).session_id
    record = world.result(world.central.query_session(session_id))
    assert (record.status, record.error_description) == ("error", "cannot launch: no such program")


def test_cancelling_a_running_job_ends_its_session_and_it_is_not_retried(world: World) -> None:
    job_id = world.submit(retries=5)
    world.result(world.central.cancel_job(job_id))
    assert world.transfers.cancelled == [world.session_id]
    world.fails(28, "cancelled by the user")
    assert world.result(world.central.query_session(world.session_id)).status == "cancelled"
    world.advance(1000)
    assert len(world.transfers.launched) == 1
    world.result(world.central.cancel_job(job_id))


def test_cancelling_a_job_that_waits_for_a_retry_ends_it_at_once(world: World) -> None:
    subscribe(world, "job", topics=("Cancelled",))
    job_id = world.submit()
    world.fails()
    world.result(world.central.cancel_job(job_id))
    assert world.central.list_jobs() == ()
    world.advance(1000)
    assert len(world.transfers.launched) == 1
    assert world.topics(LANE) == ["job Cancelled"]


def test_cancelling_a_session_cancels_its_job(world: World) -> None:
    world.submit()
    world.result(world.central.cancel_session(world.session_id))
    world.ends(signal=15)
    assert world.result(world.central.query_session(world.session_id)).status == "cancelled"
    assert world.central.list_jobs() == ()
    with pytest.raises(SessionNotFound):
        world.result(world.central.cancel_session(world.session_id))


def test_a_paused_job_shows_it_and_goes_on_at_its_former_rate(world: World) -> None:
    job_id = world.submit()
    world.says(M.SESSION, Rate=5000)
    world.result(world.central.pause_job(job_id))
    world.says(M.NOTIFICATION, Rate=0)
    assert world.result(world.central.query_session(world.session_id)).status == "paused"
    world.result(world.central.resume_job(job_id))
    world.says(M.NOTIFICATION, Rate=5000)
    assert world.result(world.central.query_session(world.session_id)).status == "running"
    assert world.transfers.commands == [
        (world.session_id, {"target_rate": 0}),
        (world.session_id, {"target_rate": 5000}),
    ]


def test_a_job_paused_while_it_waits_starts_no_session_until_it_is_resumed(world: World) -> None:
    job_id = world.submit()
    world.fails()
    world.result(world.central.pause_job(job_id))
    world.advance(1000)
    assert len(world.transfers.launched) == 1
    world.result(world.central.resume_job(job_id))
    world.settle()
    assert len(world.transfers.launched) == 2


def test_rates_are_changed_in_the_running_session_within_cap_and_locks(world: World) -> None:
    world.submit()
    session = world.session_id
    world.result(world.central.change_rate(session, RateChange("Trickle", 800, 10)))
    world.result(world.central.change_rate(session, RateChange(bandwidth_cap=500)))
    world.result(world.central.change_rate(session, RateChange(target_rate=9000)))
    assert world.transfers.commands == [
        (session, {"target_rate": 800, "minimum_rate": 10, "policy": "low"}),
        (session, {"target_rate": 500}),
        (session, {}),
        (session, {"target_rate": 500}),
    ]
    with pytest.raises(InvalidValue, match="Policy"):
        world.result(world.central.change_rate(session, RateChange("sprint")))
    with pytest.raises(SessionNotFound):
        world.result(world.central.change_rate("none", RateChange()))


def test_locked_rates_stay(world: World) -> None:
    locked = order().replace("<TargetRate>", "<LockTargetRate>true</LockTargetRate><TargetRate>")
    world.result(world.central.submit("Aspera.IScpTransfer", locked))
    world.settle()
    with pytest.raises(InvalidValue, match="locked"):
        world.result(world.central.change_rate(world.session_id, RateChange(target_rate=1)))


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("FileParameters/PreserveCreationTime", "<PreserveCreationTime>Yes</PreserveCreationTime>"),
        ("FileParameters/Protection", "<Protection>Decrypt</Protection><Passphrase>word</Passphrase>"),
        ("FileParameters/Passphrase", "<Protection>Encrypt</Protection>"),
    ],
)
def test_what_cannot_be_done_is_refused(world: World, path: str, inside: str) -> None:
    asked = order().replace("</Order>", f"<FileParameters>{inside}</FileParameters></Order>")
    with pytest.raises(JobSubmissionError, match=path):
        world.result(world.central.submit("Aspera.IScpTransfer", asked))
    assert world.central.list_jobs() == ()


def test_proxies_are_refused(world: World) -> None:
    asked = order().replace("</RemoteLocation>", "<Proxy><Url>dnat://relay</Url></Proxy></RemoteLocation>")
    with pytest.raises(JobSubmissionError, match="Proxy/Url"):
        world.result(world.central.submit("Aspera.IScpTransfer", asked))


def test_an_account_that_cannot_be_run_as_is_refused(world: World) -> None:
    asked = order().replace(
        "<LocalLocation>", "<LocalLocation><System><UserName>somebody-else</UserName></System>"
    )
    with pytest.raises(JobSubmissionError, match="somebody-else"):
        world.result(world.central.submit("Aspera.IScpTransfer", asked))


def test_bad_submissions_have_their_own_errors(world: World) -> None:
    with pytest.raises(JobTypeNotFound):
        world.result(world.central.submit("Aspera.Nonsense", order()))
    with pytest.raises(JobFormatInvalid):
        world.result(world.central.submit("Aspera.IScpTransfer", "<Order/>"))
    with pytest.raises(JobNotFound):
        world.result(world.central.query_job("none"))
    for call in (world.central.cancel_job, world.central.pause_job, world.central.resume_job):
        with pytest.raises(JobNotFound):
            world.result(call("none"))


def test_no_more_sessions_run_at_once_than_allowed_and_the_others_follow_in_order(tmp_path: object) -> None:
    world = World(tmp_path, max_sessions=2)  # type: ignore[arg-type]
    try:
        cookies = [f"c{n}" for n in range(5)]
        for cookie in cookies:
            world.submit(cookie=cookie)
        assert [launched.cookie for launched in world.transfers.launched] == ["c0", "c1"]
        for _ in range(3):
            world.completes()
        assert [launched.cookie for launched in world.transfers.launched] == cookies
    finally:
        world.close()


def test_files_are_followed_from_start_to_stop(world: World) -> None:
    world.submit()
    world.says(M.SESSION)
    world.says(M.NOTIFICATION, PreTransferFiles=3, PreTransferBytes=60, PreTransferDirs=1)
    world.says(M.START, File="/data/a", Size=10, FaspFileID="0" * 8)
    world.says(
        M.STATS, File="/data/a", Size=10, Written=4, TransferBytes=4, FileBytes=4, Elapsedusec=9, Delay=7
    )
    record = world.result(world.central.query_session(world.session_id))
    assert (record.expected_file_count, record.expected_byte_count, record.expected_dir_count) == (3, 60, 1)
    assert (record.files_transferring, record.bytes_transferred, record.network_delay) == (1, 4, 7)
    world.says(M.STOP, File="/data/a", Size=10, Written=10, FaspFileID="0" * 8, TransferBytes=10)
    world.says(M.FILEERROR, File="/data/b", Code=4, Description="no such file")
    world.says(M.START, File="/data/c", Size=5)
    world.ends(signal=9)
    record = world.result(world.central.query_session(world.session_id))
    assert (record.file_count, record.files_complete, record.files_failed, record.files_transferring) == (
        3,
        1,
        2,
        0,
    )


def test_a_file_whose_end_is_told_again_counts_once(world: World) -> None:
    ident = "-".join(["0123abcd"] * 5)
    world.submit()
    for _ in range(2):
        world.says(M.START, File="/data/a", Size=10, FaspFileID=ident)
        world.says(M.STATS, File="/data/a", Size=10, FaspFileID=ident)
        world.says(M.STOP, File="/data/a", Size=10, FaspFileID=ident)
    record = world.result(world.central.query_session(world.session_id))
    assert (record.file_count, record.files_complete, record.files_transferring) == (1, 1, 0)
    world.says(M.FILEERROR, File="/data/a", FaspFileID=ident, Code=4)
    world.says(M.DONE, TransfersAttempted=4, TransfersPassed=2, TransfersSkipped=1, TransfersFailed=1)
    record = world.result(world.central.query_session(world.session_id))
    assert (record.file_count, record.files_complete, record.files_failed) == (4, 3, 1)


def test_statistics_are_told_but_not_stored(world: World) -> None:
    subscribe(world, "session", topics=("Statistics",))
    world.submit()
    world.says(M.STATS, TransferBytes=4)
    assert [event.snapshot.bytes_transferred for event, _ in world.notifications.told] == [4]
    assert world.deliveries(LANE) == []


def test_subscriptions_hear_only_of_their_own_subject(world: World) -> None:
    first = world.submit()
    subscribe(world, "job", first)
    world.submit()
    world.completes()
    assert world.deliveries(LANE) == []
    with pytest.raises(JobNotFound):
        subscribe(world, "job", "none")
    with pytest.raises(SessionNotFound):
        subscribe(world, "session", "none")


def test_a_subscription_ends_when_its_time_is_over_and_says_so(world: World) -> None:
    notices = Endpoint("http://127.0.0.1:9/notices")
    made = world.result(world.central.subscribe("job", ALL, Endpoint(LANE), notices, (), 60))
    assert world.central.time_remaining(made) == 60
    world.advance(30)
    changed = world.result(world.central.update_subscription("job", made.id, (), 100))
    assert world.central.time_remaining(changed) == 100
    world.advance(111)
    world.submit()
    assert world.deliveries(LANE) == []
    assert world.topics(notices.address) == ["subscription Changed", "subscription Expired"]
    with pytest.raises(SubscriptionNotFound):
        world.result(world.central.update_subscription("job", made.id, (), 10))


def test_topics_are_added_and_taken_away(world: World) -> None:
    made = subscribe(world, "session", topics=("Started",))
    assert world.result(world.central.update_subscription("session", made, ("error",), 9)).topics == (
        "Started",
        "Error",
    )
    assert world.result(world.central.unsubscribe("session", made, ("Started",))).topics == ("Error",)
    assert world.result(world.central.unsubscribe("session", made, ())).topics == ()
    with pytest.raises(SubscriptionNotFound):
        world.result(world.central.unsubscribe("session", made, ()))


def test_files_that_end_are_written_together_and_can_be_asked_for_before(world: World) -> None:
    world.submit()
    world.says(M.SESSION, Rate=5000)
    for name in "abc":
        world.says(M.START, File=f"/{name}", Size=5)
        world.says(M.STOP, File=f"/{name}", Size=5, Written=5)
    assert in_store(world) == []
    found = world.result(world.central.query_files(FileTransferFilter()))
    assert [file.path for file in found.items] == ["/a", "/b", "/c"]
    world.says(M.START, File="/d", Size=5)
    world.says(M.STOP, File="/d", Size=5, Written=5)
    assert in_store(world) == ["/a", "/b", "/c"]
    world.advance(GATHER_TIME)
    assert in_store(world) == ["/a", "/b", "/c", "/d"]


def test_files_that_ended_are_written_with_whatever_of_their_session_comes_next(world: World) -> None:
    world.submit()
    world.says(M.SESSION, Rate=5000)
    world.says(M.START, File="/a", Size=5)
    world.says(M.STOP, File="/a", Size=5, Written=5)
    world.says(M.NOTIFICATION, Rate=100)
    assert in_store(world) == ["/a"]
    world.says(M.START, File="/b", Size=5)
    world.says(M.STOP, File="/b", Size=5, Written=5)
    world.result(world.central.stop())
    assert in_store(world) == ["/a", "/b"]


def in_store(world: World) -> list[str]:
    """Paths of the files that are in the store now."""
    found = world.result(world.store.files(FileTransferFilter(), 0, 2**62, 100)).items
    return [file.path for file in found]


def test_what_waits_to_be_told_knows_when_its_subscription_ends(world: World) -> None:
    made = subscribe(world, "job")
    world.submit()
    assert {d.subscription.expires for d in world.deliveries(LANE)} == {START + 3600}
    world.advance(10)
    world.result(world.central.update_subscription("job", made, (), 100))
    assert {d.subscription.expires for d in world.deliveries(LANE)} == {START + 110}
    world.result(world.central.unsubscribe("job", made, ()))
    assert {d.subscription.expires for d in world.deliveries(LANE)} == {START + 10}
    assert world.store.subscriptions() == []


def test_dead_letters_are_listed_told_again_and_dropped(world: World) -> None:
    subscribe(world, "job")
    world.submit()
    central = world.central
    ids = [delivery.id for delivery in world.deliveries(LANE)]
    world.result(world.store.settle([], [], [(number, "too old") for number in ids]))
    found = world.result(central.list_dead_letters(None, None, None))
    assert [letter.topic for letter in found.items] == ["Waiting", "Connecting"]
    assert found.items == world.result(central.list_dead_letters(LANE, 0, 10**6)).items
    woken = world.notifications.woken
    assert world.result(central.replay_dead_letters(None, (ids[0],))) == 1
    assert world.notifications.woken == woken + 1
    assert world.topics(LANE) == ["job Waiting"]
    assert world.result(central.drop_dead_letters(LANE, ())) == 1
    assert world.result(central.list_dead_letters(None, None, None)).items == ()


def test_an_address_that_is_not_allowed_is_refused(world: World) -> None:
    world.notifications.refused = "not on the allow-list"
    with pytest.raises(InvalidValue, match="allow-list"):
        subscribe(world, "job")
    world.notifications.refused = None
    with pytest.raises(InvalidValue, match="Duration"):
        world.result(world.central.subscribe("job", ALL, Endpoint(LANE), None, (), 0))


def test_an_accepted_job_survives_a_crash_with_its_secrets(world: World) -> None:
    job_id = world.submit()
    world.fails()
    world.restart()
    assert world.central.list_jobs() == (job_id,)
    assert world.transfers.launched == []
    world.advance(10)
    assert world.transfers.launched[0].password == "geheim"


def test_sessions_of_a_crashed_daemon_are_adopted(world: World) -> None:
    subscribe(world, "session")
    world.submit()
    session_id = world.session_id
    world.central.runner.session_launched(session_id, 4711)
    world.says(M.SESSION)
    order_of_it = world.transfers.launched[0]
    world.restart()
    assert world.transfers.adopted == [(session_id, 4711)]
    world.transfers.launched.append(order_of_it)
    world.says(M.SESSION)
    world.completes()
    assert world.result(world.central.query_session(session_id)).status == "completed"
    assert world.topics(LANE) == ["session Started", "session Stopped"]


def test_a_session_whose_process_is_gone_is_orphaned_and_its_job_goes_on_at_once(world: World) -> None:
    job_id = world.submit(retries=0)
    session_id = world.session_id
    order_of_it = world.transfers.launched[0]
    world.restart()
    world.transfers.launched.append(order_of_it)
    world.ends(never_connected=True)
    assert world.result(world.central.query_session(session_id)).status == "orphaned"
    assert world.session_id != session_id
    assert world.central.list_jobs() == (job_id,)


def test_a_job_cancelled_before_a_crash_stays_cancelled(world: World) -> None:
    job_id = world.submit()
    world.result(world.central.cancel_job(job_id))
    order_of_it = world.transfers.launched[0]
    world.restart()
    world.transfers.launched.append(order_of_it)
    assert world.transfers.cancelled == [world.session_id]
    world.ends(never_connected=True)
    assert world.central.list_jobs() == ()


def test_subscriptions_and_undelivered_events_survive_a_crash(world: World) -> None:
    subscribe(world, "job")
    world.submit()
    before = world.topics(LANE)
    world.restart()
    assert world.topics(LANE) == before
    world.submit()
    assert len(world.topics(LANE)) == 2 * len(before)


def test_no_secret_is_readable_in_the_store(world: World) -> None:
    subscribe(world, "job")
    world.submit()
    world.store.close()
    everything = b"".join(path.read_bytes() for path in world.folder.glob("store.db*"))
    assert b"127.0.0.1" in everything
    assert b"geheim" not in everything
    world.restart()
    world.transfers.launched = []


def test_an_ended_jobs_secrets_leave_the_store(world: World) -> None:
    world.submit()
    sealed = "select sealed from jobs"
    connection = sqlite3.connect(world.folder / "store.db")
    assert connection.execute(sealed).fetchone()[0]
    world.completes()
    assert connection.execute(sealed).fetchone()[0] is None
    connection.close()


def test_an_order_that_cannot_be_written_is_refused_and_forgotten(world: World) -> None:
    blocker = sqlite3.connect(world.folder / "store.db", isolation_level=None)
    blocker.execute("drop table jobs")
    with pytest.raises(JobSubmissionError):
        world.result(world.central.submit("Aspera.IScpTransfer", order()))
    assert world.central.list_jobs() == ()
    blocker.close()


def test_old_sessions_are_forgotten(world: World) -> None:
    job_id = world.submit()
    world.completes()
    session_id = world.session_id
    world.advance(100)
    assert world.result(world.central.purge(50)) == 1
    with pytest.raises(SessionNotFound):
        world.result(world.central.query_session(session_id))
    with pytest.raises(JobNotFound):
        world.result(world.central.query_job(job_id))


def test_counters_are_written_every_few_seconds_without_being_events(world: World) -> None:
    world.submit()
    world.says(M.STATS, TransferBytes=77)
    world.advance(6)
    world.restart()
    record = world.result(world.central.query_session(world.transfers.adopted[0][0]))
    assert record.bytes_transferred == 77


def test_a_stop_writes_the_counters_and_launches_nothing_more(world: World) -> None:
    world.submit()
    world.says(M.STATS, TransferBytes=78)
    stopped = world.central.stop()
    world.result(stopped)
    world.result(world.central.submit("Aspera.IScpTransfer", order()))
    world.settle()
    assert len(world.transfers.launched) == 1
    world.restart()
    assert world.result(world.central.query_session(world.transfers.adopted[0][0])).bytes_transferred == 78
    assert len(world.transfers.launched) == 1


def test_a_session_left_open_by_a_job_that_is_gone_is_closed_at_the_start(world: World) -> None:
    world.submit()
    world.store.close()
    raw = sqlite3.connect(world.folder / "store.db")
    raw.execute("update jobs set ended = 1, state = 'completed'")
    raw.commit()
    raw.close()
    session_id = world.session_id
    world.restart()
    assert world.central.list_sessions() == ()
    assert world.result(world.central.query_session(session_id)).status == "orphaned"


def test_a_job_cancelled_before_its_process_starts_starts_none(world: World) -> None:
    accepted = world.central.submit("Aspera.IScpTransfer", order())
    job_id = world.result(accepted).id
    world.clock.advance(0)
    world.central.cancel_job(job_id)
    world.settle()
    assert world.transfers.launched == []
    assert world.central.list_jobs() == ()


def test_words_about_unknown_sessions_change_nothing(world: World) -> None:
    world.submit()
    world.central.runner.session_message("nobody", Message(M.DONE, {}))
    world.central.runner.session_launched("nobody", 1)
    world.central.runner.session_ended("nobody", SessionEnding(0, None, True, False, False))
    assert len(world.central.list_sessions()) == 1


def test_resuming_what_is_not_paused_changes_nothing(world: World) -> None:
    job_id = world.submit()
    world.says(M.SESSION, Rate=5000)
    world.result(world.central.resume_job(job_id))
    world.result(world.central.resume_session(world.session_id))
    assert world.transfers.commands == []
    world.result(world.central.pause_session(world.session_id))
    world.result(world.central.pause_session(world.session_id))
    world.says(M.NOTIFICATION, Rate=0)
    world.result(world.central.resume_session(world.session_id))
    assert world.transfers.commands[-1] == (world.session_id, {"target_rate": 5000})


def test_a_process_without_a_word_and_without_a_signal_is_told_by_its_status(world: World) -> None:
    world.submit(retries=0)
    world.ends(exit_status=1)
    record = world.result(world.central.query_session(world.session_id))
    assert "status 1" in record.error_description
    world.submit(retries=0)
    world.ends()
    record = world.result(world.central.query_session(world.session_id))
    assert record.error_description == "the transfer process was lost"


def test_elements_that_are_unknown_are_named_in_the_log(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    extra = "<Fancy>1</Fancy><FileParameters><FileChecksum>md5</FileChecksum></FileParameters>"
    world.result(world.central.submit("Aspera.IScpTransfer", order().replace("</Order>", extra + "</Order>")))
    assert "Fancy is unknown" in caplog.text
    assert "FileChecksum" not in caplog.text
    assert "geheim" not in caplog.text


def test_rates_in_percent_are_of_the_links_capacity_and_caps_bound_them(world: World) -> None:
    rates = (
        "<LinkParameters><LocalCapacity>80000</LocalCapacity></LinkParameters><RateParameters><TargetRate>50</TargetRate>"
        "<TargetRateAsPercent>Yes</TargetRateAsPercent><MinimumRate>10</MinimumRate>"
        "<MinimumRateAsPercent>Yes</MinimumRateAsPercent><BandwidthCap>60000</BandwidthCap></RateParameters>"
    )
    text = order().replace("<RateParameters><TargetRate>5000</TargetRate></RateParameters>", rates)
    world.result(world.central.submit("Aspera.IScpTransfer", text))
    world.settle()
    launched = world.transfers.launched[0]
    assert (launched.target_rate, launched.minimum_rate) == (30_000, 6_000)
    record = world.result(world.central.query_session(launched.user_str))
    assert record.bandwidth_cap == 60_000


def test_root_paths_are_put_before_paths(world: World) -> None:
    text = order().replace("<Files><Path>/in</Path>", "<Files><RootPath>/r</RootPath><Path>/in</Path>")
    text = text.replace("<LocalLocation>", "<LocalLocation><RootPath>/l</RootPath>")
    world.result(world.central.submit("Aspera.IScpTransfer", text))
    world.settle()
    assert (world.transfers.launched[0].sources, world.transfers.launched[0].destination) == (
        ("/l/data/a",),
        "/r/in",
    )


def test_counters_that_found_no_room_are_written_later(tmp_path: Path) -> None:
    world = World(tmp_path, store_options=StoreOptions(buffer_capacity=1, drop_overrun=True))
    world.submit()
    world.says(M.STATS, TransferBytes=77)
    world.store._buffer.admit(1)
    persisted = dict(world.central._table._persisted)
    world.advance(6)
    assert world.central._table._persisted == persisted
    world.store._buffer.release(1)
    world.advance(6)
    world.restart()
    record = world.result(world.central.query_session(world.transfers.adopted[0][0]))
    assert record.bytes_transferred == 77
    world.close()
