"""zeep, from the WSDL as served, walks every operation of every service."""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from typing import Any

import pytest
import zeep
from zeep.exceptions import Fault

from asperacentral.central.model import RateChange
from tests.soap.conftest import Server
from tests.soap.memory_central import JOB, SESSION
from tests.soap.test_wsdl import OPERATIONS

ORDER = "<Order><Operation>Push</Operation></Order>"
OBSERVER = {"Address": "http://127.0.0.1:9/", "Action": "act"}
TOPICS = {"Topic": ["Started"]}

ARGUMENTS: dict[str, dict[str, Any]] = {
    "ListTypes": {},
    "Submit": {"Type": "Aspera.IScpTransfer", "Definition": ORDER},
    "ListJobs": {},
    "ListSessions": {},
    "ListDeadLetters": {"Observer": OBSERVER["Address"], "MaxResults": 5},
    "ReplayDeadLetters": {"ID": [7, 9]},
    "DropDeadLetters": {},
    "QueryJob": {"JobID": JOB},
    "CancelJob": {"JobID": JOB},
    "QuerySession": {"SessionID": SESSION},
    "CancelSession": {"SessionID": SESSION},
    "SetPolicy": {"SessionID": SESSION, "Policy": "fair"},
    "SetTargetRate": {"SessionID": SESSION, "TargetRate": 5},
    "SetMinimumRate": {"SessionID": SESSION, "MinimumRate": 5},
    "SetBandwidthCap": {"SessionID": SESSION, "BandwidthCap": 5},
    "SetRateParameters": {
        "SessionID": SESSION,
        "RateParameters": {"Policy": "low", "TargetRate": 1, "MinimumRate": 2, "BandwidthCap": 3},
    },
}
BY_SERVICE: dict[str, dict[str, dict[str, Any]]] = {
    "IScpTransfer.wsdl": {
        name: {"JobID": JOB} for name in ("Cancel", "Pause", "Resume")
    } | {"Subscribe": {"JobID": "0", "JobObserver": OBSERVER, "Topics": TOPICS, "Duration": 60}},
    "FASPSession.wsdl": {
        name: {"SessionID": SESSION} for name in ("Cancel", "Pause", "Resume")
    } | {"Subscribe": {"SessionID": "0", "SessionObserver": OBSERVER, "Topics": TOPICS, "Duration": 60}},
}  # fmt: skip
ORDERLY = ("Pause", "Resume", "Subscribe", "UpdateSubscription", "Unsubscribe")


@pytest.fixture
def clients(server: Server) -> Any:
    def client(address: str) -> Any:
        return zeep.Client(f"{server.address}{address}").service

    return client


def arguments(wsdl: str, name: str) -> dict[str, Any]:
    special = BY_SERVICE.get(wsdl, {})
    if name in special:
        return special[name]
    if name in ARGUMENTS:
        return ARGUMENTS[name]
    if name == "UpdateSubscription":
        kind = "job" if wsdl == "IScpTransfer.wsdl" else "session"
        return {"SubscriptionID": f"{kind}-subscription-1", "Topics": {"Topic": ["Error"]}, "Duration": 90}
    if name == "Unsubscribe":
        kind = "job" if wsdl == "IScpTransfer.wsdl" else "session"
        return {"SubscriptionID": f"{kind}-subscription-1"}
    key = "SessionFilter" if name.startswith("GetSession") else "FileTransferFilter"
    return {key: {"JobId": [JOB], "MaxResults": 5}}


@pytest.mark.parametrize("wsdl", OPERATIONS)
def test_every_operation_of_a_service_can_be_called(server: Server, clients: Any, wsdl: str) -> None:
    service = clients(f"/console/services/soap/{wsdl}")
    names = [name for name, *_ in OPERATIONS[wsdl]]
    for name in sorted(names, key=lambda each: ORDERLY.index(each) if each in ORDERLY else -1):
        service[name](**arguments(wsdl, name))
    assert not server.central.subscriptions


@pytest.mark.parametrize(
    "name",
    [
        "JobNET-200601",
        "IScpTransferNET-200604",
        "FASPSessionNET-200601",
        "FASPSessionNET-200911",
        "Transfer-201210",
    ],
)
def test_every_endpoint_serves_a_wsdl_that_leads_back_to_it(server: Server, name: str) -> None:
    client = zeep.Client(f"{server.address}/services/soap/{name}?wsdl")
    (service,) = client.wsdl.services.values()
    (port,) = service.ports.values()
    assert port.binding_options["address"] == f"{server.address}/services/soap/{name}"


def test_a_client_reads_what_central_said(clients: Any) -> None:
    transfer = clients("/services/soap/Transfer-201210?wsdl")
    submitted = transfer.Submit(Type="Aspera.IScpTransfer", Definition=ORDER)
    assert (submitted.Type, submitted.ID) == ("Aspera.IScpTransfer", "job-1")
    assert transfer.ListJobs() == [JOB, "job-1"]
    info = transfer.GetSessionInfo({"SessionUUID": [SESSION]})
    assert (info.ResultCount, info.RemainingResultCount, info.IterationToken) == (1, 0, "position-1")
    (session,) = info.SessionInfo
    assert (session.UUID, session.Status, session.BytesTransferred) == (SESSION, "running", 1_500_000_000)
    assert session.StartDate.isoformat() == "2026-11-18T11:06:40+00:00"
    job = clients("/services/soap/IScpTransferNET-200604?wsdl").QueryJob(JOB)
    assert job.Order.LocalLocation.Files.Path == ["/out/a.bin", "/out/ö.bin"]
    assert job.Order.RemoteLocation.System.Password is None


def test_dead_letters_are_listed_replayed_and_dropped(server: Server, clients: Any) -> None:
    jobs = clients("/services/soap/IScpTransferNET-200604?wsdl")
    first = jobs.ListDeadLetters(MaxResults=2)
    assert ([letter.ID for letter in first.DeadLetter], first.RemainingResultCount) == ([7, 9], 1)
    assert first.DeadLetter[0].Reason == "not delivered within 24 hours"
    (last,) = jobs.ListDeadLetters(AfterID=9).DeadLetter
    assert (last.ID, last.Kind, last.Topic, last.Subject, last.Attempts) == (
        12,
        "session",
        "Error",
        SESSION,
        290,
    )
    assert last.Time.isoformat() == "2026-11-17T07:20:00+00:00"
    assert jobs.ReplayDeadLetters(Observer=last.Observer) == 1
    assert jobs.ReplayDeadLetters(ID=[9, 10]) == 1
    assert jobs.DropDeadLetters(Observer=" ") == 1
    assert jobs.ListDeadLetters().DeadLetter == []
    assert server.central.dead_letters == []


def test_rates_reach_central_as_given(server: Server, clients: Any) -> None:
    transfer = clients("/services/soap/Transfer-201210?wsdl")
    transfer.SetTargetRate(SESSION, 0)
    transfer.SetRateParameters(**ARGUMENTS["SetRateParameters"])
    assert server.central.changes == [
        (SESSION, RateChange(target_rate=0)),
        (SESSION, RateChange("low", 1, 2, 3)),
    ]
    assert transfer.GetSessionInfo({"SessionUUID": [SESSION]}).SessionInfo[0].TargetRate == 1


@pytest.mark.parametrize(
    ("call", "detail", "value"),
    [
        (lambda service: service.Submit("x", ORDER), "JobTypeNotFoundFaultType", "x"),
        (
            lambda service: service.Submit("Aspera.IScpTransfer", "<Order/>"),
            "JobFormatInvalidFaultType",
            "Order/Operation: is missing",
        ),
        (lambda service: service.CancelJob("x"), "JobNotFoundFaultType", "x"),
        (lambda service: service.CancelSession("x"), "SessionNotFoundFaultType", "x"),
        (
            lambda service: service.GetInfo({"IterationToken": "other filter"}),
            "FilterChangedErrorFaultElement",
            None,
        ),
    ],
)
def test_typed_faults_carry_the_contract_s_detail(clients: Any, call: Any, detail: str, value: Any) -> None:
    with pytest.raises(Fault) as raised:
        call(clients("/services/soap/Transfer-201210?wsdl"))
    (element,) = raised.value.detail
    assert element.tag.rpartition("}")[2] == detail
    assert [child.text for child in element] == ([] if value is None else [value])


def test_a_client_built_from_the_files_on_disk_works_too(server: Server) -> None:
    from asperacentral.soap.contract_files import contract_path

    client = zeep.Client(str(contract_path("Job.wsdl")))
    address = f"{server.address}/services/soap/JobNET-200601"
    binding = next(iter(client.wsdl.bindings))
    assert client.create_service(binding, address).ListTypes() == ["Aspera.IScpTransfer"]
