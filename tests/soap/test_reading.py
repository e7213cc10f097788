"""What is taken from a request: lenient about shape, precise about what is wrong; strict when asked to be."""

from __future__ import annotations

import logging
from collections.abc import Callable
from xml.etree.ElementTree import fromstring

import pytest

from asperacentral.central.model import Endpoint
from asperacentral.central.query import FileTransferFilter, SessionFilter
from asperacentral.soap.models.faspsession200911 import SessionFilterRequest
from asperacentral.soap.protocol import STEP, read_model
from tests.soap.conftest import Server
from tests.soap.contract import NAMESPACES, assert_valid, fault
from tests.soap.memory_central import JOB, NOW, SESSION

Serve = Callable[..., Server]
F9, F6, IN, JN = (NAMESPACES[key] for key in ("fasp09", "fasp06", "iscp", "job"))


def query(inner: str) -> str:
    return (
        f'<m:GetSessionsRequest xmlns:m="{F9}"><SessionFilter>{inner}</SessionFilter></m:GetSessionsRequest>'
    )


def set_rate(inner: str) -> str:
    return f'<m:SetTargetRateRequest xmlns:m="{F6}"><SessionID>{SESSION}</SessionID>{inner}</m:SetTargetRateRequest>'


@pytest.mark.lenient_requests(reason="white space around a date, which libxml2 does not take")
def test_a_whole_filter_reaches_central_with_its_types(server: Server) -> None:
    inner = (
        f'<m:GetInfoRequest xmlns:m="{F9}"><FileTransferFilter><IterationToken>t</IterationToken>'
        "<MaxResults>100000</MaxResults><SessionUUID>a</SessionUUID><SessionUUID>b</SessionUUID>"
        "<SessionStatus>running</SessionStatus><ServerAddress>s</ServerAddress><ClientAddress>c</ClientAddress>"
        "<Cookie> spaces count </Cookie><CookieFilter>.*</CookieFilter><JobId>j</JobId><Direction>incoming</Direction>"
        "<MinSessionStartDate>2026-11-18T11:06:40Z</MinSessionStartDate>"
        "<MaxSessionStartDate>2026-11-18T12:06:40.5+01:00</MaxSessionStartDate>"
        "<MinSessionEndDate>2026-11-18T11:06:40</MinSessionEndDate><MaxSessionEndDate> 2026-11-18T11:06:40Z\n"
        "</MaxSessionEndDate><PrivateKey>p</PrivateKey><LastSessionOnly>true</LastSessionOnly><User>u</User>"
        "<TransferId>-7</TransferId><TransferStatus>error</TransferStatus><Filepath>/f</Filepath>"
        "<FilenameFilter>x</FilenameFilter><MinTransferStartDate>1970-01-01T00:00:00Z</MinTransferStartDate>"
        "</FileTransferFilter></m:GetInfoRequest>"
    )
    assert server.soap(inner).status == 200
    assert server.central.filters[0] == FileTransferFilter(
        iteration_token="t",
        max_results=100_000,
        session_uuid=("a", "b"),
        session_status=("running",),
        server_address=("s",),
        client_address=("c",),
        cookie=(" spaces count ",),
        cookie_filter=".*",
        job_id=("j",),
        direction="incoming",
        min_session_start_date=NOW,
        max_session_start_date=NOW + 0.5,
        min_session_end_date=NOW,
        max_session_end_date=NOW,
        private_key=("p",),
        last_session_only=True,
        user=("u",),
        transfer_id=(-7,),
        transfer_status=("error",),
        filepath=("/f",),
        filename_filter="x",
        min_transfer_start_date=0.0,
    )


@pytest.mark.lenient_requests(reason="other order, other namespace")
def test_children_count_in_any_order_and_any_namespace(server: Server) -> None:
    inner = '<x:JobId xmlns:x="urn:other">j</x:JobId><MaxResults>3</MaxResults><SessionUUID>s</SessionUUID>'
    assert server.soap(query(inner)).status == 200
    assert server.central.filters == [SessionFilter(job_id=("j",), max_results=3, session_uuid=("s",))]


@pytest.mark.lenient_requests(reason="a misspelt element")
def test_the_misspelt_date_of_the_old_documentation_is_understood(server: Server) -> None:
    inner = "<MaxSessionEndtDate>2026-11-18T11:06:40Z</MaxSessionEndtDate>"
    assert server.soap(query(inner)).status == 200
    assert server.central.filters == [SessionFilter(max_session_end_date=NOW)]


@pytest.mark.lenient_requests(reason="unknown elements")
def test_unknown_elements_are_skipped_and_logged(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        got = server.soap(query("<Later>x<Than>y</Than></Later><JobId>j</JobId>"))
    assert got.status == 200
    assert server.central.filters == [SessionFilter(job_id=("j",))]
    assert "GetSessionsRequest/SessionFilter: skipped 1 unknown elements: 'Later'" in caplog.messages


@pytest.mark.lenient_requests(reason="nil and foreign attributes")
def test_nil_elements_and_foreign_attributes_do_not_count(server: Server) -> None:
    xsi = 'xmlns:i="http://www.w3.org/2001/XMLSchema-instance"'
    inner = (
        f'<MaxResults {xsi} i:nil="true"/><JobId {xsi} i:type="xsd:string" JobId="no" Cookie="no">j</JobId>'
    )
    assert server.soap(query(inner)).status == 200
    assert server.central.filters == [SessionFilter(job_id=("j",))]


def test_comments_and_cdata_are_part_of_the_text_around_them(server: Server) -> None:
    assert server.soap(query("<JobId>a<!-- not this --><![CDATA[<b>]]>&amp;c</JobId>")).status == 200
    assert server.central.filters == [SessionFilter(job_id=("a<b>&c",))]


def test_ids_may_have_white_space_around_them(server: Server) -> None:
    inner = f'<m:CancelRequest xmlns:m="{IN}"><JobID>\n   {JOB}\n </JobID></m:CancelRequest>'
    assert server.soap(inner).status == 200
    assert server.central.cancelled == [JOB]


@pytest.mark.parametrize(
    ("inner", "reason"),
    [
        (f'<m:SubmitRequest xmlns:m="{JN}"/>', "SubmitRequest/Type is missing"),
        (f'<m:SubmitRequest xmlns:m="{JN}"><Type>x</Type></m:SubmitRequest>', "SubmitRequest/Definition is missing"),
        (
            f'<m:SubmitRequest xmlns:m="{JN}"><Type>x</Type><Definition><Order/></Definition></m:SubmitRequest>',
            "SubmitRequest/Definition holds elements where text is expected",
        ),
        (f'<m:GetSessionsRequest xmlns:m="{F9}"/>', "GetSessionsRequest/SessionFilter is missing"),
        (
            query("<MaxResults>many</MaxResults>"),
            "GetSessionsRequest/SessionFilter/MaxResults: 'many' is not a valid positiveInteger",
        ),
        (
            query("<MaxResults>0</MaxResults>"),
            "GetSessionsRequest/SessionFilter/MaxResults: '0' is not a valid positiveInteger",
        ),
        (
            query("<MaxResults>1</MaxResults><MaxResults>2</MaxResults>"),
            "GetSessionsRequest/SessionFilter/MaxResults is given more than once",
        ),
        (
            query("<MinSessionStartDate>yesterday</MinSessionStartDate>"),
            "GetSessionsRequest/SessionFilter/MinSessionStartDate: 'yesterday' is not a valid dateTime",
        ),
        (
            query("<LastSessionOnly>perhaps</LastSessionOnly>"),
            "GetSessionsRequest/SessionFilter/LastSessionOnly: 'perhaps' is not a valid boolean",
        ),
        (set_rate(""), "SetTargetRateRequest/TargetRate is missing"),
        (
            set_rate("<TargetRate>-1</TargetRate>"),
            "SetTargetRateRequest/TargetRate: '-1' is not a valid unsignedInt",
        ),
        (
            set_rate("<TargetRate>4294967296</TargetRate>"),
            "SetTargetRateRequest/TargetRate: '4294967296' is not a valid unsignedInt",
        ),
        (
            set_rate("<TargetRate>1_000</TargetRate>"),
            "SetTargetRateRequest/TargetRate: '1_000' is not a valid unsignedInt",
        ),
        (
            set_rate("<TargetRate>\u0663</TargetRate>"),
            "SetTargetRateRequest/TargetRate: '\u0663' is not a valid unsignedInt",
        ),
        (
            set_rate(f"<TargetRate>{'9' * 1000}</TargetRate>"),
            f"SetTargetRateRequest/TargetRate: '{'9' * 60}...' is not a valid unsignedInt",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(server: Server, inner: str, reason: str) -> None:
    got = server.soap(inner)
    assert (got.status, fault(got.body)) == (500, ("Client", reason))


def test_what_central_finds_wrong_is_the_client_s_fault(server: Server) -> None:
    inner = (
        f'<m:SetPolicyRequest xmlns:m="{F6}"><SessionID>{SESSION}</SessionID><Policy>x</Policy>'
        "</m:SetPolicyRequest>"
    )
    assert fault(server.soap(inner).body) == ("Client", "unknown policy 'x'")


@pytest.mark.lenient_requests(reason="parameters left out")
def test_rate_parameters_may_be_given_in_part(server: Server) -> None:
    inner = (
        f'<m:SetRateParametersRequest xmlns:m="{F6}"><SessionID>{SESSION}</SessionID>'
        "<RateParameters><MinimumRate>7</MinimumRate></RateParameters></m:SetRateParametersRequest>"
    )
    assert server.soap(inner).status == 200
    ((_, change),) = server.central.changes
    assert (change.policy, change.target_rate, change.minimum_rate, change.bandwidth_cap) == (
        None,
        None,
        7,
        None,
    )


@pytest.mark.lenient_requests(reason="unqualified children of types")
def test_a_subscription_lives_from_subscribe_over_update_to_unsubscribe(server: Server) -> None:
    address = "<Address>http://127.0.0.1:9/</Address>"
    subscribe = (
        f'<m:SubscribeRequest xmlns:m="{F6}"><SessionID>0</SessionID><SubscriptionObserver>{address}'
        f"</SubscriptionObserver><SessionObserver>{address}<Action>act</Action></SessionObserver>"
        "<Topics><Topic> Started </Topic></Topics><Duration>60</Duration></m:SubscribeRequest>"
    )
    identity = "<SubscriptionID>session-subscription-1</SubscriptionID>"
    topics = "<Topics><Topic>Statistics</Topic></Topics>"
    made = assert_valid(server.soap(subscribe).body)
    assert [each.text for each in made.iter(f"{{{F6}}}Topic")] == ["Started"]
    (kept,) = server.central.subscriptions.values()
    assert kept.observer == Endpoint("http://127.0.0.1:9/", "act")
    assert kept.subscription_observer == Endpoint("http://127.0.0.1:9/", "")
    update = (
        f'<m:UpdateSubscriptionRequest xmlns:m="{F6}">{identity}{topics}<Duration>5</Duration>'
        "</m:UpdateSubscriptionRequest>"
    )
    updated = assert_valid(server.soap(update).body)
    assert [each.text for each in updated.iter(f"{{{F6}}}Topic")] == ["Started", "Statistics"]
    assert next(updated.iter(f"{{{F6}}}TimeRemaining")).text == "5"
    take = f'<m:UnsubscribeRequest xmlns:m="{F6}">{identity}{topics}</m:UnsubscribeRequest>'
    left = assert_valid(server.soap(take).body)
    assert [each.text for each in left.iter(f"{{{F6}}}Topic")] == ["Started"]
    end = f'<m:UnsubscribeRequest xmlns:m="{F6}">{identity}</m:UnsubscribeRequest>'
    assert server.soap(end).status == 200
    assert server.central.subscriptions == {}
    assert server.soap(end).status == 500


# --- strict mode


@pytest.mark.lenient_requests(reason="a body element without a namespace is taken as the endpoint's")
def test_a_strict_site_takes_what_is_valid(serve: Serve) -> None:
    server = serve(strict=True)
    got = server.soap(query("<MaxResults>3</MaxResults><JobId>j</JobId>"))
    assert got.status == 200
    assert server.soap("<ListJobsRequest/>").status == 200


@pytest.mark.parametrize(
    ("inner", "reason"),
    [
        (query("<JobId>j</JobId><MaxResults>3</MaxResults>"), "MaxResults"),
        (query("<Later/>"), "unknown element 'Later'"),
        (query('<JobId at="x">j</JobId>'), "JobId must have no attributes"),
        (query('<x:JobId xmlns:x="urn:other">j</x:JobId>'), "JobId"),
        (f'<m:SubmitRequest xmlns:m="{JN}"/>', "SubmitRequest"),
    ],
)
def test_a_strict_site_refuses_what_a_lenient_one_would_skip(serve: Serve, inner: str, reason: str) -> None:
    got = serve(strict=True).soap(inner)
    code, text = fault(got.body)
    assert (got.status, code) == (500, "Client")
    assert reason in text


def test_a_long_filter_is_read_in_steps() -> None:
    document = fromstring(f"<Request><SessionFilter>{'<User>u</User>' * 5_000}</SessionFilter></Request>")
    steps = read_model(SessionFilterRequest, document, "Request")
    count = 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            assert end.value.SessionFilter.User == ["u"] * 5_000
            break
        count += 1
    assert count == 5_000 // STEP
