"""Every operation of every served WSDL, called by zeep with a live daemon and jobs that move, and every typed fault.

Operations and faults are read from the WSDL files: one that has no case here fails.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import pytest
import zeep
from lxml import etree
from zeep.exceptions import Fault

from asperacentral.commands.local import LocalDaemon
from asperacentral.commands.observer import Observer
from asperacentral.soap.contract_files import contract_path
from asperacentral.soap.site import ENDPOINTS
from tests.e2e.site import FarSide, Site, make_tree, order, until

WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
SLOW = 400
"""Kbps: the jobs are still under way when the tests are over."""


class World:
    """A daemon with a job that moves, one that has ended, and the clients of all its services."""

    def __init__(self, site: Site, far: FarSide, source: str, observer: str) -> None:
        self.site = site
        self.far = far
        self.source = source
        self.observer = observer
        self._clients: dict[str, Any] = {}
        self._folder = f"/{uuid.uuid4()}"
        self._orders = 0
        self.ended = self.submit(rate=1_000_000)
        self.site.finish(self.ended)

    @cached_property
    def job(self) -> str:
        """A job whose session moves."""
        return self.submit()

    @cached_property
    def session(self) -> str:
        """The session of `job`."""
        return self.site.transfer_process(self.job)[0]

    @property
    def new_job(self) -> str:
        """A job for one test alone, its session under way."""
        job = self.submit()
        self.site.transfer_process(job)
        return job

    @property
    def new_session(self) -> str:
        return self.site.transfer_process(self.submit())[0]

    def submit(self, rate: int = SLOW) -> str:
        return self.site.client.submit(self.definition(rate))

    def definition(self, rate: int = SLOW) -> str:
        self._orders += 1
        return order(self.far, "Push", [self.source], f"{self._folder}/{self._orders}", rate=rate, retries=0)

    def client(self, endpoint: str) -> Any:
        if endpoint not in self._clients:
            url = f"{self.site.daemon.url}/services/soap/{endpoint}?wsdl"
            self._clients[endpoint] = zeep.Client(url)
        return self._clients[endpoint]

    def subscription(self, kind: str, subject: str = "0") -> str:
        """A new subscription to jobs or sessions."""
        endpoint = "IScpTransferNET-200604" if kind == "Job" else "FASPSessionNET-200601"
        answer = self.client(endpoint).service.Subscribe(**self.subscribing(kind, subject))
        return str(answer.ID)

    def subscribing(self, kind: str, subject: str) -> dict[str, Any]:
        address = {"Address": self.observer, "Action": "notify"}
        return {
            f"{kind}ID": subject,
            "SubscriptionObserver": address,
            f"{kind}Observer": address,
            "Topics": {"Topic": ["Started"]},
            "Duration": 600,
        }


@pytest.fixture(scope="module")
def world(node: FarSide, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("conformance")
    make_tree(folder / "out", big=8 << 20, small=2)
    with LocalDaemon(folder / "central") as daemon, Observer() as observer:
        site = Site(daemon)
        yield World(site, node, str(folder / "out"), observer.url)
        for job in site.client.list_jobs():
            site.client.cancel_job(job)
        until(lambda: not site.client.list_jobs())


Arguments = dict[str, Any]
Case = tuple[Callable[[World], Arguments], Callable[[World, Any], object]]
"""The arguments of a call, and what must be true of its answer."""


def nothing(_: World) -> Arguments:
    return {}


def while_moving(world: World) -> Arguments:
    """No arguments, but there must be something to list."""
    assert world.session
    return {}


def empty(_: World, answer: Any) -> bool:
    return answer is None or not any(value for value in answer.__values__.values())


def about_job(world: World) -> Arguments:
    return {"JobID": world.job}


def about_session(world: World) -> Arguments:
    return {"SessionID": world.session}


def sessions(world: World) -> Arguments:
    return {"SessionFilter": {"JobId": [world.ended]}}


def files(world: World) -> Arguments:
    return {"FileTransferFilter": {"JobId": [world.ended]}}


def one_session(field: str) -> Callable[[World, Any], bool]:
    return lambda world, answer: (
        answer.ResultCount == 1 and [each.JobId for each in answer[field]] == [world.ended]
    )


def three_files(field: str) -> Callable[[World, Any], bool]:
    return lambda _, answer: answer.ResultCount == 3 and len({each.UUID for each in answer[field]}) == 3


def both(sessions_: str, files_: str) -> Callable[[World, Any], bool]:
    return lambda _, answer: (answer.ResultCount, len(answer[sessions_]), len(answer[files_])) == (4, 1, 3)


def subscribed(_: World, answer: Any) -> bool:
    return bool(answer.ID) and 0 < answer.TimeRemaining <= 600 and answer.Topics.Topic == ["Started"]


def submission(world: World) -> Arguments:
    return {"Type": "Aspera.IScpTransfer", "Definition": world.definition()}


def subscription_cases(kind: str, subject: Callable[[World], str]) -> dict[str, Case]:
    topics = "Error" if kind == "Session" else "Completed"
    return {
        "Subscribe": (lambda w: w.subscribing(kind, subject(w)), subscribed),
        "UpdateSubscription": (
            lambda w: {
                "SubscriptionID": w.subscription(kind),
                "Topics": {"Topic": [topics]},
                "Duration": 60,
            },
            lambda _, answer: set(answer.Topics.Topic) == {"Started", topics} and answer.TimeRemaining <= 60,
        ),
        "Unsubscribe": (
            lambda w: {"SubscriptionID": w.subscription(kind), "Topics": {"Topic": ["Started"]}},
            lambda _, answer: bool(answer.ID),
        ),
    }


RATES: dict[str, Case] = {
    "SetRateParameters": (
        lambda w: {
            "SessionID": w.session,
            "RateParameters": {"Policy": "fair", "TargetRate": SLOW, "MinimumRate": 10, "BandwidthCap": 0},
        },
        empty,
    ),
    "SetPolicy": (lambda w: {"SessionID": w.session, "Policy": "low"}, empty),
    "SetTargetRate": (lambda w: {"SessionID": w.session, "TargetRate": SLOW + 1}, empty),
    "SetMinimumRate": (lambda w: {"SessionID": w.session, "MinimumRate": 20}, empty),
    "SetBandwidthCap": (lambda w: {"SessionID": w.session, "BandwidthCap": 9_000}, empty),
}
QUERIES: dict[str, Case] = {
    "GetSessions": (sessions, one_session("SessionKey")),
    "GetSessionInfo": (sessions, one_session("SessionInfo")),
    "GetSessionStatistics": (sessions, one_session("SessionStatistics")),
    "GetFileTransfers": (files, three_files("FileTransferKey")),
    "GetFileTransferInfo": (files, three_files("FileTransferInfo")),
    "GetFileTransferStatistics": (files, three_files("FileTransferStatistics")),
    "GetInfo": (files, both("SessionInfo", "FileTransferInfo")),
    "GetStatistics": (files, both("SessionStatistics", "FileTransferStatistics")),
}
SUBMITTING: dict[str, Case] = {
    "ListTypes": (nothing, lambda _, answer: answer == ["Aspera.IScpTransfer"]),
    "Submit": (
        submission,
        lambda w, answer: answer.Type == "Aspera.IScpTransfer" and answer.ID in w.site.client.list_jobs(),
    ),
}
LIST_JOBS: Case = (while_moving, lambda w, answer: w.job in answer)
CANCEL_JOB: Case = (lambda w: {"JobID": w.new_job}, empty)
CANCEL_SESSION: Case = (lambda w: {"SessionID": w.new_session}, empty)

CASES: dict[str, dict[str, Case]] = {
    "JobNET-200601": SUBMITTING,
    "IScpTransferNET-200604": {
        **subscription_cases("Job", lambda w: w.job),
        "ListJobs": LIST_JOBS,
        "QueryJob": (
            about_job,
            lambda w, answer: (
                (answer.ID, answer.Order.Operation, answer.Order.RemoteLocation.System.Password)
                == (w.job, "Push", None)
            ),
        ),
        "Cancel": CANCEL_JOB,
        "Pause": (lambda w: {"JobID": w.new_job}, empty),
        "Resume": (about_job, empty),
        "ListDeadLetters": (nothing, lambda _, answer: answer.RemainingResultCount == 0),
        "ReplayDeadLetters": (lambda w: {"Observer": w.observer}, lambda _, answer: answer == 0),
        "DropDeadLetters": (lambda w: {"Observer": w.observer}, lambda _, answer: answer == 0),
    },
    "FASPSessionNET-200601": {
        **subscription_cases("Session", lambda w: w.session),
        **RATES,
        "ListSessions": (while_moving, lambda w, answer: w.session in answer),
        "QuerySession": (
            about_session,
            lambda w, answer: (answer.SessionID, answer.Operation.Operation) == (w.session, "Push"),
        ),
        "Cancel": CANCEL_SESSION,
        "Pause": (lambda w: {"SessionID": w.new_session}, empty),
        "Resume": (about_session, empty),
    },
    "FASPSessionNET-200911": QUERIES,
    "Transfer-201210": {
        **SUBMITTING,
        **RATES,
        **QUERIES,
        "ListJobs": LIST_JOBS,
        "CancelJob": CANCEL_JOB,
        "CancelSession": CANCEL_SESSION,
    },
}


def of_another_filter(world: World, operation: str) -> Arguments:
    """A token that a query with another filter gave."""
    name = "SessionFilter" if "Session" in operation else "FileTransferFilter"
    query = getattr(world.client("FASPSessionNET-200911").service, operation)
    token = query(**{name: {"Cookie": ["one"]}}).IterationToken
    return {name: {"Cookie": ["another"], "IterationToken": token}}


UNKNOWN = "5f4c1f6e-0000-4000-8000-0000000000ff"
FAULTS: dict[str, Callable[[World, str], Arguments]] = {
    "JobTypeNotFoundFault": lambda w, _: {"Type": "Aspera.None", "Definition": w.definition()},
    "JobFormatInvalidFault": lambda _w, _: {"Type": "Aspera.IScpTransfer", "Definition": "<Order/>"},
    "JobSubmissionErrorFault": lambda w, _: {
        "Type": "Aspera.IScpTransfer",
        "Definition": w.definition().replace(
            "<LocalLocation>", "<LocalLocation><System><UserName>somebody-else</UserName></System>"
        ),
    },
    "FilterChangedErrorFault": of_another_filter,
}
"""What provokes a fault, but for those about an id that is not known."""


def of_nobody(world: World, endpoint: str, operation: str) -> Arguments:
    """The arguments of a case with an id that nobody has."""
    arguments = CASES[endpoint][operation][0](world)
    return {
        name: UNKNOWN if name in {"JobID", "SessionID", "SubscriptionID"} else value
        for name, value in arguments.items()
    }


def declared() -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Endpoint, operation, and its faults with the elements that they carry, as the WSDL files have them."""
    found = []
    for endpoint in ENDPOINTS:
        root: Any = etree.parse(str(contract_path(endpoint.wsdl))).getroot()
        elements = {
            message.get("name"): message.find(f"{WSDL}part").get("element").partition(":")[2]
            for message in root.findall(f"{WSDL}message")
        }
        for operation in root.find(f"{WSDL}portType").findall(f"{WSDL}operation"):
            faults = [
                (fault.get("name"), elements[fault.get("message").partition(":")[2]])
                for fault in operation.findall(f"{WSDL}fault")
            ]
            found.append((endpoint.name, operation.get("name"), faults))
    return found


@pytest.mark.parametrize(("endpoint", "operation"), [row[:2] for row in declared()])
def test_an_operation_answers_what_is_true(world: World, endpoint: str, operation: str) -> None:
    arguments, is_true = CASES[endpoint][operation]
    answer = getattr(world.client(endpoint).service, operation)(**arguments(world))
    assert is_true(world, answer), answer


@pytest.mark.parametrize(
    ("endpoint", "operation", "fault", "element"),
    [(endpoint, operation, *fault) for endpoint, operation, faults in declared() for fault in faults],
)
def test_a_declared_fault_comes_with_its_detail(
    world: World, endpoint: str, operation: str, fault: str, element: str
) -> None:
    provoke = FAULTS.get(fault)
    arguments = provoke(world, operation) if provoke else of_nobody(world, endpoint, operation)
    with pytest.raises(Fault) as refused:
        getattr(world.client(endpoint).service, operation)(**arguments)
    (detail,) = refused.value.detail
    assert etree.QName(detail).localname == element
    code = "Server" if fault == "JobSubmissionErrorFault" else "Client"
    assert refused.value.code.partition(":")[2] == code


def test_there_is_no_case_for_what_no_wsdl_has() -> None:
    assert {(endpoint, name) for endpoint, cases in CASES.items() for name in cases} == {
        (endpoint, operation) for endpoint, operation, _ in declared()
    }
