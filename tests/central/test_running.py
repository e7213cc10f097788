"""From a submitted order to its end: sessions, retries, files and counters."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from asperacentral.central.errors import (
    JobFormatInvalid,
    JobNotFound,
    JobSubmissionError,
    JobTypeNotFound,
    SessionNotFound,
)
from asperacentral.central.gathering import GATHER_TIME
from asperacentral.central.query import FileTransferFilter
from asperacentral.fasp.management import Message
from asperacentral.fasp.management import MessageType as M
from asperacentral.fasp.manager import SessionEnding
from asperacentral.store.store import StoreOptions
from tests.central.world import LANE, World, order, subscribe


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
