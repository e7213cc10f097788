"""Malformed and hostile requests to the whole daemon: each gets its answer within a second, and memory stays flat."""

from __future__ import annotations

import http.client
import re
import socket
from pathlib import Path
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

import pytest

from asperacentral.commands.local import LocalDaemon
from tests.e2e.site import Site
from tests.promptness import prompt

JOB = "urn:Aspera:XML:JobNET:2006/01:Types"
ISCP = "urn:Aspera:XML:IScpTransferNET:2006/04:Types"
FASP06 = "urn:Aspera:XML:FASPSessionNET:2006/01:Types"
FASP09 = "urn:Aspera:XML:FASPSessionNET:2009/11:Types"

GOOD = (
    "<Order><Operation>Push</Operation><RemoteLocation><System><Address>127.0.0.1</Address></System>"
    "<Files><Path>/x</Path></Files></RemoteLocation><LocalLocation><Files><Path>/y</Path></Files></LocalLocation></Order>"
)


def envelope(body: str, head: str = "", prolog: str = "") -> str:
    return f'{prolog}<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">{head}<s:Body>{body}</s:Body></s:Envelope>'


def call(namespace: str, name: str, inside: str = "") -> str:
    return envelope(f'<q:{name} xmlns:q="{namespace}">{inside}</q:{name}>')


def submit(definition: str, job_type: str = "Aspera.IScpTransfer") -> str:
    return call(JOB, "SubmitRequest", f"<Type>{job_type}</Type><Definition>{escape(definition)}</Definition>")


def with_order(**elements: str) -> str:
    text = GOOD
    for name, value in elements.items():
        text = text.replace("</Order>", f"<{name}>{value}</{name}></Order>")
    return submit(text)


BOMB = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'

# What is sent -> what must be in the answer: a typed fault, a SOAP Fault, or an HTTP status.
CASES: dict[str, tuple[str | bytes, str]] = {
    "an order with a DTD": (submit(BOMB + GOOD), "JobFormatInvalidFaultType"),
    "an order that fetches a file": (
        submit('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + GOOD),
        "JobFormatInvalidFaultType",
    ),
    "an order with 30,000 elements": (
        submit(GOOD.replace("</Order>", "<x/>" * 30_000 + "</Order>")),
        "JobFormatInvalid",
    ),
    "an order with 30,000 attributes": (
        submit("<Order " + " ".join(f'a{n}="1"' for n in range(30_000)) + "/>"),
        "attributes",
    ),
    "an order nested 5,000 deep": (
        submit("<Order>" + "<a>" * 5000 + "</a>" * 5000 + "</Order>"),
        "JobFormatInvalidFaultType",
    ),
    "an order that is no XML": (submit("hello"), "JobFormatInvalidFaultType"),
    "an empty order": (submit(""), "JobFormatInvalidFaultType"),
    "an order cut short": (submit(GOOD[:-10]), "JobFormatInvalidFaultType"),
    "an order with another root": (submit("<Job/>"), "JobFormatInvalidFaultType"),
    "an order without operation": (submit(GOOD.replace("Push", "")), "JobFormatInvalidFaultType"),
    "an order with an unknown operation": (
        submit(GOOD.replace("Push", "Steal")),
        "JobFormatInvalidFaultType",
    ),
    "an order without address": (submit(GOOD.replace("127.0.0.1", "")), "JobFormatInvalidFaultType"),
    "an order whose address is an option": (
        submit(GOOD.replace("127.0.0.1", "-oProxyCommand=id")),
        "JobFormatInvalid",
    ),
    "an order without sources": (submit(GOOD.replace("<Path>/y</Path>", "")), "JobFormatInvalidFaultType"),
    "an order that climbs here": (submit(GOOD.replace("/y", "/y/../../etc")), "JobFormatInvalidFaultType"),
    "an order that climbs there": (submit(GOOD.replace("/x", "../../x")), "JobFormatInvalidFaultType"),
    "an order with a path of 5,000 characters": (
        submit(GOOD.replace("/y", "/y" * 2500)),
        "JobFormatInvalidFaultType",
    ),
    "an order with 20,000 paths": (
        submit(GOOD.replace("<Path>/y</Path>", "<Path>/y</Path>" * 20_000)),
        "JobFormatInvalidFaultType",
    ),
    "a port of 70,000": (with_order(ChannelParameters="<Port>70000</Port>"), "JobFormatInvalidFaultType"),
    "a rate that is no number": (
        with_order(RateParameters="<TargetRate>fast</TargetRate>"),
        "JobFormatInvalidFaultType",
    ),
    "a negative rate": (
        with_order(RateParameters="<TargetRate>-1</TargetRate>"),
        "JobFormatInvalidFaultType",
    ),
    "a number of 10,000 digits": (
        with_order(RateParameters=f"<TargetRate>{'9' * 10_000}</TargetRate>"),
        "JobFormatInvalidFaultType",
    ),
    "a policy that is none": (
        with_order(RateParameters="<Policy>Rude</Policy>"),
        "JobFormatInvalidFaultType",
    ),
    "encryption at rest without a passphrase": (
        with_order(FileParameters="<Protection>Encrypt</Protection>"),
        "JobSubmissionErrorFaultType",
    ),
    "a time of creation to keep": (
        with_order(FileParameters="<PreserveCreationTime>Yes</PreserveCreationTime>"),
        "JobSubmissionErrorFaultType",
    ),
    "an unknown job type": (submit(GOOD, "Aspera.Teleport"), "JobTypeNotFoundFaultType"),
    "a submit without definition": (call(JOB, "SubmitRequest", "<Type>x</Type>"), "Fault"),
    "an unknown message": (call(JOB, "DestroyRequest"), "Fault"),
    "a message of an unknown namespace": (call("urn:x", "SubmitRequest"), "Fault"),
    "an unknown job": (call(ISCP, "CancelRequest", "<JobID>none</JobID>"), "JobNotFoundFaultType"),
    "an unknown session": (
        call(FASP06, "CancelRequest", "<SessionID>none</SessionID>"),
        "SessionNotFoundFaultType",
    ),
    "a rate for an unknown session": (
        call(
            FASP06,
            "SetTargetRateRequest",
            "<SessionID>'; drop table jobs; --</SessionID><TargetRate>1</TargetRate>",
        ),
        "SessionNotFoundFaultType",
    ),
    "a rate that no integer holds": (
        call(FASP06, "SetTargetRateRequest", "<SessionID>x</SessionID><TargetRate>99999999999</TargetRate>"),
        "Fault",
    ),
    "an unknown subscription": (
        call(FASP06, "UnsubscribeRequest", "<SubscriptionID>none</SubscriptionID>"),
        "SubscriptionNotFoundFaultType",
    ),
    "an observer that is a file": (
        call(
            ISCP,
            "SubscribeRequest",
            "<JobID>0</JobID><JobObserver><Address>file:///etc/passwd</Address></JobObserver><Duration>9</Duration>",
        ),
        "Fault",
    ),
    "a token that is none": (
        call(
            FASP09,
            "GetSessionInfoRequest",
            "<SessionFilter><IterationToken>xyz</IterationToken></SessionFilter>",
        ),
        "Fault",
    ),
    "a date that is none": (
        call(
            FASP09,
            "GetSessionInfoRequest",
            "<SessionFilter><MinSessionStartDate>soon</MinSessionStartDate></SessionFilter>",
        ),
        "Fault",
    ),
    "an envelope with a DTD": (envelope("", prolog=BOMB), "Fault"),
    "an envelope nested 10,000 deep": (envelope("<a>" * 10_000 + "</a>" * 10_000), "Fault"),
    "an element with 100,000 attributes": (
        envelope("<a " + " ".join(f'a{n}=""' for n in range(100_000)) + "/>"),
        "Fault",
    ),
    "100,000 namespaces": (
        envelope("<a " + " ".join(f'xmlns:n{n}="u"' for n in range(40_000)) + "/>"),
        "Fault",
    ),
    "two bodies' worth": (envelope("<a/><b/>"), "Fault"),
    "an empty body": (envelope(""), "Fault"),
    "no envelope": ("<a/>", "Fault"),
    "no XML": ("hello", "Fault"),
    "nothing": ("", "Fault"),
    "another SOAP version": (
        envelope("").replace("schemas.xmlsoap.org/soap/envelope/", "www.w3.org/2003/05/soap-envelope"),
        "VersionMismatch",
    ),
    "a header that must be understood": (
        call(JOB, "ListTypesRequest").replace(
            "<s:Body>", '<s:Header><h xmlns="urn:h" s:mustUnderstand="1"/></s:Header><s:Body>'
        ),
        "MustUnderstand",
    ),
    "UTF-7": (b'<?xml version="1.0" encoding="utf-7"?>' + envelope("").encode(), "Fault"),
    "bytes that are no UTF-8": (b"<a>\xff\xfe\xfa</a>", "Fault"),
}


def post(
    daemon: LocalDaemon, body: str | bytes, path: str = "/services/soap/Transfer-201210"
) -> tuple[int, str]:
    target = urlsplit(daemon.url)
    connection = http.client.HTTPConnection(str(target.hostname), target.port, timeout=10)
    try:
        data = body.encode() if isinstance(body, str) else body
        connection.request("POST", path, data, {"Content-Type": "text/xml;charset=UTF-8", "SOAPAction": ""})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> object:
    with LocalDaemon(tmp_path_factory.mktemp("hostile")) as running:
        yield running


@pytest.mark.parametrize("case", CASES)
def test_it_is_answered_with_the_right_fault_within_a_second(daemon: LocalDaemon, case: str) -> None:
    body, expected = CASES[case]
    status, answer = prompt(lambda: post(daemon, body), 1)
    assert status == 500
    assert expected in answer
    assert "Traceback" not in answer
    assert not re.search(r'File "|\.py\b', answer)


def test_a_body_of_a_hundred_megabytes_is_refused_early(daemon: LocalDaemon) -> None:
    target = urlsplit(daemon.url)
    with socket.create_connection((str(target.hostname), target.port), timeout=10) as raw:
        raw.sendall(
            b"POST /services/soap/Transfer-201210 HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n"
        )
        assert b" 413 " in raw.recv(4096)
    with socket.create_connection((str(target.hostname), target.port), timeout=10) as raw:
        raw.sendall(
            b"POST /services/soap/JobNET-200601 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        answer = b""
        try:
            for _ in range(100):
                raw.sendall(b"100000\r\n" + b"x" * (1 << 20) + b"\r\n")
        except OSError:
            pass
        try:
            answer = raw.recv(4096)
        except OSError:
            answer = b" 413 "  # Reset while we were still sending: it did not wait for the rest.
        assert b" 413 " in answer


def resident(pid: int) -> int:
    """Resident memory in kB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1])  # type: ignore[index]


def test_memory_stays_flat_and_work_goes_on(daemon: LocalDaemon) -> None:
    for body, _ in CASES.values():
        post(daemon, body)
    before = resident(daemon.pid)
    for _ in range(3):
        for body, _ in CASES.values():
            post(daemon, body)
    assert resident(daemon.pid) - before < 16_000
    assert Site(daemon).client.list_jobs() == []
