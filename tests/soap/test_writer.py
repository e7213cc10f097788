"""Compiled writers: what is written for which value, what is kept, and how much faster than spyne's own."""

# mypy: disable-error-code="misc,untyped-decorator"

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from asperacentral.central.model import FileRecord, SessionRecord
from asperacentral.soap.faspsession200911 import Batch
from asperacentral.soap.faults import envelope
from asperacentral.soap.models import faspsession200601, faspsession200911
from asperacentral.soap.spyne_names import Application, MethodContext, ServerBase, ServiceBase, Soap11, rpc
from asperacentral.soap.text import boolean, bounded, date_time, decimal, escape
from asperacentral.soap.writer import STEP, compile_message
from tests.soap.contract import NAMESPACES, assert_valid
from tests.soap.memory_central import MemoryCentral, session

INFO = compile_message("GetInfoResponse", faspsession200911.GetInfoResponse)
SESSION_INFO = compile_message("GetSessionInfoResponse", faspsession200911.GetSessionInfoResponse)
QUERY_SESSION = compile_message("QuerySessionResponse", faspsession200601.QuerySessionResponse)


def batch(*sessions: SessionRecord, files: tuple[FileRecord, ...] = ()) -> Batch:
    return Batch(len(sessions) + len(files), 0, "t", sessions, files)


@pytest.mark.parametrize(
    ("given_value", "written"),
    [
        ("plain", "plain"),
        (None, ""),
        ("", ""),
        ("a & b < c > d", "a &amp; b &lt; c &gt; d"),
        ("line\r\nbreak\ttab", "line&#13;\nbreak\ttab"),
        ("\x00\x0b\x1f\ud800\ufffe\uffff", "\ufffd" * 6),
        ("100 %s %(x)s", "100 %s %(x)s"),
    ],
)
def test_text_is_escaped(given_value: str | None, written: str) -> None:
    assert escape(given_value) == written


def test_numbers_stay_within_their_types() -> None:
    byte = bounded(0, 255)
    assert [byte(value) for value in (None, -1, 0, 7, 255, 256, 10**30)] == [0, 0, 0, 7, 255, 255, 255]
    assert bounded(-5, 5)(-9) == -5
    assert (boolean(True), boolean(None), decimal(None), decimal(0.5)) == ("true", "false", "0.0", "0.5")


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_795_000_000.123, "2026-11-18T11:06:40.123Z"),
        (1_795_000_000.9996, "2026-11-18T11:06:40.999Z"),
        (None, "1970-01-01T00:00:00.000Z"),
    ],
)
def test_dates_are_utc_with_milliseconds(seconds: float | None, written: str) -> None:
    assert date_time(seconds) == written


TEXT = st.text(max_size=20)
SESSIONS = st.builds(
    SessionRecord,
    id=TEXT,
    start_date=st.floats(0, 4e9),
    job_id=st.none() | TEXT,
    status=TEXT,
    error_code=st.integers(),
    error_description=TEXT,
    bytes_written=st.integers(),
    elapsed=st.integers(),
    rate_info=st.none() | TEXT,
    end_date=st.none() | st.floats(0, 4e9),
    cookie=st.none() | TEXT,
    direction=st.sampled_from(["incoming", "outgoing", "?"]),
    server_address=st.none() | TEXT,
    server_ssh_port=st.integers(),
    job_retry_count=st.integers(),
    vlink_id=st.none() | st.integers(),
)


@given(SESSIONS)
def test_any_session_gives_a_valid_answer(record: SessionRecord) -> None:
    assert_valid(envelope(NAMESPACES["fasp09"], SESSION_INFO(batch(record))))
    assert_valid(envelope(NAMESPACES["fasp06"], QUERY_SESSION(record)))


def test_absent_values_of_optional_elements_are_left_out_and_tokens_never_shown() -> None:
    bare = SessionRecord(id="s", start_date=0)
    written = assert_valid(envelope(NAMESPACES["fasp09"], SESSION_INFO(batch(bare))))
    names = {str(element.tag) for element in written.iter()}
    assert not names & {"JobId", "RateInfo", "EndDate", "Token", "Cookie", "VLinkId", "PrivateKey"}
    assert {"UUID", "User", "ClientEndpoint"} <= names


def test_push_and_pull_follow_the_direction() -> None:
    for direction, word in (("outgoing", b"Push"), ("incoming", b"Pull")):
        record = SessionRecord(id="s", start_date=0, direction=direction)
        assert b"<ns1:Operation>" + word + b"</ns1:Operation>" in QUERY_SESSION(record)


def test_sessions_come_before_files() -> None:
    central = MemoryCentral()
    written = INFO(batch(*central.sessions, files=tuple(central.files)))
    assert written.rfind(b"</SessionInfo>") < written.find(b"<FileTransferInfo>")


def test_a_fragment_is_kept_until_the_record_is_touched() -> None:
    record = session("s")
    first = SESSION_INFO(batch(record))
    assert record.fragments["SessionInfo"] in first
    record.bytes_written += 1
    assert SESSION_INFO(batch(record)) == first
    record.touched(1)
    assert SESSION_INFO(batch(record)) != first


def test_what_is_shown_of_one_record_is_not_kept_for_another_message() -> None:
    record = session("s")
    SESSION_INFO(batch(record))
    assert list(record.fragments) == ["SessionInfo"]
    QUERY_SESSION(record)
    assert list(record.fragments) == ["SessionInfo"]


@given(st.lists(SESSIONS, min_size=1, max_size=5))
def test_a_record_that_changes_again_and_again_is_written_as_one_that_never_did(
    states: list[SessionRecord],
) -> None:
    lasting = SessionRecord(id="", start_date=0)
    for change, state in enumerate(states):
        for name in SessionRecord.__slots__:
            if name not in ("fragments", "templates", "change"):
                setattr(lasting, name, getattr(state, name))
        for _ in range(2):
            lasting.touched(change)
            assert SESSION_INFO(batch(lasting)) == SESSION_INFO(batch(state))


def test_only_what_changes_often_is_written_anew() -> None:
    record = session("s")
    for elapsed in range(3):
        record.elapsed = elapsed
        record.touched(elapsed)
        assert f"<Elapsed>{elapsed}</Elapsed>".encode() in SESSION_INFO(batch(record))
    kept = record.templates["SessionInfo"]
    record.elapsed = 9
    record.touched(9)
    SESSION_INFO(batch(record))
    assert record.templates["SessionInfo"][1] is kept[1]
    record.user = "another 100%"
    record.touched(10)
    assert b"<User>another 100%</User>" in SESSION_INFO(batch(record))


def test_a_long_list_is_made_in_steps_and_shows_one_moment() -> None:
    records = [session(f"{number:036}") for number in range(3 * STEP)]
    at_once = SESSION_INFO(batch(*records))
    for record in records:
        record.touched(1)
    steps = SESSION_INFO.steps(batch(*records))
    next(steps)
    records[0].user = "later"
    records[-1].user = "later"
    for record in records:
        record.touched(2)
    pauses = 1
    while True:
        try:
            next(steps)
        except StopIteration as end:
            assert end.value == at_once
            break
        pauses += 1
    assert pauses == 3
    assert "SessionInfo" not in records[-1].fragments
    assert SESSION_INFO(batch(*records)).count(b"<User>later</User>") == 2


def test_a_list_is_written_at_least_ten_times_as_fast_as_by_spyne() -> None:
    records = [session(f"{number:036}") for number in range(100)]
    by_spyne = _SpyneWriter(records)

    def fresh() -> bytes:
        for record in records:
            record.touched(0)
        return SESSION_INFO(batch(*records))

    assert etree.fromstring(by_spyne.write()) is not None
    slow, compiled, kept = (
        _best(act) for act in (by_spyne.write, fresh, lambda: SESSION_INFO(batch(*records)))
    )
    assert slow / compiled > 10
    assert slow / kept > 100


def _best(act: Any) -> float:
    times = []
    for _ in range(5):
        started = time.process_time()
        act()
        times.append(time.process_time() - started)
    return min(times)


class _SpyneWriter:
    """spyne's own serializer, for the same models and the same values."""

    def __init__(self, records: list[SessionRecord]) -> None:
        models = faspsession200911

        class Service(ServiceBase):
            @rpc(_returns=models.SessionInfoResult)
            def Get(ctx: Any) -> Any:  # noqa: N805
                return None

        server = ServerBase(
            Application([Service], NAMESPACES["fasp09"], in_protocol=Soap11(), out_protocol=Soap11())
        )
        self._server = server
        members = {
            name: kind.Attributes.field
            for name, kind in models.SessionInfo.get_flat_type_info(models.SessionInfo).items()
            if kind.Attributes.field
        }
        infos = [
            models.SessionInfo(**{name: getattr(record, field) for name, field in members.items()})
            for record in records
        ]
        for info in infos:
            info.StartDate = datetime.fromtimestamp(info.StartDate, UTC)
        self._result = models.SessionInfoResult(
            ResultCount=len(infos), RemainingResultCount=0, IterationToken="t", SessionInfo=infos
        )
        self._descriptor = next(iter(server.app.interface.service_method_map.values()))[0]

    def write(self) -> bytes:
        ctx = MethodContext(self._server, MethodContext.SERVER)
        ctx.descriptor = self._descriptor
        ctx.out_object = [self._result]
        self._server.get_out_string(ctx)
        return b"".join(ctx.out_string)
