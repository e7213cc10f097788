"""SOAP 1.1 faults: which error of the domain becomes which fault of the contract (§5), and their bytes.

Pure; knows `central.errors`, not how requests are read or sent. A fault's text is fit for any client: it never
holds a traceback or a secret.
"""

from __future__ import annotations

from dataclasses import dataclass

from asperacentral.central import errors
from asperacentral.soap.names import (
    ENVELOPE,
    FASPSESSION_200601,
    FASPSESSION_200911,
    ISCPTRANSFER,
    JOBNET,
)
from asperacentral.soap.text import escape
from asperacentral.soap.writer import PREFIX

CLIENT, SERVER, MUST_UNDERSTAND, VERSION_MISMATCH = "Client", "Server", "MustUnderstand", "VersionMismatch"


class SoapFault(Exception):
    """An answer that is a fault: a SOAP 1.1 code, a text, and the contract's detail element if it has one."""

    def __init__(self, code: str, text: str, *, namespace: str = "", detail: str = "") -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.namespace = namespace
        self.detail = detail


def envelope(namespace: str, body: bytes) -> bytes:
    """A whole SOAP message around `body`, whose prefix `ns1` stands for `namespace`."""
    declared = f' xmlns:ns1="{namespace}"' if namespace else ""
    head = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<soapenv:Envelope xmlns:soapenv="{ENVELOPE}"{declared}><soapenv:Body>'
    )
    return b"".join((head.encode(), body, b"</soapenv:Body></soapenv:Envelope>"))


def render_fault(fault: SoapFault) -> bytes:
    """The whole SOAP message that reports `fault`."""
    detail = f"<detail>{fault.detail}</detail>" if fault.detail else ""
    body = (
        f"<soapenv:Fault><faultcode>soapenv:{fault.code}</faultcode>"
        f"<faultstring>{escape(fault.text)}</faultstring>{detail}</soapenv:Fault>"
    )
    return envelope(fault.namespace, body.encode())


@dataclass(frozen=True, slots=True)
class _Typed:
    """A typed fault of the contract: its detail element with one child, taken from an attribute of the error.

    `namespace` None means that of the request.
    """

    namespace: str | None
    element: str
    child: str
    attribute: str
    code: str = CLIENT


_TYPED: dict[type[errors.CentralError], _Typed] = {
    errors.JobTypeNotFound: _Typed(JOBNET, "JobTypeNotFoundFaultType", "Type", "job_type"),
    errors.JobFormatInvalid: _Typed(JOBNET, "JobFormatInvalidFaultType", "Detail", "detail"),
    errors.JobSubmissionError: _Typed(JOBNET, "JobSubmissionErrorFaultType", "Detail", "detail", SERVER),
    errors.JobNotFound: _Typed(ISCPTRANSFER, "JobNotFoundFaultType", "JobID", "job_id"),
    errors.SessionNotFound: _Typed(FASPSESSION_200601, "SessionNotFoundFaultType", "SessionID", "session_id"),
    errors.SubscriptionNotFound: _Typed(
        None, "SubscriptionNotFoundFaultType", "SubscriptionID", "subscription_id"
    ),
}


def fault_of(error: errors.CentralError, asked: str) -> SoapFault:
    """The fault for an error of the domain; `asked` is the namespace of the request it answers."""
    if isinstance(error, errors.FilterChanged):
        detail = f"<{PREFIX}FilterChangedErrorFaultElement/>"
        return SoapFault(CLIENT, str(error), namespace=FASPSESSION_200911, detail=detail)
    typed = _TYPED.get(type(error))
    if typed is None:
        code = CLIENT if isinstance(error, errors.InvalidValue) else SERVER
        return SoapFault(code, str(error))
    element, child = PREFIX + typed.element, PREFIX + typed.child
    value = escape(str(getattr(error, typed.attribute)))
    detail = f"<{element}><{child}>{value}</{child}></{element}>"
    return SoapFault(typed.code, str(error), namespace=typed.namespace or asked, detail=detail)
