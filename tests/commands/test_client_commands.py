"""The commands as a user calls them, against answers as they are on the wire."""

from __future__ import annotations

import argparse
import io
import socket
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from asperacentral.commands.client import CentralClient, CentralProblem, NotReachable
from asperacentral.commands.submit import read_order
from asperacentral.commands.subscribe import choose_subjects
from asperacentral.commands.terminal import Terminal
from asperacentral.commands.watch import watch

from .support import (
    JOB_NET,
    JOBS,
    SESSIONS,
    Canned,
    canned,
    empty,
    envelope,
    fault,
    job_details,
    job_list,
    session_info,
    session_infos,
    subscription_resource,
)

COMMANDS = (
    "submit",
    "jobs",
    "watch",
    "pause",
    "resume",
    "cancel",
    "rate",
    "subscribe",
    "deadletters",
    "node",
)
NO_JOB = fault(f'<n:JobNotFoundFaultType xmlns:n="{JOBS}"><n:JobID>j9</n:JobID></n:JobNotFoundFaultType>')


@pytest.fixture
def daemon() -> Iterator[Canned]:
    with canned() as shared:
        yield shared


def call(name: str, *arguments: str) -> int:
    module = import_module(f"asperacentral.commands.{name}")
    parser = argparse.ArgumentParser(prog=f"asperacentral {name}")
    module.add_arguments(parser)
    status: int = module.run(parser.parse_args(arguments))
    return status


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_an_example(name: str) -> None:
    module = import_module(f"asperacentral.commands.{name}")
    assert module.HELP and "\n" not in module.HELP
    assert f"asperacentral {name}" in module.DESCRIPTION
    assert max(map(len, module.DESCRIPTION.splitlines())) <= 120


@pytest.mark.parametrize(
    "arguments",
    [
        ("jobs",),
        ("watch", "j1"),
        ("pause", "j1"),
        ("resume", "j1"),
        ("cancel", "j1"),
        ("rate", "j1", "5"),
        ("subscribe",),
    ],
)
def test_without_a_daemon_each_says_what_to_do_and_fails(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    assert call(*arguments, "--url", url) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "start one with: asperacentral" in said.err
    assert len(said.err.splitlines()) == 1


def test_the_daemons_address_may_come_from_the_environment(
    daemon: Canned, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ASPERACENTRAL_URL", daemon.url)
    daemon.on("ListJobs", job_list())
    assert call("jobs") == 0
    assert capsys.readouterr().out.startswith("JOB ")


def test_submit_prints_the_id_and_nothing_else(
    daemon: Canned, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.on(
        "Submit",
        envelope(
            f'<j:SubmitResponse xmlns:j="{JOB_NET}"><JobResult><j:Type>Aspera.IScpTransfer</j:Type><j:ID>j1</j:ID>'
            "</JobResult></j:SubmitResponse>"
        ),
    )
    (tmp_path / "order.xml").write_text("<Order/>")
    assert call("submit", str(tmp_path / "order.xml"), "--url", daemon.url) == 0
    assert capsys.readouterr().out == "j1\n"


def test_submit_tells_what_is_wrong_with_the_order(
    daemon: Canned, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    detail = f'<n:JobFormatInvalidFaultType xmlns:n="{JOB_NET}"><n:Detail>Operation: missing</n:Detail>'
    daemon.on("Submit", fault(detail + "</n:JobFormatInvalidFaultType>"), status=500)
    (tmp_path / "order.xml").write_text("<Order/>")
    assert call("submit", str(tmp_path / "order.xml"), "--url", daemon.url) == 1
    assert capsys.readouterr().err == "asperacentral: the order is not valid: Operation: missing\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_an_order_is_read_whatever_its_encoding(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "order.xml").write_text("<Order>ü</Order>", encoding)
    assert read_order(str(tmp_path / "order.xml")) == "<Order>ü</Order>"


def test_an_order_may_come_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"<Order/>")))
    assert read_order("-") == "<Order/>"


def test_what_cannot_be_an_order_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    with pytest.raises(CentralProblem, match="No such file"):
        read_order(str(tmp_path / "absent"))
    (tmp_path / "latin").write_bytes(b"<Order>\xfc</Order>")
    with pytest.raises(CentralProblem, match="neither UTF-8"):
        read_order(str(tmp_path / "latin"))
    (tmp_path / "big").write_bytes(b" " * 1024 * 1024 + b" ")
    with pytest.raises(CentralProblem, match="no order"):
        read_order(str(tmp_path / "big"))


def test_jobs_lists_the_active_ones_and_with_all_the_ended_ones_first(
    daemon: Canned, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.on("ListJobs", job_list("j2", "j3"))
    daemon.on(
        "GetSessionInfo",
        session_infos(session_info("s1", "j1", "completed"), session_info("s2", "j2", "running", Cookie="c")),
    )
    assert call("jobs", "--url", daemon.url) == 0
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()] == [
        ["JOB", "STATE"],
        ["j2", "running"],
        ["j3", "waiting"],
    ]
    assert call("jobs", "--all", "--url", daemon.url) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["JOB", "j1", "j2", "j3"]


@pytest.mark.parametrize("name", ["pause", "resume", "cancel"])
def test_pause_resume_and_cancel_say_what_was_done(
    daemon: Canned, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    operation = name.capitalize()
    daemon.on(operation, empty(operation), empty(operation, SESSIONS), NO_JOB)
    assert call(name, "j1", "--url", daemon.url) == 0
    assert capsys.readouterr().out.endswith("d job j1\n")
    assert call(name, "s1", "--session", "--url", daemon.url) == 0
    assert capsys.readouterr().out.endswith("d session s1\n")
    assert call(name, "j9", "--url", daemon.url) == 1
    assert capsys.readouterr().err == "asperacentral: no job 'j9'\n"


def test_rate_changes_the_jobs_latest_session(daemon: Canned, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.on("QueryJob", job_details("j1", "s7"), job_details("j1", ""))
    daemon.on("SetTargetRate", empty("SetTargetRate", SESSIONS))
    assert call("rate", "j1", "5000", "--url", daemon.url) == 0
    assert capsys.readouterr().out == "changed session s7\n"
    assert "<SessionID>s7</SessionID>" in daemon.bodies("SetTargetRate")[0]
    assert call("rate", "j1", "5000", "--url", daemon.url) == 1
    assert "no session yet" in capsys.readouterr().err


def test_rate_without_anything_to_change_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("rate", "j1") == 2
    assert "--policy" in capsys.readouterr().err
    for wrong in ("-5", "fast", "99999999999"):
        with pytest.raises(SystemExit) as ended:
            call("rate", "j1", "--minimum", wrong)
        assert ended.value.code == 2


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def watched(daemon: Canned, job: str = "j1") -> tuple[int, list[str]]:
    out, time = io.StringIO(), Time()
    status = watch(CentralClient(daemon.url), job, Terminal(out, {}), time.clock, time.sleep)
    return status, out.getvalue().splitlines()


def test_watch_tells_the_sessions_and_ends_with_the_job(daemon: Canned) -> None:
    first = session_info("s1", "j1", "running", ExpectedByteCount=1000, BytesWritten=100)
    failed = session_info("s1", "j1", "willretry", ErrorCode=16, ErrorDescription="lost")
    done = session_info("s2", "j1", "completed", attempt=1, start="2026-01-01T00:00:05Z", BytesWritten=1000)
    daemon.on("QueryJob", job_details("j1", ""))
    daemon.on("ListJobs", *[job_list("j1")] * 3, job_list())
    daemon.on(
        "GetSessionInfo",
        session_infos(),
        session_infos(first),
        session_infos(failed),
        session_infos(failed, done),
    )
    status, lines = watched(daemon)
    assert status == 0
    assert lines == [
        "waiting for its first session",
        "session s1 started (attempt 1)",
        "██░░░░░░░░░░░░░░░░░░░░░░  10%  100 B of 1000 B  0 bit/s  0 files",
        "session s1 failed: error 16 lost; another will follow",
        "waiting for the next session, after attempt 1",
        "session s2 started (attempt 2)",
        "session s2 completed",
        "completed: 0 files, 1000 B, 2 sessions",
    ]


@pytest.mark.parametrize(("state", "status"), [("completed", 0), ("error", 1), ("cancelled", 3)])
def test_the_exit_status_of_watch_is_how_the_job_ended(daemon: Canned, state: str, status: int) -> None:
    daemon.on("QueryJob", job_details("j1", "s1"))
    daemon.on("ListJobs", job_list())
    daemon.on("GetSessionInfo", session_infos(session_info("s1", "j1", state)))
    assert watched(daemon)[0] == status


def test_watch_writes_a_plain_line_each_few_seconds_only(daemon: Canned) -> None:
    looks = [
        session_infos(session_info("s1", "j1", "running", BytesWritten=n, BytesTransferred=n))
        for n in range(11)
    ]
    daemon.on("QueryJob", job_details("j1", "s1"))
    daemon.on("ListJobs", *[job_list("j1")] * 11, job_list())
    daemon.on("GetSessionInfo", *looks, session_infos(session_info("s1", "j1", "completed")))
    _, lines = watched(daemon)
    assert [line.split("  ")[0] for line in lines[1:4]] == ["0 B", "5 B", "10 B"]


def test_watch_of_an_unknown_job_fails_in_one_line(
    daemon: Canned, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.on("QueryJob", NO_JOB, status=500)
    assert call("watch", "j9", "--url", daemon.url) == 1
    assert capsys.readouterr().err == "asperacentral: no job 'j9'\n"


class Absent(CentralClient):
    """A daemon that goes away after the first question, for `looks` looks."""

    def __init__(self, url: str, looks: int) -> None:
        super().__init__(url)
        self.looks = looks

    def list_jobs(self) -> list[str]:
        self.looks -= 1
        if self.looks >= 0:
            raise NotReachable("no daemon answers")
        return super().list_jobs()


def test_watch_waits_for_a_daemon_that_is_started_again_but_not_for_ever(daemon: Canned) -> None:
    daemon.on("QueryJob", job_details("j1", "s1"))
    daemon.on("ListJobs", job_list())
    daemon.on("GetSessionInfo", session_infos(session_info("s1", "j1", "completed")))
    out, time = io.StringIO(), Time()
    assert watch(Absent(daemon.url, 5), "j1", Terminal(out, {}), time.clock, time.sleep) == 0
    assert out.getvalue().splitlines()[:2] == ["no daemon answers (waiting for it)", "the daemon is back"]
    with pytest.raises(NotReachable):
        watch(Absent(daemon.url, 1000), "j1", Terminal(out, {}), time.clock, time.sleep)


def test_subscribe_takes_jobs_and_sessions_unless_told_otherwise() -> None:
    assert choose_subjects(False, False, None, None, ()) == {"job": ("0", ()), "session": ("0", ())}
    assert choose_subjects(True, False, None, None, ()) == {"job": ("0", ())}
    assert choose_subjects(False, False, None, "s1", ("statistics",)) == {"session": ("s1", ("Statistics",))}
    assert choose_subjects(False, True, "j1", None, ()) == {"job": ("j1", ()), "session": ("0", ())}


def test_subscribe_leaves_out_the_kind_that_has_none_of_the_topics() -> None:
    assert choose_subjects(False, False, None, None, ("Statistics",)) == {"session": ("0", ("Statistics",))}


def test_subscribe_to_unknown_topics_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("subscribe", "--topics", "Stattistics") == 2
    assert "the topics of a session are" in capsys.readouterr().err


def test_subscribe_ends_after_its_duration_and_unsubscribes(
    daemon: Canned, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.on("Subscribe", subscription_resource("Subscribe", JOBS))
    daemon.on("Unsubscribe", subscription_resource("Unsubscribe", JOBS))
    assert call("subscribe", "--jobs", "--duration", "1", "--url", daemon.url) == 0
    assert "subscribed; listening at http://127.0.0.1:" in capsys.readouterr().err
    assert "<SubscriptionID>sub-Subscribe</SubscriptionID>" in daemon.bodies("Unsubscribe")[0]


def test_subscribe_on_an_address_that_is_not_here_fails_in_one_line(
    daemon: Canned, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("subscribe", "--address", "192.0.2.1", "--url", daemon.url) == 1
    assert "cannot listen on 192.0.2.1" in capsys.readouterr().err
    assert daemon.asked == []


def dead_letters(*numbers: int, remaining: int = 0) -> bytes:
    letters = "".join(
        f"<DeadLetter><n:ID>{number}</n:ID><n:Observer>http://o/{number}</n:Observer><n:EventID>e</n:EventID>"
        "<n:Kind>job</n:Kind><n:Topic>Failed</n:Topic><n:Subject>j1</n:Subject><n:Time>2026-01-01T00:00:00Z</n:Time>"
        "<n:Attempts>3</n:Attempts><n:Reason>too old</n:Reason></DeadLetter>"
        for number in numbers
    )
    more = f"<RemainingResultCount>{remaining}</RemainingResultCount>"
    return envelope(
        f'<n:ListDeadLettersResponse xmlns:n="{JOBS}">{letters}{more}</n:ListDeadLettersResponse>'
    )


def counted(operation: str, count: int) -> bytes:
    return envelope(f'<n:{operation}Response xmlns:n="{JOBS}"><Count>{count}</Count></n:{operation}Response>')


def test_deadletters_lists_all_pages(daemon: Canned, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.on("ListDeadLetters", dead_letters(7, 9, remaining=1), dead_letters(12))
    assert call("deadletters", "--url", daemon.url) == 0
    head, first, *others = capsys.readouterr().out.splitlines()
    assert head.split() == ["ID", "WHEN", "EVENT", "SUBJECT", "TRIED", "OBSERVER", "REASON"]
    assert first == " 7  2026-01-01 00:00:00  job Failed  j1           3  http://o/7   too old"
    assert [line.split()[0] for line in others] == ["9", "12"]
    assert "<AfterID>9</AfterID>" in daemon.bodies("ListDeadLetters")[1]


def test_deadletters_replays_and_drops_what_it_is_told_to(
    daemon: Canned, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.on("ReplayDeadLetters", counted("ReplayDeadLetters", 2))
    daemon.on("DropDeadLetters", counted("DropDeadLetters", 1))
    assert call("deadletters", "replay", "--observer", "http://o/", "--url", daemon.url) == 0
    assert call("deadletters", "drop", "7", "9", "--url", daemon.url) == 0
    assert capsys.readouterr().out == "2 dead letters to be told again\n1 dead letter dropped\n"
    assert "<Observer>http://o/</Observer>" in daemon.bodies("ReplayDeadLetters")[0]
    assert "<ID>7</ID><ID>9</ID>" in daemon.bodies("DropDeadLetters")[0]


@pytest.mark.parametrize("action", ["replay", "drop"])
def test_deadletters_changes_nothing_without_being_told_which(
    daemon: Canned, capsys: pytest.CaptureFixture[str], action: str
) -> None:
    assert call("deadletters", action, "--url", daemon.url) == 1
    assert f"say which to {action}" in capsys.readouterr().err
    assert daemon.asked == []
