"""The recorder that watches the whole suite notices what is wrong, and only that."""

from __future__ import annotations

from pathlib import Path

import pytest

from asperacentral.commands.client import CentralClient
from asperacentral.commands.local import LocalDaemon
from asperacentral.soap.names import FASPSESSION_200911
from asperacentral.soap.resources import Recorded
from tests import recording
from tests.recording import ANSWER, REQUEST, Checker
from tests.soap.conftest import enveloped
from tests.test_daemon import list_sessions, post

VALID_REQUEST = enveloped('<n:ListTypesRequest xmlns:n="urn:Aspera:XML:JobNET:2006/01:Types"/>')
VALID_ANSWER = VALID_REQUEST.replace("Request", "Response")
FAULT = enveloped("<e:Fault><faultcode>e:{}</faultcode><faultstring>no</faultstring>{}</e:Fault>")
DETAIL = (
    '<detail><n:JobNotFoundFaultType xmlns:n="urn:Aspera:XML:IScpTransferNET:2006/04:Types">'
    "<n:{0}>x</n:{0}></n:JobNotFoundFaultType></detail>"
)
ODD_REQUEST = enveloped(f'<n:GetSessionsRequest xmlns:n="{FASPSESSION_200911}"><Odd/></n:GetSessionsRequest>')


def complaints_about(request: str, status: int, answer: str) -> list[str]:
    found: list[str] = []
    checker = Checker(lambda kind, _: found.append(kind))
    checker(Recorded("Transfer-201210", "utf-8", request.encode(), status, answer.encode()))
    return found


@pytest.mark.parametrize(
    ("request_", "status", "answer", "wrong"),
    [
        (VALID_REQUEST, 200, VALID_ANSWER, []),
        (ODD_REQUEST, 200, VALID_ANSWER, [REQUEST]),
        (VALID_REQUEST, 500, VALID_ANSWER, [ANSWER]),
        (VALID_REQUEST, 200, VALID_ANSWER.replace("Types", "Tips"), [ANSWER]),
        (ODD_REQUEST, 500, FAULT.format("Client", ""), []),
        (VALID_REQUEST, 500, FAULT.format("Nobody", ""), [ANSWER]),
        (VALID_REQUEST, 500, FAULT.format("Client", DETAIL.format("JobID")), []),
        (ODD_REQUEST, 500, FAULT.format("Client", DETAIL.format("JobID")), [REQUEST]),
        (VALID_REQUEST, 500, FAULT.format("Client", DETAIL.format("JobId")), [ANSWER]),
        (VALID_REQUEST, 200, FAULT.format("Client", ""), [ANSWER]),
        (VALID_REQUEST, 200, "not XML", [ANSWER]),
    ],
)
def test_answers_must_be_valid_and_requests_where_they_were_accepted(
    request_: str, status: int, answer: str, wrong: list[str]
) -> None:
    assert complaints_about(request_, status, answer) == wrong


def test_what_is_wrong_is_complained_about_each_time() -> None:
    found: list[str] = []
    checker = Checker(lambda kind, _: found.append(kind))
    for _ in range(2):
        checker(Recorded("x", "", ODD_REQUEST.encode(), 200, VALID_ANSWER.encode()))
    assert found == [REQUEST, REQUEST]


def test_daemons_that_tests_start_are_recorded(tmp_path: Path, complaints: Path) -> None:
    with LocalDaemon(tmp_path) as daemon:
        assert CentralClient(daemon.url).list_jobs() == []
        assert recording.taken(complaints) == []
        assert "GetSessionsResponse" in post(daemon, "FASPSessionNET-200911", list_sessions("<Odd/>"))
        ((kind, text),) = recording.taken(complaints)
    assert kind == REQUEST
    assert "Odd" in text
