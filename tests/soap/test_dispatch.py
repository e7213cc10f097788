"""Which operation a message is, whatever endpoint and SOAPAction it comes with."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from asperacentral.soap.site import ENDPOINTS
from tests.soap.conftest import Server
from tests.soap.contract import NAMESPACES, assert_valid, fault
from tests.soap.memory_central import JOB, SESSION

Serve = Callable[..., Server]
PATHS = [f"/services/soap/{endpoint.name}" for endpoint in ENDPOINTS]
LIST_TYPES = f'<m:ListTypesRequest xmlns:m="{NAMESPACES["job"]}"/>'


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("inner", "answer"),
    [
        (LIST_TYPES, "ListTypesResponse"),
        (f'<m:CancelRequest xmlns:m="{NAMESPACES["iscp"]}"><JobID>{JOB}</JobID></m:CancelRequest>', "CancelResponse"),
        (f'<m:ListSessionsRequest xmlns:m="{NAMESPACES["fasp06"]}"/>', "ListSessionsResponse"),
        (
            f'<m:GetSessionsRequest xmlns:m="{NAMESPACES["fasp09"]}"><SessionFilter/></m:GetSessionsRequest>',
            "GetSessionsResponse",
        ),
    ],
)  # fmt: skip
def test_every_known_message_is_taken_at_every_endpoint(
    server: Server, path: str, inner: str, answer: str
) -> None:
    got = server.soap(inner, path=path)
    assert got.status == 200
    assert assert_valid(got.body).tag.endswith(f"}}{answer}")


@pytest.mark.parametrize(
    "action", ["", '""', "'x'", "JobNET-200601#Submit", '"FASPSessionNET-200911#GetInfo"', "#"]
)
def test_a_soap_action_that_does_not_belong_to_the_body_is_ignored(server: Server, action: str) -> None:
    got = server.soap(LIST_TYPES, headers={"SOAPAction": action})
    assert b"ListTypesResponse" in got.body


def test_the_two_cancel_messages_are_told_apart_by_namespace(server: Server) -> None:
    for key, child, value in (("iscp", "JobID", JOB), ("fasp06", "SessionID", SESSION)):
        inner = f'<m:CancelRequest xmlns:m="{NAMESPACES[key]}"><{child}>{value}</{child}></m:CancelRequest>'
        assert server.soap(inner).status == 200
    assert server.central.cancelled == [JOB, SESSION]


@pytest.mark.lenient_requests(reason="no namespace")
@pytest.mark.parametrize(
    ("path", "action"),
    [
        ("IScpTransferNET-200604", "FASPSessionNET-200601#Cancel"),
        ("Transfer-201210", "IScpTransferNET-200604#Cancel"),
        ("Transfer-201210", '"IScpTransferNET-200604#Cancel"'),
    ],
)
def test_a_name_without_namespace_is_the_endpoint_s_own_or_else_the_soap_action_s(
    server: Server, path: str, action: str
) -> None:
    inner = f"<CancelRequest><JobID>{JOB}</JobID></CancelRequest>"
    got = server.soap(inner, path=f"/services/soap/{path}", headers={"SOAPAction": action})
    assert got.status == 200
    assert server.central.cancelled == [JOB]


@pytest.mark.lenient_requests(reason="no namespace")
def test_a_name_without_namespace_that_only_one_service_has_needs_no_help(server: Server) -> None:
    assert server.soap("<ListJobsRequest/>").status == 200


def test_a_name_without_namespace_that_several_services_have_is_refused(server: Server) -> None:
    got = server.soap(f"<CancelRequest><JobID>{JOB}</JobID></CancelRequest>")
    assert (got.status, fault(got.body)[0]) == (500, "Client")
    assert "several services" in fault(got.body)[1]
    assert server.central.cancelled == []


@pytest.mark.parametrize(
    "inner",
    [
        "<Nonsense/>",
        '<m:Nonsense xmlns:m="urn:x"/>',
        f'<m:SubmitRequest xmlns:m="{NAMESPACES["iscp"]}"/>',
        f'<m:SubmitResponse xmlns:m="{NAMESPACES["job"]}"/>',
        '<e:Fault xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"/>',
    ],
)
def test_an_unknown_message_is_the_client_s_fault(server: Server, inner: str) -> None:
    got = server.soap(inner)
    assert (got.status, fault(got.body)) == (500, ("Client", fault(got.body)[1]))
    assert fault(got.body)[1].startswith("unknown message ")


def test_what_never_changes_is_asked_once_of_the_rules(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []
    answer = server.central.list_types

    def list_types() -> tuple[str, ...]:
        asked.append(answer())
        return asked[-1]

    monkeypatch.setattr(server.central, "list_types", list_types)
    answers = {server.soap(LIST_TYPES).body for _ in range(3)}
    assert (len(answers), len(asked)) == (1, 1)
    assert assert_valid(answers.pop()).tag.endswith("}ListTypesResponse")
