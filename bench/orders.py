"""Envelopes and orders that the measurements post."""

from __future__ import annotations

import re
from pathlib import Path
from xml.sax.saxutils import escape

SUBMIT = "/services/soap/Transfer-201210"
QUERY_NAMESPACE = "urn:Aspera:XML:FASPSessionNET:2009/11:Types"
QUERY = "/services/soap/FASPSessionNET-200911"
JOB = "/services/soap/JobNET-200601"

ENVELOPE = """<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:ns1="{namespace}"><soapenv:Body>\
{body}</soapenv:Body></soapenv:Envelope>"""
LIST_TYPES = ENVELOPE.format(
    namespace="urn:Aspera:XML:JobNET:2006/01:Types", body="<ns1:ListTypesRequest/>"
).encode()
"""The envelope of ListTypes."""

_ORDER = """<Order><Version>2</Version><Operation>Push</Operation>
<ApplicationData><Cookie>bench</Cookie></ApplicationData>
<RemoteLocation><System><Address>127.0.0.1</Address><Port>{port}</Port><UserName>{user}</UserName>\
<Password>{password}</Password></System><Files><Path>{destination}</Path></Files></RemoteLocation>
<LocalLocation><Files><Path>{source}</Path></Files></LocalLocation>
<FileParameters><CreatePath>Yes</CreatePath></FileParameters>
<RateParameters><Policy>Fair</Policy><TargetRate>{rate}</TargetRate></RateParameters>
<RetryParameters><Count>0</Count></RetryParameters></Order>"""


def order(
    source: Path,
    *,
    port: int,
    destination: str,
    user: str = "bench",
    password: str = "",
    rate: int = 10_000_000,
) -> str:
    """A push without retries; `rate` in Kbps."""
    return _ORDER.format(
        port=port,
        user=user,
        password=password,
        destination=escape(destination),
        source=escape(str(source)),
        rate=rate,
    )


def submit(definition: str) -> bytes:
    """The envelope of Submit."""
    body = (
        "<ns1:SubmitRequest><Type>Aspera.IScpTransfer</Type>"
        f"<Definition>{escape(definition)}</Definition></ns1:SubmitRequest>"
    )
    return ENVELOPE.format(namespace="urn:Aspera:XML:JobNET:2006/01:Types", body=body).encode()


def get_session_info(count: int, *, status: str = "") -> bytes:
    """The envelope of GetSessionInfo for at most `count` sessions."""
    wanted = f"<SessionStatus>{status}</SessionStatus>" if status else ""
    body = (
        f"<ns1:GetSessionInfoRequest><SessionFilter><MaxResults>{count}</MaxResults>{wanted}"
        "</SessionFilter></ns1:GetSessionInfoRequest>"
    )
    return ENVELOPE.format(namespace=QUERY_NAMESPACE, body=body).encode()


def job_id(answer: bytes) -> str:
    """The job's id in an answer to Submit."""
    return _found(rb"<(?:ns1:)?ID>([^<]+)<", answer)


def count_and_remaining(answer: bytes) -> tuple[int, int]:
    """How many sessions an answer to GetSessionInfo holds, and how many more there are."""
    count = _found(rb"<ResultCount>(\d+)<", answer)
    return int(count), int(_found(rb"<RemainingResultCount>(\d+)<", answer))


def sessions_by_job(answer: bytes) -> dict[str, str]:
    """The session of each job in an answer to GetSessionInfo."""
    return {
        job.decode(): session.decode()
        for session, job in re.findall(rb"<UUID>([^<]+)</UUID><JobId>([^<]+)</JobId>", answer)
    }


def _found(pattern: bytes, answer: bytes) -> str:
    match = re.search(pattern, answer)
    if match is None:
        raise RuntimeError(f"an unexpected answer: {answer[:1000]!r}")
    return match[1].decode()
