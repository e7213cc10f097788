"""The SOAP face, put together: `make_site` builds the site that a daemon or a test listens with."""

from __future__ import annotations

from typing import Any

from asperacentral.central.api import CentralService
from asperacentral.soap import faspsession200601, faspsession200911, iscptransfer, jobnet, transfer201210
from asperacentral.soap.contract_files import contract_files
from asperacentral.soap.faults import CLIENT, SoapFault, render_fault
from asperacentral.soap.http import LimitedSite
from asperacentral.soap.resources import ContractFile, Directory, EndpointResource, Recorder
from asperacentral.soap.schema import ContractSchema
from asperacentral.soap.service import Dispatcher

ENDPOINTS = tuple(
    module.ENDPOINT for module in (jobnet, iscptransfer, faspsession200601, faspsession200911, transfer201210)
)
"""The five services of the contract (§1)."""


def make_site(
    service: CentralService,
    *,
    max_body: int = 1 << 20,
    request_deadline: float = 30,
    max_connections: int = 1000,
    per_address: int = 500,
    strict: bool = False,
    recorder: Recorder | None = None,
    reactor: Any,
) -> LimitedSite:
    """The site of the SOAP face.

    `max_body` is in bytes; `request_deadline` in seconds, for a request to come whole, again for the service to
    answer it, and again for the answer to be taken. With `strict`, requests must be valid by the contract's XSD
    files; without, what is unknown is skipped. A `recorder` is told of every exchange. The service is called, and
    its Futures must complete, in the reactor's thread.
    """
    files = contract_files()
    dispatcher = Dispatcher(service, ENDPOINTS)
    schema = ContractSchema() if strict else None
    shown: dict[str, Any] = {name: ContractFile(content) for name, content in files.items()}
    endpoints = {
        each.name: EndpointResource(each, dispatcher, files[each.wsdl], schema, recorder)
        for each in ENDPOINTS
    }
    # The files are beside the endpoints too, since a WSDL got by ?wsdl names its XSD files relative to there.
    root = Directory(
        {
            "services": Directory({"soap": Directory(shown | endpoints)}),
            "console": Directory({"services": Directory({"soap": Directory(shown)})}),
        }
    )
    return LimitedSite(
        root,
        max_body=max_body,
        request_deadline=request_deadline,
        max_connections=max_connections,
        per_address=per_address,
        refusal=lambda reason: render_fault(SoapFault(CLIENT, f"the message was refused: {reason}")),
        reactor=reactor,
    )
