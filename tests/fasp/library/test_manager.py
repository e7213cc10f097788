"""The library with real processes that move nothing, from threads and from asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from asperacentral.fasp import (
    AsyncFaspManager,
    EventKind,
    FaspManager,
    JobOrder,
    JobState,
    LaunchError,
    Location,
    Program,
    RetryPolicy,
    TransferEvent,
    TransferParameters,
    UnknownJobError,
    messages,
)
from asperacentral.fasp.management import Decoder, LocalProtocolError, Message, encode
from asperacentral.fasp.messages import FileState, Identity, Progress, Rates
from tests.fasp.house import COMMAND

PROGRAM = Program(COMMAND, own=True)
SECONDS = 60


class Ear:
    """Listens, and lets the test wait."""

    def __init__(self) -> None:
        self.events: list[TransferEvent] = []
        self._news = threading.Condition()

    def __call__(self, event: TransferEvent) -> None:
        with self._news:
            self.events.append(event)
            self._news.notify_all()

    def until(self, wanted: Callable[[TransferEvent], bool] | EventKind) -> TransferEvent:
        def found() -> TransferEvent | None:
            for event in self.events:
                if event.kind is wanted if isinstance(wanted, EventKind) else wanted(event):
                    return event
            return None

        with self._news:
            assert self._news.wait_for(lambda: found() is not None, SECONDS), "no such event"
        event = found()
        assert event is not None
        return event

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]


@pytest.fixture
def manager() -> Iterator[FaspManager]:
    with FaspManager(program=PROGRAM) as manager:
        yield manager


def order(tmp_path: Path, manner: str, *, retries: int = 0, persistent: bool = False) -> JobOrder:
    near = Location.local() if persistent else Location.local(manner)
    far = Location.remote("far.example", str(tmp_path / "end"))
    how = TransferParameters(persistent=persistent)
    return JobOrder(near, far, how, RetryPolicy(retries, 0, 0))


def test_a_job_is_launched_told_and_waited_for(manager: FaspManager, tmp_path: Path) -> None:
    ear, everywhere = Ear(), Ear()
    manager.add_listener(everywhere)
    job = manager.launch_job(order(tmp_path, "finish"), ear)
    result = manager.wait(job, SECONDS)
    assert result.ok
    assert ear.kinds() == ["CONNECTING", "SESSION_START", "FILE_START", "FILE_STOP", "SESSION_STOP"]
    assert everywhere.kinds() == ear.kinds()
    assert result.statistics.files_complete == 1
    assert [file.name for file in manager.files(job)] == ["/a"]
    assert manager.state(job) is JobState.COMPLETED
    assert manager.job_ids() == (job,)
    manager.remove_job(job)
    assert manager.job_ids() == ()


def test_a_job_that_fails_tells_code_and_reason(manager: FaspManager, tmp_path: Path) -> None:
    result = manager.wait(manager.launch_job(order(tmp_path, "fail")), SECONDS)
    assert (result.state, result.code, result.description) == (JobState.FAILED, 19, "told to")


def test_a_session_that_ends_without_a_word_is_an_error_and_tried_again(
    manager: FaspManager, tmp_path: Path
) -> None:
    ear = Ear()
    result = manager.wait(manager.launch_job(order(tmp_path, "crash", retries=1), ear), SECONDS)
    assert result.attempts == 2
    assert ear.kinds() == 2 * ["CONNECTING", "SESSION_START", "SESSION_ERROR"]
    assert "signal 11" in result.description


def test_a_job_is_paused_changed_and_resumed_at_its_new_rate(manager: FaspManager, tmp_path: Path) -> None:
    ear = Ear()
    job = manager.launch_job(order(tmp_path, "wait"), ear)
    ear.until(EventKind.PROGRESS)
    assert manager.pause_job(job)
    ear.until(lambda event: event.message is not None and event.message.integer("Rate", -1) == 0)
    assert manager.control_job(job, target_rate=77)
    assert manager.resume_job(job)
    ear.until(lambda event: event.statistics.target_rate == 77)
    (tmp_path / "end").touch()
    assert manager.wait(job, SECONDS).ok
    for late in (manager.pause_job, manager.resume_job, manager.cancel_job):
        assert not late(job)
    assert not manager.control_job(job, target_rate=5)


def test_a_job_is_put_under_a_virtual_link(manager: FaspManager, tmp_path: Path) -> None:
    ear = Ear()
    job = manager.launch_job(order(tmp_path, "wait"), ear)
    ear.until(EventKind.PROGRESS)
    assert manager.set_virtual_link(job, 7, cap_out=500)
    told = ear.until(lambda event: event.message is not None and event.message.text("VLinkLocalId") == "7")
    assert told.message is not None
    assert told.message.integer("VLinkLocalCL") == 500
    for number, cap in ((0, 1), (256, 1), (7, -1)):
        with pytest.raises(LocalProtocolError):
            manager.set_virtual_link(job, number, cap_in=cap)
    (tmp_path / "end").touch()
    assert manager.wait(job, SECONDS).ok
    assert not manager.set_virtual_link(job, 7, on=False)


def test_a_job_is_cancelled(manager: FaspManager, tmp_path: Path) -> None:
    ear = Ear()
    job = manager.launch_job(order(tmp_path, "wait", retries=5), ear)
    ear.until(EventKind.PROGRESS)
    assert manager.cancel_job(job)
    result = manager.wait(job, SECONDS)
    assert (result.state, result.code) == (JobState.CANCELLED, 28)


def test_a_wrong_control_value_is_refused_and_not_remembered(manager: FaspManager, tmp_path: Path) -> None:
    job = manager.launch_job(order(tmp_path, "wait"))
    for wrong in ({"target_rate": -1}, {"policy": "fast"}):
        with pytest.raises(LocalProtocolError):
            manager.control_job(job, **wrong)


def test_an_unknown_job_and_a_second_one_of_the_same_id_are_refused(
    manager: FaspManager, tmp_path: Path
) -> None:
    for ask in (manager.pause_job, manager.statistics, manager.ended, manager.state, manager.remove_job):
        with pytest.raises(UnknownJobError, match="there is no job 'x'"):
            ask("x")
    wanted = order(tmp_path, "wait")
    job = manager.launch_job(wanted)
    with pytest.raises(LaunchError, match="exists already"):
        manager.launch_job(wanted)
    with pytest.raises(ValueError, match="has not ended"):
        manager.remove_job(job)


def test_a_program_that_is_not_there_is_a_launch_error(tmp_path: Path) -> None:
    with (
        FaspManager(program=Program.ascp(str(tmp_path / "ascp"))) as manager,
        pytest.raises(LaunchError, match="No such file"),
    ):
        manager.launch_job(order(tmp_path, "finish"))


def test_a_listener_may_steer_but_not_wait_and_its_mistakes_are_its_own(
    manager: FaspManager, tmp_path: Path
) -> None:
    told: list[BaseException] = []
    ear = Ear()

    def listener(event: TransferEvent) -> None:
        ear(event)
        if event.kind is EventKind.FILE_START:
            manager.cancel_job(event.job_id)
            try:
                manager.wait(event.job_id)
            except RuntimeError as error:
                told.append(error)
                raise

    job = manager.launch_job(order(tmp_path, "wait"), listener)
    assert manager.wait(job, SECONDS).state is JobState.CANCELLED
    assert "must not wait" in str(told[0])


def test_closing_cancels_what_runs_and_nothing_is_taken_after_it(tmp_path: Path) -> None:
    ear = Ear()
    with FaspManager(program=PROGRAM) as manager:
        job = manager.launch_job(order(tmp_path, "wait"), ear)
        ear.until(EventKind.PROGRESS)
        ended = manager.ended(job)
    assert ended.result(0).state is JobState.CANCELLED
    with pytest.raises(RuntimeError, match="closed"):
        manager.job_ids()


def test_a_persistent_job_takes_sources_until_it_is_locked(manager: FaspManager, tmp_path: Path) -> None:
    ear = Ear()
    job = manager.launch_job(order(tmp_path, "", persistent=True), ear)
    assert manager.add_source(job, "/early", "/x")
    ear.until(EventKind.ARG_STOP)
    assert manager.add_source(job, "/late", first_byte=5)
    assert manager.lock_job(job)
    try:
        assert not manager.add_source(job, "/too late")  # it has ended already
    except LocalProtocolError as error:
        assert "takes no START" in str(error)
    assert manager.wait(job, SECONDS).ok
    done = [
        event.message.text("Source") for event in ear.events if event.kind == "ARG_STOP" and event.message
    ]
    assert done == ["/early", "/late"]


def test_a_persistent_job_is_stopped_or_cancelled_at_once(manager: FaspManager, tmp_path: Path) -> None:
    jobs = [manager.launch_job(order(tmp_path, "", persistent=True)) for _ in range(2)]
    assert manager.stop_job(jobs[0])
    assert manager.cancel_job(jobs[1])
    assert [manager.wait(job, SECONDS).state for job in jobs] == [JobState.COMPLETED, JobState.CANCELLED]


def test_a_regular_job_takes_no_sources(manager: FaspManager, tmp_path: Path) -> None:
    job = manager.launch_job(order(tmp_path, "wait"))
    with pytest.raises(LocalProtocolError):
        manager.add_source(job, "/a")
    with pytest.raises(LocalProtocolError):
        manager.lock_job(job)


def test_sessions_of_others_are_heard_through_a_port_file(manager: FaspManager, tmp_path: Path) -> None:
    ear = Ear()
    manager.add_listener(ear)
    manager.listen_for_server_sessions(folder=tmp_path)
    (port_file,) = tmp_path.glob("*.optport")
    who = Identity(str(uuid.uuid4()), "theirs")
    with socket.create_connection(("127.0.0.1", int(port_file.read_text()))) as process:
        for message in (
            messages.init(who, direction=messages.RECEIVING),
            messages.session(who, direction=messages.RECEIVING, rates=Rates(9), negotiated={"Remote": True}),
            messages.stats(who, file=FileState("/in/a", 5, 3), progress=Progress(3, 3), rates=Rates(9)),
        ):
            process.sendall(encode(message))
        ear.until(EventKind.FILE_START)
        assert manager.control_job(who.session_id, target_rate=5)
        decoder = Decoder()
        said: list[Message] = []
        while not said:
            said = decoder.feed(process.recv(4096))
        assert (said[0].type, said[0].count("Rate")) == ("RATE", 5)
    ear.until(EventKind.SESSION_ERROR)
    assert ear.kinds() == ["CONNECTING", "SESSION_START", "FILE_START", "SESSION_ERROR"]
    assert manager.foreign_ids() == (who.session_id,)
    told = manager.statistics(who.session_id)
    assert (told.remote, told.transferred_bytes, told.direction) == (True, 3, "Receive")
    manager.listen_for_server_sessions(False)
    assert list(tmp_path.glob("*.optport")) == []


def test_jobs_are_run_and_waited_for_in_asyncio(tmp_path: Path) -> None:
    async def go() -> None:
        async with AsyncFaspManager(program=PROGRAM) as manager:
            kinds = [event.kind async for event in manager.run(order(tmp_path, "finish"))]
            assert kinds[0] == "CONNECTING"
            assert kinds[-1] == "SESSION_STOP"
            jobs = [await manager.launch_job(order(tmp_path, manner)) for manner in ("finish", "fail")]
            results = await asyncio.gather(*map(manager.wait, jobs))
            assert [result.ok for result in results] == [True, False]

    asyncio.run(asyncio.wait_for(go(), 2 * SECONDS))


def test_leaving_the_events_of_a_job_cancels_it(tmp_path: Path) -> None:
    async def go() -> JobState:
        async with AsyncFaspManager(program=PROGRAM) as manager:
            wanted = order(tmp_path, "wait")
            async with contextlib.aclosing(manager.run(wanted)) as events:
                async for event in events:
                    if event.kind is EventKind.FILE_START:
                        break
            return (await manager.wait(wanted.job_id)).state

    assert asyncio.run(asyncio.wait_for(go(), 2 * SECONDS)) is JobState.CANCELLED


def test_values_are_frozen(tmp_path: Path) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        order(tmp_path, "finish").job_id = "x"  # type: ignore[misc]
