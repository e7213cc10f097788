"""The client against answers as they are on the wire, and against what is no daemon at all."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from asperacentral.commands.client import CentralClient, CentralProblem, NotReachable, Refused

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


@pytest.fixture
def daemon() -> Iterator[Canned]:
    with canned() as shared:
        yield shared


def test_submit_sends_the_order_as_text_and_gives_the_id(daemon: Canned) -> None:
    daemon.on(
        "Submit",
        envelope(
            f'<j:SubmitResponse xmlns:j="{JOB_NET}"><JobResult><j:Type>Aspera.IScpTransfer</j:Type><j:ID>j1</j:ID>'
            "</JobResult></j:SubmitResponse>"
        ),
    )
    assert CentralClient(daemon.url).submit("<Order>\n<a/> ü</Order>") == "j1"
    ((_, path, body),) = daemon.asked
    assert path == "/services/soap/JobNET-200601"
    assert "&lt;Order&gt;" in body
    assert "ü" in body


def test_jobs_are_listed_also_when_there_are_none(daemon: Canned) -> None:
    daemon.on("ListJobs", job_list("j1", "j2"), job_list())
    client = CentralClient(daemon.url + "/")
    assert client.list_jobs() == ["j1", "j2"]
    assert client.list_jobs() == []


def test_all_pages_of_sessions_are_fetched_and_put_in_order(daemon: Canned) -> None:
    late = session_info("s2", "j1", "running", attempt=1, start="2026-01-01T00:00:09Z")
    early = session_info("s1", "j1", "willretry", ErrorCode=16, ErrorDescription="lost", Elapsed=1_500_000)
    daemon.on("GetSessionInfo", session_infos(late, remaining=1, token="t7"), session_infos(early))
    first, second = CentralClient(daemon.url).sessions(["j1"])
    assert (first.id, first.status, first.error, first.elapsed) == ("s1", "willretry", "16 lost", 1.5)
    assert (second.id, second.attempt) == ("s2", 2)
    assert "<IterationToken>t7</IterationToken>" in daemon.bodies("GetSessionInfo")[1]
    assert "<JobId>j1</JobId>" in daemon.bodies("GetSessionInfo")[1]


def test_no_jobs_means_no_question_and_no_filter_means_all(daemon: Canned) -> None:
    daemon.on("GetSessionInfo", session_infos())
    client = CentralClient(daemon.url)
    assert client.sessions([]) == []
    assert daemon.asked == []
    assert client.sessions() == []
    assert "JobId" not in daemon.bodies("GetSessionInfo")[0]


def test_jobs_and_sessions_are_paused_resumed_and_cancelled_at_their_own_services(daemon: Canned) -> None:
    for name in ("Pause", "Resume", "Cancel"):
        daemon.on(name, empty(name), empty(name, SESSIONS))
    client = CentralClient(daemon.url)
    for act in ("pause", "resume", "cancel"):
        getattr(client, f"{act}_job")("j1")
        getattr(client, f"{act}_session")("s1")
    assert [path.rpartition("/")[2] for _, path, _ in daemon.asked] == [
        "IScpTransferNET-200604",
        "FASPSessionNET-200601",
    ] * 3
    assert "<JobID>j1</JobID>" in daemon.asked[0][2]
    assert "<SessionID>s1</SessionID>" in daemon.asked[1][2]


def test_only_what_is_given_is_changed(daemon: Canned) -> None:
    for name in ("SetPolicy", "SetTargetRate", "SetMinimumRate"):
        daemon.on(name, empty(name, SESSIONS))
    client = CentralClient(daemon.url)
    client.set_rate("s1", 0, None, None)
    client.set_rate("s1", 5, 3, "fair")
    assert [name for name, _, _ in daemon.asked] == [
        "SetTargetRate",
        "SetPolicy",
        "SetTargetRate",
        "SetMinimumRate",
    ]
    assert "<TargetRate>0</TargetRate>" in daemon.asked[0][2]


@pytest.mark.parametrize(("kind", "name", "space"), [("job", "Job", JOBS), ("session", "Session", SESSIONS)])
def test_subscriptions_are_made_renewed_and_ended(daemon: Canned, kind: str, name: str, space: str) -> None:
    for operation in ("Subscribe", "UpdateSubscription", "Unsubscribe"):
        daemon.on(operation, subscription_resource(operation, space))
    client = CentralClient(daemon.url)
    assert client.subscribe(kind, "http://127.0.0.1:9/x", 60, ("Started",)) == "sub-Subscribe"
    client.renew(kind, "sub", 120)
    client.unsubscribe(kind, "sub")
    asked = daemon.bodies("Subscribe")[0]
    assert f"<{name}ID>0</{name}ID>" in asked
    assert "Started</" in asked
    assert "<Duration>120</Duration>" in daemon.bodies("UpdateSubscription")[0]
    assert "<SubscriptionID>sub</SubscriptionID>" in daemon.bodies("Unsubscribe")[0]


@pytest.mark.parametrize(
    ("detail", "text"),
    [
        (
            f'<n:JobNotFoundFaultType xmlns:n="{JOBS}"><n:JobID>j9</n:JobID></n:JobNotFoundFaultType>',
            "no job 'j9'",
        ),
        (
            f'<n:JobFormatInvalidFaultType xmlns:n="{JOB_NET}"><n:Detail>Operation:\n missing</n:Detail>'
            "</n:JobFormatInvalidFaultType>",
            "the order is not valid: Operation: missing",
        ),
        ("<Strange>thing</Strange>", "it did not work thing"),
        ("", "it did not work"),
    ],
)
def test_a_fault_is_told_in_one_line_with_its_detail(daemon: Canned, detail: str, text: str) -> None:
    daemon.on("QueryJob", fault(detail), status=500)
    with pytest.raises(Refused) as caught:
        CentralClient(daemon.url).job_session("j9")
    assert str(caught.value) == text


def test_the_job_details_may_lack_most_of_the_order(daemon: Canned) -> None:
    daemon.on("QueryJob", job_details("j1", "s1"))
    assert CentralClient(daemon.url).job_session("j1") == "s1"


def test_a_daemon_that_is_not_there_is_told_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(NotReachable, match="start one with: asperacentral"):
        CentralClient(url).list_jobs()


def test_a_daemon_that_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(NotReachable, match=r"did not answer within 0\.2 s"):
            CentralClient(url, timeout=0.2).list_jobs()


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (404, b"nothing", "not a daemon of ours"),
        (200, b"<html><body>hello</body></html>", "makes no sense"),
        (200, b"hello", "not a daemon of ours"),
    ],
)
def test_something_else_at_the_address_is_told(daemon: Canned, status: int, body: bytes, reason: str) -> None:
    daemon.on("ListJobs", body, status=status)
    with pytest.raises(CentralProblem, match=reason) as caught:
        CentralClient(daemon.url).list_jobs()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "127.0.0.1:40001", "ftp://host", "http://"])
def test_an_address_that_is_none_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(CentralProblem, match="http://127"):
        CentralClient(url)


def test_text_that_xml_cannot_hold_is_refused_before_it_is_sent(daemon: Canned) -> None:
    with pytest.raises(CentralProblem, match="cannot be sent"):
        CentralClient(daemon.url).submit("<Order>\x01</Order>")
    assert daemon.asked == []


def test_an_installation_without_the_contract_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("asperacentral.soap.contract_files.files", lambda package: tmp_path / package)
    with pytest.raises(CentralProblem, match="installation is incomplete"):
        CentralClient("http://127.0.0.1:9").list_jobs()
